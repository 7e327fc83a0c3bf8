"""Local times of files as epoch seconds: days of 23 and 25 hours, and times that a zone does not have.

An hour that a zone's clocks show twice is told apart by order: the first time that a place has it is the earlier one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from gridmodel.arrays import Index, Whole
from gridmodel.errors import GridError

OFFSET = re.compile(r"(?:UTC)?([+-])(\d{2}):?(\d{2})")
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are counted from it as if it were theirs


def zone_of(name: str) -> tzinfo:
    """A zone by its IANA name, UTC, or an offset such as +10:00; GridError where there is none."""
    if found := OFFSET.fullmatch(name):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        if offset >= timedelta(hours=24):
            raise GridError(f"zone {name!r}: an offset is less than 24 hours")
        return timezone(offset if found[1] == "+" else -offset)
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise GridError(f"zone {name!r} is not known; expected such as Australia/Adelaide or +10:00") from None


class LocalClock:
    """Converts the local times of one file, in the order in which they stand there."""

    def __init__(self, zone: tzinfo, *, descending: bool = False) -> None:
        self.zone, self.descending = zone, descending
        self.ambiguous = 0
        """times that the zone has twice"""
        self.nonexistent: list[int] = []
        """local times that the zone does not have, as seconds from 1970 by the local clock"""
        self._seen: dict[tuple[int, int, int], int] = {}

    def epoch(self, local: Whole, place: Index, quantity: Index) -> Whole:
        """(N,) epoch seconds of local times, as seconds from 1970 by the local clock.

        place, quantity: (N,) numbers by which the values of a place are told apart.
        """
        times, inverse = np.unique(local, return_inverse=True)
        early, late, kind = _offsets(times, self.zone)
        found = local - early[inverse]
        self.nonexistent.extend(int(t) for t in times[kind == MISSING][:3])
        twice = np.flatnonzero((kind == TWICE)[inverse])
        self.ambiguous += len(twice)
        for row in twice:
            key = int(place[row]), int(quantity[row]), int(local[row])
            before = self._seen.get(key, 0)
            self._seen[key] = before + 1
            if (before > 0) != self.descending:
                found[row] = local[row] - late[inverse[row]]
        return np.asarray(found)


ONCE, TWICE, MISSING = 0, 1, 2


def _offsets(times: Whole, zone: tzinfo) -> tuple[Whole, Whole, Index]:
    """Offsets from UTC of the earlier and the later reading of each local time, s, and how often the zone has it."""
    early, late = np.zeros(len(times), dtype=np.int64), np.zeros(len(times), dtype=np.int64)
    kind = np.zeros(len(times), dtype=np.intp)
    for k, seconds in enumerate(times):
        at = EPOCH + timedelta(seconds=int(seconds))
        first, second = (_offset_s(at.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
        early[k], late[k] = first, second
        if first != second:
            kind[k] = TWICE if first > second else MISSING
    return early, late, kind


def _offset_s(at: datetime) -> int:
    offset = at.utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def unusual_days(zone: tzinfo, since: int, until: int) -> Iterator[tuple[date, int, int]]:
    """Days of a zone that do not last 24 hours: the day, and its begin and end in epoch seconds."""
    day, last = (datetime.fromtimestamp(at, zone).date() for at in (since, max(until - 1, since)))
    while day <= last:
        begin, end = (_midnight(day + timedelta(days=k), zone) for k in (0, 1))
        if end - begin != 86_400:
            yield day, begin, end
        day += timedelta(days=1)


def _midnight(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())
