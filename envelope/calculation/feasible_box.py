"""A box under way: the base case, the constraints that can bind, and how they were measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from envelope.calculation.kernels import stand
from envelope.constraints.base_case import BaseCase
from envelope.constraints.joint_paths import WorstStates
from envelope.constraints.linear import Corners, LinearConstraints
from envelope.constraints.monitored_feeder import MonitoredFeeder
from envelope.problem import Direction
from gridmodel.arrays import Index, Mask, Real, Single


class BoxSide(NamedTuple):
    """Export or import of a box; positive in the direction."""

    end_w: Real
    """(T, C) net power at the end of the box"""
    room_w: Real
    """(T, C) W from the base load to that end"""
    rise: Single
    """(R, C) rise of each constraint per W that the end moves away, never negative"""
    reference_w: Real
    """(T, C) watts of one share"""
    most_w: Real
    """(C,) most that each end may be away from the base load in any step"""


@dataclass(eq=False)
class FeasibleBox:
    """A box under way, and in the end the box: feasible at every corner that was checked."""

    feeder: MonitoredFeeder
    base: BaseCase
    rows: LinearConstraints
    """the constraints that can bind; `relinearise` sets new ones"""
    offset_w: Real
    """(T, E) W by which each end of the box is away from the base load; `set_offsets` sets it"""
    limit: Single
    target: Single
    """(T, R) limits, and limits less the margins"""
    at_rest: Single
    """(T, R) values with nothing flexible running"""
    needed: WorstStates | None = None
    """what each constraint keeps free of its limit for its worst state of the joint paths; None: there are none"""
    correction: Single = field(init=False)
    """(T, R) measured over predicted rise, where it was last measured"""
    known_rise: Single = field(init=False)
    """(T, R) predicted rise at which it was; 0 where it was not"""
    usual_correction: Single = field(init=False)
    """(R,) correction where the sensitivities were taken"""
    dual_price: Real = field(init=False)
    """(T, R) what headroom in a constraint was worth to an allocation that has prices; 0 where not known"""
    infeasible: Mask = field(init=False)
    """(T, R) constraints that the firm minimum already breaks"""
    error: Real = field(init=False)
    """(T,) latest largest error of a prediction near a limit, in units of slack"""
    worst_error: Real = field(init=False)
    """(T,) largest error of any prediction so far"""
    rise: Single = field(init=False)
    """(T, R) linear rise of every constraint at its own worst corner of the box"""
    coefficients: Single = field(init=False)
    """(R, E) rise of every constraint per W that an end moves away"""
    rounds: int = field(default=0, init=False)
    """of allocation, since constraints were last added"""
    iterations: int = field(default=0, init=False)
    """of allocation, in all"""
    screenings: int = field(default=0, init=False)
    solves: int = field(default=0, init=False)
    scaled_down: int = field(default=0, init=False)
    """steps that had to be scaled down because the rounds did not settle"""
    unsettled: int = field(default=0, init=False)
    """steps in which a constraint exceeds at its own corner all the same"""

    def __post_init__(self) -> None:
        steps, shape = len(self.at_rest), self.at_rest.shape
        self.correction, self.known_rise = np.ones(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        self.usual_correction, self.dual_price = np.ones(shape[1], dtype=np.float32), np.zeros(shape)
        self.infeasible = np.zeros(shape, dtype=bool)
        self.error, self.worst_error = np.zeros(steps), np.zeros(steps)
        self.relinearise(self.rows)

    def relinearise(self, rows: LinearConstraints) -> None:
        """Goes on with these constraints, the same ones with other sensitivities."""
        self.rows, self.coefficients = rows, rows.coefficients(self.base.ends.place)
        self.rise = self.offset_w.astype(np.float32) @ self.coefficients.T

    def set_offsets(self, steps: Index, away_w: Real) -> None:
        """Takes another box in some steps."""
        self.offset_w[steps] = away_w
        self.rise[steps] = away_w.astype(np.float32) @ self.coefficients.T

    @cached_property
    def slack_unit(self) -> Single:
        """(R,) one unit of slack: see `LinearConstraints.slack_unit`."""
        return self.rows.slack_unit(self.feeder)

    @cached_property
    def margin(self) -> Real:
        """(T,) smallest declared margin, in units of slack."""
        return np.asarray(((self.limit - self.target) / self.slack_unit).min(axis=1), dtype=float)

    @property
    def base_infeasible(self) -> Mask:
        """(T, R) constraints that are broken with nothing flexible running."""
        return np.asarray(self.at_rest > self.limit)

    @property
    def hi_w(self) -> Real:
        """(T, C) upper ends of the box, net injection."""
        return np.asarray(self.base.p_w + self._whole(slice(None))[:, : self.base.p_w.shape[1]])

    @property
    def lo_w(self) -> Real:
        """(T, C) lower ends of the box."""
        return np.asarray(self.base.p_w - self._whole(slice(None))[:, self.base.p_w.shape[1] :])

    def side(self, direction: str) -> BoxSide:
        """The box in one direction."""
        base, rows = self.base, self.rows
        if direction == Direction.EXPORT:
            hi_w = self.hi_w
            most_w = (base.hi_w - base.p_w + base.room_up_w).max(axis=0)
            return BoxSide(hi_w, hi_w - base.p_w, rows.rise_up, base.reference_up_w, most_w)
        lo_w = self.lo_w
        most_w = (base.p_w - base.lo_w + base.room_down_w).max(axis=0)
        return BoxSide(-lo_w, base.p_w - lo_w, rows.rise_down, base.reference_down_w, most_w)

    def _whole(self, steps: Index | slice) -> Real:
        """(T', 2C) W away from the base load of all ends, the fixed ones too."""
        base = self.base
        found = base.away(base.lo_w, base.hi_w)[steps]
        found[:, base.ends.place] = self.offset_w[steps]
        return found

    def corner(self, steps: Index, corners: Index) -> Single:
        """(S, L) W away from the base at one corner of each of these steps' boxes."""
        return self._stand(steps, corners, self.rows.corners)

    def at(self, steps: Index, up: Real, down: Real) -> Single:
        """(S, L) W away from the base where ports stand at (L,) parts of their headroom up and down."""
        parts = Corners(up[None].astype(np.float32), down[None].astype(np.float32))
        return self._stand(steps, np.zeros(len(steps), dtype=np.intp), parts)

    def _stand(self, steps: Index, which: Index, corners: Corners) -> Single:
        of = self.feeder.port_connection
        away = np.zeros((len(steps), 2 * self.base.p_w.shape[1]), dtype=np.float32)
        away[:, self.base.ends.place] = self.offset_w[steps]
        out = np.empty((len(steps), len(of)), dtype=np.float32)
        stand(away, of, which, *corners, out)
        return out

    def marginal_correction(self, steps: Index | slice = slice(None)) -> Single:
        """(T, R) how much more than its sensitivities say a constraint moves near where it was measured.

        Where a rise x becomes y = x / (1 - k x), as with loads of constant power, y / x squared is how steep it is.
        """
        gain = self.correction[steps]
        return np.asarray(np.where(self.known_rise[steps] > 0.0, (gain / self.usual_correction) ** 2, gain))

    def predicted(self, rise: Single, steps: Index | slice = slice(None)) -> Single:
        """(T, R) change of each constraint at a linear rise: from where it was measured, onwards."""
        known = self.known_rise[steps]
        return np.asarray(self.correction[steps] * known + self.marginal_correction(steps) * (rise - known))

    def slack(self, steps: Index | slice = slice(None)) -> Single:
        """(T, R) headroom to the target at every constraint's worst corner, in units of slack, by what was measured."""
        left = self.target[steps] - self.at_rest[steps]
        return np.asarray((left - self.predicted(self.rise[steps], steps)) / self.slack_unit)


class DirectedBox(NamedTuple):
    """One box that was fitted, and which of its two ends it decides."""

    fit: FeasibleBox
    directions: tuple[Direction, ...]
