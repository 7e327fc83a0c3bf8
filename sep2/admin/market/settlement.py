"""Settled intervals: made from meters, limits and dispatch, listed, summed up; and baselines."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.admin.market.common import now_of, profiles_of
from sep2.admin.types import market_settlement as t
from sep2.errors import BadValue
from sep2.operations.judging import policy_of
from sep2.operations.market import aggregations, entries, settling, statements
from sep2.operations.market.settling import Declared, Prepared, Rules
from sep2.operations.market.statements import Event
from sep2.partner.common import written
from sep2.rest.route import Ahead, Request
from sep2.rest.types import Listed
from sep2.rules.events import shows_at_once
from sep2.rules.market.baselines import KNOWN
from sep2.rules.market.clocks import by_day, day_bounds
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.profiles import read_profile
from sep2.rules.row_numbers import row_number
from sep2.rules.told_times import told
from sep2.store.market import intervals as stored
from sep2.store.market import register
from sep2.store.market.facts import AsOf

LONGEST_S = 31 * 86_400 + 3600
USUAL_S = 30 * 86_400


class NotOver(BadValue):
    """Only what is over can be settled."""


class _Calculated(NamedTuple):
    """A time of an aggregation as it was calculated: what is still to be kept of it, and what was before."""

    identity: Row[Any]
    span: tuple[int, int]
    rules: Rules
    to_keep: Sequence[Prepared]
    changed: int


async def calculate_settlement(ahead: Ahead, asked: t.NewSettlement) -> _Calculated:
    """Calculate a time local day by local day; all days but the last are kept at once, each in its own transaction."""
    async with ahead.reading() as rq:
        identity = await entries.identity(rq.db, "aggregation", asked.aggregation)
        rules = await _rules(rq, identity)
        span = _span(asked, rules)
        if span[1] > rq.now:
            raise NotOver(f"end: {told(span[1])} is after now, {told(rq.now)}")
    refuse([Fault("available", "ends_before_start", one.der, "end after start")
            for one in asked.available if one.end <= one.start])  # fmt: skip
    declared = [Declared(one.der, one.start, one.end, one.available_w) for one in asked.available]
    to_keep, changed, days = [], 0, by_day(span, rules.profile.zone, rules.profile.metering.interval_s)
    for day in days:
        async with ahead.reading() as rq:
            question = await settling.question(rq.db, identity, day, rules, declared=declared)
        found = await settling.calculated(question)
        if ahead.only_trying:
            to_keep.append(found.of_the_whole)
            changed += len(found.changed) - len(to_keep[-1].changed)
        elif day == days[-1]:
            to_keep.append(found)
        else:
            async with ahead.writing() as rq:
                changed += (await settling.keep(rq.db, found, written(rq))).changed
    return _Calculated(identity, span, rules, to_keep, changed)


async def settle_market(rq: Request, asked: t.NewSettlement) -> t.Settlement:
    """A time settled by what is known now; intervals that say something new are new versions."""
    found: _Calculated = rq.prepared
    done = [await settling.keep(rq.db, one, written(rq)) for one in found.to_keep]
    changed = found.changed + sum(one.changed for one in done)
    return await _statement(rq, found.identity, found.span, found.rules, known_at=None, changed=changed)


async def show_settlement(rq: Request, asked: t.SettlementQuery) -> t.Settlement:
    """What came of a time, by what was settled until then."""
    identity = await entries.identity(rq.db, "aggregation", rq.ids["aggregation"])
    rules = await _rules(rq, identity)
    return await _statement(rq, identity, _asked(rq, asked), rules, known_at=asked.known_at)


async def list_intervals(rq: Request, asked: t.IntervalQuery) -> Listed[t.Interval]:
    """Settled intervals with each DER's part, the earliest first; without consent nothing measured of a DER."""
    identity = await entries.identity(rq.db, "aggregation", rq.ids["aggregation"])
    first, span = max(0, row_number(asked.after or "")), _asked(rq, asked)
    total, part = await stored.part(rq.db, identity.id, span, known_at=asked.known_at, first=first, most=asked.limit)
    agreed = await _agreed(rq, part)
    following = first + len(part)
    items = [_interval(row, shown=row.component_der_id is None or row.component_der_id in agreed) for row in part]
    return Listed(total=total, items=items, next=str(following) if part and following < total else None)


async def show_baseline(rq: Request, asked: t.BaselineQuery) -> t.BaselineShown:
    """The load of a DER that would have been in some hours of a day, by a method of averages or the day itself."""
    der = await entries.find(rq.db, "der", rq.ids["der"], now_of(rq))
    rules = _rules_of(rq, asked.profile)
    terms = rules.profile.baseline
    method = asked.method or (terms.weekend if asked.day.weekday() >= 5 else terms.load)
    if method not in KNOWN:
        refuse([Fault("method", "unknown_method", method, f"one of {', '.join(KNOWN)}")])
    if asked.end_hour <= asked.first_hour:
        refuse([Fault("end_hour", "ends_before_start", str(asked.end_hour), f"after {asked.first_hour}")])
    event = Event(asked.day, asked.first_hour, asked.end_hour, method, asked.with_limited)
    found = await statements.baseline_of(rq.db, der, event, rules)
    hours = [
        t.BaselineHour(hour=hour, baseline_w=watts, metered_w=found.metered_w[hour])
        for hour, watts in found.baseline.by_hour.items()
    ]
    return t.BaselineShown(
        der=der.name,
        day=asked.day,
        method=method,
        adjustment=found.baseline.adjustment,
        days=list(found.baseline.days),
        left_out=found.left_out,
        hours=hours,
        reduced_wh=found.reduced_wh,
    )


def _asked(rq: Request, asked: t.SettlementQuery | t.IntervalQuery) -> tuple[int, int]:
    end = rq.now if asked.end is None else asked.end
    return max(0, end - USUAL_S) if asked.start is None else asked.start, end


def _span(asked: t.NewSettlement, rules: Rules) -> tuple[int, int]:
    if asked.day is not None:
        return day_bounds(asked.day, rules.profile.zone)
    if asked.start is None or asked.end is None:
        refuse([Fault("day", "missing", "", "a local day, or start and end")])
    start, end = asked.start or 0, asked.end or 0
    if not start < end <= start + LONGEST_S:
        refuse([Fault("end", "bad_span", told(end), f"after start {told(start)}, and at most {LONGEST_S} s later")])
    return start, end


async def _rules(rq: Request, identity: Row[Any]) -> Rules:
    row = await register.entry(rq.db, "aggregation", identity.id, AsOf(rq.now))
    return _rules_of(rq, "custom" if row is None else row.profile)


def _rules_of(rq: Request, profile: str) -> Rules:
    utility = rq.state.settings.utility
    policy = policy_of(utility, rq.state.house.poll_rate("DERProgramList"))
    return Rules(read_profile(profile, profiles_of(rq)), policy, shows_at_once(utility.profile))


async def _statement(
    rq: Request,
    identity: Row[Any],
    span: tuple[int, int],
    rules: Rules,
    *,
    known_at: int | None,
    changed: int | None = None,
) -> t.Settlement:
    rows = await stored.of(rq.db, identity.id, *span, known_at=known_at, whole=True)
    found = statements.statement(rows)
    firm = await _firm(rq, identity, rules, rq.now if known_at is None else known_at)
    return t.Settlement(
        aggregation=identity.name,
        start=span[0],
        end=span[1],
        intervals=len(rows),
        changed=changed,
        delivered_share=found.delivery.share,
        overshoot_wh=round(found.delivery.overshoot_wh),
        missing=found.delivery.missing,
        states=found.states,
        **found.energies,
        override_eligible=rules.profile.make_whole.override_eligible,
        envelope_eligible=rules.profile.make_whole.envelope_eligible,
        firm=t.Firm(**{name: getattr(firm, name) for name in t.Firm.__struct_fields__}),
    )


async def show_firm(rq: Request, asked: t.FirmQuery) -> t.FirmCapacity:
    """What is firm of an aggregation's promise, by its settled dispatches, and each of these."""
    identity = await entries.identity(rq.db, "aggregation", rq.ids["aggregation"])
    known_at = rq.now if asked.known_at is None else asked.known_at
    return await _firm(rq, identity, await _rules(rq, identity), known_at)


async def _firm(rq: Request, identity: Row[Any], rules: Rules, known_at: int) -> t.FirmCapacity:
    found = await statements.firm(rq.db, identity.id, rules, known_at)
    row = await register.entry(rq.db, "aggregation", identity.id, AsOf(known_at))
    said = None if row is None else aggregations.said_of(row)
    promised = 0 if said is None else said.inject_w or said.reduce_w
    terms, ratio = rules.profile.firm, found.firm.ratio
    return t.FirmCapacity(
        aggregation=identity.name,
        ratio=ratio,
        firm_w=None if ratio is None else round(ratio * promised),
        events=found.firm.events,
        needed=found.firm.needed,
        promised_w=promised,
        rank=found.firm.rank,
        quantile=terms.quantile,
        confidence=terms.confidence,
        by_event=[t.FirmEvent(**one._asdict()) for one in found.events],
    )


async def _agreed(rq: Request, rows: list[Row[Any]] | Any) -> set[int]:
    """The DERs whose customers agree, now, that what was measured is shown."""
    ders = {row.component_der_id for row in rows if row.component_der_id is not None}
    consents = await register.consents(rq.db, ders, now_of(rq))
    return {one.component_der_id for one in consents if '"telemetry"' in one.scopes}


MEASURED = ("measured_wh", "breach_wh", "lost_override_wh", "lost_envelope_wh", "own_shortfall_wh")


def _interval(row: Row[Any], *, shown: bool) -> t.Interval:
    names = [name for name in t.Interval.__struct_fields__ if name not in ("der", "is_withheld")]
    said = {name: getattr(row, name) for name in names}
    if not shown:
        said |= dict.fromkeys(MEASURED) | {"coverage_ppm": 0, "state": "unknown"}
    return t.Interval(der=row.der_name or "", is_withheld=not shown, **said)
