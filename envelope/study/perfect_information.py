"""The most energy that a feeder bears when everything is known and everyone is steered: the bound of any policy.

A linear program on exact sensitivities, taken anew in the AC power flow until that confirms its answer. No limits told
to each connection ahead, and kept whatever the others do, can let more through. As voltages are not convex in powers,
the answer is the best that this search finds and no proof that none is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from envelope.constraints.base_case import BaseCase
from envelope.constraints.formulation import formulate
from envelope.constraints.sensitivity_series import own_sensitivities
from envelope.field_rules import BadProblem
from envelope.problem import Problem
from gridmodel.arrays import Index, Mask, Real

ROUNDS, FREE, SETTLED = 20, 3, 1e-4
"""linear programs at most, those without a bound on how much a power may grow, and the part by which energy still
changes where they may end"""
KEPT = (0.003, 0.003, 2e-4)
"""V, V and part of a rating kept free of limits, for what a linear program is off by"""
NEAR = (1.0, 1.0, 0.05)
"""what comes so near to its limit gets a constraint"""
DRAWN = 4.0
"""worth of energy that is asked for, as a multiple of energy fed in: nobody's is given up for another's solar"""
SOONER = 1e-3
"""by how much it is worth less at the end of the horizon than at its beginning"""
CUT, MOST_CUTS = 0.995, 400
"""part that is left of a step's power each time that it is still beyond a limit in the end, and how often at most"""
TOGETHER, STEPS_TOGETHER = 4096, 4
"""sensitivities taken at once, and steps of one linear program where no energy ties steps together"""
LOWEST, HIGHEST = 0.01, 10.0
"""parts of voltage limits that no power flow comes near"""
Progress = Callable[[int], None]
OPTIONS = {"output_flag": False, "threads": 1}
KILO = 1e3


@dataclass(frozen=True, eq=False)
class Dispatch:
    """Power of all devices; T steps, C connections."""

    feed_w: Real
    draw_w: Real
    """(T, C)"""
    beyond: tuple[float, float, float]
    """V over, V under and percent of a rating beyond the limits in the AC power flow; negative: inside"""
    rounds: int
    """linear programs solved"""


def most_export(problem: Problem, *, tell: Progress | None = None) -> Dispatch:
    """The most that generation can feed in while devices that draw stand idle."""
    available = np.concatenate([problem.flex_gen_w, 0.0 * problem.flex_load_w], axis=1)
    return _Search(problem, available, None).found(tell)


def most_import(problem: Problem, *, tell: Progress | None = None) -> Dispatch:
    """The most that devices can draw while generation stands idle."""
    available = np.concatenate([0.0 * problem.flex_gen_w, problem.flex_load_w], axis=1)
    return _Search(problem, available, None).found(tell)


def least_curtailment(problem: Problem, asked_wh: Real, *, tell: Progress | None = None) -> Dispatch:
    """The least that is curtailed while devices draw the (C,) Wh that they ask for, at any time that they are there."""
    if np.shape(asked_wh) != (len(problem.connection_id),):
        raise BadProblem(f"asked_wh has shape {np.shape(asked_wh)}; expected one value per connection")
    available = np.concatenate([problem.flex_gen_w, problem.flex_load_w], axis=1)
    return _Search(problem, available, asked_wh).found(tell)


def without_voltage_limits(problem: Problem) -> Problem:
    """The problem with ratings alone: what is curtailed of it, cables and transformers curtail."""
    limits = problem.limits
    bands = tuple(replace(band, low_v=LOWEST * band.low_v, high_v=HIGHEST * band.high_v) for band in limits.bands)
    low_v, high_v = LOWEST * limits.v_min_v, HIGHEST * limits.v_max_v
    return replace(problem, limits=replace(limits, v_min_v=low_v, v_max_v=high_v, bands=bands))


class _Near(NamedTuple):
    """R values that came near to their limit, each in a step of its own."""

    step: Index
    kind: Index
    element: Index

    def part(self, which: slice) -> _Near:
        """Some of them."""
        return _Near(self.step[which], self.kind[which], self.element[which])


class _Constraints(NamedTuple):
    """R linear constraints: (R, E) coefficients of the powers in a step, and (R,) room for their sum."""

    step: Index
    coefficient: Real
    room: Real


class _Search:
    """One bound under way. Powers are (T, E) W: of C connections upwards, then of the same downwards, E = 2C."""

    def __init__(self, problem: Problem, available_w: Real, asked_wh: Real | None) -> None:
        self.problem, self.available_w, self.asked_wh = problem, available_w, asked_wh
        formulation = formulate(problem)
        self.base: BaseCase = formulation.base
        count = len(problem.connection_id)
        self.worth = np.ones(available_w.shape)
        """(T, E) of a W"""
        if asked_wh is not None:
            # Of several times that are alike the earliest, so that there is one answer.
            self.worth[:, count:] = DRAWN - SOONER * np.linspace(0.0, 1.0, problem.steps)[:, None]
        self.limits = formulation.limits.bounds(margin=0.0)
        self.ports = np.zeros((self.base.feeder.reduced.ports, count))
        self.ports[np.arange(len(self.ports)), self.base.feeder.port_connection] = self.base.feeder.port_share
        self.near: set[tuple[int, int, int]] = set()
        """(step, kind, element) of all that came near so far"""
        self.allowed = [
            np.maximum(table + own, 0.0) for table, own in zip(self._beyond(0.0 * available_w), KEPT, strict=True)
        ]
        """what nothing running is beyond limits by itself; less than the little kept free of a limit is nothing"""
        for table, own in zip(self.allowed, KEPT, strict=True):
            table[table <= own] = 0.0

    def found(self, tell: Progress | None = None) -> Dispatch:
        """The best dispatch, confirmed by AC power flow; tell: called with the number of each linear program."""
        power, before, rounds = 0.5 * self.available_w, np.inf, 0
        while rounds < ROUNDS:
            power, tables = self._solvable(power)
            energy = float((power * self.worth).sum())
            if rounds and self._excess(tables).max() <= 0.0 and abs(energy - before) <= SETTLED * abs(energy):
                break
            before, rounds = energy, rounds + 1
            if tell is not None:
                tell(rounds)
            # Cars may charge at many times alike: without an end to leaps, a program would move them about for good.
            power = self._optimum(power, tables, 0.5 ** max(rounds - FREE, 0))
        power = self._cut(power)
        over, under, load = (float(table.max(initial=-np.inf)) for table in self._beyond(power))
        count = power.shape[1] // 2
        return Dispatch(power[:, :count], power[:, count:], (over, under, 100.0 * load), rounds)

    def _away(self, power: Real) -> Real:
        """(T, L) W by which ports are away from the base load."""
        count = power.shape[1] // 2
        return np.asarray((power[:, :count] - power[:, count:]) @ self.ports.T)

    def _beyond(self, power: Real) -> tuple[Real, Real, Real]:
        """(T, N) and (T, N) V (as much per unit at another level), and (T, B) parts of a rating, beyond the limits."""
        base, limits, steps = self.base, self.limits, np.arange(self.problem.steps)
        found = base.feeder.power_flow(base.injections(steps, self._away(power)), base.source_v)
        low_v = np.where(found.converged[:, None], limits.low_v - found.v_v, np.inf)
        unit_v = base.feeder.voltage_unit_v
        return (found.v_v - limits.high_v) / unit_v, low_v / unit_v, np.abs(found.i_a) / limits.current_a - 1.0

    def _excess(self, tables: tuple[Real, Real, Real]) -> Real:
        """(T,) worst of all kinds beyond what is allowed."""
        pairs = zip(tables, self.allowed, strict=True)
        return np.asarray(np.max([(table - most).max(axis=1, initial=-np.inf) for table, most in pairs], axis=0))

    def _solvable(self, power: Real) -> tuple[Real, tuple[Real, Real, Real]]:
        """The power, halved in steps until they have a power flow, and what is beyond limits there."""
        for _ in range(ROUNDS):
            tables = self._beyond(power)
            lost: Mask = np.asarray(np.isinf(tables[1]).any(axis=1))
            if not lost.any():
                break
            power = np.where(lost[:, np.newaxis], 0.5 * power, power)
        return power, tables

    def _optimum(self, power: Real, tables: tuple[Real, Real, Real], leap: float) -> Real:
        """The optimum of the linear program around a power, of which none grows by more than this part of the most."""
        for kind, (table, window) in enumerate(zip(tables, NEAR, strict=True)):
            step, element = np.nonzero(np.isfinite(table) & (table > -window))
            self.near |= {(int(t), kind, int(e)) for t, e in zip(step, element, strict=True)}
        listed = np.array(sorted(self.near), dtype=np.intp).reshape(-1, 3)
        near = _Near(*listed.T)
        coefficient = self._coefficients(near, power)
        beyond = np.array([tables[kind][step, element] for step, kind, element in listed])
        room = (coefficient * power[near.step]).sum(axis=1) - beyond - np.array(KEPT)[near.kind]
        # What nothing running breaks already, nothing may make worse.
        constraints = _Constraints(near.step, coefficient, np.maximum(room, 0.0))
        most_w = np.minimum(power + leap * self.available_w, self.available_w)
        if self.asked_wh is not None:
            return _Programme(self, constraints, most_w, np.arange(len(power))).optimum()
        # No energy ties steps together: many small programs are solved far sooner than one large one.
        parts = np.array_split(np.arange(len(power)), max(1, len(power) // STEPS_TOGETHER))
        return np.asarray(sum(_Programme(self, constraints, most_w, steps).optimum() for steps in parts))

    def _coefficients(self, near: _Near, power: Real) -> Real:
        """(R, E) change of each value per W, V or part of the rating, where the power is."""
        found, away = np.zeros((len(near.step), power.shape[1])), self._away(power)
        for start in range(0, len(near.step), TOGETHER):
            part = slice(start, start + TOGETHER)
            some = near.part(part)
            rise, fall = own_sensitivities(self.base, some, some.step, away[some.step])
            found[part] = np.concatenate([rise @ self.ports, -(fall @ self.ports)], axis=1)
        load = near.kind == 2
        found[~load] /= self.base.feeder.voltage_unit_v[near.element[~load]][:, None]
        found[load] /= self.limits.current_a[near.step[load], near.element[load]][:, None]
        return found

    def _cut(self, power: Real) -> Real:
        """The power, cut in steps in which the last linear program is still beyond a limit."""
        for _ in range(MOST_CUTS):
            over = (self._excess(self._beyond(power)) > 0.0) & power.any(axis=1)
            if not over.any():
                break
            power = np.where(over[:, None], CUT * power, power)
        return power


class _Programme:
    """A linear program over some steps: constraints of single steps, and energy that is asked for over all of them."""

    def __init__(self, search: _Search, constraints: _Constraints, most_w: Real, steps: Index) -> None:
        self.search, self.most_w = search, most_w
        self.used = np.zeros(search.available_w.shape, dtype=bool)
        self.used[steps] = search.available_w[steps] > 0.0
        self.number = np.cumsum(self.used).reshape(self.used.shape) - 1
        """(T, E) position of each power among the variables"""
        self.rows: list[tuple[NDArray[Any], NDArray[Any]]] = []
        self.upper: list[float] = []
        for k in np.flatnonzero(np.isin(constraints.step, steps)):
            t, own, most = (table[k] for table in constraints)
            self._add(self.number[t, self.used[t]], own[self.used[t]] * KILO, most)
        if search.asked_wh is not None:
            self._add_energy(search.asked_wh)

    def _add(self, columns: NDArray[Any], values: NDArray[Any], upper: float) -> None:
        self.rows.append((columns, values))
        self.upper.append(upper)

    def _add_energy(self, asked_wh: Real) -> None:
        """No connection draws more than it asks for."""
        hours = self.search.problem.step_s / 3600.0
        for connection, most_wh in enumerate(asked_wh):
            end = len(asked_wh) + connection
            columns = self.number[self.used[:, end], end]
            if len(columns):
                self._add(columns, np.full(len(columns), hours), float(most_wh) / KILO)

    def optimum(self) -> Real:
        """(T, E) W."""
        import highspy

        found = np.zeros_like(self.search.available_w)
        if not self.used.any():
            return found
        solver: Any = cast(Any, highspy).Highs()
        for option, value in OPTIONS.items():
            solver.setOptionValue(option, value)
        solver.passModel(self._model())
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise BadProblem(f"the bound has no optimum: {solver.getModelStatus()}")
        found[self.used] = KILO * np.asarray(solver.getSolution().col_value)
        return np.clip(found, 0.0, self.search.available_w)

    def _model(self) -> Any:
        """The program as HiGHS takes it, in kW."""
        import highspy

        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = int(self.used.sum()), len(self.rows)
        lp.col_cost_ = -self.search.worth[self.used]
        lp.col_lower_, lp.col_upper_ = np.zeros(lp.num_col_), self.most_w[self.used] / KILO
        lp.row_lower_, lp.row_upper_ = np.full(lp.num_row_, -np.inf), np.array(self.upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        sizes = [len(columns) for columns, _ in self.rows]
        lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        nothing: tuple[NDArray[Any], NDArray[Any]] = (np.zeros(0, dtype=np.int32), np.zeros(0))
        rows = self.rows or [nothing]
        lp.a_matrix_.index_ = np.concatenate([columns for columns, _ in rows]).astype(np.int32)
        lp.a_matrix_.value_ = np.concatenate([values for _, values in rows])
        return lp
