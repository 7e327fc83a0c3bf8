"""Which service each DER is promised to, interval by interval: what conflicts, what is too late, what is too short."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from sep2.rules.market.faults import Fault
from sep2.rules.market.profile import CommitmentRules
from sep2.rules.market.shares import excludes
from sep2.rules.told_times import told


class Holder(StrEnum):
    """For whom a DER is committed."""

    WHOLESALE = "wholesale"
    LOCAL = "local"
    RETAIL = "retail"


class State(StrEnum):
    """How a commitment stands. Only one that is requested or held can change."""

    REQUESTED = "requested"
    HELD = "held"
    RELEASED = "released"
    DENIED = "denied"


class Event(StrEnum):
    """What may happen to a commitment."""

    HOLD = "hold"
    RELEASE = "release"
    DENY = "deny"


NEXT: dict[tuple[State, Event], State] = {
    (State.REQUESTED, Event.HOLD): State.HELD,
    (State.REQUESTED, Event.DENY): State.DENIED,
    (State.REQUESTED, Event.RELEASE): State.RELEASED,
    (State.HELD, Event.RELEASE): State.RELEASED,
}


class Span(NamedTuple):
    """A time [start, end) in epoch seconds."""

    start: int
    end: int


class Promise(NamedTuple):
    """A DER's service in a time, and for whom."""

    der: str
    service: str
    start: int
    end: int
    holder: str
    whose: str = ""
    """the aggregation or the program"""
    number: int = 0


def clashing(new: Promise, held: Iterable[Promise], exclusive: Sequence[tuple[str, str]]) -> list[Promise]:
    """What is held of the same DER for a service that excludes this one, cut to the time they share."""
    return [
        one._replace(start=max(one.start, new.start), end=min(one.end, new.end))
        for one in held
        if one.der == new.der
        and one.start < new.end
        and new.start < one.end
        and excludes(one.service, new.service, exclusive)
    ]


def span_faults(start: int, end: int, rules: CommitmentRules, step_s: int) -> list[Fault]:
    """What is wrong with a time: it is at least the market's shortest block, and begins and ends on a whole step."""
    if end - start < rules.min_block_s:
        return [Fault("end", "min_block", told(end), f"at least {rules.min_block_s} s after start {told(start)}")]
    return [
        Fault(name, "whole_steps", told(at), f"a whole step of {step_s} s")
        for name, at in (("start", start), ("end", end))
        if at % step_s
    ]


def is_too_late(start: int, now: int, rules: CommitmentRules) -> bool:
    """Whether a time begins sooner than the market's notice."""
    return start - now < rules.move_notice_s


def without(held: Span, taken: Span) -> list[Span]:
    """What is left of a time when another is taken out of it: none, one or two."""
    before = Span(held.start, min(held.end, taken.start))
    after = Span(max(held.start, taken.end), held.end)
    return [one for one in (before, after) if one.start < one.end]
