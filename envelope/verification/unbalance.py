"""Voltage unbalance at the corners of a verified box, each interval's worst by the named solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from envelope.constraints.formulation import Formulation
from envelope.constraints.unbalance import NEGATIVE, POSITIVE, Corner, Unbalance, every_corner
from envelope.problem.guarantees import GuaranteedBox
from envelope.verification.report import Effort, UnbalanceFinding
from gridmodel.arrays import Index, Real
from gridmodel.flow.kron import Reduced, reduce
from gridmodel.model.admittance import network
from gridmodel.model.equipment import Connection


def verify_unbalance(
    formulation: Formulation, boxes: Sequence[GuaranteedBox], effort: Effort, *, judge: str
) -> UnbalanceFinding | None:
    """The worst over all corners of some boxes and random ones, each interval's worst by `judge`; None: no limit."""
    if formulation.vuf_max_percent is None:
        return None
    found = [_worst_of(formulation, box, effort, judge=judge) for box in boxes]
    known = [one for one in found if one is not None]
    return max(known) if known else None


def _worst_of(formulation: Formulation, tried: GuaranteedBox, effort: Effort, *, judge: str) -> UnbalanceFinding | None:
    unbalance = Unbalance(formulation, formulation.base, formulation.paths.of_box(tried))
    if not len(unbalance.nodes):
        return None
    rng, steps = np.random.default_rng(effort.seed), np.arange(formulation.steps)
    of, share = unbalance.feeder.port_connection, unbalance.feeder.port_share
    solved = independent if judge == "power-grid-model" else Unbalance.solved
    box, corners = (tried.lo_w, tried.hi_w), unbalance.corners()
    for _ in range(effort.random if formulation.guarantee.random_corners else 0):
        up = np.where(rng.random(unbalance.feeder.connections)[of] < 0.5, share, 0.0)
        corners.append(("random", up, share - up))
    worst = unbalance.beyond(corners, box, steps, every_corner(corners, steps)).argmax(axis=0)
    chosen = [corners[k] for k in worst]
    states = _worst_states(unbalance, chosen, box)
    found, most = solved(unbalance, steps, unbalance.away(chosen, box, steps, states), states), unbalance.limit.copy()
    broken = np.flatnonzero((found > most).any(axis=1))
    most[broken] = np.maximum(most[broken], unbalance.in_any_case(corners, broken))
    over = np.nan_to_num(found - most, nan=-np.inf)
    at, node = divmod(int(over.argmax()), over.shape[1])
    return UnbalanceFinding(float(over[at, node]), at, unbalance.names[node], chosen[at][0])


def _worst_states(unbalance: Unbalance, corners: Sequence[Corner], box: tuple[Real, Real]) -> Index:
    """(T,) the state of the joint paths that each step's corner is worst in."""
    (states, steps), worst = unbalance.paths.joint.pairs, np.zeros(len(corners), dtype=np.intp)
    if not unbalance.paths.joint.several:
        return worst
    every = [corners[k] for k in steps]
    away = unbalance.away(every, (box[0][steps], box[1][steps]), steps, states)
    percent = np.full(unbalance.paths.joint.kept.shape, -np.inf)
    percent[states, steps] = (unbalance.solved(steps, away, states) - unbalance.limit[steps]).max(axis=1)
    return np.asarray(percent.argmax(axis=0))


def independent(unbalance: Unbalance, steps: Index, away: Real, states: Index) -> Real:
    """(S, K) percent by power-grid-model, read off three-phase connections without power at the nodes."""
    from gridmodel.solvers.power_grid_model import Model

    probed, ports = _probed(unbalance)
    s = np.zeros((len(away), probed.ports), dtype=np.complex128)
    own, joint = unbalance.feeder.reduced.ports, unbalance.paths.joint
    s[:, :own] = joint.injections(states, steps, away)
    v = Model(probed).solve(s, joint.source(states, steps)).flow.v[:, ports]
    return np.asarray(100.0 * np.abs(v @ NEGATIVE) / np.abs(v @ POSITIVE))


def _probed(unbalance: Unbalance) -> tuple[Reduced, Index]:
    """The feeder with a connection that draws nothing at each node, and those (K, 3) ports."""
    grid = unbalance.feeder.reduced.network
    assert grid.equipment is not None
    more = tuple(Connection(f"probe {k}", grid.nodes.id[n], "abc") for k, n in enumerate(unbalance.nodes))
    probed = reduce(network(replace(grid.equipment, connections=(*grid.equipment.connections, *more))))
    own = unbalance.feeder.reduced.ports
    return probed, (own + np.arange(3 * len(more))).reshape(-1, 3)
