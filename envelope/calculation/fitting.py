"""The largest box that keeps the limits in the AC power flow: allocate, check at corners, correct, repeat.

Most constraints never come near their limit: a first look picks those that may, and in the end all are looked at again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envelope.allocation.rules import Packing, Rule, is_sum, max_min, takes_part
from envelope.calculation import own_corners
from envelope.calculation.corner_check import (
    COVERED,
    COVERED_IN_AUDIT,
    SETTLED,
    check_corners,
    scale_down,
    update_corrections,
)
from envelope.calculation.feasible_box import FeasibleBox
from envelope.constraints.base_case import BaseCase
from envelope.constraints.joint_paths import WorstStates
from envelope.constraints.linear import LinearConstraints, narrowed
from envelope.constraints.linearisation import LARGEST_GAIN, linearise_at_corners
from envelope.constraints.monitored_feeder import FlowResult
from gridmodel.arrays import Index, Mask, Real, Single

MAX_ROUNDS = 15
FIRST_ERROR = 1.5
"""prediction error assumed before the first one is measured, in units of slack (V, percent of rating)"""
SAMPLED = 6
"""so many steps are enough to see which constraints a box runs into; what that misses is added later"""
TURNED_AT = 2
"""iteration at which the sensitivities are taken anew: by then the box is about the right size"""
TRUSTED, SHORTEST_LEAP = 3, 0.002
"""iterations after which no share grows by more than a part of all headroom; that part is halved each iteration"""
LEAST = 0.2
"""part of what the whole way would leave that what was measured further out may not go below"""
OWN_LOOKS = 8
"""times that targets are lowered by what constraints exceed at corners of their own"""
FILLED_V, FILLED_PERCENT = 0.03, 0.3
"""V (as much per unit at another level) and percent of a rating that small coefficients, all together, may add to a
constraint that base load or firm minimum fill; less than a verification accepts"""
DOUBT, LOOKS = 1.1, 6
"""constraints that were never measured are left out only if so many times their predicted rise stays inside; how often
all are looked at again, the last but one time with none left out"""


def fit_box(
    rows: LinearConstraints,
    base: BaseCase,
    rest: FlowResult,
    *,
    limits: tuple[Real, Real],
    allocate: Rule,
    needed: WorstStates | None = None,
) -> FeasibleBox:
    """The box that `allocate` finds inside the limits, confirmed by AC power flow at the worst corners.

    rest: the power flow with nothing flexible running; limits: (T, R) hard limits and targets, one per constraint;
    needed: what constraints keep free of them for the joint paths.
    Most constraints never come near their limit. A first look picks those that may; in the end all are looked at again.
    """
    ends, everyone = base.ends, np.arange(len(base.p_w))
    limit, aim = ((table if needed is None else table - needed.extra).astype(np.float32) for table in limits)
    at_rest = rows.evaluate(rest, np.float32)
    most_w = ends.granted_w + ends.room_w
    most = at_rest + LARGEST_GAIN * most_w.astype(np.float32) @ rows.coefficients(ends.place).T
    can_bind = np.any(most > aim, axis=0)
    away_w = ends.granted_w.copy() if can_bind.any() else most_w
    limit, aim, at_rest = (table[:, can_bind] for table in (limit, aim, at_rest))
    kept = None if needed is None else needed.only(can_bind)
    whole = _unknown(FeasibleBox(base.feeder, base, rows.keep(can_bind), away_w, limit, aim, at_rest, kept))
    if not can_bind.any():
        return whole
    active = _first_active(whole, allocate)
    state = _narrow(whole, active)
    _one_turn(state, allocate, everyone)
    check_corners(state, everyone, COVERED)
    state, active = _settle(whole, *_with_missed_constraints(whole, state, active), allocate=allocate, todo=everyone)
    return _mended(whole, state, active, allocate=allocate)


def _mended(whole: FeasibleBox, state: FeasibleBox, active: Mask, *, allocate: Rule) -> FeasibleBox:
    """The box with targets lowered by what constraints exceed at their own corners, or scaled down where none help."""
    everyone = np.arange(len(state.offset_w))
    steps, beyond = everyone, None
    for _ in range(OWN_LOOKS):
        beyond, todo = _lower(whole, state, active, steps)
        if not len(todo) and len(steps) < len(everyone):
            # Other constraints may have come in since all steps were looked at.
            steps = everyone
            beyond, todo = _lower(whole, state, active, steps)
        if not len(todo) and own_corners.add_states(state):
            beyond, todo = _lower(whole, state, active, steps)
        if not len(todo) and not state.infeasible.any():
            return state
        if not len(todo):
            break
        state, active = _settle(whole, state, active, allocate=allocate, todo=todo)
        steps, beyond = todo, None
    left = own_corners.exceeding(state, everyone, beyond)
    state.unsettled = len(scale_down(state, left, own_corners.exceeding))
    return state


def _lower(whole: FeasibleBox, state: FeasibleBox, active: Mask, steps: Index) -> tuple[Real, Index]:
    """Look at own corners of some steps; what they exceed, and the steps in which targets were lowered by that."""
    beyond = own_corners.excess(state, steps)
    return beyond, own_corners.lower_targets((state, whole), active, steps, beyond)


def _first_active(whole: FeasibleBox, allocate: Rule) -> Mask:
    """Return which constraints, (R,), may bind at a first allocation of a sample of the steps; at least one."""
    some = np.arange(0, len(whole.base.p_w), max(1, len(whole.base.p_w) // SAMPLED))
    # A largest sum stands at a far corner of the headroom, where other constraints are near than in the middle.
    _allocate(whole, allocate if is_sum(allocate) else max_min, some)
    active = np.any(_may_bind(whole, some), axis=0)
    active[whole.slack(some).min(axis=0).argmin()] = True
    return np.asarray(active)


def _settle(
    whole: FeasibleBox, state: FeasibleBox, active: Mask, *, allocate: Rule, todo: Index
) -> tuple[FeasibleBox, Mask]:
    """Iterate, look at all constraints again, and scale down what does not come inside; the box and its constraints."""
    everyone = np.arange(len(state.offset_w))
    for look in range(LOOKS):
        _iterate(state, allocate, todo)
        state, active = _with_missed_constraints(whole, state, active, all_of_them=look == LOOKS - 2)
        over = check_corners(state, everyone, COVERED_IN_AUDIT, aligned=True)
        todo = everyone[over > SETTLED * state.margin]
        if not len(todo):
            return state, active
        state, active = _without_slack_constraints(whole, state, active)
    scale_down(state, todo)
    return state, active


def _unknown(state: FeasibleBox) -> FeasibleBox:
    """A calculation that knows nothing yet but the power flow at rest."""
    state.solves, state.error[:], state.worst_error[:] = len(state.offset_w), FIRST_ERROR, FIRST_ERROR
    return state


def _narrow(whole: FeasibleBox, chosen: Mask) -> FeasibleBox:
    """A calculation over some of the constraints, on a feeder that monitors only what they are about."""
    feeder, rows = narrowed(whole.feeder, whole.rows.keep(chosen))
    limit, target, at_rest = (table[:, chosen] for table in (whole.limit, whole.target, whole.at_rest))
    needed = None if whole.needed is None else whole.needed.only(chosen)
    base = whole.base.seen_by(feeder)
    return _unknown(FeasibleBox(feeder, base, rows, whole.offset_w.copy(), limit, target, at_rest, needed))


def _with_missed_constraints(
    whole: FeasibleBox, state: FeasibleBox, active: Mask, *, all_of_them: bool = False
) -> tuple[FeasibleBox, Mask]:
    """The calculation with left-out constraints that may be near their limit, and which constraints it has."""
    missed = _missed(whole, state, active).any(axis=0)
    more = np.ones_like(active) if all_of_them else active | missed
    return _restart_with(whole, state, was=active, chosen=more), more


def _without_slack_constraints(whole: FeasibleBox, state: FeasibleBox, active: Mask) -> tuple[FeasibleBox, Mask]:
    """The calculation without constraints that are nowhere near their limit, and which constraints it has."""
    near = np.any(state.slack() < FIRST_ERROR, axis=0)
    chosen = active.copy()
    chosen[active] = near
    return _restart_with(whole, state, was=active, chosen=chosen), chosen


def _restart_with(whole: FeasibleBox, before: FeasibleBox, *, was: Mask, chosen: Mask) -> FeasibleBox:
    """The calculation over other constraints, with the box, the measurements and the counts of the one before.

    Once the box is about right, sensitivities are taken at its corners; what was measured stays known.
    """
    state = _narrow(whole, chosen)
    state.set_offsets(np.arange(len(before.offset_w)), before.offset_w)
    state.error, state.worst_error = before.error, before.worst_error
    state.solves, state.scaled_down, state.iterations = before.solves, before.scaled_down, before.iterations
    state.screenings = before.screenings + 1
    if before.iterations >= TURNED_AT:
        state.relinearise(linearise_at_corners(state.rows, state.base, state.lo_w, state.hi_w))
    here, there = was[chosen], chosen[was]
    state.dual_price[:, here] = before.dual_price[:, there]
    known = np.zeros(state.rise.shape, dtype=bool)
    known[:, here] = before.known_rise[:, there] > 0.0
    found = state.rise.copy()
    found[:, here] = before.predicted(before.rise)[:, there]
    if before.iterations >= TURNED_AT:
        _carry_corrections(state, found, known)
    else:
        state.correction[:, here], state.known_rise[:, here] = before.correction[:, there], before.known_rise[:, there]
    state.infeasible = _exhausted(state, slice(None))
    state.infeasible[:, here] |= before.infeasible[:, there]
    return state


def _exhausted(state: FeasibleBox, steps: Index | slice) -> Mask:
    """(T, R) constraints that the firm minimum alone fills, by the corrections measured so far."""
    left = state.target[steps] - state.at_rest[steps]
    granted = state.base.ends.granted_w[steps].astype(np.float32) @ state.coefficients.T
    return np.asarray((left <= state.correction[steps] * granted) | state.base_infeasible[steps])


def _iterate(state: FeasibleBox, allocate: Rule, todo: Index) -> None:
    """Allocates, measures and corrects until every step is inside at every corner that may matter."""
    for turn in range(MAX_ROUNDS):
        if not len(todo):
            return
        state.rounds = turn + 1
        _one_turn(state, allocate, todo)
        todo = update_corrections(state, todo)
    scale_down(state, todo)


def _one_turn(state: FeasibleBox, allocate: Rule, todo: Index) -> None:
    """Shares out once more; the second time the sensitivities are taken anew, since by then the box is about right."""
    state.iterations += 1
    _allocate(state, allocate, todo)
    if state.iterations == TURNED_AT:
        _relinearise(state)


def _relinearise(state: FeasibleBox) -> None:
    """Takes the sensitivities anew where the box has its corners; what was measured stays known."""
    found, known = state.predicted(state.rise), state.known_rise > 0.0
    state.relinearise(linearise_at_corners(state.rows, state.base, state.lo_w, state.hi_w))
    _carry_corrections(state, found, known)


def _carry_corrections(state: FeasibleBox, found: Single, known: Mask) -> None:
    """Puts (T, R) changes that are expected of this box, where they are known, into terms of new sensitivities."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(state.rise > 1e-3 * state.slack_unit, np.clip(found / state.rise, 0.2, 3.0), 1.0)
    weight = np.where(known, state.rise, 1e-9)
    state.correction = gain.astype(np.float32)
    state.usual_correction = np.asarray((gain * weight).sum(axis=0) / weight.sum(axis=0), dtype=np.float32)
    state.known_rise = np.where(known, state.rise, np.float32(0.0))


def _missed(whole: FeasibleBox, state: FeasibleBox, active: Mask) -> Mask:
    """(T, R) left-out constraints that may be near their limit after all, by the corrections of their family."""
    whole.set_offsets(np.arange(len(state.offset_w)), state.offset_w)
    rise = whole.rise[:, active]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = state.predicted(state.rise) / rise
    found = np.where(np.isfinite(found) & (rise > whole.slack_unit[active]), found, 1.0)
    families = whole.rows.similar(whole.feeder)
    for family in np.unique(families):
        of_family = families == family
        known = found[:, families[active] == family]
        if known.shape[1]:
            whole.correction[:, of_family] = np.clip(known.max(axis=1, keepdims=True), 0.5, 3.0)
    return np.asarray(_may_bind(whole) & ~active & (whole.at_rest <= whole.limit))


def _may_bind(whole: FeasibleBox, steps: Index | slice = slice(None)) -> Mask:
    """(T, R) constraints that a prediction does not keep well inside their limit."""
    left = whole.target[steps] - whole.at_rest[steps] - DOUBT * whole.correction[steps] * whole.rise[steps]
    return np.asarray(left < FIRST_ERROR * whole.slack_unit)


def _allocate(state: FeasibleBox, allocate: Rule, todo: Index) -> None:
    """Allocate the headroom that the constraints, as corrected so far, leave beyond the firm minimum."""
    ends, gain, known = state.base.ends, state.correction[todo], state.known_rise[todo]
    granted_w, room_w = ends.granted_w[todo], ends.room_w[todo]
    granted = granted_w.astype(np.float32) @ state.coefficients.T
    left = state.target[todo] - state.at_rest[todo]
    closed = _exhausted(state, todo)
    b = np.maximum(known + (left - gain * known) / state.marginal_correction(todo), LEAST * left / gain) - granted
    # Small coefficients must not block an allocation: their effect is subtracted from the right-hand side each time.
    grown = state.offset_w[todo] - granted_w
    most_w = (ends.granted_w + ends.room_w).max(axis=0, initial=0.0)
    main = np.where(takes_part(state.coefficients, most_w), state.coefficients, np.float32(0.0))
    traces = grown.astype(np.float32) @ (state.coefficients - main).T
    free = np.where(closed, -1.0, np.maximum(b - traces, 1e-6 * b))
    filled = _traces_of_filled(state, todo, (closed, state.coefficients - main))
    packing = Packing(
        np.concatenate([main, filled.a]),
        np.concatenate([free, filled.b], axis=1),
        np.minimum(room_w, grown + _step_limit(state) * room_w),
        ends.reference_w[todo],
        ends.weight if ends.weight is None or ends.weight.ndim == 1 else ends.weight[todo],
        price=np.concatenate([state.dual_price[todo], np.zeros(filled.b.shape)], axis=1),
        most=most_w,
    )
    state.infeasible[todo] = closed
    state.set_offsets(todo, granted_w + allocate(packing))
    assert packing.price is not None
    state.dual_price[todo] = packing.price[:, : state.rows.count]


class _Traces(NamedTuple):
    """Use of filled constraints by small coefficients, as further constraints of an allocation."""

    a: Single
    """(F, E)"""
    b: Real
    """(T, F) what they may use; infinite in steps in which the constraint is not filled"""


def _traces_of_filled(state: FeasibleBox, todo: Index, of: tuple[Mask, Single]) -> _Traces:
    """Limit what many small coefficients add to constraints that are filled; of: (T, R) which are, (R, E) those.

    Who uses more than a trace of one gets nothing; what all the others use counts together.
    """
    closed, small = of
    chosen = np.flatnonzero(closed.any(axis=0) & small.any(axis=1))
    least = np.where(state.rows.kind[chosen] == 2, FILLED_PERCENT, FILLED_V) * state.slack_unit[chosen]
    allowed = least / np.maximum(state.correction[np.ix_(todo, chosen)], 1.0)
    return _Traces(small[chosen], np.where(closed[:, chosen], allowed, np.inf))


def _step_limit(state: FeasibleBox) -> float:
    """Part of all headroom by which a share may grow at once: long steps are predicted badly, so they get shorter."""
    return max(0.5 ** (state.iterations - TRUSTED), SHORTEST_LEAP) if state.iterations > TRUSTED else 1.0
