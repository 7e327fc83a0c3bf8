"""Times in sentences that people read: in the utility's zone, with the offset."""

from contextvars import ContextVar
from datetime import UTC, datetime

from sep2.rules.days import LocalTime

_LOCAL: ContextVar[LocalTime | None] = ContextVar("local_time", default=None)
LATEST = 253_370_000_000
"""`datetime` ends with the year 9999; what lies beyond is told as a number."""


def tell_in(local: LocalTime) -> None:
    """Have times be told in this zone from here on, in this task and in those that it begins."""
    _LOCAL.set(local)


def told(at: int) -> str:
    """Epoch seconds as 2026-01-31 14:30:00+10:30, and in UTC where the utility names no zone."""
    if not 0 <= at < LATEST:
        return f"{at} s since 1970"
    local = _LOCAL.get()
    if local is None or not (local.zone or local.offset_s):
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"
    return local.iso(at).replace("T", " ")


def told_length(seconds: int) -> str:
    """A length of time as 400 d or 1 h 30 min."""
    parts = ((seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def told_span(start: int, end: int) -> str:
    """A time between two moments."""
    return f"from {told(start)} to {told(end)}"
