"""Feeder state expected under a published schedule, for the operator: loading, voltages, reach and bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from envelope.constraints.formulation import formulate
from envelope.constraints.joint_paths import JointPaths
from envelope.operation.verified_run import VerifiedRun
from envelope.problem import Direction, Problem
from envelope.problem.divided import Divided
from envelope.problem.guarantees import GuaranteedBox, whole
from envelope.problem.step_ranges import from_step
from envelope.schedule import EnvelopeSchedule, verified_box
from envelope.schedule.codes import CAPACITY, special_bindings
from gridmodel.arrays import Index, Mask, Real
from gridmodel.flow.kron import Watched
from gridmodel.flow.sparse_flow import SparseFlow
from gridmodel.model.feeder import port_va
from gridmodel.one_line import OneLine, one_line
from sep2.operations.diagrams import (
    LOADING_PARTS,
    UNKNOWN,
    VOLTAGE_PARTS,
    Branch,
    Expected,
    Model,
    Node,
    Reach,
)

STEPS_AT_ONCE = 48
"""Steps per power flow, to bound its memory."""
MOST_PARTS = 32_767
"""Largest value of a series."""


def state_of_run(feeder: str, run: VerifiedRun) -> Expected:
    """Return the state of each step: the worst of base load alone, greatest export and greatest import.

    They are ends of what was verified, so that nothing is expected beyond what the verification found.
    """
    stated, schedule, report, *_ = run
    # A run that begins within its horizon has the remaining steps only.
    problem = from_step(stated, stated.steps - schedule.steps)
    drawn = one_line(problem.reduced.network)
    made = _in_parts if isinstance(problem.reduced, Divided) else _as_one
    solver = made(problem, schedule, drawn)
    loading, low, high = (np.concatenate(part) for part in zip(*_states(solver, drawn), strict=True))
    return Expected(
        feeder=feeder,
        run=schedule.run_id,
        start=int(schedule.step_start[0]),
        step_s=schedule.step_s,
        model=_model(problem, drawn, solver.watched),
        loading=loading.tolist(),
        low=low.tolist(),
        high=high.tolist(),
        report=report.sentence(),
        reaches=_reaches(schedule),
    )


class _Solver(NamedTuple):
    """A network watched at customers and on every branch that is drawn, and its power flow."""

    watched: Watched
    p_w: Real
    """(T, C) net injection of the base load"""
    solve: Callable[[Index, Index, Real], tuple[Real, Real, Mask]]
    """(S, N) V, (S, B) A and (S,) whether it settled, for some joint paths, steps and (S, C) W away from their loads"""
    boxes: tuple[GuaranteedBox, ...]
    """between whose ends clients that keep the schedule stay, as they were verified"""
    paths: JointPaths | None = None
    """None: the base load alone"""

    def pairs(self) -> tuple[Index, Index]:
        """Return the joint paths that the limits hold for, and their steps."""
        if self.paths is not None and self.paths.several:
            return self.paths.pairs
        return np.zeros(len(self.p_w), dtype=np.intp), np.arange(len(self.p_w))

    def away_w(self, pairs: tuple[Index, Index]) -> Iterator[Real]:
        """Yield (S, C) W away from the load of each path: nothing, then all at the upper, and all at the lower ends."""
        steps = pairs[1]
        yield np.zeros((len(steps), self.p_w.shape[1]))
        for box in self.boxes:
            lo_w, hi_w = box.lo_w[steps], box.hi_w[steps]
            if self.paths is None:
                down, up = self.p_w[steps] - lo_w, hi_w - self.p_w[steps]
            else:
                down, up = self.paths.of_box(box).ends(*pairs, lo_w, hi_w)
            yield up
            yield -down


def _as_one(problem: Problem, schedule: EnvelopeSchedule, drawn: OneLine) -> _Solver:
    """Return the power flow of a network that is calculated as one."""
    whole, formed = problem.reduced, formulate(problem)
    base = formed.base
    watched = whole.watching(whole.voltages_at_connections(), _drawn(whole, drawn))
    base = base.seen_by(replace(base.feeder, reduced=watched, groups=(), level_unit_v=None))
    feeder, paths = base.feeder, replace(formed.paths, base=base)

    def solve(states: Index, steps: Index, away_w: Real) -> tuple[Real, Real, Mask]:
        ports_w = away_w[:, feeder.port_connection] * feeder.port_share
        flow = feeder.power_flow(paths.injections(states, steps, ports_w), paths.source(states, steps))
        return flow.v_v, np.abs(flow.i_a), flow.converged

    boxes = formed.boxes(*verified_box(problem, schedule), limit_w=schedule.export_limit_w)
    return _Solver(watched, base.p_w, solve, boxes, paths)


def _in_parts(problem: Problem, schedule: EnvelopeSchedule, drawn: OneLine) -> _Solver:
    """Return the power flow of a whole network whose limits are calculated in parts."""
    network = problem.reduced.network
    flow, shape = SparseFlow(network), (problem.steps, 3)
    seen, kept = flow.watched.at_connections(), _drawn(flow.watched, drawn)
    at = flow.watched.voltages_at_connections()
    phases = tuple(phase for phase, is_kept in zip(seen.current_phase, kept.tolist(), strict=True) if is_kept)
    currents = seen.current_branch[kept], phases, seen.current_side[kept], seen.rating_a[kept]
    rest = -(problem.base_load_w + 1j * problem.base_load_var)
    source_v = np.broadcast_to(network.source.v if problem.source_v is None else problem.source_v, shape)

    def solve(_: Index, steps: Index, away_w: Real) -> tuple[Real, Real, Mask]:
        found = flow.solve(port_va(network, np.asarray(rest[steps] + away_w, dtype=np.complex128)), source_v[steps])
        return flow.voltages(found.v)[:, at], flow.currents(found.v)[:, kept], found.converged

    seen = Watched(network, seen.node_terminal, *currents)
    return _Solver(seen, rest.real, solve, whole(rest.real, *verified_box(problem, schedule)))


def _drawn(watched: Watched, drawn: OneLine) -> Mask:
    """Return which watched currents are those of branches that are drawn."""
    return np.isin(watched.current_branch, [branch for parts in drawn.parts for branch in parts])


def _states(solver: _Solver, drawn: OneLine) -> Iterator[tuple[Real, Real, Real]]:
    """Yield loading, lowest and highest voltage of some steps, as parts; the worst of all cases on all paths."""
    states, steps = solver.pairs()
    for first in range(0, len(solver.p_w), STEPS_AT_ONCE):
        there = range(first, min(first + STEPS_AT_ONCE, len(solver.p_w)))
        loading, low, high = _nothing(drawn, len(there))
        now = np.flatnonzero((steps >= there.start) & (steps < there.stop))
        for begin in range(0, len(now), STEPS_AT_ONCE):
            some = now[begin : begin + STEPS_AT_ONCE]
            pairs, row = (states[some], steps[some]), steps[some] - first
            for away_w in solver.away_w(pairs):
                found = _case(solver, pairs, away_w, drawn)
                np.fmax.at(loading, row, found[0])
                np.fmin.at(low, row, found[1])
                np.fmax.at(high, row, found[2])
        yield _parts(loading, LOADING_PARTS), _parts(low, VOLTAGE_PARTS), _parts(high, VOLTAGE_PARTS)


def _nothing(drawn: OneLine, steps: int) -> tuple[Real, Real, Real]:
    """Return loading per edge, lowest and highest voltage per node of some steps of which nothing is known yet."""
    edges, nodes = np.full((steps, len(drawn.parts)), np.nan), np.full((steps, len(drawn.node)), np.nan)
    return edges, nodes, nodes.copy()


def _case(solver: _Solver, pairs: tuple[Index, Index], away_w: Real, drawn: OneLine) -> tuple[Real, Real, Real]:
    """Return loading per edge and lowest and highest voltage per node of some paths and steps; NaN: not known.

    away_w: (S, C) W by which connections are away from their load.
    """
    steps = pairs[1]
    watched = solver.watched
    v_v, i_a, converged = solver.solve(*pairs, away_w)
    ratio = np.where(converged[:, None], i_a / watched.rating_a, np.nan)
    edge_of = {branch: edge for edge, parts in enumerate(drawn.parts) for branch in parts}
    edge = np.array([edge_of[int(branch)] for branch in watched.current_branch], dtype=np.intp)
    loading = np.full((len(drawn.parts), len(steps)), np.nan)
    np.fmax.at(loading, edge, ratio.T)
    share = np.where(converged[:, None], v_v / watched.node_nominal_v, np.nan)
    node = drawn.stands_for[watched.network.terminal_node[watched.node_terminal]]
    low, high = (np.full((len(drawn.node), len(steps)), np.nan) for _ in range(2))
    np.fmin.at(low, node, share.T)
    np.fmax.at(high, node, share.T)
    return loading.T, low.T, high.T


def _parts(value: Real, parts: int) -> np.ndarray:
    """Return whole parts of a share, `UNKNOWN` where it is not known."""
    known = np.isfinite(value)
    whole = np.clip(np.round(np.where(known, value, 0.0) * parts), 0, MOST_PARTS)
    return np.where(known, whole, UNKNOWN).astype(int)


def _model(problem: Problem, drawn: OneLine, watched: Watched) -> Model:
    """Return the nodes and branches that are drawn; an edge of several branches has the name of the weakest."""
    network = problem.reduced.network
    low_v, high_v, _ = problem.limits.voltages_at(network.nodes.nominal_v)
    names: dict[int, list[str]] = {}
    for name, node in zip(network.connections.id, network.connections.node, strict=True):
        names.setdefault(int(drawn.stands_for[node]), []).append(name)
    nodes = []
    for k, (node, (x, y)) in enumerate(zip(drawn.node.tolist(), drawn.place.tolist(), strict=True)):
        nominal = float(network.nodes.nominal_v[node])
        limits = float(low_v[node]) / nominal, float(high_v[node]) / nominal
        nodes.append(Node(network.nodes.id[node], x, y, nominal, *limits, names.get(k, [])))
    rating = dict(zip(watched.current_branch.tolist(), watched.rating_a.tolist(), strict=True))
    branches = []
    for parts, (start, end) in zip(drawn.parts, drawn.ends.tolist(), strict=True):
        transformers = [branch for branch in parts if network.branches.kind[branch] == "transformer"]
        weakest = min(transformers or parts, key=lambda branch: rating.get(branch, np.inf))
        branches.append(Branch(network.branches.id[weakest], network.branches.kind[weakest], start, end))
    return Model(nodes, branches)


def _reaches(schedule: EnvelopeSchedule) -> dict[str, list[Reach]]:
    """Return the runs of equal reach and binding of every connection."""
    found: dict[str, list[Reach]] = {name: [] for name in schedule.connection_id}
    for direction in (Direction.EXPORT, Direction.IMPORT):
        side = schedule.side(direction)
        special = special_bindings(direction)
        for column, name in enumerate(schedule.connection_id):
            rows = side.binding.row[:, column].tolist()
            reach = np.round(side.capacity_w[:, column]).astype(int).tolist()
            said = ["" if row == CAPACITY else special[row] if row in special else schedule.names[row] for row in rows]
            found[name] += _runs(str(direction), schedule, reach, said)
    return found


def _runs(direction: str, schedule: EnvelopeSchedule, reach: list[int], said: list[str]) -> Iterator[Reach]:
    for (watts, binding), steps in groupby(range(schedule.steps), key=lambda step: (reach[step], said[step])):
        those = list(steps)
        start, end = int(schedule.step_start[those[0]]), int(schedule.step_start[those[-1]]) + schedule.step_s
        yield Reach(direction, start, end, max(0, watts), binding)
