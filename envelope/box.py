"""The largest box that keeps the limits in the AC power flow: allocate on rows, check at corners, correct, repeat.

The rows are linear; the feeder is not. Each row and step therefore has a *gain*: how much more than its linear
prediction the AC power flow moves along the row's own worst corner. Gains are measured, never assumed, and the window
within which rows are checked follows the largest prediction error that was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envelope.allocate import Packing, takes_part
from envelope.limits import OperatingLimits
from envelope.rows import Rows, Wanted, linearised
from envelope.watched import Sensitivity, Values, Watched

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
Allocate = Callable[[Packing], Array]

MAX_ROUNDS = 20
LARGEST_GAIN = 2.0
"""rows that stay inside their limit at all capacities with twice their linear rise are left out"""
COVERED, COVERED_IN_AUDIT = 0.85, 0.9995
"""a corner speaks for a row when it reaches this part of the row's own worst linear rise"""
FIRST_ERROR = 1.5
"""prediction error assumed before the first one is measured, in units of slack (V, percent of rating)"""
RELINEARISED = (1,)
"""rounds in which slopes are taken anew, at the corners of the box found so far"""
SETTLED = 0.3
"""a step may settle when no corner exceeds its aim by more than this part of the margin"""
EXACT, EXACT_ROUNDS = 10.0, 5
"""and, in the first rounds, when predictions are within so many times that; later rounds only tighten"""


@dataclass(frozen=True, eq=False)
class Base:
    """What stands before anything is allocated, per step."""

    feeder: Watched
    p_w: Array
    """(T, C) net injection with nothing flexible running"""
    q_var: Array
    lo_w: Array
    hi_w: Array
    """(T, C) box that is granted in any case"""
    room_down_w: Array
    room_up_w: Array
    """(T, C) most that the box may grow beyond it"""
    reference_down_w: Array
    reference_up_w: Array
    """(T, C) what one share means"""
    source_v: Complex
    """(T, 3)"""
    tan_phi: float = 0.0
    """var absorbed per W of upward room used"""


@dataclass(eq=False)
class Fit:
    """A box under way, and in the end the box: feasible at every corner that was checked."""

    feeder: Watched
    base: Base
    rows: Rows
    """the rows that can bind"""
    limit: Array
    aim: Array
    """(T, R) limits, and limits less the margins"""
    at_rest: Array
    """(T, R) values with nothing flexible running"""
    gain: Array
    """(T, R) measured over predicted rise"""
    lo_w: Array
    hi_w: Array
    """(T, C) the box"""
    breached: Mask
    """(T, R) rows that what is granted in any case already breaks"""
    rounds: int = 0
    solves: int = 0
    error: Array = field(default_factory=lambda: np.zeros(0))
    """(T,) latest largest error of a prediction near a limit, in units of slack"""
    worst_error: Array = field(default_factory=lambda: np.zeros(0))
    """(T,) largest error of any prediction so far"""
    measured: Mask = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))
    """(T, R) rows whose gain was measured"""
    shrunk: int = 0
    """steps that had to be scaled down because the rounds did not settle"""

    @property
    def scale(self) -> Array:
        """(R,) one unit of slack: 1 V, or one percent of the rating."""
        return self.rows.scale(self.feeder)

    @property
    def base_breached(self) -> Mask:
        """(T, R) rows that are broken with nothing flexible running."""
        return np.asarray(self.at_rest > self.limit)

    def rise(self, lo: Array, hi: Array, steps: Index | slice = slice(None)) -> Array:
        """(T, R) linear rise of every row at its own worst corner of a box."""
        p = self.base.p_w[steps]
        return np.asarray((hi - p) @ self.rows.plus.T + (p - lo) @ self.rows.minus.T)

    def slack(self, steps: Index | slice = slice(None)) -> Array:
        """(T, R) room to the aim at every row's worst corner, in units of slack, by measured gain."""
        rise = self.rise(self.lo_w[steps], self.hi_w[steps], steps)
        return np.asarray((self.aim[steps] - self.at_rest[steps] - self.gain[steps] * rise) / self.scale)


class Case(NamedTuple):
    """One box that was fitted, and which of its two ends it decides."""

    fit: Fit
    up: bool
    down: bool


def fit(rows: Rows, base: Base, rest: Values, *, limits: tuple[Array, Array], allocate: Allocate) -> Fit:
    """The box that `allocate` finds inside the limits, confirmed by AC power flow at the worst corners.

    rest: the power flow with nothing flexible running; limits: (T, R) hard limits and aims, one per row.
    """
    at_rest = rows.value(rest)
    top, bottom = base.hi_w + base.room_up_w - base.p_w, base.p_w - base.lo_w + base.room_down_w
    can_bind = np.any(at_rest + LARGEST_GAIN * (top @ rows.plus.T + bottom @ rows.minus.T) > limits[1], axis=0)
    steps, count = len(at_rest), int(can_bind.sum())
    state = Fit(
        base.feeder, base, rows.keep(can_bind), limits[0][:, can_bind], limits[1][:, can_bind], at_rest[:, can_bind],
        np.ones((steps, count)), base.lo_w, base.hi_w, breached=np.zeros((steps, count), dtype=bool),
        solves=steps, error=np.full(steps, FIRST_ERROR), worst_error=np.full(steps, FIRST_ERROR),
        measured=np.zeros((steps, count), dtype=bool),
    )  # fmt: skip
    if not count:
        state.hi_w, state.lo_w = base.hi_w + base.room_up_w, base.lo_w - base.room_down_w
        return state
    todo = np.arange(steps)
    while len(todo) and state.rounds < MAX_ROUNDS:
        state.rounds += 1
        _allocate(state, allocate, todo)
        if state.rounds in RELINEARISED:
            state.rows = at_corners(state.rows, base, state.lo_w, state.hi_w)
            state.gain[todo], state.measured[todo] = 1.0, False
            _allocate(state, allocate, todo)
        todo = _measure(state, todo)
    if len(todo):
        _shrink(state, todo)
    return state


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
    permitted = limits.permitted_a(steps, feeder.reduced.rating_a, margin=1.0)
    return Wanted(
        np.any(rest.v_v + gain * rises > limits.v_max_v - limits.margin_v, axis=0),
        np.any(rest.v_v - gain * falls < limits.v_min_v + limits.margin_v, axis=0),
        np.any(np.abs(rest.i_a) + gain * flows > permitted, axis=0),
    )


def _allocate(state: Fit, allocate: Allocate, todo: Index) -> None:
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


def _measure(state: Fit, todo: Index) -> Index:
    """Corrects the gains at the corners that matter; gives the steps that have not settled."""
    settled = _fine(state, todo, _probe(state, todo, COVERED))
    if settled.any():
        # Once more, and closer: every row within reach of the largest error measured so far, at its own worst corner.
        settled[settled] = _fine(state, todo[settled], _probe(state, todo[settled], COVERED_IN_AUDIT))
    return todo[~settled]


def _fine(state: Fit, steps: Index, over: Array) -> Mask:
    """Which steps are inside at every corner, and while there is time also not needlessly tight."""
    tolerance = SETTLED * _margin(state)[steps]
    exact = state.error[steps] <= EXACT * tolerance
    return np.asarray((over <= tolerance) & (exact | (state.rounds > EXACT_ROUNDS)))


def _margin(state: Fit) -> Array:
    """(T,) smallest declared margin, in units of slack."""
    return np.asarray(((state.limit - state.aim) / state.scale).min(axis=1))


def _probe(state: Fit, steps: Index, covered: float) -> Array:
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
    values = state.rows.value(state.feeder.values(p, q, source[at] if source.ndim == 2 else source))
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
    margin = _margin(state)[steps][:, None]
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
    slack = state.slack(steps)
    margin = _margin(state)[steps][:, None]
    known = 2.0 * state.error[steps][:, None] + 2.0 * margin
    unknown = state.worst_error[steps][:, None]
    if covered >= COVERED_IN_AUDIT:
        known = np.maximum(known, 0.5 * unknown)
    open_rows = (slack < np.where(state.measured[steps], known, unknown)) & ~state.breached[steps]
    worst = state.rise(state.lo_w[steps], state.hi_w[steps], steps)
    open_rows &= worst > 1e-3 * state.scale
    probes: list[tuple[Index, Array]] = []
    while (left := np.flatnonzero(open_rows.any(axis=1))).size:
        row = np.where(open_rows[left], slack[left], np.inf).argmin(axis=1)
        away = corner(state, steps[left], state.rows.corner[row])
        probes.append((steps[left], away))
        spoken = state.rows.move(away) >= covered * worst[left]
        spoken[np.arange(len(left)), row] = True
        open_rows[left] &= ~spoken
    return probes


def corner(state: Fit, steps: Index, corners: Index) -> Array:
    """(S, L) W away from the base at one corner of each of these steps' boxes."""
    of = state.feeder.slot_connection
    p = state.base.p_w[steps]
    up, down = (state.hi_w[steps] - p)[:, of], (p - state.lo_w[steps])[:, of]
    return np.asarray(state.rows.corners.up[corners] * up - state.rows.corners.down[corners] * down)


def _shrink(state: Fit, todo: Index) -> None:
    """Scales the rooms of steps that did not settle until no corner of theirs is beyond its limit."""
    state.shrunk = len(todo)
    base = state.base
    for _ in range(120):
        state.hi_w[todo] = base.hi_w[todo] + 0.97 * (state.hi_w[todo] - base.hi_w[todo])
        state.lo_w[todo] = base.lo_w[todo] - 0.97 * (base.lo_w[todo] - state.lo_w[todo])
        over = _probe(state, todo, COVERED_IN_AUDIT)
        todo = todo[over > SETTLED * _margin(state)[todo]]
        if not len(todo):
            return
