"""Corners that every verification tries: the worst of each kind of constraint, and phases against each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from envelope.constraints.linear import FACETS, LinearConstraints
from envelope.constraints.monitored_feeder import MonitoredFeeder
from envelope.problem.guarantees import GuaranteeRule
from gridmodel.arrays import Index, Real


def corners_to_check(
    guarantee: GuaranteeRule, built: LinearConstraints, feeder: MonitoredFeeder, most: int
) -> Iterator[tuple[str, Real, Real]]:
    """Corners that are the same for all steps: (kind, up (L,), down (L,)), parts of each port's headroom."""
    if guarantee.common_level:
        share = feeder.port_share
        yield "all together", share, np.zeros_like(share)
        yield "all together", np.zeros_like(share), share
        return
    yield from (("sign", up, down) for up, down in sign_corners(built, most))
    yield from (("aligned", up, down) for up, down in aligned_corners(feeder))


def sign_corners(built: LinearConstraints, most: int) -> list[tuple[Real, Real]]:
    """Worst corners of all voltage constraints and of currents, strongest first; side directions of currents last."""
    main = built.kind != 2
    load = np.flatnonzero(built.kind == 2)
    main[load[np.arange(len(load)) % (FACETS // 2) == 0]] = True
    strength = built.rise_up.sum(axis=1) + built.rise_down.sum(axis=1)
    order = np.argsort(-strength, kind="stable")
    corners = [int(k) for part in (order[main[order]], order[~main[order]]) for k in _interleaved(built, part)]
    corners = list(dict.fromkeys(corners))[:most]
    return [(built.corners.up[k], built.corners.down[k]) for k in corners]


def _interleaved(built: LinearConstraints, order: Index) -> Index:
    """Corners of the ordered constraints, the three kinds taking turns."""
    rank = np.empty(len(order))
    for kind in range(3):
        of_kind = built.kind[order] == kind
        rank[of_kind] = np.arange(of_kind.sum())
    return np.asarray(built.corner[order[np.argsort(rank, kind="stable")]])


def aligned_corners(feeder: MonitoredFeeder) -> list[tuple[Real, Real]]:
    """Every combination of phases that export while the others import."""
    labels = np.array(feeder.reduced.network.connections.port_phase)
    phases = sorted(set(labels.tolist()))
    share, leader = feeder.port_share, _leaders(feeder)
    found = []
    for code in range(2 ** min(len(phases), 4)):
        exports = np.isin(labels, [phase for k, phase in enumerate(phases[:4]) if code >> k & 1])[leader]
        found.append((np.where(exports, share, 0.0), np.where(exports, 0.0, share)))
    return found


def _leaders(feeder: MonitoredFeeder) -> Index:
    """(L,) the port by whose phase a port's connection exports or imports: all of its ports do the same."""
    of = feeder.port_connection
    order = np.lexsort((-feeder.port_share, of))
    largest = order[np.searchsorted(of[order], np.arange(feeder.connections))]
    return np.asarray(largest[of])
