"""When an override is announced, how long an answer may take, and what follows silence.

A notice is sent when it is due. While nobody answers, it is sent again: first when the time for an answer is over, then
every `repeat_s`. After so many silences in a row (`phone_after`) a person has to call, and nothing is sent any more.
Silence is counted from when a notice was in fact sent: a server that was down has asked nobody meanwhile.
"""

from enum import StrEnum
from typing import NamedTuple

from sep2.rules.market.profile import OverrideRules


class NoticeClass(StrEnum):
    """How far ahead an override was known."""

    PLANNED = "planned"
    FORECAST = "forecast"
    EMERGENCY = "emergency"


class DueNotice(NamedTuple):
    """One notice: when it is sent, and by when it must be acknowledged."""

    at: int
    answer_by: int


class Step(StrEnum):
    """What a notice asks for next."""

    SEND = "send"
    PHONE = "phone"


class Ladder(NamedTuple):
    """How far a notice has come: how often it was sent, and when last (None: not yet)."""

    due: int
    answer_s: int
    sent: int = 0
    last_sent: int | None = None


class Next(NamedTuple):
    """What is to be done, and when."""

    step: Step
    at: int


def notices(kind: NoticeClass, issued: int, start: int, rules: OverrideRules) -> list[DueNotice]:
    """When an override is announced: a planned one at each of the profile's leads still ahead, others at once."""
    wait = answer_s(kind, rules)
    if kind is not NoticeClass.PLANNED or not rules.planned:
        return [DueNotice(issued, issued + wait)]
    times = sorted(
        {max(issued, start - lead) for lead in rules.planned if start - lead >= issued or lead == rules.planned[-1]}
    )
    return [DueNotice(at, at + wait) for at in times]


def answer_s(kind: NoticeClass, rules: OverrideRules) -> int:
    """Seconds in which a notice must be acknowledged."""
    return {
        NoticeClass.PLANNED: rules.ack_planned_s,
        NoticeClass.FORECAST: rules.ack_forecast_s,
        NoticeClass.EMERGENCY: rules.ack_emergency_s,
    }[kind]


def next_step(ladder: Ladder, rules: OverrideRules) -> Next:
    """What a notice that nobody has answered asks for next."""
    if ladder.last_sent is None:
        return Next(Step.SEND, ladder.due)
    silent_at = ladder.last_sent + (ladder.answer_s if ladder.sent == 1 else rules.repeat_s)
    is_over = ladder.sent >= rules.phone_after or not rules.repeat_s
    return Next(Step.PHONE if is_over else Step.SEND, silent_at)


def sent_again(ladder: Ladder, now: int) -> Ladder:
    """The same once it was sent."""
    return ladder._replace(sent=ladder.sent + 1, last_sent=now)


def is_late(answered: int, answer_by: int | None, over: int) -> bool:
    """Whether an answer came too late: after its time, or when the override was over or released.

    answer_by: when the last notice had to be answered; None: none was sent yet.
    """
    return answered >= over or (answer_by is not None and answered > answer_by)
