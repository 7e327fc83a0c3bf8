"""Limits less everything that is not known for sure, for what is found by power flow alone and has no rows."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np

from envelope.constraints import linear as rows
from envelope.constraints.base_case import BaseCase, base_flow, sensitivities
from envelope.constraints.disturbances import reserves
from envelope.problem import OperatingLimits, Problem
from envelope.problem.limits import RatedElements
from gridmodel.arrays import Real

NARROWEST_V, LEAST = 1e-3, 1e-6
"""band that is left where margins take more than there is: everyone is outside, and gets no room; the same for
currents, as a part"""


@dataclass(frozen=True)
class TightenedLimits(OperatingLimits):
    """Limits less the margins of a problem."""

    taken_a: dict[str, Real] = field(default_factory=dict)
    """(T,) kept free of each current, A, and of each group's sum, W, by name"""

    def permitted_a(self, steps: int, feeder: RatedElements, *, margin: float) -> Real:
        """(T, B + G) what is left; never nothing, so that parts of it can be told."""
        taken = [self.taken_a[name] for name in feeder.current_names]
        whole = super().permitted_a(steps, feeder, margin=margin)
        return np.maximum(whole - np.stack(taken, axis=1), LEAST * whole) if taken else whole


def tighten(problem: Problem, base: BaseCase) -> Problem:
    """The same problem with its margins taken off: the largest off all voltages, its own off each current."""
    if not reserves(problem):
        return problem
    built = rows.linearise(base.feeder, *sensitivities(base), wanted=rows.select_all(base.feeder))
    rest, hard = built.evaluate(base_flow(base)), built.bounds(base.feeder, problem.limits, problem.steps, margin=0.0)
    extra = sum((margin.per_row(built, rest, hard) for margin in reserves(problem)), np.zeros_like(hard))
    most = [float(extra[:, built.kind == kind].max(initial=0.0)) for kind in (0, 1)]
    taken = np.zeros((problem.steps, len(base.feeder.rating_a)))
    load = np.flatnonzero(built.kind == 2)
    for row in load:
        taken[:, built.element[row]] = np.maximum(taken[:, built.element[row]], extra[:, row])
    limits = problem.limits
    low, high = limits.v_min_v + most[1], limits.v_max_v - most[0]
    if high - low < NARROWEST_V:
        low = high = 0.5 * (limits.v_min_v + limits.v_max_v)
        high += NARROWEST_V
    same = {f.name: getattr(limits, f.name) for f in fields(limits)} | {"v_min_v": low, "v_max_v": high}
    by_name = dict(zip(base.feeder.current_names, taken.T, strict=True))
    return replace(problem, limits=TightenedLimits(**same, taken_a=by_name))
