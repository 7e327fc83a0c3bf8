"""Joint paths of base load and head voltage as injections, and what each constraint needs to hold on all of them.

State 0 is the base case itself; the others are the moments of the problem's scenarios. What an end of a box is bound by
stays where it is on every path; all else moves with the path, together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from envelope.constraints.base_case import BaseCase
from envelope.constraints.extremes import lower_to, raise_to
from envelope.constraints.kernels import lower_by_state, raise_by_state
from envelope.constraints.limits import LimitTables
from envelope.constraints.linear import LinearConstraints
from envelope.constraints.monitored_feeder import COARSE_V, FlowResult
from envelope.problem import Direction, Problem
from envelope.problem.guarantees import GuaranteedBox
from envelope.problem.own_bands import is_fixed
from gridmodel.arrays import Complex, Index, Mask, Real, Single

TOGETHER = 1024
"""power flows solved at once"""
MOST_KEPT = 2_000_000
"""ports in all states of all steps, up to which their injections are kept"""
LEAST_ROOM = 1e-3
"""part of a limit that counts as left where the base load alone leaves less, for telling which path strains most"""


class RestRange(NamedTuple):
    """Extremes over all states with nothing flexible running."""

    high_v: Real
    low_v: Real
    """(T, N)"""
    load_a: Real
    """(T, B + G)"""


@dataclass(frozen=True, eq=False)
class JointPaths:
    """S states of what no limit bounds, per step; C connections."""

    base: BaseCase
    move_w: Real
    move_var: Real
    """(S, T, C) injection beyond that of the base case"""
    source_v: Complex
    """(S, T, 3)"""
    fixed_up: Mask
    fixed_down: Mask
    """(T, C) upper and lower ends that are the same in all states"""
    kept: Mask
    """(S, T) states that limits hold for"""
    said: str = ""
    """wording of the paths in a guarantee and in a verification; empty where there are none"""

    @property
    def several(self) -> bool:
        """Whether there is any state beside the base case."""
        return len(self.move_w) > 1

    def injections(self, states: Index, steps: Index, away_w: Real | Single, var: Real | float = 0.0) -> Complex:
        """(S', L) VA of ports so many watts away from the base load that these states have."""
        found = self.base.injections(steps, away_w, var)
        return found + self._moved_va(states, steps) if self.several else found

    def source(self, states: Index, steps: Index) -> Complex:
        """(S', 3) V at the head of the feeder."""
        return np.asarray(self.source_v[states, steps])

    def of_box(self, box: GuaranteedBox) -> PathsOfBox:
        """The same with the ends that a box of the guarantee leaves at the base load."""
        exports, imports = (direction in box.directions for direction in (Direction.EXPORT, Direction.IMPORT))
        return PathsOfBox(self, self.fixed_up & exports, self.fixed_down & imports)

    @cached_property
    def pairs(self) -> tuple[Index, Index]:
        """All kept states and their steps."""
        states, steps = np.nonzero(self.kept)
        return states.astype(np.intp), steps.astype(np.intp)

    @cached_property
    def rest_range(self) -> RestRange:
        """The highest and lowest of every value in any state, with nothing flexible running."""
        high_v, low_v, load_a = (table.copy() for table in (self.base.flow.v_v,) * 2 + (np.abs(self.base.flow.i_a),))
        if self.several:
            steps = self.pairs[1]
            raise_to(high_v, steps, self.flow.v_v)
            lower_to(low_v, steps, self.flow.v_v)
            raise_to(load_a, steps, np.abs(self.flow.i_a))
        return RestRange(high_v, low_v, load_a)

    @cached_property
    def flow(self) -> FlowResult:
        """Power flow of the base load in every state, as `pairs` lists them."""
        if not self.several:
            return self.base.flow
        states, steps = self.pairs
        return self.solved(states, steps, np.zeros((len(steps), self.base.feeder.reduced.ports)))

    def solved(self, states: Index, steps: Index, away_w: Real) -> FlowResult:
        """Power flow in these states, with ports (S', L) W away from their base load."""
        injected = self.injections(states, steps, away_w)
        return self.base.feeder.power_flow(injected, self.source(states, steps), tol_v=COARSE_V)

    def _moved_va(self, states: Index, steps: Index) -> Complex:
        if self.move_w[..., 0].size * self.base.feeder.reduced.ports <= MOST_KEPT:
            return np.asarray(self._ports_moved_va[states, steps])
        return self._ports_va(self.move_w[states, steps], self.move_var[states, steps])

    @cached_property
    def _ports_moved_va(self) -> Complex:
        """(S, T, L) injection of every port beyond that of the base case."""
        return self._ports_va(self.move_w, self.move_var)

    def _ports_va(self, power_w: Real, power_var: Real) -> Complex:
        spread = self.base.feeder.spread
        return np.asarray(spread(power_w) + 1j * spread(power_var))


@dataclass(frozen=True, eq=False)
class PathsOfBox:
    """Joint paths, and which ends of one box are the same on all of them."""

    joint: JointPaths
    fixed_up: Mask
    fixed_down: Mask
    """(T, C)"""

    def ends(self, states: Index, steps: Index, lo_w: Real, hi_w: Real) -> tuple[Real, Real]:
        """(S', C) W by which a box goes below, and above, the base load of these states; lo_w, hi_w: (S', C)."""
        p_w = self.joint.base.p_w[steps]
        down, up = p_w - lo_w, hi_w - p_w
        if not self.joint.several:
            return down, up
        move = self.joint.move_w[states, steps]
        below, above = down + move * self.fixed_down[steps], up - move * self.fixed_up[steps]
        # A declared lower end stays above the base load.
        return np.maximum(below, np.minimum(down, 0.0)), np.maximum(above, 0.0)

    def worst(self, rows: LinearConstraints, at_rest: Real) -> WorstStates | None:
        """Find what each constraint needs, by power flow of what follows the paths; at_rest: (T, R) in the base case.

        An end that follows while the other is fixed counts by the constraint's sensitivity to it. None: one state only.
        """
        if not self.joint.several:
            return None
        base_v = self.joint.base.flow.v_v
        found = WorstStates(
            self,
            np.zeros(at_rest.shape),
            np.zeros(at_rest.shape, dtype=np.intp),
            base_v.copy(),
            np.zeros(base_v.shape, dtype=np.intp),
            np.zeros_like(self.joint.kept),
        )
        states, steps = self.joint.pairs
        for start in range(0, len(steps), TOGETHER):
            part = slice(start, start + TOGETHER)
            self._include(found, rows, at_rest, (states[part], steps[part]))
        return found

    def _include(self, found: WorstStates, rows: LinearConstraints, at_rest: Real, pairs: tuple[Index, Index]) -> None:
        """Raise what was found by some states and their steps."""
        (states, steps), joint = pairs, self.joint
        up, down, move = self.fixed_up[steps], self.fixed_down[steps], joint.move_w[pairs]
        # What is fixed at either end does not move as a whole.
        injected = joint.injections(states, steps, np.zeros((len(steps), joint.base.feeder.reduced.ports)))
        injected -= joint.base.feeder.spread(np.where(up | down, move, 0.0))
        flow = joint.base.feeder.power_flow(injected, joint.source(states, steps), tol_v=COARSE_V)
        more = np.zeros((0, rows.count))
        if (up != down).any():
            more = np.where(down & ~up, move, 0.0) @ rows.rise_up.T - np.where(up & ~down, move, 0.0) @ rows.rise_down.T
        raise_by_state(rows.evaluate(flow), more, at_rest, states, steps, found.extra, found.state)
        lower_by_state(flow.v_v, states, steps, found.low_v, found.low_state)


@dataclass(frozen=True, eq=False)
class WorstStates:
    """Room that each of R constraints needs to hold in all states of the joint paths."""

    paths: PathsOfBox
    extra: Real
    """(T, R) rise above the base case in the worst state, never negative, in the constraint's own unit"""
    state: Index
    """(T, R) which state that is"""
    low_v: Real
    """(T, N) lowest voltage in any state"""
    low_state: Index
    """(T, N) which state that is"""
    added: Mask
    """(S, T) further states that are worse at a corner of a box; set as they are found, for all that `only` returned"""

    def only(self, chosen: Mask) -> WorstStates:
        """The same of some of the constraints."""
        return replace(self, extra=self.extra[:, chosen], state=self.state[:, chosen])

    @cached_property
    def fall(self) -> Real:
        """(T,) largest part by which any voltage is lower than in the base case.

        A current of constant power is larger by that part, which does not show while nothing flexible runs.
        """
        return np.asarray((1.0 - self.low_v / self.paths.joint.base.flow.v_v).max(axis=1, initial=0.0))

    def to_measure(self) -> Mask:
        """(S, T) whether corners of a box are measured in a state: it is worst or lowest anywhere, or was added."""
        found = self.states_by_step() | self.added
        found[self.low_state, np.arange(len(self.low_state))[:, None]] = True
        return found

    def states_by_step(self) -> Mask:
        """(S, T) whether a state is the worst of any constraint in a step."""
        found = np.zeros(self.paths.joint.kept.shape, dtype=bool)
        found[self.state, np.arange(len(self.state))[:, None]] = True
        return found


def form_joint_paths(problem: Problem, base: BaseCase, limits: LimitTables) -> JointPaths:
    """Form the states of a problem's scenarios; the base case alone where it has none."""
    up, down = (is_fixed(problem, direction) for direction in (Direction.EXPORT, Direction.IMPORT))
    nothing, kept = np.zeros((1, *base.p_w.shape)), np.ones((1, len(base.p_w)), dtype=bool)
    only = JointPaths(base, nothing, nothing, base.source_v[None], up, down, kept)
    if problem.scenarios is None:
        return only
    states = problem.scenarios.states
    source_v = base.source_v[None] if states.source_v is None else states.source_v
    every = replace(
        only,
        move_w=np.concatenate([nothing, problem.base_load_w - states.load_w]),
        move_var=np.concatenate([nothing, problem.base_load_var - states.load_var]),
        source_v=np.concatenate([only.source_v, np.broadcast_to(source_v, (*states.load_w.shape[:2], 3))]),
        kept=np.ones((1 + len(states.load_w), len(base.p_w)), dtype=bool),
        said=problem.scenarios.said(),
    )
    return every if problem.scenarios.share == 1.0 else _least_strained(problem, every, limits)


def _least_strained(problem: Problem, every: JointPaths, limits: LimitTables) -> JointPaths:
    """Leave out, in each step, as many paths as the scenarios' share permits: those that strain any limit most."""
    assert problem.scenarios is not None
    scenarios = problem.scenarios
    dropped = int((1.0 - scenarios.share) * scenarios.paths + 1e-9)
    strain = _strain(every, limits)[1:].reshape(-1, scenarios.paths, problem.steps).max(axis=0)
    rank = np.argsort(np.argsort(-strain, axis=0, kind="stable"), axis=0, kind="stable")
    kept = (rank >= dropped)[scenarios.of_path]
    return replace(every, kept=np.concatenate([every.kept[:1], kept]))


def _strain(every: JointPaths, limits: LimitTables) -> Real:
    """(S, T) largest part of the room to any limit that the base load of a state takes, from the base case on."""
    (states, steps), flow, rest = every.pairs, every.flow, every.base.flow
    high_v, low_v, most_a = limits.high_v[steps], limits.low_v[steps], limits.current_a[steps]
    was_v, was_a, is_a = rest.v_v[steps], np.abs(rest.i_a)[steps], np.abs(flow.i_a)
    parts = (
        (flow.v_v - was_v) / np.maximum(high_v - was_v, LEAST_ROOM * high_v),
        (was_v - flow.v_v) / np.maximum(was_v - low_v, LEAST_ROOM * high_v),
        (is_a - was_a) / np.maximum(most_a - was_a, LEAST_ROOM * most_a),
    )
    found = np.zeros(every.kept.shape)
    found[states, steps] = np.max([part.max(axis=1) for part in parts], axis=0)
    return found
