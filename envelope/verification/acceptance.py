"""Limits for verification: the operating limit, or the level that the firm minimum alone already reaches.

A base load must be served and a contract kept; where they breach a limit by themselves, limits cannot mend it. A
schedule says so in its status; a verification then asks that nothing makes it worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envelope.constraints.corners import corners_to_check
from envelope.constraints.formulation import Formulation
from envelope.constraints.limits import Bounds
from envelope.constraints.linear import linearise, select_all
from envelope.constraints.linearisation import linearise_at_corners
from envelope.constraints.monitored_feeder import FlowResult
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.codes import BREACHED
from gridmodel.arrays import Floating, Index, Real

WORSE_V, WORSE_PERCENT = 0.05, 0.5
"""what small coefficients, which are left out of allocations, may add to a breach"""
FEWEST_CORNERS = 50
"""of the firm minimum that are looked at, with those of the constraints it is known to break, however few are tried"""


@dataclass(frozen=True, eq=False)
class AcceptedLimits:
    """Bounds per step and place, and by how much the operating limits are exceeded before anything is allocated."""

    bounds: Bounds
    excess: tuple[float, float, float]
    """V over, V under and percent by which the firm minimum exceeds the limits; zeros where it does not"""


def accepted_limits(formulation: Formulation, schedule: EnvelopeSchedule, *, most: int) -> AcceptedLimits:
    """The limits, raised to the level that base load or firm minimum alone reach at any of its corners.

    most: corners that the audit tries; it would hold limits to account for a breach at one that was not looked at here.
    """
    feeder, base, limits = formulation.feeder, formulation.base, formulation.limits
    rating = limits.current_a
    rest = formulation.base_flow
    worst = _WorstFlow(formulation)
    everyone = np.arange(formulation.steps)
    worst.include(everyone, np.zeros((formulation.steps, len(feeder.slot_connection))), rest)
    steps = np.flatnonzero(((schedule.status > 0) & (schedule.status <= BREACHED)).any(axis=1))
    if len(steps):
        built = linearise(feeder, *formulation.sensitivities, wanted=select_all(feeder))
        for lo, hi, _ in formulation.boxes(base.lo_w, base.hi_w):
            tried = corners_to_check(
                formulation.guarantee, linearise_at_corners(built, base, lo, hi), feeder, max(most, FEWEST_CORNERS)
            )
            corners: list[tuple[Floating, Floating]] = [*((up, down) for _, up, down in tried), *schedule.firm_corners]
            for up, down in corners:
                of, p = feeder.slot_connection, base.p_w[steps]
                away = up * (hi[steps] - p)[:, of] - down * (p - lo[steps])[:, of]
                worst.include(steps, away)
    high, low, load = worst.high_v, worst.low_v, worst.load_a
    over, under, much = high > limits.high_v, low < limits.low_v, load > rating
    excess = (
        float(np.max((high - limits.high_v)[over], initial=0.0)),
        float(np.max((limits.low_v - low)[under], initial=0.0)),
        float(np.max((100.0 * (load / rating - 1.0))[much], initial=0.0)),
    )
    bounds = Bounds(
        low_v=np.where(under, low - WORSE_V, limits.low_v),
        high_v=np.where(over, high + WORSE_V, limits.high_v),
        current_a=np.where(much, load + 0.01 * WORSE_PERCENT * rating, rating),
    )
    return AcceptedLimits(bounds, excess)


class _WorstFlow:
    """The worst of each place so far, per step, with what no limit sees on top."""

    def __init__(self, formulation: Formulation) -> None:
        self.base, self.disturbances, rest = formulation.base, formulation.disturbances, formulation.base_flow
        self.high_v, self.low_v, self.load_a = rest.v_v.copy(), rest.v_v.copy(), np.abs(rest.i_a)

    def include(self, steps: Index, away: Real, plain: FlowResult | None = None) -> None:
        """Takes note of (S, L) W away from the base in these steps; `plain` where that is solved already."""
        self._note(steps, self._values(steps, away, np.zeros_like(away)) if plain is None else plain, voltages=True)
        for state in self.disturbances.states:
            found = self._values(steps, *self.disturbances.superpose(state, steps, away))
            self._note(steps, found, voltages=state.voltages)

    def _values(self, steps: Index, away: Real, var: Real) -> FlowResult:
        return self.base.feeder.power_flow(self.base.injections(steps, away, var), self.base.source_v[steps])

    def _note(self, steps: Index, found: FlowResult, *, voltages: bool) -> None:
        if voltages:
            self.high_v[steps] = np.maximum(self.high_v[steps], found.v_v)
            self.low_v[steps] = np.minimum(self.low_v[steps], found.v_v)
        self.load_a[steps] = np.maximum(self.load_a[steps], np.abs(found.i_a))
