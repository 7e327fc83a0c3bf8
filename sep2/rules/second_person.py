"""When a second person has to agree to what an operator asks for, and when it is enough that one looks at it later."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sep2.rules.authority import BACKSTOP, DRILL
from sep2.rules.days import LocalTime
from sep2.rules.told_power import told_power
from sep2.rules.told_times import told_length

ALONE_REASONS = {BACKSTOP: ("emergency",), "override": ("emergency", "overload")}
"""Reasons for which one person may act alone, and be looked at afterwards, by the kind of an override."""
SATURDAY = 5
END_OF_WORK_H = 17


class Policy(NamedTuple):
    """What an operator may do alone; `applies`: whether a second person is asked for at all, but for protected ones."""

    applies: bool = True
    longest_s: int = 4 * 3600
    largest_w: int = 1_000_000


class Act(NamedTuple):
    """What is asked for: its kind (override, backstop, drill), how long and how much, why, and whom it names."""

    kind: str
    is_wide: bool
    """of more than one transformer's connections"""
    span_s: int
    power_w: int
    """by which generation and load are held back at most"""
    reason: str
    protected: Sequence[str] = ()
    """connections marked life support or critical that it covers because they are named"""
    loosens: Sequence[str] = ()
    """places that it lets have more than what would hold"""


class Need(NamedTuple):
    """What an act needs: why a second person has to agree before it, or else to look at it afterwards."""

    before: str = ""
    after: str = ""


def need_of(act: Act, policy: Policy) -> Need:
    """What an override, a backstop or a drill needs."""
    if act.protected:
        names = ", ".join(act.protected[:5])
        return Need(before=f"{names} {'is' if len(act.protected) == 1 else 'are'} protected, and named")
    if not policy.applies or act.kind == DRILL:
        return NOTHING
    if act.loosens:
        more = f" and {len(act.loosens) - 5} more" if len(act.loosens) > 5 else ""
        return Need(before=f"{', '.join(act.loosens[:5])}{more} may do more than what holds there")
    why = _why(act, policy)
    if not why:
        return NOTHING
    alone = act.reason in ALONE_REASONS.get(act.kind, ()) and (act.is_wide or act.reason == "emergency")
    return Need(after=why) if alone else Need(before=why)


def _why(act: Act, policy: Policy) -> str:
    if act.kind == BACKSTOP:
        return "a backstop goes before everything else"
    if act.span_s > policy.longest_s:
        return f"it lasts {told_length(act.span_s)}, and {told_length(policy.longest_s)} are the most for one person"
    if act.is_wide and act.power_w > policy.largest_w:
        return (
            f"it holds back {told_power(act.power_w)}, and {told_power(policy.largest_w)} are the most for one person"
        )
    return ""


def need_of_release(*, is_own: bool, is_wide: bool, at_once: bool, policy: Policy) -> Need:
    """What it needs to withdraw an override: another person's, or one of many connections without a ramp."""
    if not policy.applies:
        return NOTHING
    if not is_own:
        return Need(before="another person sent it")
    if is_wide and at_once:
        return Need(before="many connections go over at once")
    return NOTHING


def review_by(now: int, local: LocalTime) -> int:
    """Until when somebody has to look at what was done alone: the end of the next working day, local time."""
    zone = ZoneInfo(local.zone or "UTC")
    offset = timedelta() if local.zone else timedelta(seconds=local.offset_s)
    day = datetime.fromtimestamp(now, zone) + offset + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    end = day.replace(hour=END_OF_WORK_H, minute=0, second=0, microsecond=0)
    return int((end - offset).timestamp())


NOTHING = Need()
