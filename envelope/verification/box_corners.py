"""Corners of a box that a guarantee covers, in states of the joint paths of base load and head voltage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envelope.constraints.formulation import Formulation
from envelope.problem.guarantees import GuaranteedBox
from gridmodel.arrays import Index, Mask, Real


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
