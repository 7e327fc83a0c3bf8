"""Rows by the thousand: what is registered, as an import compares it, and new rows of it, each in few statements."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select

from sep2.rules.authority import OPERATORS, OWN
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.naming import keyed
from sep2.store.tables import client, connection, control, default_control, device_group, end_device, member, place


async def clients(db: Connection) -> Sequence[Row[Any]]:
    """All clients that are not removed."""
    return await db.all(select(client).where(client.c.removed.is_(None)).order_by(client.c.id))


async def places(db: Connection) -> Sequence[Row[Any]]:
    """All places."""
    return await db.all(select(place).order_by(place.c.id))


async def connections(db: Connection) -> Sequence[Row[Any]]:
    """All connections that are not removed."""
    return await db.all(select(connection).where(connection.c.name_key.is_not(None)).order_by(connection.c.id))


async def devices(db: Connection) -> Sequence[Row[Any]]:
    """All devices of clients that are not removed, each with the id of its connection's row and its client's LFDI."""
    query = select(
        *(end_device.c[name] for name in ("id", "lfdi", "name", "client_id", "connection_id", "holds_net_limit")),
        end_device.c.floor_rule,
        end_device.c.controllable_loads,
        end_device.c.load_control_w,
        client.c.lfdi.label("client_lfdi"),
        client.c.kind.label("client_kind"),
    ).join_from(end_device, client, client.c.id == end_device.c.client_id)
    return await db.all(query.where(client.c.removed.is_(None)).order_by(end_device.c.id))


async def add_connections(db: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The ids of new connections, by connection_id."""
    await db.run(insert(connection), [keyed(row, "connection_id") for row in rows])
    names = [row["connection_id"] for row in rows]
    found = await db.all(
        select(connection.c.id, connection.c.connection_id).where(among(connection.c.connection_id, names))
    )
    return {row.connection_id: row.id for row in found}


async def add_groups(db: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The ids of new groups, by the mRID of their program."""
    await db.run(insert(device_group), [keyed(row) for row in rows])
    mrids = [row["program_mrid"] for row in rows]
    query = select(device_group.c.id, device_group.c.program_mrid).where(among(device_group.c.program_mrid, mrids))
    return {row.program_mrid: row.id for row in await db.all(query)}


async def add_defaults(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """An empty default for each new group."""
    await db.run(insert(default_control), list(rows))


async def add_devices(db: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The ids of new devices, by LFDI."""
    await db.run(insert(end_device), [keyed(row) for row in rows])
    lfdis = [row["lfdi"] for row in rows]
    found = await db.all(select(end_device.c.id, end_device.c.lfdi).where(among(end_device.c.lfdi, lfdis)))
    return {row.lfdi: row.id for row in found}


async def add_members(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Devices in groups."""
    await db.run(insert(member), list(rows))


async def programs_at(db: Connection, connection_ids: Sequence[int]) -> dict[int, list[int]]:
    """The groups that a device which holds a connection's limits is in: its own and the operators', by connection."""
    roles = [*OWN, *OPERATORS]
    query = select(device_group.c.id, device_group.c.connection_id).where(
        among(device_group.c.connection_id, connection_ids), among(device_group.c.role, roles)
    )
    found: dict[int, list[int]] = {}
    for row in await db.all(query):
        found.setdefault(row.connection_id, []).append(row.id)
    return found


async def groups_with_controls(db: Connection, now: int) -> set[int]:
    """The groups in which a control holds or is to come."""
    query = (
        select(control.c.device_group_id).where(control.c.latest_end > now, control.c.cancelled.is_(None)).distinct()
    )
    return {row.device_group_id for row in await db.all(query)}
