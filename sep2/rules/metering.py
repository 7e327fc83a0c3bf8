"""What metered values mean to the utility, and when they were metered."""

from collections.abc import Hashable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from sep2.errors import BadValue


class ReadingSign(StrEnum):
    """Whether a meter counts as the standard says, import forwards; found out when it is commissioned."""

    UNPROVEN = "unproven"
    """nobody has compared it with what the connection is known to do: shown, and nothing rests on it"""
    AS_POSTED = "as-posted"
    REVERSED = "reversed"

    @property
    def factor(self) -> int:
        """What a reading is multiplied by to be an import; 0 while that is not known."""
        return {"unproven": 0, "as-posted": 1, "reversed": -1}[self]


EARLIEST = 946_684_800
"""The year 2000 began: nothing was metered for this server before."""
AHEAD_S = 86_400
"""How far the clock of a meter may be ahead of the server's."""
LONGEST_S = 315_576_000
"""Ten years: no reading covers a longer time."""


class BadTime(BadValue):
    """The time of a reading is not plausible."""


class NoTime(BadValue):
    """The time of a reading can not be told from its set."""


class Span(NamedTuple):
    """The time that a reading or a set of readings covers."""

    start: int
    """epoch seconds"""
    duration: int
    """s"""

    @property
    def end(self) -> int:
        """When its time is over."""
        return self.start + self.duration


def check_span(field: str, span: Span, now: int) -> None:
    """Nothing, where a meter may have said so; `field` is what the error names. Clock of the meter: AHEAD_S."""
    latest = now + AHEAD_S
    if not EARLIEST <= span.start <= latest:
        hint = "; it looks like milliseconds" if EARLIEST <= span.start // 1000 <= latest else ""
        bound = f"{EARLIEST} (the year 2000) to {latest} (a day ahead of this server)"
        raise BadTime(f"{field}.start: {span.start} is outside {bound}{hint}")
    if not 0 <= span.duration <= LONGEST_S:
        raise BadTime(f"{field}.duration: {span.duration} is outside 0 to {LONGEST_S} s (ten years)")


class Said(NamedTuple):
    """What a reading of a set says of its own time and place; None and 0 where it says nothing."""

    span: Span | None
    local_id: int | None
    block: int
    tier: int


def spans(of_set: Span, interval_s: int, said: Sequence[Said]) -> list[Span]:
    """The time of each reading of a set, in the order in which they are given.

    A reading's own timePeriod counts. Without one it is one of the intervals that the set's timePeriod is made of:
    `interval_s` long (ReadingType.intervalLength), or 0 where nobody said, and then the period is divided evenly.
    Readings of another consumptionBlock or touTier cover the period anew (2030.5 10.4).
    """
    found = [one.span for one in said]
    kinds: dict[tuple[int, int], list[int]] = {}
    for n, one in enumerate(said):
        kinds.setdefault((one.block, one.tier), []).append(n)
    for places in kinds.values():
        if any(found[n] is None for n in places):
            for n, span in zip(places, _intervals(of_set, interval_s, [said[n] for n in places]), strict=True):
                found[n] = found[n] or span
    return [span for span in found if span is not None]


def _intervals(of_set: Span, interval_s: int, said: Sequence[Said]) -> Iterator[Span]:
    """The interval of the set's period that each reading is about."""
    count = len(said)
    if interval_s == 0:
        if of_set.duration % count:
            raise NoTime(f"intervalLength: is not said, and {of_set.duration} s are not {count} equal parts")
        interval_s = of_set.duration // count
        most = count
    else:
        most = max(1, -(-of_set.duration // interval_s))
    for place in _places(said, most):
        start = of_set.start + place * interval_s
        yield Span(start, max(0, min(interval_s, of_set.end - start)))


def _places(said: Sequence[Said], most: int) -> list[int]:
    """Which of the `most` intervals each reading is about: by its localID, else by the order in the document."""
    numbers = [one.local_id for one in said if one.local_id is not None]
    if not numbers:
        numbers = list(range(len(said)))
    if len(numbers) < len(said):
        raise NoTime("localID: stands at some readings of the set without timePeriod, and not at others")
    if len(set(numbers)) < len(numbers):
        raise NoTime("localID: stands twice in a set of readings without timePeriod")
    ranks = {number: rank for rank, number in enumerate(sorted(numbers))}
    if len(numbers) == most:
        return [ranks[number] for number in numbers]
    # Counted from 0 or from 1; else a number that runs on from set to set, of which only the difference counts.
    least, largest = min(numbers), max(numbers)
    first = 0 if largest < most else 1 if least and largest == most else least
    if largest - first >= most:
        raise NoTime(f"Reading: number {largest} is beyond the {most} intervals of the set's timePeriod")
    return [number - first for number in numbers]


def numbered(keys: Sequence[Hashable], local_ids: Sequence[int | None]) -> list[int]:
    """A number for each reading, its localID or else the next one free, by which those with one key differ."""
    taken = {(key, local_id) for key, local_id in zip(keys, local_ids, strict=True) if local_id is not None}
    free = dict.fromkeys(keys, 0)
    numbers = []
    for key, local_id in zip(keys, local_ids, strict=True):
        if local_id is None:
            while (key, free[key]) in taken:
                free[key] += 1
            local_id = free[key]
            free[key] += 1
        numbers.append(local_id)
    return numbers
