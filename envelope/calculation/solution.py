"""The boxes of a problem: one for both directions, or one for each."""

from __future__ import annotations

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
from envelope.problem import Allocation
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
    """The boxes that the guarantee asks for, all within the same constraints."""
    base, at, rest = formulation.base, formulation.sensitivities, formulation.base_flow
    limits, targets = (formulation.limits.bounds(margin=margin) for margin in (0.0, 1.0))
    reserves = formulation.reserves
    # A margin may bring any constraint to its limit, also one that no connection's capacity comes near.
    range_ = formulation.paths.rest_range
    wanted = rows.select_all(base.feeder) if reserves else screen(base, at, range_, targets)
    built = rows.linearise(base.feeder, *at, wanted=wanted, facets=rows.FINE_FACETS)
    hard, aims = built.right_hand_sides(limits), built.right_hand_sides(targets)
    if reserves:
        # A margin is a part of the limit itself.
        before = built.evaluate(rest)
        extra = sum((reserve.per_row(built, before, hard) for reserve in reserves), np.zeros_like(hard))
        hard, aims = hard - extra, aims - extra
    asked = formulation.boxes(base.lo_w, base.hi_w)
    needed = [formulation.paths.of_box(box).worst(built, built.evaluate(rest)) for box in asked]
    run = partial(fitting.fit_box, built, rest=rest, limits=(hard, aims), allocate=_rule(formulation))
    return [
        DirectedBox(run(base=base.within(box), needed=need), box.directions)
        for box, need in zip(asked, needed, strict=True)
    ]


def _rule(formulation: Formulation) -> allocate.Rule:
    if formulation.allocation is Allocation.ALPHA_FAIR:
        return partial(allocate.alpha_fair, alpha=formulation.alpha)
    return allocate.RULE_OF[formulation.allocation]
