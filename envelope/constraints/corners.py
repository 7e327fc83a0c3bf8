"""Corners that every verification tries: the worst of each kind of constraint, and phases against each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from envelope.constraints.linear import FACETS, LinearConstraints
from envelope.constraints.monitored_feeder import MonitoredFeeder
from envelope.problem.guarantees import GuaranteeRule
from gridmodel.arrays import Index, Real


class CheckedCorner(NamedTuple):
    """A corner that is the same for all steps."""

    kind: str
    up: Real
    down: Real
    """(L,) parts of each port's headroom"""
    row: int | None = None
    """the strongest constraint that it is the worst corner of, where it is one's"""


def corners_to_check(
    guarantee: GuaranteeRule, built: LinearConstraints, feeder: MonitoredFeeder, most: int
) -> Iterator[CheckedCorner]:
    """Corners that are the same for all steps."""
    if guarantee.common_level:
        share = feeder.port_share
        yield CheckedCorner("all together", share, np.zeros_like(share))
        yield CheckedCorner("all together", np.zeros_like(share), share)
        return
    yield from sign_corners(built, most)
    yield from (CheckedCorner("aligned", up, down) for up, down in aligned_corners(feeder))


def sign_corners(built: LinearConstraints, most: int) -> list[CheckedCorner]:
    """Worst corners of all voltage constraints and of currents, strongest first; side directions of currents last."""
    main = built.kind != 2
    load = np.flatnonzero(built.kind == 2)
    main[load[np.arange(len(load)) % (FACETS // 2) == 0]] = True
    strength = built.rise_up.sum(axis=1) + built.rise_down.sum(axis=1)
    order = np.argsort(-strength, kind="stable")
    first: dict[int, int] = {}
    for row in np.concatenate([_interleaved(built, part) for part in (order[main[order]], order[~main[order]])]):
        first.setdefault(int(built.corner[row]), int(row))
    return [
        CheckedCorner("sign", built.corners.up[k], built.corners.down[k], row) for k, row in list(first.items())[:most]
    ]


def _interleaved(built: LinearConstraints, order: Index) -> Index:
    """The ordered constraints, the three kinds taking turns."""
    rank = np.empty(len(order))
    for kind in range(3):
        of_kind = built.kind[order] == kind
        rank[of_kind] = np.arange(of_kind.sum())
    return np.asarray(order[np.argsort(rank, kind="stable")])


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
