"""Customers' points in the network."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update

from sep2.rules.authority import Role
from sep2.store.connection import Connection
from sep2.store.customers import kept_firm
from sep2.store.many import among
from sep2.store.naming import keyed
from sep2.store.tables import connection, device_group


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new connection."""
    return await db.add(insert(connection).values(keyed(columns, "connection_id")))


_OWN = (device_group.c.connection_id == connection.c.id) & (device_group.c.role == Role.CONNECTION)
_NAMED = select(
    connection, device_group.c.id.label("device_group_id"), kept_firm(connection.c.id).label("kept_firm")
).join_from(connection, device_group, _OWN)
_BY_NAME = _NAMED.where(connection.c.connection_id == bindparam("name"))
_BY_NAMES = _NAMED.where(among(connection.c.connection_id, bindparam("names")))


async def by_name(db: Connection, connection_id: str) -> Row[Any] | None:
    """A connection by its connectionPointId, the group that is its own, and whether it is kept firm."""
    return await db.one(_BY_NAME, name=connection_id)


async def by_names(db: Connection, connection_ids: Sequence[str]) -> dict[str, Row[Any]]:
    """The same of several connections, by their names; one that is not registered is left out."""
    return {row.connection_id: row for row in await db.all(_BY_NAMES, names=list(connection_ids))}


async def known(db: Connection, connection_ids: Sequence[str]) -> set[str]:
    """Those of these names that a connection has."""
    query = select(connection.c.connection_id).where(among(connection.c.connection_id, connection_ids))
    return {row.connection_id for row in await db.all(query)}


async def one(db: Connection, row_id: int) -> Row[Any] | None:
    """A connection by its number."""
    return await db.one(select(connection).where(connection.c.id == row_id))


async def name_of(db: Connection, row_id: int) -> str | None:
    """The connectionPointId of a connection."""
    found = await db.one(select(connection.c.connection_id).where(connection.c.id == row_id))
    return found.connection_id if found else None


async def update_one(db: Connection, row_id: int, **columns: Any) -> None:
    """Change columns of a connection."""
    await db.run(update(connection).where(connection.c.id == row_id).values(keyed(columns, "connection_id")))


async def remove(db: Connection, row_id: int) -> None:
    """Have a connection that nothing is at be there no more; what was judged of it stays, under `ID~number`."""
    past = func.substr(connection.c.connection_id, 1, 20) + f"~{row_id}"
    said = {"connection_id": past, "name_key": None, "place_id": None}
    await db.run(update(connection).where(connection.c.id == row_id).values(said))
