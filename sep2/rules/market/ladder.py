"""When an override is announced, how long an answer may take, and what follows silence."""

from enum import StrEnum
from typing import NamedTuple

from sep2.rules.market.profile import OverrideRules


class NoticeClass(StrEnum):
    """How far ahead an override was known."""

    PLANNED = "planned"
    FORECAST = "forecast"
    EMERGENCY = "emergency"


class Rung(NamedTuple):
    """One notice: when it is sent, and by when it must be acknowledged."""

    at: int
    answer_by: int


def notices(kind: NoticeClass, issued: int, start: int, rules: OverrideRules) -> list[Rung]:
    """When an override is announced: a planned one at each of the profile's leads still ahead, others at once."""
    wait = answer_s(kind, rules)
    if kind is not NoticeClass.PLANNED:
        return [Rung(issued, issued + wait)]
    times = sorted(
        {max(issued, start - lead) for lead in rules.planned if start - lead >= issued or lead == rules.planned[-1]}
    )
    return [Rung(at, at + wait) for at in times]


def answer_s(kind: NoticeClass, rules: OverrideRules) -> int:
    """Seconds in which a notice must be acknowledged."""
    return {
        NoticeClass.PLANNED: rules.ack_planned_s,
        NoticeClass.FORECAST: rules.ack_forecast_s,
        NoticeClass.EMERGENCY: rules.ack_emergency_s,
    }[kind]


def repeats(rung: Rung, now: int, rules: OverrideRules) -> int:
    """How often an unanswered notice has been due again by `now`."""
    if now < rung.answer_by:
        return 0
    return 1 + (now - rung.answer_by) // rules.repeat_s if rules.repeat_s else 1


def must_phone(rung: Rung, now: int, rules: OverrideRules) -> bool:
    """Whether so many notices went unanswered that a person has to call."""
    return repeats(rung, now, rules) >= rules.phone_after
