"""The load that would have been without an event: baselines as data, by local hours (any unit of power)."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from sep2.rules.market.profile import Adjust


class Keep(StrEnum):
    """Which of the days looked at are averaged."""

    ALL = "all"
    HIGHEST = "highest"
    RANKS = "ranks"


class Method(NamedTuple):
    """A baseline of the family of average days: of the last `days` days that qualify, which are kept."""

    days: int
    keep: Keep = Keep.ALL
    highest: int = 0
    """how many days, by the energy of the event's hours"""
    ranks: tuple[int, ...] = ()
    """per hour, 1 is the highest"""


METHODS = {
    "high_4_of_5": Method(5, Keep.HIGHEST, 4),
    "high_2_of_3": Method(3, Keep.HIGHEST, 2),
    "average_10_of_10": Method(10),
    "average_5_of_10": Method(10, Keep.HIGHEST, 5),
    "average_4_of_4": Method(4),
    "ecbl_5_6_of_10": Method(10, Keep.RANKS, ranks=(5, 6)),
    "match_day_3": Method(3),
}
SAME_DAY, METER_BEFORE, GENERATION_METER = "same_day_3_2", "meter_before", "generation_meter"
KNOWN = (*METHODS, SAME_DAY, METER_BEFORE, GENERATION_METER)
"""Every baseline; those beside `METHODS` need no earlier day."""
Day = Mapping[int, float]
"""Mean power by local hour, 0 to 23; on a day of 25 hours the mean of both 01:00 hours, on one of 23 without it."""


class Baseline(NamedTuple):
    """Power by hour of the event, by how much it was adjusted, and the days it stands on."""

    by_hour: dict[int, float]
    adjustment: float
    days: tuple[date, ...]


class TooFewDays(ValueError):
    """Not enough days qualify within the window."""


def qualifying(
    event: date, measured: Mapping[date, Day], *, days: int, window_days: int, left_out: Sequence[date], weekend: bool
) -> list[date]:
    """The latest `days` dates before the event of its kind (weekday or weekend) that were measured and not left out."""
    chosen: list[date] = []
    for back in range(1, window_days + 1):
        day = event - timedelta(days=back)
        if (day.weekday() >= 5) == weekend and day in measured and day not in left_out:
            chosen.append(day)
        if len(chosen) == days:
            return chosen
    raise TooFewDays(f"{len(chosen)} days qualify within {window_days} days before {event}, {days} are needed")


def baseline(
    method: Method, days: Mapping[date, Day], hours: Sequence[int], *, adjust: Adjust, today: Day | None = None
) -> Baseline:
    """The baseline of the event's `hours` from the days that qualify, adjusted by what `today` was before the event.

    `today` is measured power of the event's day; an adjustment needs its hours before the event.
    """
    kept = _kept(method, days, hours)
    by_hour = {hour: _average(method, kept, hour) for hour in hours}
    before = [hour for hour in range(hours[0] - adjust.skip - adjust.hours, hours[0] - adjust.skip) if hour >= 0]
    if adjust.kind == "none" or today is None or not before:
        return Baseline(by_hour, 0.0 if adjust.kind != "ratio" else 1.0, tuple(sorted(kept)))
    usual = sum(_average(method, kept, hour) for hour in before) / len(before)
    actual = sum(today[hour] for hour in before) / len(before)
    if adjust.kind == "additive":
        return Baseline(
            {h: value + actual - usual for h, value in by_hour.items()}, actual - usual, tuple(sorted(kept))
        )
    ratio = min(adjust.high, max(adjust.low, actual / usual)) if usual else 1.0
    return Baseline({hour: value * ratio for hour, value in by_hour.items()}, ratio, tuple(sorted(kept)))


def same_day(today: Day, first: int, last: int, *, before: int = 3, after: int = 2) -> float:
    """The mean of hours of the event's own day, one hour kept away from the event on each side (hours 0 to 23)."""
    hours = [*range(first - 1 - before, first - 1), *range(last + 2, last + 2 + after)]
    return sum(today[hour] for hour in hours) / len(hours)


def meter_before(today: Day, first: int) -> float:
    """The mean of the last whole hour before the event; KeyError where it is not known (NAESB: meter before, after)."""
    return today[first - 1]


class Behind(NamedTuple):
    """Load that a generator behind the meter served in an hour, and what of that load was still drawn."""

    load: float
    drawn: float


def behind_the_meter(drawn: float, generated: float) -> Behind:
    """What a site would have drawn without its generator, from its net draw; what is exported counts for nothing."""
    return Behind(max(0.0, drawn + generated), max(0.0, drawn))


def reduction_wh(baseline_w: float, metered_w: float, seconds: int) -> float:
    """Energy that was not drawn."""
    return max(0.0, baseline_w - metered_w) * seconds / 3600


def _kept(method: Method, days: Mapping[date, Day], hours: Sequence[int]) -> dict[date, Day]:
    if method.keep is not Keep.HIGHEST:
        return dict(days)
    by_energy = sorted(days, key=lambda day: (-sum(days[day].get(hour, 0.0) for hour in hours), day))
    return {day: days[day] for day in by_energy[: method.highest]}


def _average(method: Method, days: Mapping[date, Day], hour: int) -> float:
    values = sorted((day[hour] for day in days.values() if hour in day), reverse=True)
    if method.keep is Keep.RANKS:
        values = [values[rank - 1] for rank in method.ranks if rank <= len(values)]
    return sum(values) / len(values) if values else 0.0
