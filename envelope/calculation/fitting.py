"""The largest box that keeps the limits in the AC power flow: allocate on rows, check at corners, correct, repeat.

Most rows never come near their limit: a first look picks those that may, and in the end all are looked at again.
"""

from __future__ import annotations

import numpy as np

from envelope.allocation.rules import Packing, Rule, max_min, max_sum, takes_part
from envelope.calculation.corner_check import COVERED, COVERED_IN_AUDIT, SETTLED, measure, probe, shrink
from envelope.calculation.feasible_box import Fit
from envelope.constraints.base_case import Base
from envelope.constraints.linear import LinearConstraints, narrowed
from envelope.constraints.linearisation import LARGEST_GAIN, linearise_at_corners
from envelope.constraints.monitored_feeder import FlowResult
from gridmodel.arrays import Index, Mask, Real, Single

MAX_ROUNDS = 15
FIRST_ERROR = 1.5
"""prediction error assumed before the first one is measured, in units of slack (V, percent of rating)"""
SAMPLED = 6
"""so many steps are enough to see which rows a box runs into; what that misses is added later"""
TURNED_AT = 2
"""turn at which the slopes are taken anew: by then the box is about the right size"""
TRUSTED, SHORTEST_LEAP = 3, 0.002
"""turns after which nobody gets more than a part of all room at once; that part is halved from turn to turn"""
LEAST = 0.2
"""part of what the whole way would leave that what was measured further out may not go below"""
DOUBT, LOOKS = 1.1, 6
"""rows that were never measured are left out only if so many times their predicted rise stays inside; how often all are
looked at again, the last but one time with none left out"""


def fit(rows: LinearConstraints, base: Base, rest: FlowResult, *, limits: tuple[Real, Real], allocate: Rule) -> Fit:
    """The box that `allocate` finds inside the limits, confirmed by AC power flow at the worst corners.

    rest: the power flow with nothing flexible running; limits: (T, R) hard limits and aims, one per row.
    Most rows never come near their limit. A first look picks those that may; in the end all are looked at again.
    """
    ends, everyone = base.ends, np.arange(len(base.p_w))
    limit, aim, at_rest = limits[0].astype(np.float32), limits[1].astype(np.float32), rows.evaluate(rest, np.float32)
    most_w = ends.granted_w + ends.room_w
    most = at_rest + LARGEST_GAIN * most_w.astype(np.float32) @ rows.coefficients(ends.place).T
    can_bind = np.any(most > aim, axis=0)
    away_w = ends.granted_w.copy() if can_bind.any() else most_w
    tables = (table[:, can_bind] for table in (limit, aim, at_rest))
    whole = _unknown(Fit(base.feeder, base, rows.keep(can_bind), away_w, *tables))
    if not can_bind.any():
        return whole
    # A largest sum stands at a far corner of the room, where other rows are near than in the middle.
    some = everyone[:: max(1, len(everyone) // SAMPLED)]
    _allocate(whole, allocate if allocate is max_sum else max_min, some)
    active = np.any(_doubtful(whole, some), axis=0)
    active[whole.slack(some).min(axis=0).argmin()] = True
    state = _narrow(whole, active)
    _one_turn(state, allocate, everyone)
    probe(state, everyone, COVERED)
    state, active = _widened(whole, state, active)
    todo = everyone
    for look in range(LOOKS):
        _settle(state, allocate, todo)
        state, active = _widened(whole, state, active, all_of_them=look == LOOKS - 2)
        over = probe(state, everyone, COVERED_IN_AUDIT, aligned=True)
        todo = everyone[over > SETTLED * state.margin]
        if not len(todo):
            return state
        state, active = _near(whole, state, active)
    shrink(state, todo)
    return state


def _unknown(state: Fit) -> Fit:
    """A calculation that knows nothing yet but the power flow at rest."""
    state.solves, state.error[:], state.worst_error[:] = len(state.away_w), FIRST_ERROR, FIRST_ERROR
    return state


def _narrow(whole: Fit, chosen: Mask) -> Fit:
    """A calculation over some of the rows, on a feeder that watches only what they are about."""
    feeder, rows = narrowed(whole.feeder, whole.rows.keep(chosen))
    tables = (table[:, chosen] for table in (whole.limit, whole.aim, whole.at_rest))
    return _unknown(Fit(feeder, whole.base.seen_by(feeder), rows, whole.away_w.copy(), *tables))


def _widened(whole: Fit, state: Fit, active: Mask, *, all_of_them: bool = False) -> tuple[Fit, Mask]:
    """The calculation with the rows that were left out and may be near their limit after all, and which rows it has."""
    missed = _missed(whole, state, active).any(axis=0)
    more = np.ones_like(active) if all_of_them else active | missed
    return _chosen(whole, state, was=active, chosen=more), more


def _near(whole: Fit, state: Fit, active: Mask) -> tuple[Fit, Mask]:
    """The calculation without the rows that a look has found to be nowhere near their limit, and which rows it has."""
    near = np.any(state.slack() < FIRST_ERROR, axis=0)
    chosen = active.copy()
    chosen[active] = near
    return _chosen(whole, state, was=active, chosen=chosen), chosen


def _chosen(whole: Fit, before: Fit, *, was: Mask, chosen: Mask) -> Fit:
    """The calculation over other rows, with the box, the measurements and the counts of the one before.

    Once the box is about right, slopes are taken at its corners; what was measured stays known.
    """
    state = _narrow(whole, chosen)
    state.grow(np.arange(len(before.away_w)), before.away_w)
    state.error, state.worst_error = before.error, before.worst_error
    state.solves, state.shrunk, state.turns = before.solves, before.shrunk, before.turns
    state.looks = before.looks + 1
    if before.turns >= TURNED_AT:
        state.take(linearise_at_corners(state.rows, state.base, state.lo_w, state.hi_w))
    here, there = was[chosen], chosen[was]
    state.price[:, here] = before.price[:, there]
    known = np.zeros(state.rise.shape, dtype=bool)
    known[:, here] = before.known_rise[:, there] > 0.0
    found = state.rise.copy()
    found[:, here] = before.expected(before.rise)[:, there]
    if before.turns >= TURNED_AT:
        _recall(state, found, known)
    else:
        state.gain[:, here], state.known_rise[:, here] = before.gain[:, there], before.known_rise[:, there]
    state.breached = _closed(state, slice(None))
    state.breached[:, here] |= before.breached[:, there]
    return state


def _closed(state: Fit, steps: Index | slice) -> Mask:
    """(T, R) rows that what is granted in any case fills, as far as they were measured."""
    left = state.aim[steps] - state.at_rest[steps]
    granted = state.base.ends.granted_w[steps].astype(np.float32) @ state.coefficients.T
    return np.asarray((left <= state.gain[steps] * granted) | state.base_breached[steps])


def _settle(state: Fit, allocate: Rule, todo: Index) -> None:
    """Allocates, measures and corrects until every step is inside at every corner that may matter."""
    for turn in range(MAX_ROUNDS):
        if not len(todo):
            return
        state.rounds = turn + 1
        _one_turn(state, allocate, todo)
        todo = measure(state, todo)
    shrink(state, todo)


def _one_turn(state: Fit, allocate: Rule, todo: Index) -> None:
    """Shares out once more; the second time the slopes are taken anew, since by then the box is about right."""
    state.turns += 1
    _allocate(state, allocate, todo)
    if state.turns == TURNED_AT:
        _turn(state)


def _turn(state: Fit) -> None:
    """Takes the slopes anew where the box has its corners; what was measured stays known."""
    found, known = state.expected(state.rise), state.known_rise > 0.0
    state.take(linearise_at_corners(state.rows, state.base, state.lo_w, state.hi_w))
    _recall(state, found, known)


def _recall(state: Fit, found: Single, known: Mask) -> None:
    """Puts (T, R) changes that are expected of this box, where they are known, into terms of new slopes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(state.rise > 1e-3 * state.slack_unit, np.clip(found / state.rise, 0.2, 3.0), 1.0)
    weight = np.where(known, state.rise, 1e-9)
    state.gain = gain.astype(np.float32)
    state.usual_gain = np.asarray((gain * weight).sum(axis=0) / weight.sum(axis=0), dtype=np.float32)
    state.known_rise = np.where(known, state.rise, np.float32(0.0))


def _missed(whole: Fit, state: Fit, active: Mask) -> Mask:
    """(T, R) rows that were left out and may be near their limit after all, by the gains of their family."""
    whole.grow(np.arange(len(state.away_w)), state.away_w)
    rise = whole.rise[:, active]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = state.expected(state.rise) / rise
    found = np.where(np.isfinite(found) & (rise > whole.slack_unit[active]), found, 1.0)
    families = whole.rows.similar(whole.feeder)
    for family in np.unique(families):
        of_family = families == family
        known = found[:, families[active] == family]
        if known.shape[1]:
            whole.gain[:, of_family] = np.clip(known.max(axis=1, keepdims=True), 0.5, 3.0)
    return np.asarray(_doubtful(whole) & ~active & (whole.at_rest <= whole.limit))


def _doubtful(whole: Fit, steps: Index | slice = slice(None)) -> Mask:
    """(T, R) rows that a prediction does not keep well inside their limit."""
    left = whole.aim[steps] - whole.at_rest[steps] - DOUBT * whole.gain[steps] * whole.rise[steps]
    return np.asarray(left < FIRST_ERROR * whole.slack_unit)


def _allocate(state: Fit, allocate: Rule, todo: Index) -> None:
    """Shares out what the rows, as measured so far, leave beyond the box that is granted in any case."""
    ends, gain, known = state.base.ends, state.gain[todo], state.known_rise[todo]
    granted_w, room_w = ends.granted_w[todo], ends.room_w[todo]
    granted = granted_w.astype(np.float32) @ state.coefficients.T
    left = state.aim[todo] - state.at_rest[todo]
    closed = _closed(state, todo)
    b = np.maximum(known + (left - gain * known) / state.steepness(todo), LEAST * left / gain) - granted
    # Nobody is held back for good by a row of which they use a trace: what traces use is set aside from round to round.
    grown = state.away_w[todo] - granted_w
    main = np.where(takes_part(state.coefficients), state.coefficients, np.float32(0.0))
    traces = grown.astype(np.float32) @ (state.coefficients - main).T
    packing = Packing(
        main,
        np.where(closed, -1.0, np.maximum(b - traces, 1e-6 * b)),
        np.minimum(room_w, grown + _leap(state) * room_w),
        ends.reference_w[todo],
        ends.weight,
        price=state.price[todo],
    )
    state.breached[todo] = closed
    state.grow(todo, granted_w + allocate(packing))
    state.price[todo] = packing.price


def _leap(state: Fit) -> float:
    """Part of all room that anyone may gain at once: leaps are predicted badly, so they become shorter by the turn."""
    return max(0.5 ** (state.turns - TRUSTED), SHORTEST_LEAP) if state.turns > TRUSTED else 1.0
