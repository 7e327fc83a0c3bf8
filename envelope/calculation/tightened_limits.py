"""Limits less everything that is not known for sure, for what is found by power flow alone and has no rows."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from envelope.constraints import linear as rows
from envelope.constraints.formulation import Formulation
from envelope.problem import OperatingLimits
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


def tighten(formulation: Formulation) -> OperatingLimits:
    """The limits less all reserves: the largest off all voltages, its own off each current."""
    limits, reserves, feeder = formulation.limits, formulation.reserves, formulation.feeder
    if not reserves:
        return limits
    built = rows.linearise(feeder, *formulation.sensitivities, wanted=rows.select_all(feeder))
    rest, hard = built.evaluate(formulation.base_flow), built.bounds(feeder, limits, formulation.steps, margin=0.0)
    extra = sum((reserve.per_row(built, rest, hard) for reserve in reserves), np.zeros_like(hard))
    most = [float(extra[:, built.kind == kind].max(initial=0.0)) for kind in (0, 1)]
    taken = np.zeros((formulation.steps, len(feeder.rating_a)))
    load = np.flatnonzero(built.kind == 2)
    for row in load:
        taken[:, built.element[row]] = np.maximum(taken[:, built.element[row]], extra[:, row])
    low, high = limits.v_min_v + most[1], limits.v_max_v - most[0]
    if high - low < NARROWEST_V:
        low = high = 0.5 * (limits.v_min_v + limits.v_max_v)
        high += NARROWEST_V
    same = {f.name: getattr(limits, f.name) for f in fields(limits)} | {"v_min_v": low, "v_max_v": high}
    by_name = dict(zip(feeder.current_names, taken.T, strict=True))
    return TightenedLimits(**same, taken_a=by_name)
