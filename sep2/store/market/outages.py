"""What DERs and aggregations can not do for a time."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, Select, insert, or_, select

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.market.override_tables import market_outage as t
from sep2.store.market.tables import aggregation, component_der, party


def _outages() -> Select[Any]:
    query = select(
        t,
        component_der.c.name.label("der_name"),
        aggregation.c.name.label("aggregation_name"),
        party.c.name.label("party_name"),
    )
    query = query.join_from(t, party, party.c.id == t.c.party_id)
    query = query.outerjoin(component_der, component_der.c.id == t.c.component_der_id)
    return query.outerjoin(aggregation, aggregation.c.id == t.c.aggregation_id)


async def add(db: Connection, **columns: Any) -> int:
    """The number of a new one."""
    return await db.add(insert(t).values(columns))


async def one(db: Connection, number: int) -> Row[Any] | None:
    """One of them by its number."""
    return await db.one(_outages().where(t.c.id == number))


async def listed(db: Connection, page: Keyset, *, party_id: int | None, start: int) -> Following:
    """Those of a party, or all, that are not over at a time, the latest first."""
    query = _outages().where(t.c.end > start).order_by(t.c.start.desc(), t.c.id.desc())
    if party_id is not None:
        query = query.where(t.c.party_id == party_id)
    return await select_following(db, query, page)


async def of_these(
    db: Connection, page: Keyset, *, der_ids: Collection[int], aggregation_ids: Collection[int], start: int
) -> Following:
    """Those of some DERs and aggregations that are not over at a time, the latest first."""
    whose = or_(among(t.c.component_der_id, list(der_ids)), among(t.c.aggregation_id, list(aggregation_ids)))
    query = _outages().where(whose, t.c.end > start).order_by(t.c.start.desc(), t.c.id.desc())
    return await select_following(db, query, page)


async def touching(
    db: Connection, der_ids: Collection[int], aggregation_id: int, span: tuple[int, int]
) -> Sequence[Row[Any]]:
    """Those of some DERs, or of an aggregation, that touch a time, in the order in which they were said."""
    whose = or_(among(t.c.component_der_id, list(der_ids)), t.c.aggregation_id == aggregation_id)
    return await db.all(_outages().where(whose, t.c.start < span[1], t.c.end > span[0]).order_by(t.c.id))
