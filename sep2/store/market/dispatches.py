"""Copies of what a system operator has told aggregations, and each member's part of it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, exists, func, insert, select, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.market.after_tables import dispatch, dispatch_share
from sep2.store.market.facts import AsOf, holds, known
from sep2.store.market.tables import aggregation, aggregation_fact, component_der, party


class Which(NamedTuple):
    """Which dispatches a list shows: of one aggregation, touching a time; those that hold, or every sequence."""

    aggregation_id: int | None = None
    start: int | None = None
    end: int | None = None
    every: bool = False
    received_by: int | None = None
    """as they were known then"""
    aggregation_ids: Collection[int] | None = None
    """only of these aggregations; None: of all"""


def _dispatches(which: Which) -> Select[Any]:
    query = select(dispatch, aggregation.c.name.label("aggregation_name"), party.c.is_test)
    query = query.join_from(dispatch, aggregation, aggregation.c.id == dispatch.c.aggregation_id)
    query = query.join(party, party.c.id == aggregation.c.party_id)
    if which.received_by is not None:
        query = query.where(dispatch.c.received_at <= which.received_by)
    if not which.every:
        later = dispatch.alias("later")
        newer = (later.c.iso_dispatch_id == dispatch.c.iso_dispatch_id) & (later.c.sequence > dispatch.c.sequence)
        if which.received_by is not None:
            newer = newer & (later.c.received_at <= which.received_by)
        query = query.where(~exists(select(later.c.id).where(newer)))
    if which.aggregation_id is not None:
        query = query.where(dispatch.c.aggregation_id == which.aggregation_id)
    if which.aggregation_ids is not None:
        query = query.where(among(dispatch.c.aggregation_id, list(which.aggregation_ids)))
    if which.start is not None:
        query = query.where(dispatch.c.end > which.start)
    if which.end is not None:
        query = query.where(dispatch.c.start < which.end)
    return query


async def listed(db: Connection, which: Which, page: Keyset) -> Following:
    """Dispatches, the latest first."""
    return await select_following(db, _dispatches(which).order_by(dispatch.c.start.desc(), dispatch.c.id.desc()), page)


async def every(db: Connection, which: Which) -> Sequence[Row[Any]]:
    """All of them, in the order in which they came."""
    return await db.all(_dispatches(which).order_by(dispatch.c.received_at, dispatch.c.id))


async def one(db: Connection, number: int) -> Row[Any] | None:
    """One dispatch."""
    return await db.one(_dispatches(Which(every=True)).where(dispatch.c.id == number))


async def with_ids(db: Connection, ids: Collection[str]) -> Sequence[Row[Any]]:
    """Every sequence of these ids of the system operator."""
    return await db.all(_dispatches(Which(every=True)).where(among(dispatch.c.iso_dispatch_id, list(ids))))


async def add(db: Connection, **columns: Any) -> int:
    """The number of a new copy."""
    return await db.add(insert(dispatch).values(columns))


async def shares(db: Connection, numbers: Collection[int], at: int | None = None) -> Sequence[Row[Any]]:
    """Members' parts of some dispatches as they are known, by name."""
    t = dispatch_share
    query = select(t, component_der.c.name.label("der_name")).join_from(t, component_der)
    query = query.where(among(t.c.dispatch_id, list(numbers)), known(t, at))
    return await db.all(query.order_by(t.c.dispatch_id, component_der.c.name_key))


async def shares_by_dispatch(db: Connection, numbers: Collection[int]) -> dict[int, list[Row[Any]]]:
    """The same by the number of their dispatch; empty for one that has none."""
    found: dict[int, list[Row[Any]]] = {number: [] for number in numbers}
    for row in await shares(db, numbers):
        found[row.dispatch_id].append(row)
    return found


async def replace_shares(db: Connection, number: int, rows: Sequence[Mapping[str, Any]], now: int) -> None:
    """Have these parts of a dispatch stand from now on; those before are kept as superseded."""
    t = dispatch_share
    last = await db.one(select(func.max(t.c.version).label("last")).where(t.c.dispatch_id == number))
    version = (last.last or 0) + 1 if last else 1
    await db.run(update(t).where(t.c.dispatch_id == number, t.c.superseded_at.is_(None)).values(superseded_at=now))
    fixed = {"dispatch_id": number, "version": version, "recorded_at": now, "superseded_at": None}
    if rows:
        await db.run(insert(t), [{**fixed, **row} for row in rows])


async def with_resource_ids(db: Connection, ids: Collection[str], at: int) -> dict[str, int]:
    """The numbers of aggregations by the system operator's ids of them, as they hold at a time."""
    t = aggregation_fact
    query = select(t.c.iso_resource_id, t.c.aggregation_id).join_from(t, aggregation)
    query = query.where(aggregation.c.removed.is_(None), holds(t, AsOf(at)), among(t.c.iso_resource_id, list(ids)))
    return {row.iso_resource_id: row.aggregation_id for row in await db.all(query)}
