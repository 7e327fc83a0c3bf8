"""The box that was verified: what clients may hold while they take up new limits."""

from __future__ import annotations

import numpy as np

from envelope.problem import Problem
from envelope.schedule.schedule import EnvelopeSchedule
from gridmodel.arrays import Real


def verified_box(problem: Problem, schedule: EnvelopeSchedule) -> tuple[Real, Real]:
    """(T, C) lowest and highest net injection over the hull of states in between, within reach.

    The hull spans each interval's own limits, those in force within one adoption time before it, and the defaults.
    Where a tightening is published `adoption_s` early, nobody holds more than an interval's own limit once it begins:
    what is published at any moment is the least over the adoption time that follows it.
    """
    imports, exports = _hull(problem, schedule)
    for direction, most in (("import", imports), ("export", exports)):
        most[:, ~problem.controlled(direction)] = np.inf
    lo = np.where(problem.flex_load_w > 0.0, -np.minimum(imports, problem.reach_import_w), -problem.base_load_w)
    hi = np.where(problem.flex_gen_w > 0.0, np.minimum(exports, problem.reach_export_w), -problem.base_load_w)
    return np.minimum(lo, -problem.base_load_w), np.maximum(hi, -problem.base_load_w)


def _hull(problem: Problem, schedule: EnvelopeSchedule) -> tuple[Real, Real]:
    """(T, C) loosest import and export limit that any client may hold in each interval."""
    sides = []
    for limit, binding, default, held in (
        (schedule.import_limit_w, schedule.import_binding, schedule.default_import_w, problem.in_force_import_w),
        (schedule.export_limit_w, schedule.export_binding, schedule.default_export_w, problem.in_force_export_w),
    ):
        own = limit.astype(float)
        if not problem.steps_ahead:
            # A limit at capacity need not be adopted early: reach bounds whatever is held.
            own = np.where(binding.is_network, own, np.inf)
        loosest = np.maximum(own, default)
        for back in range(1, min(problem.steps_ahead, len(own) - 1) + 1):
            loosest[back:] = np.maximum(loosest[back:], own[:-back])
        if held is not None:
            loosest[: problem.held_steps] = np.maximum(loosest[: problem.held_steps], held)
        sides.append(loosest)
    return sides[0], sides[1]
