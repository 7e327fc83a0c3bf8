"""The declared band: homes whose generation is known to stay near what their limit and the sun let it feed.

A guarantee for any combination must bear that neighbours on other phases feed nothing while a home feeds all it may.
Where an engineer declares that no home's generation falls below a share of its limit or of the sun while its
neighbours' does not, the box of each home begins at that share instead of at its base load.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envelope.problem.guarantees import GuaranteedBox
from envelope.problem.policies import Direction
from envelope.problem.problem import Problem
from envelope.problem.steps import zeros_or
from gridmodel.arrays import Mask, Real, Watts

SUN = (1.0, 0.8, 0.6, 0.4, 0.2)
"""parts of the clear sky that the sun is tried at, the same for all homes; none at all is tried too"""
BOTH = (Direction.EXPORT, Direction.IMPORT)


@dataclass(frozen=True, eq=False)
class DeclaredBand:
    """The declared share of generation, and what bounds generation at each connection; T steps, C connections."""

    share: float
    """declared lower edge, part of what limit and sun let a home's generation feed"""
    gen_w: Real
    load_w: Real
    """(T, C) flexible generation under a clear sky, and flexible load"""
    least_load_w: Real
    """(T, C) least base load"""
    controlled: Mask
    """(C,) whether export can be limited"""
    back: int
    ahead: int
    """steps before and after an interval whose limit may be in force in it"""
    in_force_w: Real
    in_force_steps: int
    """(C,) export limits of an earlier run, and in how many of the first steps clients may hold them"""

    def cap_w(self, limit_w: Real | Watts) -> Real:
        """(T, C) tightest export limit, W, that a client may hold in each interval, of (T, C) published limits.

        A default is not among them: a client that falls back to it has left the declared band.
        """
        tightest = np.asarray(limit_w, dtype=float).copy()
        own = tightest.copy()
        for by in range(1, min(self.back, len(own) - 1) + 1):
            tightest[by:] = np.minimum(tightest[by:], own[:-by])
        for by in range(1, min(self.ahead, len(own) - 1) + 1):
            tightest[:-by] = np.minimum(tightest[:-by], own[by:])
        if self.in_force_steps:
            first = slice(0, self.in_force_steps)
            tightest[first] = np.minimum(tightest[first], self.in_force_w)
        tightest[:, ~self.controlled] = np.inf
        return tightest

    def declared_w(self, base_w: Real, cap_w: Real, sun: float = 1.0) -> Real:
        """(T, C) net injection, W, above which the declaration keeps a home whose flexible load draws all it can."""
        load = self.load_w
        feeds = np.minimum(sun * self.gen_w, np.maximum(cap_w - base_w + load, 0.0))
        return base_w - load + self.share * feeds

    def box(self, base_w: Real, ends_w: tuple[Real, Real], cap_w: Real, sun: float) -> tuple[Real, Real]:
        """(T, C) lowest and highest net injection under a part of the clear sky; ends_w: what limits alone allow."""
        lo_w, hi_w = ends_w
        hi = np.where(
            self.gen_w > 0.0, np.minimum(hi_w, np.maximum(sun * self.gen_w - self.least_load_w, base_w)), hi_w
        )
        lo = np.where(self.gen_w > 0.0, np.maximum(lo_w, self.declared_w(base_w, cap_w, sun)), lo_w)
        return np.minimum(lo, hi), hi

    def boxes(self, base_w: Real, ends_w: tuple[Real, Real], cap_w: Real) -> tuple[GuaranteedBox, ...]:
        """The boxes under each part of the clear sky; one without the sun's share in steps that have no sun."""
        found = []
        dark = ~(self.gen_w > 0.0).any(axis=1)
        for sun in (*SUN, 0.0):
            lo, hi = self.box(base_w, ends_w, cap_w, sun)
            if sun < 1.0:
                lo[dark], hi[dark] = base_w[dark], base_w[dark]
            found.append(GuaranteedBox(lo, hi, BOTH))
        return tuple(found)


def band_of(problem: Problem) -> DeclaredBand | None:
    """The declared band of a problem; None where its guarantee has none."""
    if problem.declared_share is None:
        return None
    exports = problem.side(Direction.EXPORT)
    held = exports.in_force_w
    return DeclaredBand(
        share=problem.declared_share,
        gen_w=problem.flex_gen_w,
        load_w=problem.flex_load_w,
        least_load_w=problem.load_lo_w,
        controlled=exports.controlled,
        back=problem.steps_ahead or problem.hull_steps,
        ahead=0 if problem.steps_ahead else problem.hull_steps,
        in_force_w=zeros_or(held, len(problem.connection_id)),
        in_force_steps=0 if held is None else problem.in_force_steps,
    )
