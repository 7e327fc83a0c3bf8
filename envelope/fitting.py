"""The largest box that keeps the limits in the AC power flow: allocate on rows, check at corners, correct, repeat.

Most rows never come near their limit: a first look picks those that may, and in the end all are looked at again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envelope.allocate import Packing, Rule, max_min, max_sum, takes_part
from envelope.box import Base, Fit
from envelope.limits import OperatingLimits
from envelope.probing import COVERED_IN_AUDIT, SETTLED, measure, probe, shrink
from envelope.rows import Rows, Wanted, linearised
from envelope.watched import Sensitivity, Values

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

MAX_ROUNDS = 20
LARGEST_GAIN = 2.0
"""rows that stay inside their limit at all capacities with twice their linear rise are left out"""
FIRST_ERROR = 1.5
"""prediction error assumed before the first one is measured, in units of slack (V, percent of rating)"""
DOUBT, LOOKS = 1.25, 6
"""rows that were never measured are left out only if so many times their predicted rise stays inside; how often others
may be added, all of them at the last"""


def fit(rows: Rows, base: Base, rest: Values, *, limits: tuple[Array, Array], allocate: Rule) -> Fit:
    """The box that `allocate` finds inside the limits, confirmed by AC power flow at the worst corners.

    rest: the power flow with nothing flexible running; limits: (T, R) hard limits and aims, one per row.
    Most rows never come near their limit. A first look picks those that may; in the end all are looked at again.
    """
    at_rest = rows.value(rest)
    top, bottom = base.hi_w + base.room_up_w - base.p_w, base.p_w - base.lo_w + base.room_down_w
    can_bind = np.any(at_rest + LARGEST_GAIN * (top @ rows.plus.T + bottom @ rows.minus.T) > limits[1], axis=0)
    whole = _fresh(base, rows.keep(can_bind), *(table[:, can_bind] for table in (*limits, at_rest)))
    everyone = np.arange(len(at_rest))
    if not whole.rows.count:
        whole.hi_w, whole.lo_w = base.hi_w + base.room_up_w, base.lo_w - base.room_down_w
        return whole
    # A largest sum stands at a far corner of the room, where other rows are near than in the middle.
    _allocate(whole, allocate if allocate is max_sum else max_min, everyone)
    active = np.any(_doubtful(whole), axis=0)
    active[whole.slack().min(axis=0).argmin()] = True
    state = _only(whole, active)
    for look in range(LOOKS):
        _settle(state, allocate, everyone)
        missed = _missed(whole, state, active)
        if look and not missed.any():
            break
        more = active | missed.any(axis=0) | (look == LOOKS - 2)
        state, active = _only(whole, more, state, active), more
    return state


def _fresh(base: Base, rows: Rows, limit: Array, aim: Array, at_rest: Array) -> Fit:  # noqa: PLR0917
    """A calculation that knows nothing yet."""
    steps = len(at_rest)
    return Fit(
        base.feeder, base, rows, limit, aim, at_rest, np.ones_like(at_rest), base.lo_w, base.hi_w,
        breached=np.zeros(at_rest.shape, dtype=bool), solves=steps, error=np.full(steps, FIRST_ERROR),
        worst_error=np.full(steps, FIRST_ERROR), measured=np.zeros(at_rest.shape, dtype=bool),
    )  # fmt: skip


def _only(whole: Fit, active: Mask, before: Fit | None = None, was: Mask | None = None) -> Fit:
    """The calculation over some of its rows, with the box and the counts of the one before."""
    tables = (whole.limit, whole.aim, whole.at_rest)
    state = _fresh(whole.base, whole.rows.keep(active), *(table[:, active] for table in tables))
    last = whole if before is None else before
    state.lo_w, state.hi_w = last.lo_w, last.hi_w
    if before is not None and was is not None:
        old = was[active]
        state.gain[:, old], state.measured[:, old] = before.gain, before.measured
        state.error, state.worst_error = before.error, before.worst_error
        state.solves, state.shrunk, state.turns = before.solves, before.shrunk, before.turns
        state.looks = before.looks + 1
    return state


def _settle(state: Fit, allocate: Rule, todo: Index) -> None:
    """Allocates, measures and corrects until every step is inside at every corner that may matter."""
    state.rows = at_corners(state.rows, state.base, state.lo_w, state.hi_w)
    if state.looks:
        # Rows were added, or slopes have moved with the box: most steps are inside as they are.
        over = probe(state, todo, COVERED_IN_AUDIT)
        todo = todo[over > SETTLED * state.margin[todo]]
    for turn in range(MAX_ROUNDS):
        if not len(todo):
            return
        state.rounds, state.turns = turn + 1, state.turns + 1
        _allocate(state, allocate, todo)
        todo = measure(state, todo)
    if len(todo):
        shrink(state, todo)


def _missed(whole: Fit, state: Fit, active: Mask) -> Mask:
    """(T, R) rows that were left out and may be near their limit after all, by the gains of their family."""
    whole.lo_w, whole.hi_w = state.lo_w, state.hi_w
    rise = whole.rise(whole.lo_w, whole.hi_w)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = state.gain * state.rise(state.lo_w, state.hi_w) / rise[:, active]
    found = np.where(np.isfinite(found) & (rise[:, active] > whole.scale[active]), found, 1.0)
    families = whole.rows.family(whole.feeder)
    for family in np.unique(families):
        of_family = families == family
        known = found[:, families[active] == family]
        if known.shape[1]:
            whole.gain[:, of_family] = np.clip(known.max(axis=1, keepdims=True), 0.5, 3.0)
    return np.asarray(_doubtful(whole) & ~active & (whole.at_rest <= whole.limit))


def _doubtful(whole: Fit) -> Mask:
    """(T, R) rows that a prediction does not keep well inside their limit."""
    rise = whole.rise(whole.lo_w, whole.hi_w)
    return np.asarray((whole.aim - whole.at_rest - DOUBT * whole.gain * rise) / whole.scale < FIRST_ERROR)


def at_corners(rows: Rows, base: Base, lo: Array, hi: Array) -> Rows:
    """Rows with their slopes at the corner of a box that strains their family most, at the horizon's mean.

    At a corner a current's size is known, and so is which way everyone else's voltage moves it.
    """
    feeder = base.feeder
    up, down = (hi - base.p_w).mean(axis=0), (base.p_w - lo).mean(axis=0)
    strain = (rows.plus @ up + rows.minus @ down) / rows.scale(feeder)
    p, q = feeder.spread(base.p_w.mean(axis=0)), feeder.spread(base.q_var.mean(axis=0))
    source, of = base.source_v.mean(axis=0), feeder.slot_connection
    groups = []
    families = rows.family(feeder)
    for family in np.unique(families):
        which = np.flatnonzero(families == family)
        k = rows.corner[which[strain[which].argmax()]]
        away = rows.corners.up[k] * up[of] - rows.corners.down[k] * down[of]
        state = p + away, q - base.tan_phi * np.maximum(away, 0.0), source
        below = feeder.sensitivity(*state)
        above = feeder.sensitivity(*state, tan_phi=base.tan_phi) if base.tan_phi else below
        groups.append((which, above, below))
    return linearised(rows, feeder, groups)


def wanted(base: Base, at: tuple[Sensitivity, Sensitivity], rest: Values, limits: OperatingLimits) -> Wanted:
    """The limits that could be reached if everyone went as far as they can, with twice the linear effect."""
    feeder, steps = base.feeder, len(base.p_w)
    part = np.where(feeder.one_of, 1.0, feeder.slot_share)
    top = (base.hi_w + base.room_up_w - base.p_w)[:, feeder.slot_connection] * part
    bottom = (base.p_w - base.lo_w + base.room_down_w)[:, feeder.slot_connection] * part
    (up, down), gain = at, LARGEST_GAIN
    rises = top @ np.maximum(up.dv, 0.0).T + bottom @ np.maximum(-down.dv, 0.0).T
    falls = top @ np.maximum(-up.dv, 0.0).T + bottom @ np.maximum(down.dv, 0.0).T
    flows = np.maximum(top, bottom) @ np.maximum(np.abs(up.di), np.abs(down.di)).T
    permitted = limits.permitted_a(steps, feeder, margin=1.0)
    return Wanted(
        np.any(rest.v_v + gain * rises > limits.v_max_v - limits.margin_v, axis=0),
        np.any(rest.v_v - gain * falls < limits.v_min_v + limits.margin_v, axis=0),
        np.any(np.abs(rest.i_a) + gain * flows > permitted, axis=0),
    )


def _allocate(state: Fit, allocate: Rule, todo: Index) -> None:
    """Shares out what the rows, as measured so far, leave beyond the box that is granted in any case."""
    base = state.base
    granted = state.rise(base.lo_w[todo], base.hi_w[todo], todo)
    b = (state.aim[todo] - state.at_rest[todo]) / state.gain[todo] - granted
    state.breached[todo] = (b <= 0.0) | state.base_breached[todo]
    used = np.concatenate([state.rows.plus, state.rows.minus], axis=1)
    main = used * takes_part(used)
    # Nobody is held back for good by a row of which they use a trace: what traces use is set aside from round to round.
    grown = np.concatenate([state.hi_w[todo] - base.hi_w[todo], base.lo_w[todo] - state.lo_w[todo]], axis=1)
    packing = Packing(
        main,
        np.where(state.breached[todo], -1.0, np.maximum(b - grown @ (used - main).T, 1e-6 * b)),
        np.concatenate([base.room_up_w[todo], base.room_down_w[todo]], axis=1),
        np.concatenate([base.reference_up_w[todo], base.reference_down_w[todo]], axis=1),
    )
    up, down = np.split(allocate(packing), 2, axis=1)
    state.hi_w, state.lo_w = state.hi_w.copy(), state.lo_w.copy()
    state.hi_w[todo] = base.hi_w[todo] + up
    state.lo_w[todo] = base.lo_w[todo] - down
