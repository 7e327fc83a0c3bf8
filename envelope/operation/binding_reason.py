"""The binding constraint of each published interval, as the reason of its control."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envelope.problem import Direction
from envelope.schedule import EnvelopeSchedule
from sep2.rules import binding


def reason_of(schedule: EnvelopeSchedule, column: int) -> Callable[[int, int], str]:
    """Return a function of an interval's start and end that says what binds a connection's limits there.

    An interval of several steps has the tightest limit of them, and with it the constraint of that step.
    """
    starts = np.asarray(schedule.step_start)

    def said(start: int, end: int) -> str:
        steps = np.flatnonzero((starts < end) & (starts + schedule.step_s > start))
        if not len(steps):
            return ""
        tightest = {
            str(direction): int(steps[np.argmin(schedule.side(direction).limit_w[steps, column])])
            for direction in Direction
        }
        return binding.said({name: schedule.binding_text(name, step, column) for name, step in tightest.items()})

    return said
