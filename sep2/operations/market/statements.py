"""What settled intervals add up to: delivered against instructed, lost by cause, firm capacity, baselines."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from sep2.errors import BadValue
from sep2.operations.judging import Window, verdicts_at
from sep2.operations.market.settling import Rules
from sep2.rules.market import baselines
from sep2.rules.market.baselines import GENERATION_METER, METER_BEFORE, METHODS, SAME_DAY, Baseline, TooFewDays
from sep2.rules.market.clocks import day_bounds
from sep2.rules.market.credit import Firm, firm_ratio
from sep2.rules.market.intervals import ENERGIES
from sep2.rules.market.settle import Delivery, delivered
from sep2.rules.obedience import Direction, Judged, State
from sep2.store import judged
from sep2.store.connection import Connection
from sep2.store.market import dispatches, register, seen
from sep2.store.market import intervals as stored
from sep2.store.market.facts import AsOf

HOUR_S = 3600


class NoBaseline(BadValue):
    """There is no baseline of that DER by that method on that day."""


class Statement(NamedTuple):
    """What came of a time: shares, Wh by cause, and how many intervals there are by state."""

    delivery: Delivery
    energies: dict[str, int]
    states: dict[str, int]


def statement(rows: Sequence[Row[Any]]) -> Statement:
    """The sums of an aggregation's own intervals; what is not known is counted, never taken as 0."""
    told = [row for row in rows if row.instructed_w is not None]
    seconds = rows[0].duration if rows else HOUR_S
    signs = [-1 if row.instructed_w < 0 else 1 for row in told]
    asked = [abs(row.instructed_w) for row in told]
    got = [
        None if row.measured_wh is None else sign * row.measured_wh * HOUR_S / row.duration
        for sign, row in zip(signs, told, strict=True)
    ]
    states: dict[str, int] = defaultdict(int)
    for row in rows:
        states[row.state] += 1
    energies = {name: sum(getattr(row, name) or 0 for row in rows) for name in ENERGIES}
    return Statement(delivered(asked, got, seconds), energies, dict(states))


class FirmEvent(NamedTuple):
    """A dispatch as an event: what it asked for, the share of it that was delivered, and what is not known of it."""

    dispatch: str
    start: int
    end: int
    ordered_w: int
    ratio: float | None
    """None: nothing of it was settled, or nothing was measured"""
    missing: int


class FirmStatement(NamedTuple):
    """What is firm of a promise, and the latest events that it follows from, the earliest first."""

    firm: Firm
    events: Sequence[FirmEvent]


async def firm(db: Connection, aggregation_id: int, rules: Rules, known_at: int) -> FirmStatement:
    """What is firm of a promise, by the dispatches that were settled, each of them one event."""
    which = dispatches.Which(aggregation_id, end=known_at, received_by=known_at)
    events = [row for row in await dispatches.every(db, which) if row.kind == "dispatch" and row.target_w]
    found = []
    for event in sorted(events, key=lambda row: row.start)[-rules.profile.firm.window_events :]:
        rows = await stored.of(db, aggregation_id, event.start, event.end, known_at=known_at, whole=True)
        one = statement(rows).delivery
        found.append(FirmEvent(event.iso_dispatch_id, event.start, event.end, event.target_w, one.share, one.missing))
    return FirmStatement(firm_ratio([one.ratio for one in found if one.ratio is not None], rules.profile.firm), found)


class Event(NamedTuple):
    """Local hours of a day, from the first to before the last, and by which method the load without it is found."""

    day: date
    first_hour: int
    end_hour: int
    method: str
    with_limited: bool = False
    """whether days count too that an envelope or override limited"""


class Found(NamedTuple):
    """A baseline and what was metered, W by local hour, and the energy that was not drawn."""

    baseline: Baseline
    metered_w: dict[int, float | None]
    reduced_wh: float | None
    left_out: list[date]


async def baseline_of(db: Connection, der: Row[Any], event: Event, rules: Rules) -> Found:
    """The load that would have been in the event's hours, from the DER's meter; NoBaseline where days are missing."""
    terms = rules.profile.baseline
    first = event.day - timedelta(days=terms.window_days)
    if event.method == GENERATION_METER:
        return await _behind_the_meter(db, der, event, rules)
    days = (await _hourly(db, der, (first, event.day), rules))[0]
    today = days.pop(event.day, {})
    hours = range(event.first_hour, event.end_hour)
    left_out = await _left_out(db, der, (first, event.day), event, rules=rules)
    try:
        if event.method in (SAME_DAY, METER_BEFORE):
            found = Baseline(dict.fromkeys(hours, _level(today, event)), 0.0, (event.day,))
        else:
            found = _average(days, today, hours, event=event, left_out=left_out, rules=rules)
    except (TooFewDays, KeyError) as wrong:
        missing = _unknown(wrong.args[0], event) if isinstance(wrong, KeyError) else str(wrong)
        raise NoBaseline(f"{der.name}, {event.method}: {missing}") from None
    return _found(found, {hour: today.get(hour) for hour in hours}, left_out)


def _found(found: Baseline, metered: dict[int, float | None], left_out: list[date]) -> Found:
    known = [found.by_hour[hour] - watts for hour, watts in metered.items() if watts is not None]
    reduced = sum(max(0.0, less) for less in known) if len(known) == len(metered) else None
    return Found(found, metered, reduced, left_out)


def _level(today: dict[int, float], event: Event) -> float:
    """The level of all hours of the event from other hours of its own day; KeyError names one that is not known."""
    if event.method == METER_BEFORE:
        return baselines.meter_before(today, event.first_hour)
    return baselines.same_day(today, event.first_hour, event.end_hour - 1)


def _unknown(hour: int, event: Event) -> str:
    if hour not in range(24):
        return f"it needs hours of {event.day} beside the event that this day does not have"
    return f"hour {hour} of {event.day} is not known"


async def _behind_the_meter(db: Connection, der: Row[Any], event: Event, rules: Rules) -> Found:
    """The load of the DER's connection without its generation, by a meter of each; export counts as nothing."""
    hours = range(event.first_hour, event.end_hour)
    drawn, generated = (
        one.get(event.day, {})
        for one in await _hourly(
            db, der, (event.day, event.day), rules, directions=(Direction.IMPORT, Direction.GENERATION)
        )
    )
    for watts, which in ((drawn, "its connection"), (generated, "its generation")):
        for hour in hours:
            if hour not in watts:
                raise NoBaseline(f"{der.name}, {event.method}: {_unknown(hour, event)} of the meter of {which}")
    found = {hour: baselines.behind_the_meter(drawn[hour], generated[hour]) for hour in hours}
    of_load = Baseline({hour: one.load for hour, one in found.items()}, 0.0, (event.day,))
    return _found(of_load, {hour: one.drawn for hour, one in found.items()}, [])


def _average(
    days: dict[date, dict[int, float]],
    today: dict[int, float],
    hours: range,
    *,
    event: Event,
    left_out: list[date],
    rules: Rules,
) -> Baseline:
    method, terms = METHODS[event.method], rules.profile.baseline
    whole = {day: by_hour for day, by_hour in days.items() if all(hour in by_hour for hour in hours)}
    chosen = baselines.qualifying(
        event.day,
        whole,
        days=method.days,
        window_days=terms.window_days,
        left_out=left_out,
        weekend=event.day.weekday() >= 5,
    )
    return baselines.baseline(method, {day: days[day] for day in chosen}, hours, adjust=terms.adjust, today=today)


async def _hourly(
    db: Connection,
    der: Row[Any],
    span: tuple[date, date],
    rules: Rules,
    *,
    directions: Sequence[Direction] = (Direction.IMPORT,),
) -> list[dict[date, dict[int, float]]]:
    """Mean power of each direction by local day and hour (W); both hours of a repeated one together.

    What is not known is left out.
    """
    zone = rules.profile.zone
    since, until = day_bounds(span[0], zone)[0], day_bounds(span[1], zone)[1]
    device = (await seen.devices_of(db, [der])).get(der.id)
    if device is None:
        raise NoBaseline(f"{der.name} has no device whose meter is read")
    rows = await judged.devices(db, [device.id])
    verdicts = await verdicts_at(db, rows, Window(since, until), policy=rules.policy, length=HOUR_S)
    return [_by_hour(verdicts.get((device.id, direction), []), zone) for direction in directions]


def _by_hour(verdicts: Sequence[Judged], zone: ZoneInfo) -> dict[date, dict[int, float]]:
    found: dict[date, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in verdicts:
        if one.measured_w is not None and one.state is not State.UNKNOWN:
            local = datetime.fromtimestamp(one.start, zone)
            found[local.date()][local.hour].append(one.measured_w)
    return {day: {hour: sum(these) / len(these) for hour, these in hours.items()} for day, hours in found.items()}


async def _left_out(
    db: Connection, der: Row[Any], span: tuple[date, date], event: Event, *, rules: Rules
) -> list[date]:
    """Days of events, and days on which a limit cost something or an override held, as the profile says."""
    zone, terms = rules.profile.zone, rules.profile.baseline
    since, until = day_bounds(span[0], zone)[0], day_bounds(span[1], zone)[0]
    found: set[date] = set()
    for number in {row.aggregation_id for row in await register.memberships(db, [der.id], AsOf(since))}:
        if terms.drop_event_days:
            told = await dispatches.every(db, dispatches.Which(number, since, until))
            found |= {datetime.fromtimestamp(row.start, zone).date() for row in told if row.target_w}
        if terms.drop_limited_days and not event.with_limited:
            rows = await stored.of(db, number, since, until)
            found |= {
                datetime.fromtimestamp(row.start, zone).date()
                for row in rows
                if row.component_der_id == der.id
                and (row.override_mrid or (row.lost_envelope_wh or 0) + (row.lost_override_wh or 0) > 0)
            }
    return sorted(found)
