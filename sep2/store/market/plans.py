"""Aggregators' plans in their versions, and the verdicts on them."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, func, insert, select, update

from sep2.rules.cursor import Keyset
from sep2.rules.names import key_of
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.market.plan_tables import market_plan, plan_verdict, plan_version
from sep2.store.market.tables import aggregation, party

_VERSION = [column for column in plan_version.c if column.key != "body"]
_VERDICT = ("state", "cause", "detail", "run_ids", "inputs_sha256", "server_version", "took_ms", "is_too_late")


class Which(NamedTuple):
    """Which versions of plans a list shows: of an aggregation or a party, touching a time, those that hold or all."""

    aggregation_id: int | None = None
    party_id: int | None = None
    start: int | None = None
    end: int | None = None
    every: bool = False


def _current() -> ColumnElement[bool]:
    return (plan_verdict.c.plan_version_id == plan_version.c.id) & plan_verdict.c.superseded_at.is_(None)


def _versions(which: Which) -> Select[Any]:
    verdict = [plan_verdict.c[name].label(f"verdict_{name}") for name in _VERDICT]
    query = select(
        *_VERSION,
        market_plan.c.name,
        market_plan.c.aggregation_id,
        aggregation.c.name.label("aggregation_name"),
        aggregation.c.party_id,
        plan_verdict.c.id.label("verdict_id"),
        plan_verdict.c.recorded_at.label("verdict_at"),
        *verdict,
    )
    query = query.join_from(plan_version, market_plan).join(
        aggregation, aggregation.c.id == market_plan.c.aggregation_id
    )
    query = query.outerjoin(plan_verdict, _current())
    if which.aggregation_id is not None:
        query = query.where(market_plan.c.aggregation_id == which.aggregation_id)
    if which.party_id is not None:
        query = query.where(aggregation.c.party_id == which.party_id)
    if which.start is not None:
        query = query.where(plan_version.c.end > which.start)
    if which.end is not None:
        query = query.where(plan_version.c.start < which.end)
    return query if which.every else query.where(plan_version.c.superseded_at.is_(None))


async def listed(db: Connection, which: Which, page: Keyset) -> Following:
    """Versions of plans, the latest first, each with its verdict, as far as there is one."""
    order = plan_version.c.start.desc(), plan_version.c.id.desc()
    return await select_following(db, _versions(which).order_by(*order), page)


async def every(db: Connection, which: Which) -> Sequence[Row[Any]]:
    """All of them, in the order in which they came."""
    return await db.all(_versions(which).order_by(plan_version.c.id))


async def versions(db: Connection, plan_id: int) -> Sequence[Row[Any]]:
    """Every version of a plan, the first one first."""
    query = _versions(Which(every=True)).where(plan_version.c.market_plan_id == plan_id)
    return await db.all(query.order_by(plan_version.c.version))


async def body(db: Connection, version_id: int) -> bytes:
    """What a version plans, packed."""
    row = await db.one(select(plan_version.c.body).where(plan_version.c.id == version_id))
    assert row is not None  # versions are never deleted
    return bytes(row.body)


async def plan(db: Connection, aggregation_id: int, name: str) -> Row[Any] | None:
    """A plan of an aggregation by its name."""
    t = market_plan
    return await db.one(select(t).where(t.c.aggregation_id == aggregation_id, t.c.name_key == key_of(name)))


async def owner(db: Connection, plan_id: int) -> Row[Any] | None:
    """A plan with the aggregation and the party whose it is."""
    query = select(market_plan, aggregation.c.party_id, aggregation.c.name.label("aggregation_name"))
    query = query.join_from(market_plan, aggregation).join(party, party.c.id == aggregation.c.party_id)
    return await db.one(query.where(market_plan.c.id == plan_id))


async def add_plan(db: Connection, aggregation_id: int, name: str, now: int) -> int:
    """The number of a new plan."""
    columns = {"aggregation_id": aggregation_id, "name": name, "name_key": key_of(name), "created": now}
    return await db.add(insert(market_plan).values(columns))


async def add_version(db: Connection, plan_id: int, now: int, *, is_late: bool, **columns: Any) -> int:
    """The number of a new version; it takes the place of those before, unless it came too late."""
    t = plan_version
    last = await db.one(select(func.max(t.c.version).label("last")).where(t.c.market_plan_id == plan_id))
    if not is_late:
        older = update(t).where(t.c.market_plan_id == plan_id, t.c.superseded_at.is_(None))
        await db.run(older.values(superseded_at=now))
    number = ((last.last if last else 0) or 0) + 1
    said = {"market_plan_id": plan_id, "version": number, "recorded_at": now, "superseded_at": None, "is_late": is_late}
    return await db.add(insert(t).values(**columns, **said))


async def verdict_body(db: Connection, verdict_id: int) -> bytes:
    """What a verdict says of each step, packed."""
    row = await db.one(select(plan_verdict.c.body).where(plan_verdict.c.id == verdict_id))
    assert row is not None  # verdicts are never deleted
    return bytes(row.body)


async def verdicts(db: Connection, version_id: int) -> Sequence[Row[Any]]:
    """Every verdict on a version, the first one first, without what it says of each step."""
    columns = [plan_verdict.c[name] for name in (*_VERDICT, "id", "recorded_at", "superseded_at")]
    return await db.all(
        select(*columns).where(plan_verdict.c.plan_version_id == version_id).order_by(plan_verdict.c.id)
    )


async def add_verdict(db: Connection, version_id: int, now: int, **columns: Any) -> int:
    """The number of a verdict that takes the place of the one before."""
    t = plan_verdict
    older = update(t).where(t.c.plan_version_id == version_id, t.c.superseded_at.is_(None))
    await db.run(older.values(superseded_at=now))
    said = {"plan_version_id": version_id, "recorded_at": now, "superseded_at": None}
    return await db.add(insert(t).values(**columns, **said))


async def accepted(db: Connection, aggregation_ids: Collection[int], start: int, end: int) -> Sequence[Row[Any]]:
    """The versions that stand and touch a time: neither superseded nor late, the earliest first."""
    query = _versions(Which(start=start, end=end)).where(plan_version.c.is_late.is_(False))
    query = query.where(among(market_plan.c.aggregation_id, list(aggregation_ids)))
    return await db.all(query.order_by(plan_version.c.id))


async def waits(db: Connection, now: int) -> bool:
    """Whether any plan that is not over has no verdict yet."""
    query = _versions(Which(start=now)).where(plan_verdict.c.id.is_(None))
    return await db.one(query.limit(1)) is not None


async def unanswered(db: Connection, now: int) -> Sequence[Row[Any]]:
    """Versions whose verdict is overdue."""
    query = _versions(Which(start=now)).where(plan_verdict.c.id.is_(None), plan_version.c.verdict_due < now)
    return await db.all(query.order_by(plan_version.c.id))
