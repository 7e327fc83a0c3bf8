"""The largest box that keeps the limits in the AC power flow: allocate on rows, check at corners, correct, repeat.

The rows are linear; the feeder is not. Each row and step therefore has a *gain*: how much more than its linear
prediction the AC power flow moves along the row's own worst corner. Gains are measured, never assumed, and the window
within which rows are checked follows the largest prediction error that was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from envelope.allocate import Packing
from envelope.rows import Rows
from envelope.watched import Watched

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
Allocate = Callable[[Packing], Array]

MAX_ROUNDS = 12
LARGEST_GAIN = 2.0
"""rows that stay inside their limit at all capacities with twice their linear rise are left out"""
COVERED, COVERED_IN_AUDIT = 0.85, 0.9995
"""a corner speaks for a row when it reaches this part of the row's own worst linear rise"""
FIRST_ERROR = 1.5
"""prediction error assumed before the first one is measured, in units of slack (V, percent of rating)"""
SETTLED = 0.7
"""a step has settled when no prediction was wrong by more than this part of the margin"""


@dataclass(frozen=True, eq=False)
class Base:
    """What stands before anything is allocated, per step."""

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
    """(T,) latest largest error of a prediction, in units of slack"""
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


def fit(feeder: Watched, rows: Rows, base: Base, *, limits: tuple[Array, Array], allocate: Allocate) -> Fit:
    """The box that `allocate` finds inside the limits, confirmed by AC power flow at the worst corners.

    limits: (T, R) hard limits and aims, one per row.
    """
    p, q = feeder.spread(base.p_w), feeder.spread(base.q_var)
    at_rest = rows.value(feeder.values(p, q, base.source_v))
    ceiling = (base.hi_w + base.room_up_w - base.p_w) @ rows.plus.T + (
        base.p_w - base.lo_w + base.room_down_w
    ) @ rows.minus.T
    relevant = np.any(at_rest + LARGEST_GAIN * ceiling > limits[1], axis=0)
    state = Fit(
        feeder, base, rows.keep(relevant), limits[0][:, relevant], limits[1][:, relevant], at_rest[:, relevant],
        np.ones((len(p), int(relevant.sum()))), base.lo_w, base.hi_w,
        np.zeros((len(p), int(relevant.sum())), dtype=bool), solves=len(p), error=np.full(len(p), FIRST_ERROR),
    )  # fmt: skip
    todo = np.arange(len(p))
    while len(todo) and state.rounds < MAX_ROUNDS and state.rows.count:
        state.rounds += 1
        _allocate(state, allocate, todo)
        todo = _measure(state, todo)
    if len(todo) and state.rows.count:
        _shrink(state, todo)
    return state


def _allocate(state: Fit, allocate: Allocate, todo: Index) -> None:
    """Shares out what the rows, as measured so far, leave beyond the box that is granted in any case."""
    base = state.base
    granted = state.rise(base.lo_w[todo], base.hi_w[todo], todo)
    b = (state.aim[todo] - state.at_rest[todo]) / state.gain[todo] - granted
    state.breached[todo] = (b <= 0.0) | state.base_breached[todo]
    packing = Packing(
        np.concatenate([state.rows.plus, state.rows.minus], axis=1),
        np.where(state.breached[todo], -1.0, b),
        np.concatenate([base.room_up_w[todo], base.room_down_w[todo]], axis=1),
        np.concatenate([base.reference_up_w[todo], base.reference_down_w[todo]], axis=1),
    )
    up, down = np.split(allocate(packing), 2, axis=1)
    state.hi_w, state.lo_w = state.hi_w.copy(), state.lo_w.copy()
    state.hi_w[todo] = base.hi_w[todo] + up
    state.lo_w[todo] = base.lo_w[todo] - down


def _measure(state: Fit, todo: Index) -> Index:
    """Corrects the gains at the corners that matter; gives the steps that have not settled."""
    tolerance = SETTLED * _margin(state)[todo]
    error = _probe(state, todo, COVERED)
    settled = error <= tolerance
    if settled.any():
        # Once more, and closer: every row within reach of the largest error measured so far, at its own worst corner.
        error[settled] = _probe(state, todo[settled], COVERED_IN_AUDIT)
        settled &= error <= tolerance
    return todo[~settled]


def _margin(state: Fit) -> Array:
    """(T,) smallest declared margin, in units of slack."""
    return np.asarray(((state.limit - state.aim) / state.scale).min(axis=1))


def _probe(state: Fit, steps: Index, covered: float) -> Array:
    """(T',) largest wrong prediction at the corners of all rows near their limit; the gains are corrected by it."""
    probes = _corners(state, steps, covered)
    found = np.zeros(len(steps))
    if not probes:
        return found
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
    """Takes for each row the corner that strains it most, and sets its gain from what was measured there."""
    at, values, rise = measured
    position = np.searchsorted(steps, at)
    worst = state.rise(state.lo_w[steps], state.hi_w[steps], steps)
    best = np.zeros_like(worst)
    gain = state.gain[steps].copy()
    error = np.zeros_like(worst)
    start = 0
    for size in sizes:
        part = slice(start, start + size)
        start += size
        k, t = position[part], at[part]
        rest, scale = state.at_rest[t], state.scale
        speaks = (rise[part] >= COVERED * worst[k]) & (rise[part] > best[k]) & (rise[part] > 1e-3 * scale)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = np.clip((values[part] - rest) / rise[part], 0.2, 2.0 * state.gain[t])
        wrong = np.abs(values[part] - rest - state.gain[t] * rise[part]) / scale
        # What is far from its limit may be predicted badly; what is predicted badly and near must be looked at again.
        near = (state.aim[t] - values[part]) / scale < 2.0 * _margin(state)[t][:, None] + wrong
        best[k] = np.where(speaks, rise[part], best[k])
        gain[k] = np.where(speaks, new, gain[k])
        error[k] = np.where(speaks & near & ~state.breached[t], wrong, np.where(speaks, 0.0, error[k]))
    state.gain[steps] = gain
    found = error.max(axis=1, initial=0.0)
    state.error[steps] = found
    return np.asarray(found)


def _corners(state: Fit, steps: Index, covered: float) -> list[tuple[Index, Array]]:
    """Corners to solve: the tightest row's own, then the tightest of those it does not speak for, and so on.

    Each entry has at most one corner per step: (steps, (S, L) W away from the base).
    """
    slack = state.slack(steps)
    window = 2.0 * state.error[steps] + 2.0 * _margin(state)[steps]
    open_rows = (slack < window[:, None]) & ~state.breached[steps]
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
        part = 0.97
        state.hi_w[todo] = base.hi_w[todo] + part * (state.hi_w[todo] - base.hi_w[todo])
        state.lo_w[todo] = base.lo_w[todo] - part * (base.lo_w[todo] - state.lo_w[todo])
        _probe(state, todo, COVERED_IN_AUDIT)
        beyond = (state.slack(todo) < -SETTLED * _margin(state)[todo][:, None]) & ~state.breached[todo]
        todo = todo[beyond.any(axis=1)]
        if not len(todo):
            return
