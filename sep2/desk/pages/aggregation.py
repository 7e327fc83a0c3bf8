"""One aggregation: who and what takes part, where, what it can do, plans and does, and what came of it."""

from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from sep2.admin.market import aggregations, commitments, ders, dispatches, evidence, overrides, plans, settlement
from sep2.admin.types import market_dispatches as m
from sep2.admin.types import market_evidence as e
from sep2.admin.types import market_overrides as o
from sep2.admin.types import market_register as r
from sep2.admin.types import market_settlement as s
from sep2.desk.door import Visit
from sep2.partner import commitment_types as c
from sep2.partner import deliverable_types as d
from sep2.partner import plan_types as p
from sep2.rest.route import Handler
from sep2.rest.types import MOST_ITEMS, Asked, Span

DAY_S = 86_400
SETTLED_S = 7 * DAY_S
SHOWN = 50


class AggregationPage(Asked, frozen=True, kw_only=True):
    """Which aggregation, and after which of its members the page begins."""

    name: str
    after: Annotated[str, Meta(max_length=1000)] | None = None


async def show_aggregation(visit: Visit, asked: AggregationPage) -> dict[str, Any]:
    """The aggregation with its DERs, what the network lets it do, plans, dispatch, services, results and messages."""
    name, now = asked.name, visit.now
    found = await visit.ask(aggregations.show_aggregation, r.AsOfQuery(), aggregation=name)
    members = await visit.ask(
        aggregations.list_members, r.RegisterQuery(limit=SHOWN, after=asked.after), aggregation=name
    )
    week = s.SettlementQuery(start=now - SETTLED_S, end=now)
    day = c.CommitmentQuery(start=now - DAY_S, end=now + DAY_S, limit=MOST_ITEMS)
    names = {one.der for one in members.items}
    messages = o.MessageQuery(party=found.party, subject=found.name, limit=SHOWN)
    return {
        "one": found,
        "members": members,
        "facts": await _facts(visit, found.party, names),
        "can": await visit.ask(plans.show_deliverable, d.DeliverableQuery(), aggregation=name),
        "plans": await visit.ask(plans.list_plans, p.PlanQuery(aggregation=name, start=now - DAY_S, limit=SHOWN)),
        "dispatches": await visit.ask(dispatches.list_dispatches, m.DispatchQuery(aggregation=name, limit=SHOWN)),
        "commitments": [one for one in await _every(visit, commitments.list_commitments, day) if one.der in names],
        "overrides": await visit.ask(
            overrides.list_market_overrides, o.MarketOverrideQuery(aggregation=name, over=True, limit=SHOWN)
        ),
        "settled": await visit.ask(settlement.show_settlement, week, aggregation=name),
        "packs": await visit.ask(evidence.list_evidence, e.EvidenceQuery(aggregation=name, limit=SHOWN)),
        "messages": await visit.ask(overrides.list_market_messages, messages),
    }


async def _facts(visit: Visit, party: str, names: set[str]) -> dict[str, r.Der]:
    """What is registered of these DERs of a party."""
    query, found = r.RegisterQuery(party=party, limit=MOST_ITEMS), dict[str, r.Der]()
    while True:
        part = await visit.ask(ders.list_ders, query)
        found |= {der.name: der for der in part.items if der.name in names}
        if part.next is None or names <= found.keys():
            return found
        query = replace(query, after=part.next)


async def _every(visit: Visit, handler: Handler, query: Span) -> list[Any]:
    """All of a list, part by part."""
    part = await visit.ask(handler, query)
    found = list(part.items)
    while part.next is not None:
        part = await visit.ask(handler, replace(query, after=part.next))
        found += part.items
    return found
