"""What people type, and how it is shown again: watts, times, spans of time."""

import contextlib
import re
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple

import typer

from sep2.rules import typed_times

PREFIX = {"": 1, "k": 1000, "m": 10**6, "g": 10**9}
POWER_W = {"": 1, "W": 1, "kW": 1000, "MW": 10**6, "GW": 10**9}
UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def watts(text: str) -> int:
    """5kW, 1.5 kW, 800, 800W or 2MW as whole watts; the unit is written as it is: mW would be milliwatts."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text.strip(), re.ASCII)
    if not found:
        raise typer.BadParameter(f"{text!r} is no power; write 5kW, 1.5kW or 800W")
    number, unit = found[1], found[2]
    if unit not in POWER_W:
        if unit.lower() == "mw":
            raise typer.BadParameter(f"{text!r}: milliwatts? write {number}MW")
        meant = next(
            (known for known in POWER_W if known and unit.lower() in (known.lower(), known.lower()[:-1])), "kW"
        )
        raise typer.BadParameter(f"{text!r} is no power; write {number}{meant}")
    value = Decimal(number) * POWER_W[unit]
    if value != int(value):
        raise typer.BadParameter(f"{text!r} is not a whole number of watts")
    return int(value)


def span(text: str) -> int:
    """90s, 10m, 1h30m, 2d or 90 as seconds."""
    text = text.strip().lower()
    if text.isascii() and text.isdigit():
        return int(text)
    parts = re.findall(r"([0-9]+)([smhd])", text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text:
        raise typer.BadParameter(f"{text!r} is no span of time; write 90s, 10m or 1h30m")
    return sum(int(number) * UNIT_S[unit] for number, unit in parts)


class When(NamedTuple):
    """A time: `ahead` seconds after the server's now, `at` epoch seconds, or as it was typed, in the utility's zone."""

    ahead: int = 0
    at: int | None = None
    local: str | None = None


def when(text: str) -> When:
    """now, +10m, 18:00, tomorrow 6:30, or ISO 8601; a time without an offset is in the utility's zone."""
    text = text.strip()
    if text == "now":
        return When()
    if text.startswith("+"):
        return When(ahead=span(text[1:]))
    if not typed_times.is_time(text):
        raise typer.BadParameter(f"{text!r} is no time; write {typed_times.EXAMPLES}")
    with contextlib.suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return When(at=int(found.timestamp()))
    return When(local=text)


ZONE: ContextVar[tzinfo | None] = ContextVar("zone", default=None)
"""The utility's, in which times are shown; without one they are in UTC."""


def moment(text: str) -> When:
    """As `when`, and also -1d: a time that may be over."""
    text = text.strip()
    return When(ahead=-span(text[1:])) if text.startswith("-") else when(text)


def shown_power(power_w: int | None) -> str:
    """Watts as people read them."""
    if power_w is None:
        return ""
    if power_w < 1000 or power_w % 100:
        return f"{power_w} W"
    return f"{Decimal(power_w) / 1000:f} kW"


def shown_time(at: int | None) -> str:
    """Epoch seconds in the utility's zone with its offset, or in UTC where it has none."""
    if at is None:
        return ""
    zone = ZONE.get()
    if zone is None:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"
    return datetime.fromtimestamp(at, zone).isoformat(" ", timespec="seconds")


def shown_span(seconds: int) -> str:
    """Seconds as 1h30m."""
    parts = []
    for unit in ("d", "h", "m", "s"):
        number, seconds = divmod(seconds, UNIT_S[unit])
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
