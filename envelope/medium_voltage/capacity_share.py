"""Intervals in which the medium voltage can not carry all that the feeders may do at once: they get a share of it.

Each feeder's limits hold by themselves; all feeders at the far ends of their boxes may still be more than the medium
voltage has a power flow for. There limits grant a share of the capacity, so that other intervals keep theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from envelope.problem import Problem, TighteningLead
from envelope.schedule.findings import NO_FLOW, clock, some
from gridmodel.arrays import Mask, Real

LESS, LEAST = 0.5, 0.02
"""factor by which a share falls each time, and the share below which an interval counts as without a power flow"""
CODE = "medium_voltage_capacity"


@dataclass(frozen=True, eq=False)
class CapacityShare:
    """The share, (T,) 0 to 1, of each connection's flexible power that limits may grant."""

    share: Real

    @classmethod
    def whole(cls, problem: Problem) -> CapacityShare:
        """All of it, in every interval."""
        return cls(np.ones(problem.steps))

    @property
    def is_whole(self) -> bool:
        """Whether nothing is held back."""
        return bool((self.share == 1.0).all())

    def reduced(self, problem: Problem, steps: Mask) -> tuple[CapacityShare, Mask]:
        """Half as much in these intervals, and (T,) those in which too little would be left.

        Where limits hold until they are taken up, the intervals before count too: late clients are still at those.
        """
        less = steps.copy()
        if problem.early != TighteningLead.STEP:
            for before in range(1, problem.hull_steps + 1):
                less[:-before] |= steps[before:]
        share = np.where(less, LESS * self.share, self.share)
        lost = steps & (share < LEAST)
        return CapacityShare(np.maximum(share, LEAST)), lost

    def on(self, problem: Problem) -> Problem:
        """The problem with ceilings: what no limit bounds, and the share of flexible power beyond it."""
        if self.is_whole:
            return problem
        changed = dict[str, Any]()
        for name, most_w, flexible_w in (
            ("ceiling_import_w", problem.load_hi_w, problem.flex_load_w),
            ("ceiling_export_w", -problem.load_lo_w, problem.flex_gen_w),
        ):
            part = np.where(
                self.share[:, None] < 1.0, np.maximum(most_w, 0.0) + self.share[:, None] * flexible_w, np.inf
            )
            own = getattr(problem, name)
            changed[name] = part if own is None else np.minimum(part, own[:, None] if own.ndim == 1 else own)
        return replace(problem, **changed)

    def findings(self, problem: Problem) -> tuple[str, ...]:
        """The sentence about it; none where nothing is held back."""
        if self.is_whole:
            return ()
        held = self.share < 1.0
        when = some([clock(int(at)) for at in problem.step_start[held]])
        ends = sorted({f"{100 * part:.3g}" for part in (self.share[held].min(), self.share[held].max())}, key=float)
        count, most = f"{int(held.sum())} of {len(held)} intervals ({when})", " to ".join(ends)
        return (
            f"{CODE}: {NO_FLOW} of the medium voltage with all that connections could do at once in {count}: limits"
            f" grant at most {most} % of their flexible power there; check the source and impedances of the network,"
            " or plan with less capacity",
        )
