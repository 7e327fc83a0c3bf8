"""Evidence packs, and the regulator's report."""

import asyncio
from typing import Any

from sqlalchemy import Row

from sep2.admin.types import market_evidence as t
from sep2.errors import NotFound
from sep2.operations.market import entries, packing, reporting
from sep2.operations.market.signing_keys import signer
from sep2.partner.common import written
from sep2.rest.route import Ahead, Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.packs import build
from sep2.rules.row_numbers import row_number
from sep2.rules.told_times import told
from sep2.store.market import intervals
from sep2.store.market import packs as stored

LONGEST_S = 366 * 86_400


class UnknownEvidence(NotFound):
    """There is no evidence pack of that number."""


async def list_evidence(rq: Request, asked: t.EvidenceQuery) -> Listed[t.Evidence]:
    """Packs that were made, the newest first."""
    number = None
    if asked.aggregation is not None:
        number = int((await entries.identity(rq.db, "aggregation", asked.aggregation)).id)
    found = await stored.listed(rq.db, number, page(asked))
    return listed(found, [t.Evidence(**_said(row)) for row in found.rows])


async def show_evidence(rq: Request, asked: Nothing) -> t.EvidenceFile:
    """One pack as it was made."""
    number = rq.ids["pack"]
    found = await stored.one(rq.db, row_number(number))
    if found is None:
        raise UnknownEvidence(number[:40])
    return t.EvidenceFile(**_said(found), content=bytes(found.bytes))


async def build_evidence(ahead: Ahead, asked: t.NewEvidence) -> packing.Built:
    """The signed pack of a time as it was known then; it is read first, and put together beside all else."""
    async with ahead.reading() as rq:
        identity = await entries.identity(rq.db, "aggregation", asked.aggregation)
        _check_span(asked.start, asked.end)
        span, as_of = (asked.start, asked.end), await _as_of(rq, identity.id, asked)
        market = rq.state.settings.market
        signing = signer(market.evidence_key, market.utility_name, "evidence", rq.now)
        parts = await packing.parts_of(rq.db, identity, span, as_of)
    return packing.Built(identity.id, span, as_of, await asyncio.to_thread(build, *parts, signing))


async def pack_evidence(rq: Request, asked: t.NewEvidence) -> t.Evidence:
    """The signed pack of a time as it was known then; the same bytes each time."""
    row = await stored.shown(rq.db, await packing.keep(rq.db, rq.prepared, written(rq)))
    assert row is not None
    return t.Evidence(**_said(row))


async def report_market(rq: Request, asked: t.MarketReportQuery) -> t.MarketReport:
    """The regulator's report of a time; it names aggregations and their parties, and no customer."""
    _check_span(asked.start, asked.end)
    found = await reporting.report(rq.db, (asked.start, asked.end), rq.now)
    said = found._asdict() | {
        "reviews": t.ReviewsReported(**found.reviews._asdict()),
        "overrides": t.OverridesReported(**found.overrides._asdict()),
        "by_aggregation": [t.AggregationReported(**one._asdict()) for one in found.by_aggregation],
    }
    return t.MarketReport(start=asked.start, end=asked.end, **said)


async def _as_of(rq: Request, number: int, asked: t.NewEvidence) -> int:
    if asked.as_of is not None:
        if asked.as_of > rq.now:
            refuse([Fault("as_of", "in_future", told(asked.as_of), f"at most now, {told(rq.now)}")])
        return asked.as_of
    runs = [one for one in await intervals.runs(rq.db, number, 0) if one.start < asked.end and asked.start < one.end]
    if not runs:
        refuse([Fault("start", "not_settled", told(asked.start), "a time that was settled: sep2 market settle")])
    return int(max(one.recorded_at for one in runs))


def _check_span(start: int, end: int) -> None:
    if not start < end <= start + LONGEST_S:
        refuse([Fault("end", "bad_span", told(end), f"after start {told(start)}, and at most {LONGEST_S} s later")])


def _said(row: Row[Any]) -> dict[str, Any]:
    names = [name for name in t.Evidence.__struct_fields__ if name != "aggregation"]
    return {"aggregation": row.aggregation_name, **{name: getattr(row, name) for name in names}}
