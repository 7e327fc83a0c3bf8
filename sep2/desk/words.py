"""How values are written for people: power, time, age, and stored text without invisible characters."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup

from sep2.admin import types as t
from sep2.rules.binding import in_words, of_direction
from sep2.settings import Settings

UNKNOWN = "?"
NO_LIMIT = "No limit is in force."
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that show nothing, or change how what is around them shows."""
RESPONSES = {
    1: "received",
    2: "started",
    3: "completed",
    4: "opted out",
    5: "opted in",
    6: "cancelled",
    7: "superseded",
    8: "partly done, opted out",
    9: "partly done, opted in",
    10: "completed without participation",
    11: "acknowledged",
    12: "can not be displayed",
    13: "aborted by the server",
    14: "aborted by a program",
    252: "refused: wrong parameter",
    253: "refused: invalid",
    254: "refused: expired",
}
"""Response statuses (2030.5 table 27) in a few words."""
DIRECTIONS = {"import": "Import", "export": "Export", "generation": "Generation", "load": "Load"}

_WHOSE = {"envelope": "envelope of {}", "group": "group {}", "operator": "sent by a person for {}"}
"""Whose limit it is, by its source and its group; groups of overrides and schedules are named after what they are."""
STATUSES = {0: "scheduled", 1: "active", 2: "cancelled", 3: "cancelled, spread", 4: "superseded"}


def visible(value: Any) -> Any:
    """Text with a sign in place of each character that shows nothing or turns others around; all else as it is."""
    if isinstance(value, Markup) or not isinstance(value, str) or (value.isascii() and value.isprintable()):
        return value
    return "".join("\ufffd" if unicodedata.category(one) in _HIDDEN and one not in "\n\t" else one for one in value)


def watts(value: float | None) -> str:
    """Power in W, kW or MW with at most three digits after the point."""
    if value is None:
        return UNKNOWN
    for unit, size in (("MW", 1e6), ("kW", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{value:.0f} W"


def span(seconds: int | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return UNKNOWN
    found: list[str] = []
    left = abs(int(seconds))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size or (unit == "s" and not found):
            found.append(f"{left // size} {unit}")
            left %= size
        if len(found) == 2:
            break
    return " ".join(one for k, one in enumerate(found) if k == 0 or not one.startswith("0 "))


def percent(share: float | None) -> str:
    """A share of one as a percentage."""
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


class Clock(NamedTuple):
    """Times of the utility's zone."""

    zone: tzinfo

    def local(self, at: int | None) -> str:
        """A date and time with its offset."""
        return UNKNOWN if at is None else self._text(at, "%Y-%m-%d %H:%M:%S")

    def hour(self, at: int | None) -> str:
        """A time of day with its offset."""
        return UNKNOWN if at is None else self._text(at, "%H:%M:%S")

    def offset_s(self, at: int) -> int:
        """How far local time is ahead of UTC at a time, seconds."""
        offset = datetime.fromtimestamp(at, self.zone).utcoffset()
        return 0 if offset is None else int(offset.total_seconds())

    def _text(self, at: int, form: str) -> str:
        when = datetime.fromtimestamp(at, self.zone)
        offset = when.strftime("%z")
        return f"{when.strftime(form)} {offset[:3]}:{offset[3:5]}"


def utc(at: int) -> str:
    """A time as ISO 8601 in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def clock_of(settings: Settings) -> Clock:
    """The clock of a utility's zone, or of its offset where it names none."""
    utility = settings.utility
    if utility.zone:
        return Clock(ZoneInfo(utility.zone))
    return Clock(timezone(timedelta(seconds=utility.tz_offset_s)))


def why(run: t.LimitRun, clock: Clock) -> str:
    """One sentence on a limit: how much, who says so, why, and until when."""
    asked = f"{DIRECTIONS[run.direction]} at most {watts(run.watts)}"
    if run.control is None:
        whose = f"the default of {run.group}" if run.group else "the contract or the utility's default"
        return f"{asked}: {whose}; no control is in force."
    direction = "import" if run.direction in ("import", "load") else "export"
    binds = of_direction(run.reason, direction) if run.source == "envelope" else ""
    said = in_words(binds) or run.reason
    reason = f" ({said})" if said else ""
    whose = _WHOSE.get(run.source, "{}").format(run.group)
    return f"{asked}: {whose}{reason}, until {clock.local(run.end)}."


def because(reach: t.ReachRun, run: str) -> str:
    """Why an engine chose a limit: what binds it, and what the connection could reach without it."""
    reached = f"it could reach {watts(reach.reach_w)}"
    if not reach.binding or reach.binding == "capacity":
        return f"That is no less than {reached}."
    bound = {"network": "the network", "next": "a limit of the interval after it"}.get(reach.binding, reach.binding)
    return f"{bound[0].upper()}{bound[1:]} binds; {reached} (run {run[:8]}, verified)."


def sentences(limits: t.ConnectionLimits, at: int, clock: Clock) -> list[str]:
    """What limits a connection at a moment, one sentence for each direction; of an envelope also what binds it.

    Of each device beside the one that holds the connection's limits likewise.
    """
    found = []
    for run in limits.runs:
        if run.start <= at < run.end:
            reaches = limits.reaches if run.source == "envelope" else ()
            reason = [
                because(one, limits.engine_run)
                for one in reaches
                if one.direction == run.direction and one.start <= at < one.end
            ]
            found.append(" ".join([why(run, clock), *reason]) + but(run, limits.not_done))
    beside = [why_of(one, run, clock) for one in limits.others for run in one.runs if run.start <= at < run.end]
    return [*(found or [NO_LIMIT]), *beside]


def but(run: t.LimitRun, not_done: Mapping[str, str]) -> str:
    """That the device does not do a limit, and why; empty where it does. not_done: that by direction."""
    lacks = not_done.get(run.direction) if run.control is not None else None
    return f" The device does not do it: {lacks}." if lacks else ""


def name_of(device: t.DeviceLimits) -> str:
    """The name of a device, or how its LFDI begins."""
    return device.name or f"{device.device[:12]}…"


def why_of(device: t.DeviceLimits, run: t.LimitRun, clock: Clock) -> str:
    """One sentence on a limit of a device beside the one that holds the connection's."""
    return f"Device {name_of(device)}: {why(run, clock)}{but(run, device.not_done)}"
