"""Where a box is measured: AC power flow at the corners that may matter, and the corrections that follow from it.

Each constraint and step has a *correction*: how much more than its linear prediction the power flow moves along its own
worst corner. Corrections are measured, never assumed; the window of constraints that are looked at follows the largest
prediction error that was measured.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envelope.calculation.feasible_box import FeasibleBox
from envelope.calculation.kernels import learn
from envelope.constraints.corners import aligned_corners
from envelope.constraints.monitored_feeder import COARSE_V
from gridmodel.arrays import Index, Mask, Real, Single

COVERED, COVERED_IN_AUDIT = 0.85, 0.9995
"""a corner speaks for a constraint when it reaches this part of the constraint's own worst linear rise"""
COVERED_IF_FAR, FAR = 0.95, 0.25
"""in an audit, a corner that falls short of a constraint's own by this part of its slack does, down to this part"""
NEAR = 2.0
"""phases are tried against each other where any constraint is within this slack"""
SETTLED = 0.3
"""a step may settle when no corner exceeds its target by more than this part of the margin"""
EXACT, EXACT_TURNS = 10.0, 6
"""and, in the first iterations, when predictions are within so many times that; later iterations only tighten"""
CUT, MOST_CUTS = 0.97, 120
"""part that is left of a headroom each time it does not settle, and how often at most: a fortieth is left then"""


def update_corrections(state: FeasibleBox, todo: Index) -> Index:
    """Measure corrections at the corners that matter; return the steps that have not settled."""
    settled = has_converged(state, todo, check_corners(state, todo, COVERED))
    if settled.any():
        # Once more, and closer: every constraint that the largest error measured so far could bring to its target.
        settled[settled] = has_converged(state, todo[settled], check_corners(state, todo[settled], COVERED_IN_AUDIT))
    return todo[~settled]


def has_converged(state: FeasibleBox, steps: Index, over: Real) -> Mask:
    """Which steps are inside at every corner, and while there is time also not needlessly tight."""
    tolerance = SETTLED * state.margin[steps]
    exact = state.error[steps] <= EXACT * tolerance
    return np.asarray((over <= tolerance) & (exact | (state.iterations > EXACT_TURNS)))


def check_corners(state: FeasibleBox, steps: Index, covered: float, *, aligned: bool = False) -> Real:
    """(T',) largest excess over the target, in units of slack, at the corners of all constraints near their limit.

    aligned: also where all of a phase export while others import.
    """
    probes = _corners(state, steps, covered)
    if aligned:
        probes += _aligned(state, steps)
    if not probes:
        state.error[steps] = 0.0
        return np.full(len(steps), -np.inf)
    at, away, rise = (np.concatenate(parts) for parts in zip(*probes, strict=True))
    found = state.feeder.power_flow(state.base.injections(at, away), state.base.source_v[at], tol_v=COARSE_V)
    state.solves += len(at)
    return _correct(state, steps, (at, state.rows.evaluate(found, np.float32), rise))


def _correct(state: FeasibleBox, steps: Index, measured: tuple[Index, Single, Single]) -> Real:
    """Set corrections from the corner that raises each constraint most; return the largest excess over targets."""
    at, values, rise = measured
    worst, gain, closed = state.rise[steps], state.correction[steps], state.infeasible[steps]
    before = state.predicted(worst, steps)
    best, least, error = np.zeros_like(worst), np.zeros_like(worst), np.zeros_like(worst)
    over, wrong, found = np.full(len(steps), -np.inf), np.zeros(len(steps)), gain.copy()
    learn(
        np.searchsorted(steps, at), values, rise, state.at_rest[steps], state.target[steps], closed, state.slack_unit,
        gain, state.known_rise[steps], state.marginal_correction(steps), worst, 2.0 * state.margin[steps], COVERED,
        best, found, least, error, over, wrong,
    )  # fmt: skip
    least = np.minimum(least, 2.0 * gain)
    known = (best > 0.0) | (least > found)
    found = np.maximum(found, least)
    if state.iterations > EXACT_TURNS:
        # Late iterations only tighten, so that they must end.
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(known, np.maximum(found, before / worst), found)
    state.correction[steps] = np.where(known, found, gain)
    state.known_rise[steps] = np.where(known, worst, state.known_rise[steps])
    state.error[steps] = error.max(axis=1, initial=0.0)
    state.worst_error[steps] = wrong if state.rounds == 1 else np.maximum(state.worst_error[steps], wrong)
    return over


def _corners(state: FeasibleBox, steps: Index, covered: float) -> list[tuple[Index, Single, Single]]:
    """Corners to solve: the tightest constraint's own, then the tightest of those it does not speak for, and so on.

    Each entry has at most one corner per step: (steps, (S, L) W away from the base, (S, R) linear rise there).
    """
    slack, margin, worst = state.slack(steps), state.margin[steps][:, None], state.rise[steps]
    known = 2.0 * state.error[steps][:, None] + 2.0 * margin
    unknown = state.worst_error[steps][:, None]
    if covered >= COVERED_IN_AUDIT:
        known = np.maximum(known, 0.5 * unknown)
    measured = state.known_rise[steps] > 0.0
    open_rows = (
        (slack < np.where(measured, known, unknown)) & ~state.infeasible[steps] & (worst > 1e-3 * state.slack_unit)
    )
    # A constraint that was measured and is not close is predicted well from a neighbour's corner, if that is near to
    # its own in proportion: what others do to a current grows with the square of the box.
    give = np.clip(FAR * slack * state.slack_unit, (1.0 - COVERED_IN_AUDIT) * worst, (1.0 - COVERED_IF_FAR) * worst)
    needed = np.where(measured, np.minimum(covered * worst, worst - give), covered * worst)
    probes: list[tuple[Index, Single, Single]] = []
    while (left := np.flatnonzero(open_rows.any(axis=1))).size:
        row = np.where(open_rows[left], slack[left], np.inf).argmin(axis=1)
        away = state.corner(steps[left], state.rows.corner[row])
        rise = state.rows.linear_change(away)
        probes.append((steps[left], away, rise))
        spoken = rise >= needed[left]
        spoken[np.arange(len(left)), row] = True
        open_rows[left] &= ~spoken
    return probes


def _aligned(state: FeasibleBox, steps: Index) -> list[tuple[Index, Single, Single]]:
    """Corners of phases against each other, as `_corners` gives them, in the steps with a constraint near its limit.

    Where other phases turn a current rather than raise it, sensitivities may take them for the wrong side.
    """
    slack = np.where(state.infeasible[steps], np.inf, state.slack(steps))
    near = steps[slack.min(axis=1, initial=np.inf) < NEAR]
    if not len(near):
        return []
    corners = [state.at(near, up, down) for up, down in aligned_corners(state.feeder)]
    return [(near, away, state.rows.linear_change(away)) for away in corners]


def exceeding(state: FeasibleBox, todo: Index) -> Index:
    """Those of these steps in which any corner is beyond its target."""
    over = check_corners(state, todo, COVERED_IN_AUDIT, aligned=True)
    return todo[over > SETTLED * state.margin[todo]]


def scale_down(state: FeasibleBox, todo: Index, exceeding: Callable[[FeasibleBox, Index], Index] = exceeding) -> Index:
    """Scale the headroom of steps that did not settle until no corner of theirs exceeds; return those that still do."""
    state.scaled_down, ends = state.scaled_down + len(todo), state.base.ends
    for _ in range(MOST_CUTS):
        if not len(todo):
            break
        granted = ends.granted_w[todo]
        state.set_offsets(todo, granted + CUT * (state.offset_w[todo] - granted))
        todo = exceeding(state, todo)
    return todo
