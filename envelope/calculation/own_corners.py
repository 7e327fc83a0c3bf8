"""Worst corners of constraints by their own sensitivities: where a constraint is tight, at its own corner.

The corners of a fit take the signs of sensitivities from one state per family of constraints. Where many connections
move a constraint by little, those signs may differ at the constraint's own corner, and together they matter.
"""

from __future__ import annotations

import numpy as np

from envelope.calculation.feasible_box import FeasibleBox
from envelope.constraints.linear import with_sensitivities
from envelope.constraints.monitored_feeder import COARSE_V
from envelope.constraints.sensitivity_series import own_sensitivities
from gridmodel.arrays import Index, Mask, Real

TIGHT = 0.5
"""constraints with less slack are looked at, in units of slack (V, percent of the rating)"""
ENOUGH = 0.5
"""part of the declared margin that must be left at a constraint's own corner"""
TURNS, TOGETHER, NOTHING_W = 2, 4096, 1.0
"""times that signs are taken anew at the corner they led to, power flows solved at once, and how far a corner must be
from another"""


def lower_targets(state: FeasibleBox, whole: FeasibleBox, active: Mask) -> Index:
    """Lower the targets of constraints by what their own corners exceed; return the steps in which any was lowered.

    state: the fitted box over the `active` constraints of `whole`, in which they are lowered too.
    """
    beyond = _beyond(state, np.arange(len(state.offset_w)))
    lower = np.where(beyond > 0.0, beyond + (1.0 - ENOUGH) * _margin(state), 0.0).astype(np.float32)
    state.target -= lower
    whole.target[:, active] -= lower
    return np.flatnonzero((lower > 0.0).any(axis=1))


def exceeding(state: FeasibleBox, todo: Index) -> Index:
    """Those of these steps in which a constraint exceeds at its own corner."""
    return todo[(_beyond(state, todo) > 0.0).any(axis=1)]


def _beyond(state: FeasibleBox, steps: Index) -> Real:
    """(S, R) by which constraints at their own corners leave less than enough of the margin."""
    limit, margin = state.limit[steps], _margin(state)[steps]
    return np.asarray(_at_own_corners(state, steps) - (limit - ENOUGH * margin))


def _margin(state: FeasibleBox) -> Real:
    """(T, R) the smallest declared margin in each constraint's own unit."""
    return np.asarray(state.margin[:, None] * state.slack_unit)


def _at_own_corners(state: FeasibleBox, steps: Index) -> Real:
    """(S, R) largest value of each constraint at the own corners of all that are tight; -inf where it was not solved.

    Sums of groups have the same sensitivities everywhere, so that their corners are right.
    """
    values = np.full((len(steps), state.rows.count), -np.inf)
    if state.feeder.inverters is not None:
        return values
    group = (state.rows.kind == 2) & (state.rows.element >= len(state.feeder.reduced.H))
    tight = (state.slack(steps) < TIGHT) & ~state.infeasible[steps] & ~group
    place, row = _one_per_place(state, *np.nonzero(tight), steps=steps)
    for start in range(0, len(place), TOGETHER):
        part = slice(start, start + TOGETHER)
        _measure(state, steps, (place[part], row[part]), values)
    return np.where(state.infeasible[steps], -np.inf, values)


def _one_per_place(state: FeasibleBox, place: Index, row: Index, *, steps: Index) -> tuple[Index, Index]:
    """Of the directions of one current in one step, the tightest alone: its size has one worst corner near there."""
    kind, element = state.rows.kind[row], state.rows.element[row]
    slack = state.slack(steps)[place, row]
    order = np.lexsort((slack, element, kind, place))
    key = np.stack([place, kind, element])[:, order]
    first = np.concatenate([[True], (key[:, 1:] != key[:, :-1]).any(axis=0)]) if len(order) else order.astype(bool)
    kept = order[first]
    return place[kept], row[kept]


def _measure(state: FeasibleBox, steps: Index, pairs: tuple[Index, Index], values: Real) -> None:
    """Raise (S, R) values to what constraints reach at the own corners of these pairs of steps and constraints."""
    (place, row), base, of = pairs, state.base, state.feeder.port_connection
    up, down = (state.hi_w - base.p_w)[:, of], (base.p_w - state.lo_w)[:, of]
    away = state.corner(steps[place], state.rows.corner[row])
    for _ in range(TURNS):
        at, rows = steps[place], state.rows.only(row)
        own = with_sensitivities(rows, state.feeder, *own_sensitivities(base, rows, at, away))
        there = (own.corners.up[own.corner] * up[at] - own.corners.down[own.corner] * down[at]).astype(np.float32)
        # A corner that stays was measured already.
        moved = np.flatnonzero((np.abs(there - away) > NOTHING_W).any(axis=1))
        if not len(moved):
            return
        place, row, away = place[moved], row[moved], there[moved]
        at = steps[place]
        found = state.feeder.power_flow(base.injections(at, away), base.source_v[at], tol_v=COARSE_V)
        np.maximum.at(values, place, state.rows.evaluate(found))
