"""Feeder state expected under a published schedule, for the operator: loading, voltages, reach and bindings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import numpy as np

from envelope.constraints.base_case import BaseCase
from envelope.constraints.formulation import formulate
from envelope.operation.limits_in_force import from_step
from envelope.operation.verified_run import VerifiedRun
from envelope.problem import Direction, Problem
from envelope.schedule import EnvelopeSchedule, ScheduleSide
from envelope.schedule.codes import CAPACITY, special_bindings
from gridmodel.arrays import Real
from gridmodel.flow.kron import Reduced
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
    """Return the state of each step: the worst of base load alone, greatest export and greatest import."""
    stated, schedule, report = run
    # A run that begins within its horizon has the remaining steps only.
    problem = from_step(stated, stated.steps - schedule.steps)
    drawn = one_line(problem.reduced.network)
    watched = _watched(problem.reduced, drawn)
    base = formulate(problem).base
    base = base.seen_by(replace(base.feeder, reduced=watched, groups=(), level_unit_v=None))
    loading, low, high = (np.concatenate(part) for part in zip(*_states(base, schedule, drawn), strict=True))
    return Expected(
        feeder=feeder,
        run=schedule.run_id,
        start=int(schedule.step_start[0]),
        step_s=schedule.step_s,
        model=_model(problem, drawn, watched),
        loading=loading.tolist(),
        low=low.tolist(),
        high=high.tolist(),
        report=report.sentence(),
        reaches=_reaches(schedule),
    )


def _watched(reduced: Reduced, drawn: OneLine) -> Reduced:
    """Return the network watched at customers, and on every branch that is drawn."""
    branches = [branch for parts in drawn.parts for branch in parts]
    return reduced.watching(reduced.voltages_at_connections(), np.isin(reduced.current_branch, branches))


def _states(base: BaseCase, schedule: EnvelopeSchedule, drawn: OneLine) -> Iterator[tuple[Real, Real, Real]]:
    """Yield loading, lowest and highest voltage of some steps, as parts; the worst of the three cases."""
    away = (
        np.zeros_like(base.p_w),
        _net_w(schedule.side(Direction.EXPORT)) - base.p_w,
        -_net_w(schedule.side(Direction.IMPORT)) - base.p_w,
    )
    for first in range(0, len(base.p_w), STEPS_AT_ONCE):
        steps = np.arange(first, min(first + STEPS_AT_ONCE, len(base.p_w)))
        cases = [_case(base, steps, one[steps], drawn) for one in away]
        loading, low, high = (np.stack(part) for part in zip(*cases, strict=True))
        yield (
            _parts(np.fmax.reduce(loading), LOADING_PARTS),
            _parts(np.fmin.reduce(low), VOLTAGE_PARTS),
            _parts(np.fmax.reduce(high), VOLTAGE_PARTS),
        )


def _net_w(side: ScheduleSide) -> Real:
    """(T, C) W that a connection may and can have in the direction."""
    return np.minimum(side.limit_w, side.capacity_w)


def _case(base: BaseCase, steps: np.ndarray, away_w: Real, drawn: OneLine) -> tuple[Real, Real, Real]:
    """Return loading per edge and lowest and highest voltage per node of some steps; NaN: not known.

    away_w: (S, C) W by which connections are away from their base load.
    """
    feeder = base.feeder
    ports_w = away_w[:, feeder.port_connection] * feeder.port_share
    flow = feeder.power_flow(base.injections(steps, ports_w), base.source_v[steps])
    reduced = feeder.reduced
    ratio = np.where(flow.converged[:, None], np.abs(flow.i_a) / reduced.rating_a, np.nan)
    edge_of = {branch: edge for edge, parts in enumerate(drawn.parts) for branch in parts}
    edge = np.array([edge_of[int(branch)] for branch in reduced.current_branch], dtype=np.intp)
    loading = np.full((len(drawn.parts), len(steps)), np.nan)
    np.fmax.at(loading, edge, ratio.T)
    share = np.where(flow.converged[:, None], flow.v_v / reduced.node_nominal_v, np.nan)
    node = drawn.stands_for[reduced.network.terminal_node[reduced.node_terminal]]
    low, high = (np.full((len(drawn.node), len(steps)), np.nan) for _ in range(2))
    np.fmin.at(low, node, share.T)
    np.fmax.at(high, node, share.T)
    return loading.T, low.T, high.T


def _parts(value: Real, parts: int) -> np.ndarray:
    """Return whole parts of a share, `UNKNOWN` where it is not known."""
    known = np.isfinite(value)
    whole = np.clip(np.round(np.where(known, value, 0.0) * parts), 0, MOST_PARTS)
    return np.where(known, whole, UNKNOWN).astype(int)


def _model(problem: Problem, drawn: OneLine, watched: Reduced) -> Model:
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
