"""New connections and devices by the thousand: what the operations for one do, in few statements for all."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sep2.operations.devices import NewDevice, add_device
from sep2.operations.groups import SERVICE_POINT
from sep2.operations.inherited import house
from sep2.operations.territory import SYSTEM
from sep2.rules.authority import NAMES, OPERATORS, Primacies, Role
from sep2.rules.identifiers import DOCUMENTATION_PEN, new_mrid, new_pin, sfdi_of
from sep2.store import backstops, bulk, devices, marks, outbox, territory
from sep2.store.connection import Connection


class DeviceRow(NamedTuple):
    """A device to add: who acts for it, the row of its connection, and whether it holds that connection's limits."""

    lfdi: str
    client_id: int
    name: str | None = None
    connection: str | None = None
    connection_row: int | None = None
    place_id: int | None = None
    holds: bool = True
    beside: Mapping[str, Any] = {}
    """Columns beside: what a rule guarantees to its controllable loads, and whether it follows load control."""


async def add_connections(
    db: Connection, new: Sequence[Mapping[str, Any]], now: int, primacies: Primacies
) -> dict[str, int]:
    """Add connections with their programs; new: columns of each, with `place_id`. Their ids by connection_id."""
    if not new:
        return {}
    pen = int(await marks.value(db, "pen") or DOCUMENTATION_PEN)
    ids = await bulk.add_connections(db, [{**row, "created": now} for row in new])
    groups = [
        _program(row["connection_id"], ids[row["connection_id"]], role, pen=pen, primacy=primacies.of(role))
        | {"created": now}
        for row in new
        for role in (Role.CONNECTION, *OPERATORS)
    ]
    made = await bulk.add_groups(db, groups)
    defaults = [{"device_group_id": number, "mrid": new_mrid(pen), "changed": now} for number in made.values()]
    await bulk.add_defaults(db, defaults)
    return ids


def _program(name: str, row_id: int, role: Role, *, pen: int, primacy: int) -> dict[str, Any]:
    own = f"connection {name}"
    return {
        "name": NAMES[role].format(own) if role in OPERATORS else own,
        "level": SERVICE_POINT,
        "primacy": primacy,
        "program_mrid": new_mrid(pen),
        "fsa_mrid": new_mrid(pen),
        "connection_id": row_id,
        "role": role,
    }


async def add_devices(db: Connection, new: Sequence[DeviceRow], now: int) -> None:
    """Add devices; those that a control already awaits are added one by one, so that it holds for them as well."""
    if not new:
        return
    busy = await bulk.groups_with_controls(db, now)
    programs = await bulk.programs_at(db, sorted({row.connection_row for row in new if row.connection_row}))
    newcomers = (await house(db)).newcomers
    above = await _above(db, new)
    quick: list[tuple[DeviceRow, list[int]]] = []
    for row in new:
        joins = [*programs.get(row.connection_row or 0, ()), *above[row.place_id]]
        if row.connection_row is None and newcomers is not None:
            joins = [newcomers, *above[None]]
        if busy.isdisjoint(joins) and (row.holds or row.connection_row is None):
            quick.append((row, joins))
        else:
            new_device = NewDevice(row.lfdi, row.client_id, row.connection, holds_net_limit=row.holds, name=row.name)
            number = await add_device(db, new_device, now)
            if row.beside:
                await devices.update_one(db, number, **row.beside)
    await _insert(db, quick, now)


async def _above(db: Connection, new: Sequence[DeviceRow]) -> dict[int | None, list[int]]:
    programs = await backstops.programs(db)
    of_all = [programs[SYSTEM]] if SYSTEM in programs else []
    found: dict[int | None, list[int]] = {None: of_all}
    for row in new:
        if row.place_id is not None and row.place_id not in found:
            above = await territory.above(db, row.place_id)
            found[row.place_id] = [one.device_group_id for one in above] + of_all
            found[row.place_id] += [programs[one.id] for one in above if one.id in programs]
    return found


async def _insert(db: Connection, quick: Sequence[tuple[DeviceRow, list[int]]], now: int) -> None:
    if not quick:
        return
    pen = int(await marks.value(db, "pen") or DOCUMENTATION_PEN)
    rows = [
        {
            "lfdi": row.lfdi,
            "sfdi": sfdi_of(row.lfdi),
            "client_id": row.client_id,
            "connection_id": row.connection_row,
            "holds_net_limit": row.connection_row is not None,
            "pin": new_pin(),
            "enabled": True,
            "fsa_mrid": new_mrid(pen),
            "changed": now,
            "registered": now,
            "name": row.name,
            **{"floor_rule": None, "controllable_loads": None, "least_load_w": None},
            "load_control_w": None,
            **row.beside,
        }
        for row, _ in quick
    ]
    ids = await bulk.add_devices(db, rows)
    members = [
        {"device_group_id": group_id, "end_device_id": ids[row.lfdi], "since": now}
        for row, joins in quick
        for group_id in joins
    ]
    if members:
        await bulk.add_members(db, members)
    for client_id in sorted({row.client_id for row, _ in quick}):
        await outbox.changed(db, "EndDeviceList", client=client_id)
