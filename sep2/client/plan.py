"""What a device has to keep to from now until a time, as far as its server has said."""

from typing import NamedTuple

from sep2.client.limits import Limits
from sep2.client.schedule import Schedule


class Span(NamedTuple):
    """The limits that hold from `start` until `end` (the server's time, seconds), each with what sets it."""

    start: int
    end: int
    limits: Limits


def plan(schedule: Schedule, start: int, end: int, set_max_w: float | None = None) -> list[Span]:
    """The limits from `start` until `end` without gaps, merged from all programs; neighbours differ.

    It is what the schedule would do if the server said nothing more: controls that may still be sent, changed or
    cancelled are not foreseen. The schedule itself is left as it is. `set_max_w` is what percentages refer to (W).
    """
    if end <= start:
        return []
    ahead = schedule.copied()
    spans: list[Span] = []
    at = start
    while at < end:
        limits = ahead.limits(at, set_max_w)
        change = ahead.next_change()
        until = end if change is None else min(end, max(change, at + 1))
        if spans and spans[-1].limits == limits:
            spans[-1] = spans[-1]._replace(end=until)
        else:
            spans.append(Span(at, until, limits))
        at = until
    return spans
