"""The steps of a limit over a time, and what they allow: until a new one must be held, the looser of both bounds."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Step(NamedTuple):
    """A limit in watts from `start` on, None without one; who is bound must hold it from `adopted` on."""

    start: int
    watts: float | None
    adopted: int
    control: int | None = None
    """the mRID of the control that sets it, as a number; None: a default"""


class Bounds:
    """What limits, in the order of their starts, allow over many intervals; the first counts as held from before."""

    def __init__(self, limits: Sequence[Step]) -> None:
        self._limits = limits
        self._starts = [step.start for step in limits]
        self._edges = sorted({edge for step in limits for edge in (step.start, step.adopted)})

    def at(self, at: int) -> float | None:
        """What bounds at a moment: the loosest limit that may still be held. None: nothing does."""
        last = bisect_right(self._starts, at) - 1
        loosest: float | None = None
        for n in range(last, -1, -1):
            step = self._limits[n]
            if step.watts is None:
                return None
            loosest = step.watts if loosest is None else max(loosest, step.watts)
            if step.adopted <= at:
                break
        return loosest

    def allowed_w(self, start: int, end: int) -> float | None:
        """The time-weighted mean of what bounds over an interval; None where nothing bounds a part of it."""
        edges = self._edges[bisect_right(self._edges, start) : bisect_left(self._edges, end)]
        total = 0.0
        for one, other in pairwise((start, *edges, end)):
            watts = self.at(one)
            if watts is None:
                return None
            total += watts * (other - one)
        return total / (end - start)

    def before(self, end: int) -> Step | None:
        """The last limit that begins before a time."""
        last = bisect_left(self._starts, end) - 1
        return self._limits[last] if last >= 0 else None
