"""A box under way: what stands before anything is allocated, the rows that can bind, and how they were measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envelope.rows import Rows
from envelope.watched import Watched

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]


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
    """of allocation, since rows were last added"""
    turns: int = 0
    """of allocation, in all"""
    looks: int = 0
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
    def margin(self) -> Array:
        """(T,) smallest declared margin, in units of slack."""
        return np.asarray(((self.limit - self.aim) / self.scale).min(axis=1))

    def corner(self, steps: Index, corners: Index) -> Array:
        """(S, L) W away from the base at one corner of each of these steps' boxes."""
        of = self.feeder.slot_connection
        p = self.base.p_w[steps]
        up, down = (self.hi_w[steps] - p)[:, of], (p - self.lo_w[steps])[:, of]
        return np.asarray(self.rows.corners.up[corners] * up - self.rows.corners.down[corners] * down)

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
