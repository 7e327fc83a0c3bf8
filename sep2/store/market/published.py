"""Limits of runs that an engine published, at connections where component DERs are."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, delete, func, insert, or_, select, update

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.market.plan_tables import published_limit, published_run
from sep2.store.market.tables import component_der, component_der_fact
from sep2.store.tables import connection, place

_RUN = ("feeder", "run_id", "guarantee", "step_s", "start", "end", "recorded_at", "superseded_at")


async def connections_of_ders(db: Connection, now: int) -> set[str]:
    """The connections that component DERs are at, now or later."""
    t = component_der_fact
    query = select(t.c.connection_name).distinct().join_from(t, component_der)
    ahead = or_(t.c.valid_to.is_(None), t.c.valid_to > now)
    return {row.connection_name for row in await db.all(query.where(t.c.superseded_at.is_(None), ahead))}


async def current(db: Connection, feeder: str) -> Row[Any] | None:
    """The run of a feeder whose limits are published, if any is."""
    t = published_run
    columns = [t.c.id, *(t.c[name] for name in _RUN)]
    return await db.one(select(*columns).where(t.c.feeder == feeder, t.c.superseded_at.is_(None)))


async def causes(db: Connection, number: int) -> dict[str, str]:
    """The connections of a run, each with why it is left out (empty: it is not)."""
    t = published_limit
    query = select(t.c.connection_name, t.c.cause).where(t.c.published_run_id == number)
    return {row.connection_name: row.cause for row in await db.all(query)}


async def add(db: Connection, run: Mapping[str, Any], limits: Sequence[Mapping[str, Any]]) -> int:
    """The number of a run that is published from now on in place of the feeder's one before."""
    await supersede(db, run["feeder"], run["recorded_at"])
    number = await db.add(insert(published_run).values(**run, superseded_at=None))
    if limits:
        await db.run(insert(published_limit), [{"published_run_id": number, **one} for one in limits])
    return number


async def supersede(db: Connection, feeder: str, now: int) -> None:
    """No run of the feeder is published any more."""
    t = published_run
    await db.run(update(t).where(t.c.feeder == feeder, t.c.superseded_at.is_(None)).values(superseded_at=now))


async def forget(db: Connection, feeder: str, before: int) -> None:
    """Delete runs that ended to be published before that time, but the feeder's last one."""
    t = published_run
    last = await db.one(select(func.max(t.c.id).label("id")).where(t.c.feeder == feeder))
    old = select(t.c.id).where(t.c.feeder == feeder, t.c.superseded_at < before, t.c.id != (last.id if last else 0))
    numbers = [row.id for row in await db.all(old)]
    if numbers:
        await db.run(delete(published_limit).where(among(published_limit.c.published_run_id, numbers)))
        await db.run(delete(t).where(among(t.c.id, numbers)))


def _known(at: int | None) -> ColumnElement[bool]:
    t = published_run
    if at is None:
        return t.c.superseded_at.is_(None)
    return (t.c.recorded_at <= at) & or_(t.c.superseded_at.is_(None), t.c.superseded_at > at)


async def runs(db: Connection, at: int | None = None) -> Sequence[Row[Any]]:
    """The published runs of all feeders, now or as of a time."""
    return await db.all(select(published_run).where(_known(at)).order_by(published_run.c.id))


async def limits(
    db: Connection, names: Collection[str], at: int | None = None, *, bodies: bool = True
) -> Sequence[Row[Any]]:
    """What published runs say of these connections, now or as of a time; without `bodies`, which run says something."""
    columns = [column for column in published_limit.c if bodies or column.key != "body"]
    query = select(*columns).join_from(published_limit, published_run)
    return await db.all(query.where(_known(at), among(published_limit.c.connection_name, list(names))))


async def last_feeders(db: Connection, names: Collection[str]) -> dict[str, str]:
    """The feeder of the last run that each of these connections was in; those that never were in one are left out."""
    t = published_limit
    query = select(t.c.connection_name, published_run.c.feeder).join_from(t, published_run)
    rows = await db.all(query.where(among(t.c.connection_name, list(names))).order_by(published_run.c.id))
    return {row.connection_name: row.feeder for row in rows}


class Place(NamedTuple):
    """A part of the network."""

    name: str
    kind: str


async def places_of(db: Connection, names: Collection[str]) -> dict[str, list[Place]]:
    """The places that these connections are at, the narrowest first; those that are at none are left out."""
    query = select(connection.c.connection_id, connection.c.place_id)
    rows = await db.all(query.where(among(connection.c.connection_id, list(names)), connection.c.place_id.is_not(None)))
    known: dict[int, Row[Any]] = {}
    wanted = {row.place_id for row in rows}
    while wanted:
        columns = place.c.id, place.c.parent_id, place.c.name, place.c.kind
        found = await db.all(select(*columns).where(among(place.c.id, list(wanted))))
        known |= {row.id: row for row in found}
        wanted = {row.parent_id for row in found if row.parent_id is not None} - known.keys()
    return {row.connection_id: _above(known, row.place_id) for row in rows}


def _above(known: Mapping[int, Row[Any]], number: int) -> list[Place]:
    found: list[Place] = []
    at: int | None = number
    while at is not None and at in known:
        row = known[at]
        found.append(Place(row.name, row.kind))
        at = row.parent_id
    return found
