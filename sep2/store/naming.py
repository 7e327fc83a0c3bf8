"""Names of clients, groups, connections, devices, mirrors and curves, compared by their keys (see `rules.names`)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, select, update

from sep2.rules.names import key_of
from sep2.store.connection import Connection
from sep2.store.tables import client, connection, curve, device_group, end_device, mirror_usage_point, place

NOUNS: dict[str, Table] = {
    "client": client,
    "group": device_group,
    "connection": connection,
    "device": end_device,
    "mirror": mirror_usage_point,
    "curve": curve,
    "place": place,
}


def keyed(columns: Mapping[str, Any], name: str = "name") -> dict[str, Any]:
    """The columns of a row, with the key of its name where they set the name."""
    if name not in columns:
        return dict(columns)
    said = columns[name]
    return {**columns, "name_key": None if said is None else key_of(said)}


async def holder(db: Connection, noun: str, name: str) -> int | None:
    """The id of what has this name, or one that counts as the same."""
    table = NOUNS[noun]
    row = await db.one(select(table.c.id).where(table.c.name_key == key_of(name)).order_by(table.c.id).limit(1))
    return None if row is None else int(row.id)


async def keys(db: Connection, noun: str, start: str) -> set[str]:
    """The keys of all names that begin as this one does."""
    column = NOUNS[noun].c.name_key
    rows = await db.all(select(column).where(column.startswith(key_of(start), autoescape=True)))
    return {row.name_key for row in rows}


async def rename(db: Connection, noun: str, row_id: int, name: str | None) -> None:
    """Call a row so from now on; connections have their id for a name."""
    table = NOUNS[noun]
    column = "connection_id" if noun == "connection" else "name"
    await db.run(update(table).where(table.c.id == row_id).values(keyed({column: name}, column)))
