"""Worst corners of constraints by their own sensitivities: where a constraint is tight, at its own corner.

The corners of a fit take the signs of sensitivities from one state per family of constraints. Where many connections
move a constraint by little, those signs may differ at the constraint's own corner, and together they matter.
"""

from __future__ import annotations

import numpy as np

from envelope.calculation.feasible_box import FeasibleBox
from envelope.constraints.base_case import BaseCase
from envelope.constraints.linear import LinearConstraints, with_sensitivities
from envelope.constraints.monitored_feeder import COARSE_V
from gridmodel.arrays import Complex, Index, Mask, Real, Single
from gridmodel.flow import power_flow

TIGHT = 0.5
"""constraints with less slack are looked at, in units of slack (V, percent of the rating)"""
ENOUGH = 0.5
"""part of the declared margin that must be left at a constraint's own corner"""
TERMS, TURNS, TOGETHER, NOTHING_W = 5, 2, 4096, 1.0
"""of the series that a sensitivity is, times that signs are taken anew at the corner they led to, power flows solved at
once, and how far a corner must be from another"""


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
    (place, row), base, of = pairs, state.base, state.feeder.slot_connection
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


def own_sensitivities(base: BaseCase, rows: LinearConstraints, steps: Index, away: Single) -> tuple[Single, Single]:
    """(R, L) derivative of each constraint in a state of its own, above and below the base load, V or A per W.

    steps: (R,) and away: (R, L) W away from the base. Per W, the current of a slot changes by c dp - d conj(Z di), so
    that a row vector g of effects of currents becomes the sum of g, -conj(g d) Z, and so on: one product per term.
    """
    reduced, injected = base.feeder.reduced, base.injections(steps, away)
    found = power_flow.solve(reduced, injected, base.source_v[steps], tol_v=COARSE_V)
    total = term = _by_current(base, rows, found)
    d, z = np.conj(injected / found.v**2).astype(np.complex64), reduced.Z.astype(np.complex64)
    for _ in range(TERMS):
        term = -np.conj(term * d) @ z
        total = total + term
    per_va = total / np.conj(found.v)
    fall = np.asarray(per_va.real, dtype=np.float32)
    rise = np.asarray((per_va * (1.0 + 1j * base.tan_phi)).real, dtype=np.float32) if base.tan_phi else fall
    return rise, fall


def _by_current(base: BaseCase, rows: LinearConstraints, found: power_flow.Flow) -> Complex:
    """(R, L) g of each constraint in its state: its value changes by the real part of g di."""
    reduced, load = base.feeder.reduced, rows.kind == 2
    by = np.empty((rows.count, reduced.slots), dtype=np.complex128)
    by_source = np.empty((rows.count, 3), dtype=np.complex128)
    for chosen, of_ports, of_source in ((load, reduced.H, reduced.Hw), (~load, reduced.Zn, reduced.Wn)):
        by[chosen], by_source[chosen] = of_ports[rows.element[chosen]], of_source[rows.element[chosen]]
    value = (by * found.i).sum(axis=1) + (by_source * found.source_v).sum(axis=1)
    sign = np.where(rows.kind == 1, -1.0, 1.0)
    return np.asarray((sign * np.conj(value) / np.maximum(np.abs(value), 1e-9))[:, None] * by, dtype=np.complex64)
