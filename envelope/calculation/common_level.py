"""Coincident limits: one common level at which all export together, or all import together; nothing in between."""

from __future__ import annotations

import numpy as np

from envelope.calculation.feasible_box import DirectedBox, FeasibleBox
from envelope.constraints import linear as rows
from envelope.constraints.extremes import raise_to
from envelope.constraints.formulation import Formulation
from envelope.constraints.limits import Bounds, LimitTables
from envelope.constraints.monitored_feeder import COARSE_V, FlowResult, MonitoredFeeder, Sensitivity
from envelope.problem import Allocation, Direction
from envelope.problem.guarantees import GuaranteedBox
from gridmodel.arrays import Index, Real

NEAR_V, NEAR_LOAD = 2.0, 0.8
"""what comes no nearer to its limit, neither at rest nor with all at full capacity, is not looked at on the way"""
TURNS, CLOSE = 16, 0.005
"""of the search for a level, which ends when its worst limit is this near its target (V, percent), or a watt decides"""
PATH_TURNS, NOTHING_W = 4, 1.0
"""times that the joint paths are measured anew, and how much lower a level must get to be measured again"""
BACK = 0.99
"""of the level where a constraint that was not looked at turns out to be the worst"""


def find_common_level(formulation: Formulation, limits: LimitTables) -> list[DirectedBox]:
    """The two levels by a search in the AC power flow, all steps at once; limits: less all reserves."""
    base = formulation.base
    asked = formulation.boxes(base.lo_w, base.hi_w)
    return [DirectedBox(_on_all_paths(formulation, limits, box), box.directions) for box in asked]


def _on_all_paths(formulation: Formulation, limits: LimitTables, box: GuaranteedBox) -> FeasibleBox:
    """The box of one direction whose level keeps the limits in all states of the joint paths.

    What each value is beyond the base case's in its worst state, measured at the level found last, is kept free of it.
    """
    rest, at, joint = formulation.base_flow, formulation.sensitivities, formulation.paths
    found = _Search(formulation, limits, box).found(rest, at)
    reserves = Bounds(*(np.zeros_like(table) for table in limits.bounds(margin=0.0)))
    for _ in range(PATH_TURNS if joint.several else 0):
        reserves = _reserves(formulation, box, found, reserves)
        tightened = limits.less_reserves(reserves.high_v, reserves.low_v, reserves.current_a + _reserved_a(limits))
        before = found.offset_w
        found = _Search(formulation, tightened, box).found(rest, at)
        if np.all(found.offset_w >= before - NOTHING_W):
            break
    return found


def _reserved_a(limits: LimitTables) -> Real:
    """(T, B + G) A that are kept free of currents already."""
    return np.zeros_like(limits.current_a) if limits.reserved_a is None else limits.reserved_a


def _reserves(formulation: Formulation, box: GuaranteedBox, found: FeasibleBox, before: Bounds) -> Bounds:
    """Rise of each value at a level in the worst state of the joint paths, or what was found before if more."""
    joint, feeder = formulation.paths, formulation.feeder
    states, steps = joint.pairs
    down, up = joint.of_box(box).ends(states, steps, found.lo_w[steps], found.hi_w[steps])
    away_w = up if Direction.EXPORT in box.directions else -down
    flow = joint.solved(states, steps, away_w[:, feeder.port_connection] * feeder.port_share)
    first = flow.v_v[: formulation.steps], np.abs(flow.i_a[: formulation.steps])
    low_v, high_v, load_a = (table.copy() for table in before)
    raise_to(high_v, steps, flow.v_v - first[0][steps])
    raise_to(low_v, steps, first[0][steps] - flow.v_v)
    raise_to(load_a, steps, np.abs(flow.i_a) - first[1][steps])
    return Bounds(low_v, high_v, load_a)


class _Search:
    """One direction's level per step."""

    def __init__(self, formulation: Formulation, limits: LimitTables, box: GuaranteedBox) -> None:
        base, up = formulation.base, Direction.EXPORT in box.directions
        self.base, self.case, self.limits, self.up = base, base.within(box), limits, up
        self.room, self.start = (base.room_up_w, base.hi_w) if up else (base.room_down_w, base.lo_w)
        self.sign = 1.0 if up else -1.0
        reference = base.reference_up_w if up else base.reference_down_w
        self.unit = np.ones_like(self.room) if formulation.allocation is Allocation.EQUAL else reference
        self.most = (self.room / self.unit).max(axis=1, initial=0.0)
        self.hard, self.targets = limits.bounds(margin=0.0), limits.bounds(margin=1.0)
        self.several, self.turns, self.solves = formulation.paths.several, 0, 0

    def found(self, rest: FlowResult, at: tuple[Sensitivity, Sensitivity]) -> FeasibleBox:
        """The box at the highest level that keeps all targets; rest, at: the base load's power flow and derivatives."""
        feeder = self.base.feeder
        full = self._values(feeder, self.most)
        guess = self._guess(rest, at[0 if self.up else 1])
        values, level = self._inside(self._level(self._near(rest, full), (rest, full), guess))
        built = rows.linearise(feeder, *at, wanted=self._near(rest, values))
        hard, aim = (built.right_hand_sides(bounds) for bounds in (self.hard, self.targets))
        return self._fit(built, self._ends(level), (hard, aim, built.evaluate(rest), built.evaluate(values)))

    def _near(self, rest: FlowResult, full: FlowResult) -> rows.Selection:
        """Select limits that come near at either end of the range."""
        limits, load = self.hard, np.maximum(np.abs(full.i_a), np.abs(rest.i_a))
        near_v = NEAR_V * self.base.feeder.voltage_unit_v
        return rows.Selection(
            np.any(np.maximum(full.v_v, rest.v_v) > limits.high_v - near_v, axis=0),
            np.any(np.minimum(full.v_v, rest.v_v) < limits.low_v + near_v, axis=0),
            np.any(load > NEAR_LOAD * self.targets.current_a, axis=0),
        )

    def _level(self, near: rows.Selection, ends: tuple[FlowResult, FlowResult], guess: Real) -> Real:
        """(T,) highest level inside all targets: the regula falsi with the Illinois rule, and halving where that fails.

        near: limits that can come near on the way; no others are looked at.
        """
        voltages, currents = np.flatnonzero(near.over | near.under), np.flatnonzero(near.load)
        feeder = self.base.feeder.subset(voltages, currents)
        targets = self.limits.subset(voltages, currents, groups=len(feeder.groups)).bounds(margin=1.0)
        units = self.base.feeder.voltage_unit_v
        below, above = (self._excess(values, self.targets, units) for values in ends)
        good, bad = np.where(above <= 0.0, self.most, 0.0), self.most.copy()
        unit_w = self.unit.max(axis=1, initial=0.0)
        moved = np.zeros(len(good))
        for turn in range(TURNS):
            todo = np.flatnonzero((below <= -CLOSE) & ((bad - good) * unit_w > 0.5))
            if not len(todo):
                break
            with np.errstate(divide="ignore", invalid="ignore"):
                part = (0.5 * CLOSE + below[todo]) / (below[todo] - above[todo])
            usable = np.isfinite(above[todo]) & np.isfinite(part) & (turn < TURNS // 2)
            part = np.where(usable, np.clip(part, 0.02, 0.98), 0.5)
            middle = good[todo] + part * (bad[todo] - good[todo])
            if turn == 0:
                middle = np.clip(guess[todo], 0.02 * bad[todo], 0.98 * bad[todo])
            values, aims = self._values(feeder, middle, steps=todo), Bounds(*(table[todo] for table in targets))
            found = self._excess(values, aims, feeder.voltage_unit_v)
            inside, outside = todo[found <= 0.0], todo[found > 0.0]
            # An end that stays twice counts for half, or the other would hardly move.
            above[inside] *= np.where(moved[inside] > 0, 0.5, 1.0)
            below[outside] *= np.where(moved[outside] < 0, 0.5, 1.0)
            good[inside], below[inside], moved[inside] = middle[found <= 0.0], found[found <= 0.0], 1
            bad[outside], above[outside], moved[outside] = middle[found > 0.0], found[found > 0.0], -1
        return good

    def _guess(self, rest: FlowResult, at: Sensitivity) -> Real:
        """(T,) level at which the first target would be met if everything went on as it begins."""
        feeder = self.base.feeder
        each = self.sign * np.where(self.room > 0.0, self.unit, 0.0)[:, feeder.port_connection] * feeder.port_share
        dv, di = each @ at.dv.T, each @ at.di.T
        aim = np.where(dv > 0.0, self.targets.high_v, self.targets.low_v)
        # |i + level di| meets what is permitted at the positive root of a quadratic.
        square, half = np.abs(di) ** 2, (np.conj(rest.i_a) * di).real
        left = self.targets.current_a**2 - np.abs(rest.i_a) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            by_voltage, by_current = (aim - rest.v_v) / dv, (np.sqrt(half**2 + square * left) - half) / square
        level = self.most
        for found in (by_voltage, by_current):
            level = np.minimum(level, np.where(found > 0.0, found, np.inf).min(axis=1, initial=np.inf))
        return np.asarray(level)

    def _excess(self, found: FlowResult, targets: Bounds, unit_v: Real) -> Real:
        """(T,) how far the worst of all is beyond its target, in units of slack (V, percent)."""
        load = 100.0 * (np.abs(found.i_a) / targets.current_a - 1.0)
        excess = ((found.v_v - targets.high_v) / unit_v, (targets.low_v - found.v_v) / unit_v, load)
        most = [table.max(axis=1, initial=-np.inf) for table in excess]
        return np.where(found.converged, np.max(most, axis=0), np.inf)

    def _inside(self, level: Real) -> tuple[FlowResult, Real]:
        """The power flow at a level, a little lower where one that was not looked at is beyond its target."""
        feeder = self.base.feeder
        for _ in range(TURNS):
            found = self._values(feeder, level)
            beyond = (self._excess(found, self.targets, feeder.voltage_unit_v) > 2.0 * COARSE_V) & (level > 0.0)
            if not beyond.any():
                break
            level = np.where(beyond, BACK * level, level)
        return found, level

    def _fit(self, built: rows.LinearConstraints, ends: Real, tables: tuple[Real, Real, Real, Real]) -> FeasibleBox:
        """The box of this direction with its nearly full constraints, measured where all stand at their end."""
        base, case = self.base, self.case
        lo, hi = (case.lo_w, ends) if self.up else (ends, case.hi_w)
        limit, aim, before, after = (table.astype(np.float32) for table in tables)
        away = np.ascontiguousarray(case.away(lo, hi)[:, case.ends.place])
        found = FeasibleBox(base.feeder, case, built, away, limit, aim, before)
        # Where even no level at all is beyond a limit, the firm minimum is.
        shut = (self._level_w(ends) <= 0.0)[:, None] & (after > limit) & self.several
        found.infeasible, found.known_rise = (before > aim) | shut, found.rise
        found.iterations, found.solves = self.turns, self.solves
        with np.errstate(divide="ignore", invalid="ignore"):
            found.correction = np.where(found.rise > 0.0, (after - before) / found.rise, 0.0).astype(np.float32)
        return found

    def _level_w(self, ends: Real) -> Real:
        """(T,) W that the highest end is beyond the firm minimum."""
        return np.asarray((self.sign * (ends - self.start)).max(axis=1, initial=0.0))

    def _ends(self, level: Real, steps: Index | slice = slice(None)) -> Real:
        """(T, C) net injection of all at one common level per step."""
        reach = np.minimum(level[:, None] * self.unit[steps], self.room[steps])
        return np.asarray(self.start[steps] + self.sign * reach)

    def _values(self, feeder: MonitoredFeeder, level: Real, *, steps: Index | slice = slice(None)) -> FlowResult:
        """(T, ...) with everyone at a level."""
        base, p_w = self.base, self._ends(level, steps)
        q = base.q_var[steps] - base.tan_phi * np.maximum(p_w - base.p_w[steps], 0.0)
        self.turns, self.solves = self.turns + 1, self.solves + len(p_w)
        return feeder.power_flow(feeder.spread(p_w) + 1j * feeder.spread(q), base.source_v[steps], tol_v=COARSE_V)
