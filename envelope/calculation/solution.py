"""The boxes of a problem: one for both directions, or one for each."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from envelope.allocation import rules as allocate
from envelope.calculation import common_level as coincident
from envelope.calculation import fitting
from envelope.calculation.feasible_box import DirectedBox
from envelope.calculation.tightened_limits import tighten
from envelope.constraints import linear as rows
from envelope.constraints.base_case import BaseCase, base_flow, sensitivities
from envelope.constraints.disturbances import reserves
from envelope.constraints.guarantees import GUARANTEES
from envelope.constraints.linearisation import screen
from envelope.problem import Allocation, Problem
from envelope.schedule import EnvelopeSchedule


class Solution(NamedTuple):
    """A schedule and the boxes it was taken from, one for both directions or one for each."""

    schedule: EnvelopeSchedule
    boxes: tuple[DirectedBox, ...]


def solve(problem: Problem, base: BaseCase) -> tuple[DirectedBox, ...]:
    """The largest boxes of a problem's guarantee, confirmed by AC power flow."""
    if GUARANTEES[problem.guarantee].common_level:
        return tuple(coincident.find_common_level(base, tighten(problem, base)))
    return tuple(_cases(base, problem))


def _cases(base: BaseCase, problem: Problem) -> list[DirectedBox]:
    """One box for both directions, or one per direction with the other end at the base load."""
    at, rest = sensitivities(base), base_flow(base)
    # A margin may bring any row to its limit, also one that nobody's reach comes near.
    wanted = rows.select_all(base.feeder) if reserves(problem) else screen(base, at, rest, problem.limits)
    built = rows.linearise(base.feeder, *at, wanted=wanted, facets=rows.FINE_FACETS)
    hard = built.bounds(base.feeder, problem.limits, problem.steps, margin=0.0)
    aims = built.bounds(base.feeder, problem.limits, problem.steps, margin=1.0)
    if margins := reserves(problem):
        # A margin is a part of the limit itself.
        before = built.evaluate(rest)
        extra = sum((margin.per_row(built, before, hard) for margin in margins), np.zeros_like(hard))
        hard, aims = hard - extra, aims - extra
    run = partial(fitting.fit_box, built, rest=rest, limits=(hard, aims), allocate=_rule(problem))
    if not GUARANTEES[problem.guarantee].per_direction:
        return [DirectedBox(run(base=base), up=True, down=True)]
    nothing = np.zeros_like(base.p_w)
    upward = replace(base, lo_w=base.p_w, room_down_w=nothing)
    downward = replace(base, hi_w=base.p_w, room_up_w=nothing)
    return [DirectedBox(run(base=upward), up=True, down=False), DirectedBox(run(base=downward), up=False, down=True)]


def _rule(problem: Problem) -> allocate.Rule:
    if problem.allocation is Allocation.ALPHA_FAIR:
        return partial(allocate.alpha_fair, alpha=problem.alpha)
    return allocate.RULE_OF[problem.allocation]
