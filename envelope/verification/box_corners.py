"""Corners of a box that a guarantee covers, in states of the joint paths of base load and head voltage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envelope.constraints.formulation import Formulation
from envelope.problem.guarantees import GuaranteedBox
from gridmodel.arrays import Index, Mask, Real

BESIDE_W = 0.5
"""W from the base load within which a home feeds nothing, and outside a box from which on it stands beside it"""


class At(NamedTuple):
    """States of the joint paths, and the steps that they are in."""

    states: Index
    steps: Index
    """(S,)"""

    def only(self, which: Index | Mask) -> At:
        """Some of them."""
        return At(self.states[which], self.steps[which])


class BoxCorners:
    """Corners of one box; L ports."""

    def __init__(self, formulation: Formulation, box: GuaranteedBox, rng: np.random.Generator) -> None:
        self.box, self.feeder, self.joint, self.rng = box, formulation.feeder, formulation.paths, rng
        self.paths = formulation.paths.of_box(box)

    def at(self, steps: Index, states: Index | None = None) -> At:
        """These steps in given states, or each in one at random among those that limits hold in."""
        if states is not None:
            return At(states, steps)
        if not self.joint.several:
            return At(np.zeros(len(steps), dtype=np.intp), steps)
        kept = self.joint.kept[:, steps]
        return At(np.where(kept, self.rng.random(kept.shape), -1.0).argmax(axis=0), steps)

    def ends(self, at: At) -> tuple[Real, Real]:
        """(S, L) W that the ends of the box are below, and above, the base load of these states."""
        of = self.feeder.port_connection
        down, up = self.paths.ends(*at, self.box.lo_w[at.steps], self.box.hi_w[at.steps])
        return down[:, of], up[:, of]

    def between(self, at: At, part: Real) -> Real:
        """(S, L) W away from the base load of connections that are (S, C) parts of the way from low to high."""
        down, up = self.ends(at)
        return np.asarray((part[:, self.feeder.port_connection] * (down + up) - down) * self.feeder.port_share)


class BoxesTried:
    """All boxes of one verification; L ports."""

    def __init__(self, formulation: Formulation, boxes: tuple[GuaranteedBox, ...]) -> None:
        self.boxes, self.feeder = boxes, formulation.feeder
        self.paths = [formulation.paths.of_box(box) for box in boxes]

    def of(self, at: At, away: Real) -> tuple[Real, Real, Index]:
        """(S, L) both ends of the box that each of (S, L) corners belongs to, and (S,) its number."""
        every = [self.ends(at, np.full(len(at.steps), k)) for k in range(len(self.boxes))]
        # Homes that feed nothing may stand beside their box. Where nothing feeds, the box is that without sun.
        off = np.abs(away) < BESIDE_W
        plain = [np.maximum(away - high, low - away).max(axis=1, initial=0.0) for low, high in every]
        beside = [
            np.maximum(away - high, np.where(off, 0.0, low - away)).max(axis=1, initial=0.0) for low, high in every
        ]
        index = np.argmin(np.where(np.min(plain, axis=0) < BESIDE_W, plain, beside), axis=0)
        low, high = (np.stack([ends[side] for ends in every])[index, np.arange(len(index))] for side in (0, 1))
        return low, high, index

    def ends(self, at: At, index: Index) -> tuple[Real, Real]:
        """(S, L) both ends, W from the base load, of the boxes of these numbers."""
        of, share = self.feeder.port_connection, self.feeder.port_share
        low, high = np.empty((len(index), len(share))), np.empty((len(index), len(share)))
        for k in np.unique(index):
            mine, box = np.flatnonzero(index == k), self.boxes[k]
            near = at.only(mine)
            down, up = self.paths[k].ends(*near, box.lo_w[near.steps], box.hi_w[near.steps])
            low[mine], high[mine] = -down[:, of] * share, up[:, of] * share
        return low, high
