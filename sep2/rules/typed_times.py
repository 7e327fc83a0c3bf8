"""Times as people type them: `18:00`, `tomorrow 6:30`, `2026-01-31 14:30`, in the utility's zone."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from sep2.errors import BadValue

DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_CLOCK = re.compile(r"(?:(yesterday|today|tomorrow)\s+)?([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
EXAMPLES = "now, +10m, 18:00, tomorrow 6:30 or 2026-01-31T14:30"


class BadTime(BadValue):
    """That is no time."""


class DoubleTime(BadValue):
    """That time comes twice, as the clocks are set back; write which one is meant."""


class MissingTime(BadValue):
    """That time does not come, as the clocks are set forward."""


def is_time(text: str) -> bool:
    """Whether a text reads as a time of day or a date; it may still be one that comes twice or not at all."""
    return _CLOCK.fullmatch(text.strip()) is not None or _iso(text) is not None


def read(text: str, now: int, zone: tzinfo) -> int:
    """A typed time in epoch seconds; a time of day alone is the next one, a time without an offset is in the zone."""
    said = text.strip()
    clock = _CLOCK.fullmatch(said)
    if clock is None:
        found = _iso(said)
        if found is None:
            raise BadTime(f"{text[:60]!r}; write {EXAMPLES}")
        return int(found.timestamp()) if found.tzinfo is not None else _only(found, zone)
    today = datetime.fromtimestamp(now, zone).date()
    day, hour, minute, second = clock[1], int(clock[2]), int(clock[3]), int(clock[4] or 0)
    if day is not None:
        return _only(_at(today + timedelta(days=DAYS[day]), hour, minute, second), zone)
    here = _at(today, hour, minute, second)
    latest = max([*_readings(here, zone), int(here.replace(tzinfo=zone).timestamp())])
    if latest >= now:
        return _only(here, zone)
    return _only(here + timedelta(days=1), zone)


def _at(day: date, hour: int, minute: int, second: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001 - local, its zone is given later


def _iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
        found.timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return found if len(text.strip()) > len("2026-01-31") else None


def _readings(local: datetime, zone: tzinfo) -> list[int]:
    """The moments at which a zone's clocks show a local time: one, two in autumn, none in spring."""
    found = {int(local.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1)}
    return sorted(at for at in found if datetime.fromtimestamp(at, zone).replace(tzinfo=None) == local)


def _only(local: datetime, zone: tzinfo) -> int:
    found = _readings(local, zone)
    if len(found) > 1:
        both = " or ".join(datetime.fromtimestamp(at, zone).isoformat(timespec="minutes") for at in found)
        raise DoubleTime(f"{local:%Y-%m-%d %H:%M}: {both}")
    if not found:
        after = datetime.fromtimestamp(local.replace(tzinfo=zone).timestamp(), UTC).astimezone(zone)
        raise MissingTime(f"{local:%Y-%m-%d %H:%M}; the clocks go on at {after:%H:%M}")
    return found[0]
