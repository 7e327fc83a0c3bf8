"""Default policy of new studies and plans: who gets which limit, unless a user asks for another policy.

A tightening is published one adoption time early; import beyond each home's own band waits while the sun shines; the
rest is shared proportionally fair, and nobody gets less than a stated part of their max-min share.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envelope.problem.policies import Allocation, TighteningLead
from envelope.problem.problem import Problem
from gridmodel.arrays import Mask, Real

ALLOCATION = Allocation.PROPORTIONAL_FAIR
MAX_MIN_FLOOR = 0.7
"""Part of its max-min share that each connection gets at least."""
SUNNY = 0.2
"""The sun counts in steps in which all controllable generation together reaches this part of its largest value."""
OUTSIDE_SUN = 0.5
"""Load waits for the end of the sun only where at least this part of what it could draw lies outside of it."""


def with_default_policy(problem: Problem) -> Problem:
    """Return the problem under the default policy; its guarantee stays."""
    return replace(
        problem,
        early=TighteningLead.ADOPTION,
        allocation=ALLOCATION,
        max_min_floor=MAX_MIN_FLOOR,
        ceiling_import_w=own_band_in_the_sun(problem),
    )


def own_band_in_the_sun(problem: Problem) -> Real | None:
    """Return (T, C) W of each home's highest demand while the sun shines, infinity else; None: none is held."""
    held = sunny(problem)[:, None] & _can_wait(problem)
    return np.where(held, np.maximum(problem.load_hi_w, 0.0), np.inf) if held.any() else None


def sunny(problem: Problem) -> Mask:
    """Return in which steps, (T,), controllable generation is far from nothing."""
    together_w = problem.flex_gen_w.sum(axis=1)
    return np.asarray(together_w > SUNNY * together_w.max())


def _can_wait(problem: Problem) -> Mask:
    """Return whose flexible load, (C,), can be drawn outside of the sun for the most part."""
    in_sun_w = problem.flex_load_w[sunny(problem)].sum(axis=0)
    whole_w = problem.flex_load_w.sum(axis=0)
    return np.asarray((whole_w > 0.0) & (whole_w - in_sun_w >= OUTSIDE_SUN * whole_w))
