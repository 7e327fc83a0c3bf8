"""The regulator's report: what was reviewed, limited, dispatched and lost in a time. No customer is named."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.market import reviews as reviewing
from sep2.operations.market.override_accounts import OfOverrides, counted
from sep2.operations.market.statements import statement
from sep2.rules.market.reviewing import State
from sep2.store.connection import Connection
from sep2.store.market import commitments, dispatches, intervals, register
from sep2.store.market import reviews as stored
from sep2.store.market.facts import AsOf

DAY_S = 86_400


class OfReviews(NamedTuple):
    """Reviews that were submitted or decided in a time."""

    submitted: int
    decided: int
    late: int
    """decided after they were due, or overdue and still open"""
    outcomes: dict[str, int]
    reasons: dict[str, int]
    """for which DERs were limited or rejected"""
    median_days: float | None
    """from complete to decided"""


class OfAggregation(NamedTuple):
    """What limits cost one aggregation, and what part of what it was asked for."""

    aggregation: str
    party: str
    profile: str
    settled_h: float
    limited_h: float
    """with an override in force"""
    instructed_wh: int
    lost_override_wh: int
    lost_envelope_wh: int
    own_shortfall_wh: int
    lost_part: float | None
    unknown: int


class Report(NamedTuple):
    """All of it."""

    parties: int
    ders: int
    aggregations: dict[str, int]
    reviews: OfReviews
    commitments: dict[str, int]
    dispatches: int
    late_dispatches: int
    beyond_limit: int
    overrides: OfOverrides
    by_aggregation: list[OfAggregation]
    fairness_spread: float | None
    """between the largest and the smallest part lost to limits, of aggregations that were asked for something"""


async def report(db: Connection, span: tuple[int, int], now: int) -> Report:
    """The report of [start, end) by what is known now."""
    rows = [row for row in await register.every_aggregation(db, AsOf(now)) if not row.is_test]
    ids = {row.id for row in rows}
    members = [one for one in await register.effective(db, now) if one.aggregation_id in ids]
    held = await commitments.every(db, commitments.Which(start=span[0], end=span[1]))
    told = await dispatches.every(db, dispatches.Which(start=span[0], end=span[1], aggregation_ids=ids))
    shares = await dispatches.shares(db, [row.id for row in told])
    of_each = [await _of_aggregation(db, row, span) for row in rows]
    parts = [one.lost_part for one in of_each if one.lost_part is not None]
    return Report(
        parties=len({row.party_id for row in rows}),
        ders=len({one.component_der_id for one in members}),
        aggregations=dict(Counter(row.status for row in rows)),
        reviews=await _of_reviews(db, rows, span, now),
        commitments=dict(Counter(row.state for row in held)),
        dispatches=len(told),
        late_dispatches=sum(bool(row.is_late) for row in told),
        overrides=await counted(db, span, now),
        beyond_limit=len({one.dispatch_id for one in shares if one.cause}),
        by_aggregation=of_each,
        fairness_spread=max(parts) - min(parts) if parts else None,
    )


async def _of_aggregation(db: Connection, row: Row[Any], span: tuple[int, int]) -> OfAggregation:
    found = await intervals.of(db, row.id, *span, whole=True)
    said = statement(found)
    asked = round(sum(abs(one.instructed_w or 0) * one.duration for one in found) / 3600)
    lost = said.energies["lost_override_wh"] + said.energies["lost_envelope_wh"]
    return OfAggregation(
        row.name,
        row.party_name,
        row.profile,
        settled_h=sum(one.duration for one in found) / 3600,
        limited_h=sum(one.duration for one in found if one.override_mrid) / 3600,
        instructed_wh=asked,
        lost_override_wh=said.energies["lost_override_wh"],
        lost_envelope_wh=said.energies["lost_envelope_wh"],
        own_shortfall_wh=said.energies["own_shortfall_wh"],
        lost_part=lost / asked if asked else None,
        unknown=said.states.get("unknown", 0),
    )


async def _of_reviews(db: Connection, rows: Sequence[Row[Any]], span: tuple[int, int], now: int) -> OfReviews:
    every = await stored.in_states(db, [str(state) for state in State])
    mine = {row.id for row in rows}
    every = [row for row in every if row.aggregation_id in mine and row.submitted_at < span[1]]
    decided = [row for row in every if row.decided_at is not None and span[0] <= row.decided_at < span[1]]
    pauses = await stored.pauses(db, [row.id for row in every])
    late = 0
    for row in every:
        due = reviewing.standing(row, pauses, now).due_at
        if due is not None and due < (row.decided_at or min(now, span[1])) and (row.decided_at or now) >= span[0]:
            late += 1
    days = [(row.decided_at - row.complete_at) / DAY_S for row in decided if row.complete_at is not None]
    of_ders = await stored.ders(db, [row.id for row in decided])
    return OfReviews(
        submitted=sum(span[0] <= row.submitted_at for row in every),
        decided=len(decided),
        late=late,
        outcomes=dict(Counter(row.state for row in decided)),
        reasons=dict(Counter(one.reason for one in of_ders if one.reason)),
        median_days=median(days) if days else None,
    )
