"""Customers' points in the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sep2.errors import BadValue, Conflict
from sep2.operations import inherited, unlimited
from sep2.operations.groups import SERVICE_POINT, NewGroup, create_group, create_programs
from sep2.operations.market import renaming
from sep2.rules.authority import NAMES, OPERATORS, PRIMACIES, Primacies, Role
from sep2.rules.protection import PROTECTED
from sep2.store import connections, dependants, groups, judged, naming, outbox
from sep2.store.connection import Connection


class ConnectionKnown(Conflict):
    """A connection with this id exists already; ids that differ in case only are the same."""


class BadConnection(BadValue):
    """A connection's id is 1 to 32 characters, and its firm limits are zero or more watts."""


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A customer's point in the network; firm limits are what the contract guarantees."""

    connection_id: str
    description: str = ""
    firm_import_w: int | None = None
    firm_export_w: int | None = None
    protected: str = "none"
    """none, life_support or critical: not told to draw less, or to disconnect, unless it is named"""


async def add_connection(db: Connection, new: NewConnection, now: int, *, primacies: Primacies = PRIMACIES) -> int:
    """Add a connection, with the group of its own that envelopes are published to, and operators' above it."""
    _check_firm({"firm_import_w": new.firm_import_w, "firm_export_w": new.firm_export_w})
    _check_protected(new.protected)
    await check_id(db, new.connection_id)
    row_id = await connections.add(
        db,
        connection_id=new.connection_id,
        description=new.description,
        firm_import_w=new.firm_import_w,
        firm_export_w=new.firm_export_w,
        protected=new.protected,
        created=now,
    )
    own = NewGroup(name=f"connection {new.connection_id}", level=SERVICE_POINT, primacy=primacies.own)
    await create_group(db, own, now, connection=row_id, role=Role.CONNECTION)
    await create_programs(db, own.name, now, connection=row_id, primacies=primacies)
    return row_id


async def check_id(db: Connection, connection_id: str, *, beside: int | None = None) -> None:
    """Nothing, where a connection may have this id; beside: the number of the one that is to have it."""
    if not 1 <= len(connection_id.encode()) <= 32:
        raise BadConnection(f"connection_id: {connection_id[:60]!r}")
    known = await naming.holder(db, "connection", connection_id)
    if known is not None and known != beside:
        raise ConnectionKnown(connection_id)


def _check_firm(said: Mapping[str, Any]) -> None:
    for name in ("firm_import_w", "firm_export_w"):
        if (said.get(name) or 0) < 0:
            raise BadConnection(f"{name}: {said[name]}")


def _check_protected(said: str) -> None:
    if said not in PROTECTED:
        raise BadConnection(f"protected: {said[:20]!r} is none of {', '.join(PROTECTED)}")


async def change_connection(db: Connection, row_id: int, said: Mapping[str, Any], now: int) -> None:
    """Change description, firm limits, protected; what its devices hold without a control follows at once."""
    _check_firm(said)
    _check_protected(said.get("protected", "none"))
    there = [row.id for row in await dependants.devices_at(db, row_id)]
    before = [await inherited.held_by(db, device_id) for device_id in there]
    await connections.update_one(db, row_id, **said)
    for device_id, held in zip(there, before, strict=True):
        await inherited.follow_device(db, held)
        await unlimited.look_at_device(db, device_id, now)


async def rename_connection(db: Connection, row_id: int, connection_id: str, now: int) -> None:
    """Give a connection another id: its devices read it as their ConnectionPoint, and its programs are called so.

    Component DERs of the market's register that are at it name it so, too.
    """
    await check_id(db, connection_id, beside=row_id)
    before = await connections.name_of(db, row_id)
    await naming.rename(db, "connection", row_id, connection_id)
    if before is not None:
        at_it = [device.id for device in await dependants.devices_at(db, row_id)]
        await judged.rename_connection(db, at_it, before, connection_id)
        await renaming.follow_connection(db, before, connection_id, now)
    own = f"connection {connection_id}"
    for row in await groups.at_place(db, connection_id=row_id):
        name = NAMES[Role(row.role)].format(own) if row.role in OPERATORS else own
        await groups.update_one(db, row.id, name=name)
    for device in await dependants.devices_at(db, row_id):
        await outbox.changed(db, "EndDevice", edev=device.id)
