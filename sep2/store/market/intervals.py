"""Settled intervals: append-only, each correction a new version."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.market.after_tables import market_interval, settle_run
from sep2.store.market.facts import known
from sep2.store.market.tables import component_der


async def of(
    db: Connection, aggregation_id: int, start: int, end: int, *, known_at: int | None = None, whole: bool = False
) -> Sequence[Row[Any]]:
    """The intervals that begin in a time, of each member or (whole) of the aggregation, as they were known then."""
    t = market_interval
    query = select(t, component_der.c.name.label("der_name"))
    query = query.join_from(t, component_der, component_der.c.id == t.c.component_der_id, isouter=True)
    query = query.where(t.c.aggregation_id == aggregation_id, t.c.start >= start, t.c.start < end, known(t, known_at))
    if whole:
        query = query.where(t.c.component_der_id.is_(None))
    return await db.all(query.order_by(t.c.start, t.c.component_der_id, t.c.id))


async def part(
    db: Connection, aggregation_id: int, span: tuple[int, int], *, known_at: int | None, first: int, most: int
) -> tuple[int, Sequence[Row[Any]]]:
    """How many intervals begin in a time, and those from position `first` on, at most so many, the earliest first."""
    t = market_interval
    there = [t.c.aggregation_id == aggregation_id, t.c.start >= span[0], t.c.start < span[1], known(t, known_at)]
    count = await db.one(select(func.count().label("n")).select_from(t).where(*there))
    query = select(t, component_der.c.name.label("der_name"))
    query = query.join_from(t, component_der, component_der.c.id == t.c.component_der_id, isouter=True).where(*there)
    query = query.order_by(t.c.start, t.c.component_der_id.nulls_first(), t.c.id).offset(first).limit(most)
    return count.n if count else 0, await db.all(query)


_LEFT_OUT = ("id", "aggregation_id", "component_der_id", "start", "superseded_at")
PLAIN = ("component_der_id", "start", *(c.name for c in market_interval.c if c.name not in _LEFT_OUT))
"""The columns of `plain`, in their order."""


async def plain(db: Connection, aggregation_id: int, start: int, end: int, *, known_at: int) -> Sequence[Row[Any]]:
    """What stands in intervals that begin in a time, as they were known then: DER by DER, the aggregation's first."""
    t = market_interval
    query = select(*(t.c[name] for name in PLAIN))
    query = query.where(t.c.aggregation_id == aggregation_id, t.c.start >= start, t.c.start < end, known(t, known_at))
    return await db.all(query.order_by(t.c.component_der_id.nulls_first(), t.c.start, t.c.id))


async def replace(db: Connection, old: Collection[int], rows: Sequence[Mapping[str, Any]], now: int) -> None:
    """Have new versions stand in place of others, which are kept as superseded."""
    t = market_interval
    if old:
        await db.run(update(t).where(among(t.c.id, list(old))).values(superseded_at=now))
    if rows:
        await db.run(insert(t), list(rows))


async def add_run(db: Connection, **columns: Any) -> None:
    """Note that a time was settled."""
    await db.run(insert(settle_run).values(columns))


async def last_run(db: Connection, aggregation_id: int, start: int, end: int) -> int:
    """The number of the last settlement of an aggregation that touched a time; 0 where there was none."""
    t = settle_run
    query = select(func.max(t.c.id)).where(t.c.aggregation_id == aggregation_id, t.c.start < end, t.c.end > start)
    row = await db.one(query)
    return 0 if row is None else int(row[0] or 0)


async def runs(db: Connection, aggregation_id: int, since: int) -> Sequence[Row[Any]]:
    """When the days of an aggregation that begin from then on were settled."""
    t = settle_run
    query = select(t).where(t.c.aggregation_id == aggregation_id, t.c.start >= since)
    return await db.all(query.order_by(t.c.start, t.c.recorded_at))
