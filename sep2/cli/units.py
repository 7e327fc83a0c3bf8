"""What people type, and how it is shown again: watts, times, spans of time."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import typer

PREFIX = {"": 1, "k": 1000, "m": 10**6, "g": 10**9}
UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def watts(text: str) -> int:
    """5kW, 1.5 kW, 800, 800W or 2MW as whole watts."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)w?", text.strip(), re.IGNORECASE | re.ASCII)
    if not found:
        raise typer.BadParameter(f"{text!r} is no power; write 5kW, 1.5kW or 800W")
    value = Decimal(found[1]) * PREFIX[found[2].lower()]
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
    """A time: `ahead` seconds after the server's now, or `at` epoch seconds."""

    ahead: int = 0
    at: int | None = None


def when(text: str) -> When:
    """now, +10m, or ISO 8601 such as 2026-01-31T14:30+10:00 (without an offset: this machine's zone)."""
    text = text.strip()
    if text == "now":
        return When()
    if text.startswith("+"):
        return When(ahead=span(text[1:]))
    try:
        return When(at=int(datetime.fromisoformat(text).timestamp()))
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(f"{text!r} is no time; write now, +10m or 2026-01-31T14:30+10:00") from None


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
    """Epoch seconds in UTC."""
    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"


def shown_span(seconds: int) -> str:
    """Seconds as 1h30m."""
    parts = []
    for unit in ("d", "h", "m", "s"):
        number, seconds = divmod(seconds, UNIT_S[unit])
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
