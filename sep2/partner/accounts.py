"""What a party says of outages, and what it is given as evidence of a day."""

import asyncio
from datetime import date
from typing import Any

from sqlalchemy import Row

from sep2.errors import NotFound
from sep2.operations.market import outages, packing
from sep2.operations.market.signing_keys import signer
from sep2.partner import own
from sep2.partner import register_types as t
from sep2.partner.access import party_of
from sep2.partner.common import profile_named, written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.rules.market.clocks import day_bounds
from sep2.rules.market.faults import Fault, Unfit
from sep2.rules.market.packs import build
from sep2.store.market import intervals
from sep2.store.market import outages as stored
from sep2.store.market.facts import AsOf


class NotSettled(NotFound):
    """The day is not settled yet."""


async def say_outage(rq: Request, asked: t.OutageSaid) -> t.Outage:
    """The outage that the utility knows of from now on; settlement counts what is left as what was available."""
    now = AsOf(rq.now)
    der = None if asked.der is None else await own.mine(own.named(rq, der=asked.der), "der", now)
    its = None if asked.aggregation is None else own.named(rq, aggregation=asked.aggregation)
    aggregation = None if its is None else await own.mine(its, "aggregation", now)
    said = {name: getattr(asked, name) for name in ("start", "end", "available_w", "cause", "planned")}
    new = outages.Outage(der, aggregation, **said)
    number = await outages.say(rq.db, party_of(rq).party_id, new, written(rq))
    row = await stored.one(rq.db, number)
    assert row is not None
    return outage_of(row)


async def list_outages(rq: Request, asked: t.OutageQuery) -> Listed[t.Outage]:
    """Your outages that are not over, the latest first."""
    start = rq.now if asked.start is None else asked.start
    found = await stored.listed(rq.db, page(asked), party_id=party_of(rq).party_id, start=start)
    return listed(found, [outage_of(row) for row in found.rows])


def outage_of(row: Row[Any]) -> t.Outage:
    """An outage as its party sees it."""
    names = ("id", "start", "end", "available_w", "cause", "planned", "recorded_at")
    said = {name: getattr(row, name) for name in names}
    return t.Outage(der=row.der_name or "", aggregation=row.aggregation_name or "", **said)


async def show_evidence(rq: Request, asked: Nothing) -> t.EvidenceOfDay:
    """The signed pack of a local day of your aggregation, as it was settled last."""
    row = await own.mine(rq, "aggregation", AsOf(rq.now))
    market = rq.state.settings.market
    profile = profile_named(rq, row.profile)
    day = _day(rq.ids["day"])
    span = day_bounds(day, profile.zone)
    runs = [one for one in await intervals.runs(rq.db, row.id, 0) if one.start < span[1] and span[0] < one.end]
    if not runs:
        raise NotSettled(day.isoformat())
    as_of = max(one.recorded_at for one in runs)
    signing = signer(market.evidence_key, market.utility_name, "evidence", rq.now)
    made = await asyncio.to_thread(build, *await packing.parts_of(rq.db, row, span, as_of), signing)
    return t.EvidenceOfDay(
        aggregation=row.name,
        day=day.isoformat(),
        start=span[0],
        end=span[1],
        as_of=as_of,
        manifest_sha256=made.manifest_sha256,
        content=made.octets,
    )


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 2000 <= day.year <= 2200:
        raise Unfit([Fault("day", "bad_day", text[:20], "a date such as 2027-03-14")])
    return day
