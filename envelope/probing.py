"""Where a box is measured: AC power flow at the corners that may matter, and the gains that follow from it.

Each row and step has a *gain*: how much more than its linear prediction the power flow moves along the row's own worst
corner. Gains are measured, never assumed, and the window within which rows are looked at follows the largest prediction
error that was measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envelope.box import Fit
from envelope.watched import COARSE_V, FINE_V

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

COVERED, COVERED_IN_AUDIT = 0.85, 0.9995
"""a corner speaks for a row when it reaches this part of the row's own worst linear rise"""
COVERED_IF_FAR, CLOSE = 0.95, 0.3
"""in an audit, only rows within this slack (V, percent) need a corner that is all but their own"""
SETTLED = 0.3
"""a step may settle when no corner exceeds its aim by more than this part of the margin"""
EXACT, EXACT_ROUNDS = 10.0, 5
"""and, in the first rounds, when predictions are within so many times that; later rounds only tighten"""


def measure(state: Fit, todo: Index) -> Index:
    """Corrects the gains at the corners that matter; gives the steps that have not settled."""
    settled = fine(state, todo, probe(state, todo, COVERED))
    if settled.any():
        # Once more, and closer: every row within reach of the largest error measured so far, at its own worst corner.
        settled[settled] = fine(state, todo[settled], probe(state, todo[settled], COVERED_IN_AUDIT))
    return todo[~settled]


def fine(state: Fit, steps: Index, over: Array) -> Mask:
    """Which steps are inside at every corner, and while there is time also not needlessly tight."""
    tolerance = SETTLED * state.margin[steps]
    exact = state.error[steps] <= EXACT * tolerance
    return np.asarray((over <= tolerance) & (exact | (state.rounds > EXACT_ROUNDS)))


def probe(state: Fit, steps: Index, covered: float) -> Array:
    """(T',) largest excess over the aim, in units of slack, at the corners of all rows near their limit."""
    probes = _corners(state, steps, covered)
    if not probes:
        state.error[steps] = 0.0
        return np.full(len(steps), -np.inf)
    at = np.concatenate([p[0] for p in probes])
    away = np.concatenate([p[1] for p in probes])
    p, q = state.feeder.spread(state.base.p_w[at]) + away, state.feeder.spread(state.base.q_var[at])
    if state.base.tan_phi:
        q = q - state.base.tan_phi * np.maximum(away, 0.0)
    source = state.base.source_v
    values = state.rows.value(
        state.feeder.values(p, q, source[at], tol_v=FINE_V if covered >= COVERED_IN_AUDIT else COARSE_V)
    )
    state.solves += len(at)
    rise = state.rows.move(away)
    return _correct(state, steps, [len(p[0]) for p in probes], (at, values, rise))


def _correct(state: Fit, steps: Index, sizes: list[int], measured: tuple[Index, Array, Array]) -> Array:
    """Sets each row's gain from the corner that strains it most; gives the largest excess over the aim per step."""
    at, values, rise = measured
    position = np.searchsorted(steps, at)
    worst = state.rise(state.lo_w[steps], state.hi_w[steps], steps)
    best, error, over = np.zeros_like(worst), np.zeros_like(worst), np.full(len(steps), -np.inf)
    gain, least = state.gain[steps].copy(), np.zeros_like(worst)
    found = np.zeros(len(steps))
    margin = state.margin[steps][:, None]
    start = 0
    for size in sizes:
        k, t = position[start : start + size], at[start : start + size]
        value, up = values[start : start + size], rise[start : start + size]
        start += size
        moved, counts = value - state.at_rest[t], ~state.breached[t]
        excess = np.where(counts, (value - state.aim[t]) / state.scale, -np.inf)
        over[k] = np.maximum(over[k], excess.max(axis=1, initial=-np.inf))
        speaks = (up >= COVERED * worst[k]) & (up > best[k]) & (up > 1e-3 * state.scale)
        wrong = np.abs(moved - state.gain[t] * up) / state.scale
        # What is far from its limit may be predicted badly; what is predicted badly and near must be looked at again.
        near = counts & (excess > -2.0 * margin[k] - wrong)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain[k] = np.where(speaks, np.clip(moved / up, 0.2, 2.0 * state.gain[t]), gain[k])
            # Whatever corner it was, the row's worst is no milder.
            least[k] = np.where(worst[k] > 1e-3 * state.scale, np.maximum(least[k], moved / worst[k]), 0.0)
        found[k] = np.maximum(found[k], np.where(speaks, wrong, 0.0).max(axis=1, initial=0.0))
        best[k] = np.where(speaks, up, best[k])
        error[k] = np.where(speaks, np.where(near, wrong, 0.0), error[k])
    gain = np.maximum(gain, np.minimum(least, 2.0 * state.gain[steps]))
    # Late rounds only tighten, so that they must end.
    state.gain[steps] = np.maximum(gain, state.gain[steps]) if state.rounds > EXACT_ROUNDS else gain
    state.measured[steps] |= best > 0.0
    state.error[steps] = error.max(axis=1, initial=0.0)
    state.worst_error[steps] = found if state.rounds == 1 else np.maximum(state.worst_error[steps], found)
    return over


def _corners(state: Fit, steps: Index, covered: float) -> list[tuple[Index, Array]]:
    """Corners to solve: the tightest row's own, then the tightest of those it does not speak for, and so on.

    Each entry has at most one corner per step: (steps, (S, L) W away from the base).
    """
    slack, margin = state.slack(steps), state.margin[steps][:, None]
    known = 2.0 * state.error[steps][:, None] + 2.0 * margin
    unknown = state.worst_error[steps][:, None]
    if covered >= COVERED_IN_AUDIT:
        known = np.maximum(known, 0.5 * unknown)
    measured = state.measured[steps]
    open_rows = (slack < np.where(measured, known, unknown)) & ~state.breached[steps]
    worst = state.rise(state.lo_w[steps], state.hi_w[steps], steps)
    open_rows &= worst > 1e-3 * state.scale
    # A row that was measured and is not close is predicted well enough from a neighbour's corner.
    needed = np.where(measured & (slack > CLOSE), min(covered, COVERED_IF_FAR), covered) * worst
    probes: list[tuple[Index, Array]] = []
    while (left := np.flatnonzero(open_rows.any(axis=1))).size:
        row = np.where(open_rows[left], slack[left], np.inf).argmin(axis=1)
        away = state.corner(steps[left], state.rows.corner[row])
        probes.append((steps[left], away))
        spoken = state.rows.move(away) >= needed[left]
        spoken[np.arange(len(left)), row] = True
        open_rows[left] &= ~spoken
    return probes


def shrink(state: Fit, todo: Index) -> None:
    """Scales the rooms of steps that did not settle until no corner of theirs is beyond its limit."""
    state.shrunk = len(todo)
    base = state.base
    for _ in range(120):
        state.hi_w[todo] = base.hi_w[todo] + 0.97 * (state.hi_w[todo] - base.hi_w[todo])
        state.lo_w[todo] = base.lo_w[todo] - 0.97 * (base.lo_w[todo] - state.lo_w[todo])
        over = probe(state, todo, COVERED_IN_AUDIT)
        todo = todo[over > SETTLED * state.margin[todo]]
        if not len(todo):
            return
