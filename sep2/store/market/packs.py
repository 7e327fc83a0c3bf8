"""Evidence packs as they were made."""

from typing import Any

from sqlalchemy import Row, insert, select

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.market.after_tables import evidence_pack
from sep2.store.market.tables import aggregation

_SHOWN = [column for column in evidence_pack.c if column.name != "bytes"]


async def listed(db: Connection, aggregation_id: int | None, page: Keyset) -> Following:
    """Packs without their bytes, the newest first."""
    query = select(*_SHOWN, aggregation.c.name.label("aggregation_name")).join_from(evidence_pack, aggregation)
    if aggregation_id is not None:
        query = query.where(evidence_pack.c.aggregation_id == aggregation_id)
    return await select_following(db, query.order_by(evidence_pack.c.id.desc()), page)


async def shown(db: Connection, number: int) -> Row[Any] | None:
    """A pack without its bytes."""
    query = select(*_SHOWN, aggregation.c.name.label("aggregation_name")).join_from(evidence_pack, aggregation)
    return await db.one(query.where(evidence_pack.c.id == number))


async def one(db: Connection, number: int) -> Row[Any] | None:
    """A pack with its bytes."""
    query = select(evidence_pack, aggregation.c.name.label("aggregation_name")).join_from(evidence_pack, aggregation)
    return await db.one(query.where(evidence_pack.c.id == number))


async def same(db: Connection, aggregation_id: int, span: tuple[int, int], as_of: int) -> Row[Any] | None:
    """The pack of that aggregation, time and knowledge, if it was made before."""
    t = evidence_pack
    query = select(t).where(t.c.aggregation_id == aggregation_id, t.c.start == span[0], t.c.end == span[1])
    return await db.one(query.where(t.c.as_of == as_of))


async def add(db: Connection, **columns: Any) -> int:
    """The number of a new pack."""
    return await db.add(insert(evidence_pack).values(columns))
