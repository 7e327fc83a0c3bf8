"""What is to be done about an alarm at a time: announce it, hold it back, escalate it, or say that it is over."""

from enum import StrEnum
from typing import NamedTuple

from sep2.rules.alarm_kinds import ACT_NOW, ACT_SOON

ESCALATES_S = {ACT_NOW: 300, ACT_SOON: 1800}
"""Seconds after which an alarm of that priority that nobody has acknowledged is escalated."""
FLOOD_S, FLOOD_BEGINS, FLOOD_ENDS = 600, 10, 5
"""A flood: more alarms than the second number within so many seconds; it ends below the third."""
DIGEST_S = 60
"""During a flood receivers are told once in so many seconds."""
CHATTERS, CHATTERS_S, HELD_S, LONGEST_HELD_S = 3, 600, 60, 3600
"""An alarm that came back so often, and again within so many seconds, is announced after it has stood a while."""
LONGEST_SHELVED_S = 8 * 3600
LONGEST_OUT_OF_SERVICE_S = 90 * 86_400
"""The same for engineers, who may take a kind of alarm out of service at a subject."""


class Step(StrEnum):
    """What is to be done."""

    NOTHING = "nothing"
    WAIT = "wait"
    """look again later: its hold time is not over"""
    RAISED = "raised"
    CLEARED = "cleared"
    BOTH = "both"
    """it stood and is over, and nobody was told of either"""
    ESCALATED = "escalated"


class Alarm(NamedTuple):
    """What the next step depends on; times in epoch seconds, None: not yet."""

    priority: int
    raised: int
    cleared: int | None
    announced: int | None
    acknowledged: int | None
    escalated: int | None
    shelved_until: int | None
    again: int
    """how often it came back"""
    is_suppressed: bool


def held_s(again: int) -> int:
    """For how long an alarm that came back so often must stand before it is announced; it doubles each time."""
    return 0 if again < CHATTERS else int(min(LONGEST_HELD_S, HELD_S * 2 ** (min(again, 20) - CHATTERS)))


def escalates_at(alarm: Alarm) -> int | None:
    """When an alarm is escalated unless somebody acknowledges it; None: never."""
    patience = ESCALATES_S.get(alarm.priority)
    if patience is None or alarm.announced is None or alarm.escalated is not None or alarm.acknowledged is not None:
        return None
    return alarm.announced + patience


def next_step(alarm: Alarm, now: int) -> Step:
    """What is to be done about an alarm now."""
    held_back = alarm.is_suppressed or (alarm.shelved_until is not None and alarm.shelved_until > now)
    if alarm.cleared is not None:
        unheard = Step.NOTHING if held_back or alarm.again >= CHATTERS else Step.BOTH
        return unheard if alarm.announced is None else Step.CLEARED
    if held_back:
        return Step.NOTHING
    if alarm.announced is None:
        return Step.RAISED if now >= alarm.raised + held_s(alarm.again) else Step.WAIT
    due = escalates_at(alarm)
    return Step.ESCALATED if due is not None and due <= now else Step.NOTHING


def is_flood(raised: int, *, stands: bool) -> bool:
    """Whether there is a flood, by the number of alarms raised lately, and whether there was one before."""
    return raised >= FLOOD_ENDS if stands else raised > FLOOD_BEGINS
