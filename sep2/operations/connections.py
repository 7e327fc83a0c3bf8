"""Customers' points in the network."""

from dataclasses import dataclass

from sep2.errors import BadValue, Conflict
from sep2.operations.groups import SERVICE_POINT, NewGroup, create_group, create_programs
from sep2.rules.authority import PRIMACIES, Primacies, Role
from sep2.store import connections, naming
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


async def add_connection(db: Connection, new: NewConnection, now: int, *, primacies: Primacies = PRIMACIES) -> int:
    """Add a connection, with the group of its own that envelopes are published to, and operators' above it."""
    for name in ("firm_import_w", "firm_export_w"):
        if (getattr(new, name) or 0) < 0:
            raise BadConnection(f"{name}: {getattr(new, name)}")
    await check_id(db, new.connection_id)
    row_id = await connections.add(
        db,
        connection_id=new.connection_id,
        description=new.description,
        firm_import_w=new.firm_import_w,
        firm_export_w=new.firm_export_w,
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
