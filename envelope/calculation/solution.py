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
from envelope.constraints.formulation import Formulation
from envelope.constraints.linearisation import screen
from envelope.problem import Allocation, Direction
from envelope.schedule import EnvelopeSchedule


class Solution(NamedTuple):
    """A schedule and the boxes it was taken from, one for both directions or one for each."""

    schedule: EnvelopeSchedule
    boxes: tuple[DirectedBox, ...]


def solve(formulation: Formulation) -> tuple[DirectedBox, ...]:
    """The largest boxes of a problem's guarantee, confirmed by AC power flow."""
    if formulation.guarantee.common_level:
        return tuple(coincident.find_common_level(formulation, tighten(formulation)))
    return tuple(_boxes(formulation))


def _boxes(formulation: Formulation) -> list[DirectedBox]:
    """One box for both directions, or one per direction with the other end at the base load."""
    base, limits, steps = formulation.base, formulation.limits, formulation.steps
    at, rest, reserves = formulation.sensitivities, formulation.base_flow, formulation.reserves
    # A margin may bring any row to its limit, also one that nobody's reach comes near.
    wanted = rows.select_all(base.feeder) if reserves else screen(base, at, rest, limits)
    built = rows.linearise(base.feeder, *at, wanted=wanted, facets=rows.FINE_FACETS)
    hard = built.bounds(base.feeder, limits, steps, margin=0.0)
    aims = built.bounds(base.feeder, limits, steps, margin=1.0)
    if reserves:
        # A margin is a part of the limit itself.
        before = built.evaluate(rest)
        extra = sum((reserve.per_row(built, before, hard) for reserve in reserves), np.zeros_like(hard))
        hard, aims = hard - extra, aims - extra
    run = partial(fitting.fit_box, built, rest=rest, limits=(hard, aims), allocate=_rule(formulation))
    if not formulation.guarantee.per_direction:
        return [DirectedBox(run(base=base), (Direction.EXPORT, Direction.IMPORT))]
    nothing = np.zeros_like(base.p_w)
    upward = replace(base, lo_w=base.p_w, room_down_w=nothing)
    downward = replace(base, hi_w=base.p_w, room_up_w=nothing)
    bases = {Direction.EXPORT: upward, Direction.IMPORT: downward}
    return [DirectedBox(run(base=own), (direction,)) for direction, own in bases.items()]


def _rule(formulation: Formulation) -> allocate.Rule:
    if formulation.allocation is Allocation.ALPHA_FAIR:
        return partial(allocate.alpha_fair, alpha=formulation.alpha)
    return allocate.RULE_OF[formulation.allocation]
