"""Voltage unbalance at the corners of a verified box, each interval's worst by the named solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from envelope.constraints.formulation import Formulation
from envelope.constraints.unbalance import NEGATIVE, POSITIVE, Unbalance, every_corner
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
    unbalance = Unbalance(formulation, formulation.base)
    if formulation.vuf_max_percent is None or not len(unbalance.nodes):
        return None
    rng, steps = np.random.default_rng(effort.seed), np.arange(formulation.steps)
    of, share = unbalance.feeder.port_connection, unbalance.feeder.port_share
    solved = independent if judge == "power-grid-model" else Unbalance.solved
    best = UnbalanceFinding(-np.inf, 0, "", "")
    for lo_w, hi_w, _ in boxes:
        box, corners = (lo_w, hi_w), unbalance.corners()
        for _ in range(effort.random if formulation.guarantee.random_corners else 0):
            up = np.where(rng.random(unbalance.feeder.connections)[of] < 0.5, share, 0.0)
            corners.append(("random", up, share - up))
        worst = unbalance.beyond(corners, box, steps, every_corner(corners, steps)).argmax(axis=0)
        away = unbalance.away([corners[k] for k in worst], box, steps)
        found, most = solved(unbalance, steps, away), unbalance.limit.copy()
        broken = np.flatnonzero((found > most).any(axis=1))
        most[broken] = np.maximum(most[broken], unbalance.in_any_case(corners, broken))
        over = np.nan_to_num(found - most, nan=-np.inf)
        at, node = divmod(int(over.argmax()), over.shape[1])
        best = max(best, UnbalanceFinding(float(over[at, node]), at, unbalance.names[node], corners[worst[at]][0]))
    return best


def independent(unbalance: Unbalance, steps: Index, away: Real) -> Real:
    """(S, K) percent by power-grid-model, read off three-phase connections without power at the nodes."""
    from gridmodel.solvers.power_grid_model import Model

    probed, ports = _probed(unbalance)
    s = np.zeros((len(away), probed.ports), dtype=np.complex128)
    own = unbalance.feeder.reduced.ports
    s[:, :own] = unbalance.base.injections(steps, away)
    v = Model(probed).solve(s, unbalance.base.source_v[steps]).flow.v[:, ports]
    return np.asarray(100.0 * np.abs(v @ NEGATIVE) / np.abs(v @ POSITIVE))


def _probed(unbalance: Unbalance) -> tuple[Reduced, Index]:
    """The feeder with a connection that draws nothing at each node, and those (K, 3) ports."""
    grid = unbalance.feeder.reduced.network
    assert grid.equipment is not None
    more = tuple(Connection(f"probe {k}", grid.nodes.id[n], "abc") for k, n in enumerate(unbalance.nodes))
    probed = reduce(network(replace(grid.equipment, connections=(*grid.equipment.connections, *more))))
    own = unbalance.feeder.reduced.ports
    return probed, (own + np.arange(3 * len(more))).reshape(-1, 3)
