"""Local time by the name of a time zone: the fields of the Time resource (2030.5 9.2)."""

import os
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

DAY_S = 86_400
STEP_S = 5 * DAY_S
"""No zone changes its offset twice in so short a time."""
BEFORE_S, AFTER_S = 400 * DAY_S, 800 * DAY_S
"""Where the present and the next daylight saving are looked for."""
LATEST = 253_370_000_000
"""`datetime` ends with the year 9999."""
NO_ZONES = ("posix/", "right/", "posixrules", "localtime", "Factory")
"""Names beside the zones in a machine's folder of them; those of `right/` count leap seconds."""


class Local(NamedTuple):
    """Local time: offsets in seconds east of UTC, times in epoch seconds, 0 where there is no daylight saving."""

    tz_offset: int
    dst_offset: int
    dst_start: int
    dst_end: int

    def at(self, now: int) -> int:
        """The localTime at `now`, as clients calculate it."""
        return now + self.tz_offset + (self.dst_offset if self.dst_start <= now < self.dst_end else 0)


class _Period(NamedTuple):
    """A time during which a zone's offsets stay the same; `saving` is 0 in standard time."""

    start: int
    end: int
    standard: int
    saving: int


def misfit(name: str) -> str:
    """Why this is no name of a time zone, with the most similar one; empty if it is one."""
    try:
        if not name.startswith(NO_ZONES):
            ZoneInfo(name)
            return ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    by_folded = {known.casefold(): known for known in available_timezones()}
    by_city = {folded.rpartition("/")[2]: known for folded, known in by_folded.items()}
    wanted = name.casefold().replace(" ", "_")
    near = next((known[found[0]] for known in (by_folded, by_city) if (found := _near(wanted, known))), None)
    return "expected a time zone such as Australia/Adelaide" + (f"; did you mean {near}?" if near else "")


def of_machine(link: Path = Path("/etc/localtime")) -> str:
    """The name of this machine's time zone; empty where that is UTC or not known by name."""
    name = os.environ.get("TZ", "").removeprefix(":") or str(link.resolve()).rpartition("/zoneinfo/")[2]
    return "" if name in ("UTC", "Etc/UTC", "Universal", "Zulu") or misfit(name) else name


def local(name: str, now: int) -> Local:
    """Local time in a zone at `now`: its present daylight saving, or its next one."""
    now = min(now, LATEST)
    periods = _periods(name, now // STEP_S)
    here = next(period for period in periods if period.start <= now < period.end)
    summer = next((period for period in periods if period.saving and period.end > now), None)
    if summer is None:
        return Local(here.standard, 0, 0, 0)
    return Local(here.standard, summer.saving, summer.start, summer.end)


@lru_cache(maxsize=8)
def _periods(name: str, step: int) -> tuple[_Period, ...]:
    """What holds in a zone around a time, earliest first."""
    zone = ZoneInfo(name)
    first, last = max(0, step * STEP_S - BEFORE_S), min(LATEST + STEP_S, step * STEP_S + AFTER_S)
    steps = range(first, last, STEP_S)
    changes = [at for at in steps if _offsets(zone, at) != _offsets(zone, at + STEP_S)]
    edges = [first, *(_change(zone, at, at + STEP_S) for at in changes)]
    found = [(start, *_offsets(zone, start)) for start in edges]
    # Where winter is the exception (Europe/Dublin), summer counts as daylight saving all the same.
    most_negative = min(saving for _, _, saving in found)
    ends = [*edges[1:], last + STEP_S]
    return tuple(
        _Period(start, end, offset - saving + most_negative, saving - most_negative)
        for (start, offset, saving), end in zip(found, ends, strict=True)
    )


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second at which a zone's offsets are no longer those at `before`."""
    was = _offsets(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offsets(zone, middle) == was:
            before = middle
        else:
            after = middle
    return after


def _offsets(zone: ZoneInfo, at: int) -> tuple[int, int]:
    """The whole offset from UTC, and the part of it that is daylight saving; the latter may be negative."""
    there = datetime.fromtimestamp(at, UTC).astimezone(zone)
    offset, saving = there.utcoffset(), there.dst()
    return int(offset.total_seconds()) if offset else 0, int(saving.total_seconds()) if saving else 0


def _near(wanted: str, known: dict[str, str]) -> list[str]:
    return get_close_matches(wanted, known, n=1, cutoff=0.75)
