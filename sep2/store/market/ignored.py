"""Members that ignore their limits: rows that stand until another takes their place."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.market.facts import AsOf, holds
from sep2.store.market.plan_tables import ignored_limit
from sep2.store.market.tables import aggregation, component_der, component_der_fact


async def standing(db: Connection, aggregation_id: int) -> Sequence[Row[Any]]:
    """The row of each member of an aggregation and direction that has ever been far beyond a limit."""
    t = ignored_limit
    return await db.all(select(t).where(t.c.aggregation_id == aggregation_id, t.c.superseded_at.is_(None)))


async def ignoring(db: Connection, now: int) -> Sequence[Row[Any]]:
    """Those that have not kept enough since, with names and with the connection where the DER is."""
    t, fact = ignored_limit, component_der_fact
    columns = [t.c[name] for name in ("component_der_id", "direction", "since", "excess_ppm", "kept", "needed")]
    named = aggregation.c.name.label("aggregation_name"), component_der.c.name.label("der_name")
    query = select(*columns, *named, fact.c.connection_name).join_from(t, component_der)
    query = query.join(aggregation, aggregation.c.id == t.c.aggregation_id)
    query = query.join(fact, (fact.c.component_der_id == t.c.component_der_id) & holds(fact, AsOf(now)))
    return await db.all(query.where(t.c.superseded_at.is_(None), t.c.kept < t.c.needed).order_by(t.c.id))


async def put(db: Connection, old: Collection[int], rows: Sequence[Mapping[str, Any]], now: int) -> None:
    """Have new rows stand in place of others."""
    t = ignored_limit
    if old:
        await db.run(update(t).where(among(t.c.id, list(old))).values(superseded_at=now))
    if rows:
        await db.run(insert(t), [{**row, "recorded_at": now, "superseded_at": None} for row in rows])
