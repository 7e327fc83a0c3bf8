"""Worst corners of constraints by their own sensitivities: where a constraint is tight, at its own corner.

The corners of a fit take the signs of sensitivities from one state per family of constraints. Where many connections
move a constraint by little, those signs may differ at the constraint's own corner, and together they matter.
"""

from __future__ import annotations

import numpy as np

from envelope.calculation.feasible_box import FeasibleBox
from envelope.constraints.extremes import raise_to
from envelope.constraints.linear import Corners, with_sensitivities
from envelope.constraints.monitored_feeder import COARSE_V
from envelope.constraints.sensitivity_series import sensitivities_at
from gridmodel.arrays import Complex, Index, Mask, Real, Single

TIGHT = 0.5
"""constraints with less slack are looked at, in units of slack (V, percent of the rating)"""
ENOUGH = 0.5
"""part of the declared margin that must be left at a constraint's own corner"""
NEAR = 0.2
"""constraints with less slack, in the same units, are measured in all states of the joint paths that matter"""
FILLED = 0.04
"""what a box may add to a constraint that base load or firm minimum fill, in units of slack"""
GROWTH = 0.25
"""part by which joint paths may need more of a constraint at a corner of the box than at rest"""
STEEPER = 3.0
"""how much more than in proportion to voltages a constraint's rise may grow as these fall on joint paths"""
TURNS, TOGETHER, NOTHING_W = 2, 4096, 1.0
"""times that signs are taken anew at the corner they led to, power flows solved at once, and how far a corner must be
from another"""


def lower_targets(boxes: tuple[FeasibleBox, FeasibleBox], active: Mask, steps: Index, beyond: Real) -> Index:
    """Lower the targets of constraints by what their own corners exceed; return the steps in which any was lowered.

    boxes: the fitted box over the `active` constraints of a whole one, and that, in which they are lowered too; beyond:
    what `excess` gives of these steps.
    """
    state, whole = boxes
    lower = np.where(beyond > 0.0, beyond + (1.0 - ENOUGH) * _margin(state)[steps], 0.0).astype(np.float32)
    state.target[steps] -= lower
    whole.target[np.ix_(steps, np.flatnonzero(active))] -= lower
    return steps[(lower > 0.0).any(axis=1)]


def exceeding(state: FeasibleBox, todo: Index, known: Real | None = None) -> Index:
    """Those of these steps in which a constraint exceeds at its own corner, or one that is filled gets worse.

    known: what `excess` gives of them, where that was found already.
    """
    beyond = excess(state, todo) if known is None else known
    return todo[(beyond > 0.0).any(axis=1) | _filled_exceed(state, todo)]


def add_states(state: FeasibleBox) -> bool:
    """Add states of the joint paths in which a constraint exceeds and that were not measured; whether there were any.

    The state that strains a constraint most at rest need not be the one that does so at a corner of the box.
    """
    if state.needed is None:
        return False
    steps, needed = np.arange(len(state.offset_w)), state.needed
    others = needed.paths.joint.kept & ~needed.to_measure()
    near = _one_per_corner(state, *np.nonzero(_tight_mask(state, steps)), steps=steps)
    pairs = tuple(np.concatenate(both) for both in zip(near, _filled(state, steps), strict=True))
    accepted = np.where(state.infeasible, _accepted_where_filled(state, steps), _enough(state, steps))
    ends_w = _ends_w(state)
    for number in np.flatnonzero(others.any(axis=1)):
        values = np.full(accepted.shape, -np.inf)
        _measure_in_state(state, steps, (pairs[0], pairs[1]), values, number=int(number), ends_w=ends_w)
        needed.added[number] |= others[number] & (values > accepted).any(axis=1)
    return bool((needed.added & others).any())


def _filled_exceed(state: FeasibleBox, steps: Index) -> Mask:
    """(S,) whether the box brings a constraint that base load or firm minimum fill beyond limit and firm minimum."""
    filled = state.infeasible[steps]
    if not filled.any():
        return np.zeros(len(steps), dtype=bool)
    now = _worst_at(state, steps, _filled(state, steps), firm=False)
    return np.asarray((filled & (now > _accepted_where_filled(state, steps))).any(axis=1))


def open_filled(state: FeasibleBox, most: int) -> None:
    """Take constraints for filled only where the firm minimum exceeds them as measured, in so many of the first steps.

    A fit also takes those for filled that limits of an earlier run bring to their margin, as every run does that the
    network binds, and some by a correction that was measured further out. Nobody gets more there; nobody need get less.
    """
    steps = np.flatnonzero(state.infeasible[:most].any(axis=1))
    if len(steps):
        reached = _worst_at(state, steps, _filled(state, steps), firm=True)
        exceeded = reached > state.limit[steps] + _room(state, steps)
        state.infeasible[steps] &= exceeded | state.base_infeasible[steps]


def _filled(state: FeasibleBox, steps: Index) -> tuple[Index, Index]:
    """Steps and constraints that base load or firm minimum fill, one for each corner of a step."""
    place, row = np.nonzero(state.infeasible[steps])
    once = np.unique(np.stack([place, state.rows.corner[row]]), axis=1, return_index=True)[1]
    return place[once], row[once]


def _accepted_where_filled(state: FeasibleBox, steps: Index) -> Real:
    """(S, R) limits, or what the firm minimum alone reaches at its corners and a little more."""
    limit: Real = np.asarray(state.limit[steps] + _room(state, steps), dtype=float)
    if not state.infeasible[steps].any():
        return limit
    before = _worst_at(state, steps, _filled(state, steps), firm=True)
    return np.asarray(np.maximum(limit, before + FILLED * state.slack_unit))


def _worst_at(state: FeasibleBox, steps: Index, pairs: tuple[Index, Index], *, firm: bool) -> Real:
    """(S, R) largest value of each constraint at the corners of these, in all states of the joint paths that matter.

    firm: at corners of the firm minimum.
    """
    values = np.full((len(steps), state.rows.count), -np.inf)
    if state.needed is not None:
        _measure_in_all_states(state, steps, pairs, values, firm=firm)
        return values
    place, row = pairs
    for start in range(0, len(place), TOGETHER):
        part = slice(start, start + TOGETHER)
        at = _States(state, steps[place[part]], row[part], ends_w=_ends_w(state, firm=firm))
        away = at.away(state.rows.corners, state.rows.corner[row[part]])
        raise_to(values, place[part], at.values(away))
    return values


def excess(state: FeasibleBox, steps: Index) -> Real:
    """(S, R) by which constraints at their own corners leave less than enough of the margin."""
    return np.asarray(_at_own_corners(state, steps) - _enough(state, steps))


def _enough(state: FeasibleBox, steps: Index) -> Real:
    """(S, R) limits less enough of the margin, for what is measured in the worst state itself."""
    return np.asarray(state.limit[steps] + _room(state, steps) - ENOUGH * _margin(state)[steps])


def _room(state: FeasibleBox, steps: Index) -> Real | float:
    """(S, R) or none: what constraints keep free for the joint paths, and need not where these are measured."""
    return 0.0 if state.needed is None else state.needed.extra[steps]


def _margin(state: FeasibleBox) -> Real:
    """(T, R) the smallest declared margin in each constraint's own unit."""
    return np.asarray(state.margin[:, None] * state.slack_unit)


def _at_own_corners(state: FeasibleBox, steps: Index) -> Real:
    """(S, R) largest value of each constraint at the own corners of all that are tight; -inf where it was not solved.

    Sums of groups have the same sensitivities everywhere, so that their corners are right. Where inverters respond,
    values are with their response and signs without it: corners with it were tried while the box was fitted, and none
    of these sees what inverters on flat parts of their curves do elsewhere.
    """
    values = np.full((len(steps), state.rows.count), -np.inf)
    every = np.nonzero(_tight_mask(state, steps))
    place, row = _one_per_place(state, *every, steps=steps)
    for start in range(0, len(place), TOGETHER):
        part = slice(start, start + TOGETHER)
        _measure(state, steps, (place[part], row[part]), values)
    if state.needed is not None:
        near = _one_per_corner(state, *every, steps=steps)
        _measure_in_all_states(state, steps, near, values)
    return np.where(state.infeasible[steps], -np.inf, values)


def _tight_mask(state: FeasibleBox, steps: Index) -> Mask:
    """(S, R) constraints that are tight, of those that depend on the state and that the firm minimum does not fill."""
    group = (state.rows.kind == 2) & (state.rows.element >= len(state.feeder.reduced.H))
    return np.asarray((state.slack(steps) < _tight(state, steps)) & ~state.infeasible[steps] & ~group)


def _tight(state: FeasibleBox, steps: Index) -> Real | float:
    """(S, R) or all the same: slack below which a constraint is looked at, larger where paths may need more of it."""
    if state.needed is None:
        return TIGHT
    return TIGHT + GROWTH * state.needed.extra[steps] / state.slack_unit + _growth(state, steps)


def _growth(state: FeasibleBox, steps: Index) -> Real:
    """(S, R) by which a constraint's rise may grow at the lowest voltages of joint paths, in units of slack.

    The same power makes a larger current there, which what paths need at rest does not show.
    """
    assert state.needed is not None
    rise = state.predicted(state.rise[steps], steps)
    return np.asarray(STEEPER * state.needed.fall[steps][:, None] * rise / state.slack_unit)


def _one_per_place(state: FeasibleBox, place: Index, row: Index, *, steps: Index) -> tuple[Index, Index]:
    """Of the directions of one current that export raises, and of those that import does, the tightest in each step.

    Its size has one worst corner near there.
    """
    kind, element, exports = state.rows.kind[row], state.rows.element[row], state.rows.exports[row]
    slack = state.slack(steps)[place, row]
    order = np.lexsort((slack, exports, element, kind, place))
    key = np.stack([place, kind, element, exports])[:, order]
    first = np.concatenate([[True], (key[:, 1:] != key[:, :-1]).any(axis=0)]) if len(order) else order.astype(bool)
    kept = order[first]
    return place[kept], row[kept]


def _one_per_corner(state: FeasibleBox, place: Index, row: Index, *, steps: Index) -> tuple[Index, Index]:
    """Of constraints that joint paths may bring to their limit, one per step and corner; all are measured there."""
    near = np.flatnonzero(state.slack(steps)[place, row] < NEAR + _growth(state, steps)[place, row])
    corner = state.rows.corner[row[near]]
    once = near[np.unique(np.stack([place[near], corner]), axis=1, return_index=True)[1]]
    return place[once], row[once]


def _measure(state: FeasibleBox, steps: Index, pairs: tuple[Index, Index], values: Real) -> None:
    """Raise (S, R) values to what constraints reach at the own corners of these pairs of steps and constraints.

    Each in the state of the joint paths that is worst for it, where there are any.
    """
    place, row = pairs
    at, corner = _States(state, steps[place], row), state.rows.corner[row]
    if state.needed is None:
        away = state.corner(steps[place], corner)
    else:
        away = at.away(state.rows.corners, corner)
        _raise(values, place, at, (away, corner))
    for _ in range(TURNS):
        found = at.sensitivities(away, at.alike(corner))
        own = with_sensitivities(state.rows.only(row), state.feeder, *found)
        there = at.away(own.corners, own.corner)
        # A corner that stays was measured already.
        moved = np.flatnonzero((np.abs(there - away) > NOTHING_W).any(axis=1))
        if not len(moved):
            return
        place, row, away, corner = place[moved], row[moved], there[moved], own.corner[moved]
        at = _States(state, steps[place], row)
        _raise(values, place, at, (away, corner))


def _raise(values: Real, place: Index, at: _States, where: tuple[Single, Index]) -> None:
    """Raise (S, R) values to those at (P, L) corners, whose numbers tell which are the same; each is solved once."""
    away, corner = where
    once = np.unique(at.alike(corner), return_index=True)[1]
    raise_to(values, place[once], at.only(once).values(away[once]))


def _measure_in_all_states(
    state: FeasibleBox, steps: Index, pairs: tuple[Index, Index], values: Real, *, firm: bool = False
) -> None:
    """Raise (S, R) values to what constraints reach at their corners in each state that is any constraint's worst."""
    assert state.needed is not None
    measured = state.needed.to_measure()[:, steps]
    ends_w = _ends_w(state, firm=firm)
    for number in np.flatnonzero(measured.any(axis=1)):
        which = np.flatnonzero(measured[number, pairs[0]])
        some = pairs[0][which], pairs[1][which]
        _measure_in_state(state, steps, some, values, number=int(number), ends_w=ends_w)


def _measure_in_state(
    state: FeasibleBox, steps: Index, pairs: tuple[Index, Index], values: Real, *, number: int, ends_w: _Ends
) -> None:
    """Raise (S, R) values to what constraints reach at the corners of these in one state of the joint paths."""
    place, row = pairs
    at = _States(state, steps[place], row, np.full(len(row), number), ends_w=ends_w)
    raise_to(values, place, at.values(at.away(state.rows.corners, state.rows.corner[row])))


_Ends = tuple[Real, Real]
"""(T, C) W, lower and upper end of a box"""


def _ends_w(box: FeasibleBox, *, firm: bool = False) -> _Ends:
    """The ends of a box; firm: those of the firm minimum."""
    return (box.base.lo_w, box.base.hi_w) if firm else (box.lo_w, box.hi_w)


class _States:
    """The state that each of some constraints is measured in, one step each."""

    def __init__(
        self, box: FeasibleBox, steps: Index, rows: Index, state: Index | None = None, *, ends_w: _Ends | None = None
    ) -> None:
        """ends_w: of the box that is meant, by default of `box`."""
        self.box, self.steps, self.number, self.rows, self.state = box, steps, rows, box.rows.only(rows), state
        if box.needed is not None and state is None:
            self.state = box.needed.state[steps, rows]
        of, (lo_w, hi_w) = box.feeder.port_connection, _ends_w(box) if ends_w is None else ends_w
        lo_w, hi_w = lo_w[steps], hi_w[steps]
        if box.needed is None or self.state is None:
            down, up = box.base.p_w[steps] - lo_w, hi_w - box.base.p_w[steps]
        else:
            down, up = box.needed.paths.ends(self.state, steps, lo_w, hi_w)
        self.down_w, self.up_w = down[:, of], up[:, of]

    def away(self, corners: Corners, which: Index) -> Single:
        """(P, L) W away from the base load at these corners of the box."""
        return (corners.up[which] * self.up_w - corners.down[which] * self.down_w).astype(np.float32)

    def alike(self, corner: Index) -> Index:
        """(P,) the same number for the same corner in the same step and state."""
        found = self.steps * (int(corner.max(initial=0)) + 1) + corner
        return found if self.state is None else found * (int(self.state.max(initial=0)) + 1) + self.state

    def only(self, which: Index) -> _States:
        """Some of them."""
        return _States(
            self.box, self.steps[which], self.number[which], None if self.state is None else self.state[which]
        )

    def sensitivities(self, away: Single, alike: Index) -> tuple[Single, Single]:
        """(P, L) derivatives of each constraint there, for power above and below the base load."""
        return sensitivities_at(self.box.base, self.rows, *self._injected(away), alike=alike)

    def values(self, away: Single) -> Real:
        """(P, R) values of all constraints of the box there."""
        return self.box.rows.evaluate(self.box.feeder.power_flow(*self._injected(away), tol_v=COARSE_V))

    def _injected(self, away: Single) -> tuple[Complex, Complex]:
        base = self.box.base
        if self.box.needed is None or self.state is None:
            return base.injections(self.steps, away), base.source_v[self.steps]
        joint = self.box.needed.paths.joint
        return joint.injections(self.state, self.steps, away), joint.source(self.state, self.steps)
