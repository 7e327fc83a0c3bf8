"""Where connections may be by themselves: which ends of their boxes follow the base load, and which their own band."""

from __future__ import annotations

import numpy as np

from envelope.problem.policies import Direction
from envelope.problem.problem import Problem
from gridmodel.arrays import Mask, Real


def is_fixed(problem: Problem, direction: str) -> Mask:
    """(T, C) whether a connection's end in that direction is a limit or its own band, the same on all joint paths.

    Else it follows the base load of each path.
    """
    side = problem.side(direction)
    return np.asarray(side.flexible | (_with_limits(problem) & _counts_bands(problem)))


def own_end_w(problem: Problem, direction: str) -> Real:
    """(T, C) most net power that a connection without any device running counts with, W, positive in the direction.

    The base load's own, or the end of the connection's band where it may be anywhere in that.
    """
    exports = direction == Direction.EXPORT
    base_w = -problem.base_load_w if exports else problem.base_load_w
    if not _counts_bands(problem):
        return base_w
    band_w = -problem.load_lo_w if exports else problem.load_hi_w
    return np.where(_with_limits(problem), band_w, base_w)


def _counts_bands(problem: Problem) -> bool:
    return problem.scenarios is not None and problem.scenarios.bands


def _with_limits(problem: Problem) -> Mask:
    """(C,) connections with a device that limits can bound, at any time."""
    return np.asarray(((problem.flex_gen_w > 0.0) | (problem.flex_load_w > 0.0)).any(axis=0))
