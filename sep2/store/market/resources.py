"""Which aggregation has which id of a system operator."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, delete, insert, select

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.market.tables import iso_resource


async def of(db: Connection, aggregation_id: int) -> set[str]:
    """The ids that an aggregation has."""
    query = select(iso_resource.c.resource_id).where(iso_resource.c.aggregation_id == aggregation_id)
    return {row.resource_id for row in await db.all(query)}


async def holders(db: Connection, ids: Collection[str]) -> list[Row[Any]]:
    """Which aggregations have these ids."""
    return await db.all(select(iso_resource).where(among(iso_resource.c.resource_id, list(ids))))


async def give_up(db: Connection, ids: Collection[str]) -> None:
    """Have nobody have these ids."""
    await db.run(delete(iso_resource).where(among(iso_resource.c.resource_id, list(ids))))


async def take(db: Connection, aggregation_id: int, ids: Collection[str]) -> None:
    """Have an aggregation have these ids; Clash where somebody else has taken one since."""
    rows = [{"resource_id": one, "aggregation_id": aggregation_id} for one in sorted(ids)]
    await db.run(insert(iso_resource), rows)
