"""Intervals ahead, as they are published: a tightening one adoption time before its interval, a relaxing never early.

What is published at a moment is then the tightest of all limits from that moment until one adoption time later. A
client holds what was published within the adoption time before, or the default: never more than the interval's own
limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import NamedTuple

import numpy as np

from envelope.operation import net_to_device
from envelope.schedule import EnvelopeSchedule
from gridmodel.arrays import Watts
from sep2.operations.controls import MOST_AHEAD
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged

UNBOUND = int(np.iinfo(np.int64).max)
FINENESS = (16, 12, 8, 6, 4, 3, 2, 1)
"""Ratios of a block's distance to its length, tried in this order until the intervals are few enough."""


class Span(NamedTuple):
    """Neighbouring steps: the tightest of their limits, and the tightest of those that the network binds."""

    start: int
    end: int
    limits: Limits
    ahead: Limits
    """Limits that have to be adopted by `start`; a limit that no connection can exceed need not be."""


class Lead(NamedTuple):
    """One connection's limits from some step on, as columns of import and export."""

    starts: Sequence[int]
    step_s: int
    limits: Watts
    """(T, 2)"""
    ahead: Watts
    """(T, 2) the same where the network binds them, UNBOUND elsewhere"""

    def spans(self, blocks: Sequence[tuple[int, int]], *, early: bool) -> list[Span]:
        """Return each of these blocks of steps, back to back from the first step, as one span.

        early: whether anything has to be adopted before its span; otherwise `Span.ahead` repeats the limits.
        """
        if not blocks:
            return []
        own = [Limits(*pair) for pair in self.tightest(blocks).tolist()]
        ahead = own
        if early:
            begins = [first for first, _ in blocks]
            ahead = [_limits(pair) for pair in np.minimum.reduceat(self.ahead, begins, axis=0).tolist()]
        edges = [*(self.starts[first] for first, _ in blocks), self.starts[blocks[-1][1] - 1] + self.step_s]
        return [Span(*one) for one in zip(edges, edges[1:], own, ahead, strict=False)]

    def tightest(self, blocks: Sequence[tuple[int, int]]) -> Watts:
        """Return the tightest limits of each block, (B, 2) W."""
        return np.minimum.reduceat(self.limits, [first for first, _ in blocks], axis=0)

    def merged_count(self, blocks: Sequence[tuple[int, int]]) -> int:
        """Return in how many intervals equal neighbours of these blocks can be told."""
        if not blocks:
            return 0
        table = self.tightest(blocks)
        return 1 + int((table[1:] != table[:-1]).any(axis=1).sum())


def upcoming_intervals(
    schedule: EnvelopeSchedule,
    column: int,
    now: int,
    *,
    most: int = MOST_AHEAD,
    steps_ahead: int = 1,
    of_device: bool | None = None,
    rolls: bool = False,
) -> list[Interval]:
    """Return a connection's limits from `now` on: neighbours merged, at most `most`, the tail coarsened by the minimum.

    of_device: limits of load and generation; None: where the schedule's control point is a device. rolls: the schedule
    begins anew in every round, so that blocks of its tail are counted from a fixed time and not from its begin.
    """
    if of_device is None:
        of_device = net_to_device.is_device(schedule, column)
    first = int(np.searchsorted(schedule.step_start, now - schedule.step_s, side="right"))
    number = first + (int(schedule.step_start[0]) // schedule.step_s if rolls else 0)
    lead = lead_of(schedule, column, first, steps_ahead, of_device=of_device)
    count = len(lead.starts)
    found: list[Interval] = []
    for fineness in (count + 1, *FINENESS):
        blocks = _blocks(number, count, fineness)
        if fineness > 1 and not schedule.early_s and lead.merged_count(blocks) > most:
            continue
        spans = lead.spans(blocks, early=bool(schedule.early_s))
        found = [interval for interval in published(spans, schedule.early_s) if interval.end > now]
        if len(found) <= most:
            break
    if of_device:
        found = [interval._replace(limits=net_to_device.as_device_limits(interval.limits)) for interval in found]
    elif net_to_device.is_charger(schedule, column):
        found = [interval._replace(limits=net_to_device.as_charger_limits(interval.limits)) for interval in found]
    return found[:most]


@lru_cache(maxsize=256)
def _blocks(first: int, count: int, fineness: int) -> tuple[tuple[int, int], ...]:
    """Return ranges of steps ahead: single ones first, then longer ones, none longer than its distance over `fineness`.

    first: number of the first step, counted from a fixed time. Lengths are powers of two and starts are their
    multiples, so that as time passes a block is only ever split, never shifted.
    """
    blocks, at = [], 0
    while at < count:
        length = 1
        while (first + at) % (2 * length) == 0 and 2 * length <= at // fineness and at + 2 * length <= count:
            length *= 2
        blocks.append((at, at + length))
        at += length
    return tuple(blocks)


def lead_of(
    schedule: EnvelopeSchedule, column: int, first: int, steps_ahead: int = 1, *, of_device: bool = False
) -> Lead:
    """Return a connection's limits from step `first` on; of_device: of load and generation."""
    load_only = net_to_device.is_charger(schedule, column)
    sides = (
        (schedule.load_limit_w if load_only else schedule.import_limit_w, schedule.import_binding),
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
    """Return ordered spans as they are published: each direction's tightening `early_s` before its span."""
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
    """Return the later spans whose limits have to be adopted before this span ends."""
    end = spans[position].end
    return list(takewhile(lambda later: later.start - early_s < end, spans[position + 1 :]))


def tightest(several: Sequence[Limits]) -> Limits:
    """Return the least import and export limit; None sets no bound."""
    sides = zip(*(limits[:2] for limits in several), strict=True)
    return Limits(*(min((watts for watts in side if watts is not None), default=None) for side in sides))


def _limits(pair: Sequence[int]) -> Limits:
    return Limits(*(None if watts == UNBOUND else int(watts) for watts in pair))
