"""The clock of a review: which dates count, when it is due, how much of it is gone."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sep2.rules.market.profile import Review

LONGEST_DAYS = 40_000
"""A clock that has not ended after so many dates never ends: a pause is open."""
NOON = time(12)


class Pause(NamedTuple):
    """Dates whose local noon lies in [start, end) do not count; one without an end goes on."""

    start: int
    end: int | None


class ClockState(StrEnum):
    """How urgent a review is."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    ALARM = "alarm"
    OVERDUE = "overdue"
    PAUSED = "paused"


class Clock(NamedTuple):
    """A review's clock; `complete_at` is when it began, the local date of which is day 0 (epoch seconds)."""

    complete_at: int
    days: int
    zone: ZoneInfo
    only_business: bool = False
    holidays: Collection[date] = ()
    pauses: Sequence[Pause] = ()

    def due_at(self) -> int | None:
        """The last second of the N-th counted date; None while an open pause keeps it from coming."""
        day = self._day_zero()
        for number, counted in enumerate(self._counted()):
            if number + 1 == self.days:
                day = counted
                break
        else:
            if self.days:
                return None
        return midnight(day + timedelta(days=1), self.zone) - 1

    def elapsed_days(self, now: int) -> int:
        """The counted dates that have begun by `now`, at most all of them."""
        today = datetime.fromtimestamp(now, self.zone).date()
        begun = 0
        for counted in self._counted():
            if counted > today or begun == self.days:
                break
            begun += 1
        return begun

    def state(self, now: int, review: Review) -> ClockState:
        """How urgent it is at `now`, by the profile's shares of the counted dates."""
        due = self.due_at()
        if due is not None and now > due:
            return ClockState.OVERDUE
        if any(pause.start <= now and (pause.end is None or now < pause.end) for pause in self.pauses):
            return ClockState.PAUSED
        gone = self.elapsed_days(now) / self.days if self.days else 1.0
        for state, share in (
            (ClockState.ALARM, review.alarm),
            (ClockState.RED, review.red),
            (ClockState.AMBER, review.amber),
        ):
            if gone >= share:
                return state
        return ClockState.GREEN

    def _day_zero(self) -> date:
        return datetime.fromtimestamp(self.complete_at, self.zone).date()

    def _counted(self) -> Iterator[date]:
        day = self._day_zero()
        for _ in range(LONGEST_DAYS):
            day += timedelta(days=1)
            if self._counts(day):
                yield day
            elif any(pause.end is None and pause.start <= self._noon(day) for pause in self.pauses):
                return

    def _counts(self, day: date) -> bool:
        if self.only_business and (day.weekday() >= 5 or day in self.holidays):
            return False
        noon = self._noon(day)
        return not any(pause.start <= noon and (pause.end is None or noon < pause.end) for pause in self.pauses)

    def _noon(self, day: date) -> int:
        return int(datetime.combine(day, NOON, self.zone).timestamp())


def midnight(day: date, zone: ZoneInfo) -> int:
    """When a local day begins, in epoch seconds."""
    return int(datetime.combine(day, time(), zone).timestamp())


def day_bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """When a local day begins and ends: 23, 24 or 25 hours."""
    return midnight(day, zone), midnight(day + timedelta(days=1), zone)


def by_day(span: tuple[int, int], zone: ZoneInfo, step_s: int) -> list[tuple[int, int]]:
    """The parts of a time in each local day, the earliest first; a step across midnight is of the day before."""
    found = []
    start = span[0]
    while start < span[1]:
        midnight_s = day_bounds(datetime.fromtimestamp(start, zone).date(), zone)[1]
        end = min(-(-midnight_s // step_s) * step_s, span[1])
        found.append((start, end))
        start = end
    return found


def local_time(day: date, at: str, zone: ZoneInfo) -> int:
    """A time of day such as "09:30" on a local day, in epoch seconds; of two such times the earlier."""
    hour, minute = at.split(":")
    return int(datetime.combine(day, time(int(hour), int(minute)), zone).timestamp())
