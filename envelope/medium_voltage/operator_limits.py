"""An operator's limit on the sum of some feeders, shared out: each gets a limit on the sum of its own connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envelope.medium_voltage.feeder_head import FeederHead, HeadBox
from envelope.problem import GroupLimit
from gridmodel.arrays import Real

SPARE = 0.1
"""part of its capacity by which the other end of a one-sided group lies beyond what its members can do"""
HALVINGS = 40
"""of the interval in which a common part is looked for"""


@dataclass(frozen=True, eq=False)
class OperatorLimit:
    """Limit on the sum of some feeders at their heads, such as a feeder breaker or reverse flow at a substation."""

    name: str
    feeders: tuple[str, ...]
    max_import_w: float | Real = float("inf")
    max_export_w: float | Real = float("inf")
    """scalar or (T,)"""


class Share(NamedTuple):
    """One feeder's part of an operator's limit, (T,) W; inf where it can never reach it."""

    name: str
    max_import_w: Real
    max_export_w: Real

    def groups(self, head: FeederHead) -> tuple[GroupLimit, ...]:
        """Limits on the sum of the feeder's connections, one per direction that can bind."""
        found = []
        for name, most, up in (("import", self.max_import_w, False), ("export", self.max_export_w, True)):
            if np.isfinite(most).any():
                found.append(_one_sided(f"{self.name} ({name})", head, most, up=up))
        return tuple(found)


class Both(NamedTuple):
    """Watts per direction, (T,) each."""

    import_w: Real
    export_w: Real

    def most(self, other: Both) -> Both:
        """The larger of each."""
        return Both(np.maximum(self.import_w, other.import_w), np.maximum(self.export_w, other.export_w))


def shares(
    limit: OperatorLimit, heads: Mapping[str, FeederHead], extra_w: Mapping[str, Both], able_w: Mapping[str, Both]
) -> dict[str, Share]:
    """Share of each feeder: its firm minimum, and the same part of its capacity for all.

    extra_w: what a head may draw and feed beyond the sum of its connections: losses, and what no corner showed.
    able_w: most that its connections were given without this limit.
    """
    parts = []
    for up, most in ((False, limit.max_import_w), (True, limit.max_export_w)):
        firm = np.stack([_firm_w(heads[name], up) for name in limit.feeders])
        room = np.maximum(np.stack([reach_w(heads[name], up=up) for name in limit.feeders]) - firm, 0.0)
        able = np.maximum(np.stack([able_w[name][up] for name in limit.feeders]) - firm, 0.0)
        left = most - firm.sum(axis=0) - sum(extra_w[name][up] for name in limit.feeders)
        parts.append(np.where(able.sum(axis=0) > left, firm + _filled(room, able, left), np.inf))
    return {
        name: Share(limit.name, max_import_w=imports, max_export_w=exports)
        for name, imports, exports in zip(limit.feeders, *parts, strict=True)
    }


def _filled(room: Real, able: Real, left: Real) -> Real:
    """(F, T) the same part of each headroom, no more than a feeder is able to, all together what is left (T,)."""
    low, high = np.zeros_like(left), np.ones_like(left)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        fits = np.minimum(middle * room, able).sum(axis=0) <= left
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.minimum(low * room, able)


def excess_w(
    limit: OperatorLimit, heads: Mapping[str, FeederHead], extra_w: Mapping[str, Both], boxes: Mapping[str, HeadBox]
) -> float:
    """W by which boxes exceed a limit, or the firm minimum where that is more."""
    worst = -np.inf
    for up, most in ((False, limit.max_import_w), (True, limit.max_export_w)):
        reached = sum(boxes[name].sum_hi_w if up else -boxes[name].sum_lo_w for name in limit.feeders)
        worst = max(worst, float((reached - np.maximum(most, _in_any_case_w(limit, heads, extra_w, up))).max()))
    return worst


def firm_excess(limit: OperatorLimit, heads: Mapping[str, FeederHead], extra_w: Mapping[str, Both]) -> list[str]:
    """Findings where base load and contracts alone exceed a limit."""
    found = []
    for up, most, said in ((False, limit.max_import_w, "import"), (True, limit.max_export_w, "export")):
        over = _in_any_case_w(limit, heads, extra_w, up) - most
        if (over > 0.0).any():
            steps, worst = int((over > 0.0).sum()), float(over.max())
            found.append(f"infeasible_firm: limit {limit.name}: {said} that is granted in any case exceeds it by up "
                         f"to {worst:.0f} W in {steps} steps")  # fmt: skip
    return found


def _in_any_case_w(
    limit: OperatorLimit, heads: Mapping[str, FeederHead], extra_w: Mapping[str, Both], up: bool
) -> Real:
    """(T,) sum at the heads that no envelope can prevent."""
    return np.asarray(sum(_firm_w(heads[name], up) + extra_w[name][up] for name in limit.feeders))


def _firm_w(head: FeederHead, up: bool) -> Real:
    """(T,) sum of the firm minimum, positive in the direction."""
    return np.asarray(head.base.hi_w.sum(axis=1) if up else -head.base.lo_w.sum(axis=1))


def reach_w(head: FeederHead, *, up: bool) -> Real:
    """(T,) sum that could be reached."""
    base = head.base
    room = (base.hi_w + base.room_up_w) if up else -(base.lo_w - base.room_down_w)
    return np.asarray(room.sum(axis=1))


def _one_sided(name: str, head: FeederHead, most: Real, *, up: bool) -> GroupLimit:
    """A limit in one direction that varies by step; the other end lies beyond capacity and never binds."""
    most = np.where(np.isfinite(most), most, reach_w(head, up=up) * (1.0 + SPARE) + 1.0)
    largest, other = max(float(most.max()), 0.0), float(reach_w(head, up=not up).max())
    # The middle of the range stays while its width varies: the other end moves with it, always out of reach.
    far = max(other, 0.0) * (1.0 + SPARE) + 1.0 + largest - float(most.min())
    middle, half = 0.5 * (largest - far), 0.5 * (largest + far)
    ends = (far, largest) if up else (largest, far)
    part = (most - middle) / half
    return GroupLimit(
        name, head.feeder.reduced.network.connections.id, max_import_w=ends[0], max_export_w=ends[1], part=part
    )
