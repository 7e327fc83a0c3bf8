"""What plans leave members, and how members keep it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, insert, or_, select, update

from sep2.rules.market.plans import OVERRIDDEN, Answer
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.market.plan_tables import market_plan, member_band, plan_credit, plan_verdict, plan_version
from sep2.store.market.tables import aggregation, component_der, party


async def accepted(db: Connection, start: int, end: int) -> Sequence[Row[Any]]:
    """The versions of plans that stand, were found to fit but for overrides, and touch a time."""
    v, verdict = plan_version, plan_verdict
    columns = [
        v.c[name]
        for name in ("id", "market_plan_id", "version", "basis", "start", "end", "step_s", "waive_firm", "body")
    ]
    query = select(*columns, market_plan.c.aggregation_id, aggregation.c.name.label("aggregation_name"))
    query = query.join_from(v, market_plan).join(aggregation, aggregation.c.id == market_plan.c.aggregation_id)
    query = query.join(verdict, (verdict.c.plan_version_id == v.c.id) & verdict.c.superseded_at.is_(None))
    query = query.join(party, party.c.id == aggregation.c.party_id).where(party.c.is_test.is_(False))
    fits = or_(verdict.c.state == Answer.OK, (verdict.c.state == Answer.LIMIT) & (verdict.c.cause == OVERRIDDEN))
    stands = v.c.superseded_at.is_(None) & v.c.is_late.is_(False) & fits
    return await db.all(query.where(stands, v.c.end > start, v.c.start < end).order_by(v.c.id))


async def standing(db: Connection, der_ids: Collection[int]) -> Sequence[Row[Any]]:
    """The bands that these DERs have now, without their bodies."""
    t = member_band
    columns = [t.c[name] for name in ("id", "aggregation_id", "component_der_id", "sha256")]
    query = select(*columns).where(t.c.superseded_at.is_(None), among(t.c.component_der_id, list(der_ids)))
    return await db.all(query)


async def put(db: Connection, old: Collection[int], rows: Sequence[Mapping[str, Any]], now: int) -> None:
    """Have new bands stand in place of others."""
    t = member_band
    if old:
        await db.run(update(t).where(among(t.c.id, list(old))).values(superseded_at=now))
    if rows:
        fixed = {"recorded_at": now, "superseded_at": None}
        await db.run(insert(t), [{**row, **fixed} for row in rows])


async def during(db: Connection, aggregation_id: int, start: int, end: int) -> Sequence[Row[Any]]:
    """The bands of an aggregation's members that stood in some part of a time."""
    t = member_band
    query = select(t).where(t.c.aggregation_id == aggregation_id, t.c.recorded_at < end)
    return await db.all(query.where(or_(t.c.superseded_at.is_(None), t.c.superseded_at > start)).order_by(t.c.id))


async def days_of(db: Connection, aggregation_id: int, since: int) -> Sequence[Row[Any]]:
    """The days of an aggregation's members from a time on, the first day first, with the name of the DER."""
    t = plan_credit
    query = select(t, component_der.c.name.label("der_name")).join_from(t, component_der)
    query = query.where(t.c.aggregation_id == aggregation_id, t.c.day >= since, t.c.superseded_at.is_(None))
    return await db.all(query.order_by(t.c.day, t.c.id))


async def latest_credits(db: Connection, aggregation_ids: Collection[int]) -> Sequence[Row[Any]]:
    """The last day of each member of these aggregations."""
    t = plan_credit
    among_them = among(t.c.aggregation_id, list(aggregation_ids)) & t.c.superseded_at.is_(None)
    last = select(t.c.aggregation_id, t.c.component_der_id, func.max(t.c.day).label("day")).where(among_them)
    last_day = last.group_by(t.c.aggregation_id, t.c.component_der_id).subquery()
    same = (t.c.aggregation_id == last_day.c.aggregation_id) & (t.c.component_der_id == last_day.c.component_der_id)
    query = select(t, component_der.c.name.label("der_name"), aggregation.c.name.label("aggregation_name"))
    query = query.join_from(t, component_der).join(aggregation, aggregation.c.id == t.c.aggregation_id)
    query = query.join(last_day, same & (t.c.day == last_day.c.day)).where(t.c.superseded_at.is_(None))
    return await db.all(query.order_by(aggregation.c.name, component_der.c.name))


async def add_credits(db: Connection, rows: Sequence[Mapping[str, Any]], old: Collection[int], now: int) -> None:
    """Keep how days went; old: rows about the same days that these take the place of."""
    t = plan_credit
    if old:
        await db.run(update(t).where(among(t.c.id, list(old))).values(superseded_at=now))
    if rows:
        await db.run(insert(t), [{**row, "recorded_at": now, "superseded_at": None} for row in rows])


async def days_since(db: Connection, since: int) -> Sequence[Row[Any]]:
    """The days of all members that began from a time on, with the names of aggregation and DER."""
    t = plan_credit
    query = select(t, component_der.c.name.label("der_name"), aggregation.c.name.label("aggregation_name"))
    query = query.join_from(t, component_der).join(aggregation, aggregation.c.id == t.c.aggregation_id)
    return await db.all(query.where(t.c.superseded_at.is_(None), t.c.day >= since).order_by(t.c.id))
