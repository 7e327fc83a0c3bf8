"""When limits take effect: a tightening one adoption time before its interval, a relaxing never early.

What is published at a moment is then the least of all limits from that moment until one adoption time later. A client
holds what was published within the adoption time before, or the default: never more than the interval's own limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import NamedTuple

import numpy as np

from envelope.operation import net_to_device
from envelope.schedule import EnvelopeSchedule
from gridmodel.arrays import Watts
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged

UNBOUND = int(np.iinfo(np.int64).max)


class Span(NamedTuple):
    """Neighbouring steps: the tightest of their limits, and the tightest of those that the network holds back."""

    start: int
    end: int
    limits: Limits
    ahead: Limits
    """what has to be adopted by `start`; a limit that no connection can exceed anyway need not be"""


class Lead(NamedTuple):
    """One connection's limits from some step on, as columns of import and export."""

    starts: Sequence[int]
    step_s: int
    limits: Watts
    """(T, 2)"""
    ahead: Watts
    """(T, 2) the same where the network holds them back, UNBOUND elsewhere"""

    def span(self, first: int, end: int) -> Span:
        """Steps `first` to `end` as one."""
        own, ahead = self.limits[first:end].min(axis=0), self.ahead[first:end].min(axis=0)
        stop = self.starts[end - 1] + self.step_s
        return Span(self.starts[first], stop, _watts(own), _watts(ahead))


def lead_of(
    schedule: EnvelopeSchedule, column: int, first: int, steps_ahead: int = 1, *, of_device: bool = False
) -> Lead:
    """What a connection's limits are from step `first` on; of_device: of load and generation."""
    sides = (
        (schedule.import_limit_w, schedule.import_binding),
        (schedule.export_limit_w, schedule.export_binding),
    )
    bound = np.stack([binding.is_network[:, column] for _, binding in sides], axis=1)
    if of_device:
        limits = net_to_device.limits_ahead(schedule, column, bound, steps_ahead)[first:]
    else:
        limits = np.stack([limit[first:, column] for limit, _ in sides], axis=1)
    bound = bound[first:]
    starts = [int(at) for at in schedule.step_start[first:]]
    return Lead(starts, schedule.step_s, limits, np.where(bound, limits, UNBOUND))


def published(spans: Sequence[Span], early_s: int) -> list[Interval]:
    """Spans in order as they are published: each direction's tightening `early_s` before its span, at its own edge."""
    found: list[Interval] = []
    for position, span in enumerate(spans):
        if not early_s:
            found.append(Interval(span.start, span.end, span.limits))
            continue
        coming = _coming(spans, position, early_s)
        cuts = sorted({span.start, *(max(span.start, other.start - early_s) for other in coming)})
        for start, end in pairwise([*cuts, span.end]):
            due = [other.ahead for other in coming if other.start - early_s <= start]
            found.append(Interval(start, end, tightest([span.limits, *due])))
    return merged(found)


def _coming(spans: Sequence[Span], position: int, early_s: int) -> list[Span]:
    """The spans of which something has to be adopted before this one ends."""
    end = spans[position].end
    return list(takewhile(lambda later: later.start - early_s < end, spans[position + 1 :]))


def tightest(several: Sequence[Limits]) -> Limits:
    """The least import and export limit; None sets no bound."""
    sides = zip(*(limits[:2] for limits in several), strict=True)
    return Limits(*(min((watts for watts in side if watts is not None), default=None) for side in sides))


def _watts(pair: Watts) -> Limits:
    return Limits(*(None if watts == UNBOUND else int(watts) for watts in pair))
