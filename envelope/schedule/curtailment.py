"""Curtailed energy per connection, how evenly it is spread, and weights by which a new day makes up for it.

Curtailed is what lies between a connection's capacity and its limit where something else than its own capacity binds.
With measurements it is what lies between the power that was offered and the power that was used in those intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from envelope.field_rules import BadProblem
from envelope.problem import Direction, Problem
from envelope.schedule.codes import CEILING, NETWORK, NEXT
from envelope.schedule.schedule import EnvelopeSchedule
from gridmodel.arrays import Real

DIRECTIONS = (Direction.EXPORT, Direction.IMPORT)
HOUR_S = 3600.0
MOST_FAVOUR = 2.0
"""most that the past multiplies a share by; the least is one over it"""
WORST = 0.1
"""part of the connections that "the worst-off" are"""


@dataclass(frozen=True, eq=False)
class Curtailment:
    """Energy asked for and energy curtailed, per connection, in one direction."""

    asked_wh: Real
    """(C,) what could have been exported or imported"""
    curtailed_wh: Real
    """(C,) the part of it that limits did not let through"""

    @property
    def share(self) -> Real:
        """(C,) part of what was asked that was curtailed, 0..1; 0 where nothing was asked."""
        asked = np.maximum(self.asked_wh, 1e-9)
        return np.where(self.asked_wh > 0.0, np.clip(self.curtailed_wh / asked, 0.0, 1.0), 0.0)


@dataclass(frozen=True)
class Fairness:
    """Fairness figures of one direction, over all connections that asked for energy."""

    asked_kwh: float
    curtailed_kwh: float
    jain: float
    """Jain's index of the parts that were granted: 1 when all are equal"""
    least_share: float
    """smallest part granted to anyone"""
    worst_decile_share: float
    """part granted to the tenth of the connections that got the least, together"""
    worst_decile_kwh: float
    """what that tenth had to forgo"""


def curtailed_energy(
    schedule: EnvelopeSchedule, direction: str, *, offered_w: Real | None = None, measured_w: Real | None = None
) -> Curtailment:
    """Energy that a schedule curtails; with (T, C) watts offered and measured (positive in `direction`), curtailed."""
    if (offered_w is None) != (measured_w is None):
        raise BadProblem("offered_w, measured_w: one says nothing without the other")
    side = schedule.side(direction)
    held = (side.binding.row >= 0) | np.isin(side.binding.row, (NETWORK, NEXT, CEILING))
    offered = side.capacity_w if offered_w is None else offered_w
    could = np.where(held | (side.room_w > 0.0), np.maximum(offered, 0.0), 0.0)
    did = np.minimum(could, side.limit_w if measured_w is None else np.maximum(measured_w, 0.0))
    hours = schedule.step_s / HOUR_S
    return Curtailment(could.sum(axis=0) * hours, np.where(held, could - did, 0.0).sum(axis=0) * hours)


def fairness(found: Curtailment) -> Fairness:
    """The figures that a run reports."""
    asked = found.asked_wh > 0.0
    granted = 1.0 - found.share[asked]
    if not len(granted):
        return Fairness(0.0, 0.0, 1.0, 1.0, 1.0, 0.0)
    asked_wh, curtailed_wh = found.asked_wh[asked], found.curtailed_wh[asked]
    worst = np.argsort(granted, kind="stable")[: max(1, round(WORST * len(granted)))]
    return Fairness(
        asked_kwh=float(asked_wh.sum() / 1e3),
        curtailed_kwh=float(curtailed_wh.sum() / 1e3),
        jain=float(jain(granted)),
        least_share=float(granted.min()),
        worst_decile_share=float(1.0 - curtailed_wh[worst].sum() / asked_wh[worst].sum()),
        worst_decile_kwh=float(curtailed_wh[worst].sum() / 1e3),
    )


def of_schedule(schedule: EnvelopeSchedule) -> dict[str, Fairness]:
    """The figures of one schedule, per direction."""
    return {direction: fairness(curtailed_energy(schedule, direction)) for direction in DIRECTIONS}


def catch_up_weights(past: Curtailment, strength: float, most: float = MOST_FAVOUR) -> Real:
    """(C,) how much more than its plain share each is to get: exp(strength * (own part curtailed - everyone's)).

    Bounded by 1/most and most. A connection that asked for nothing counts as before. Weights shift
    headroom between connections; what the network bears stays.
    """
    if strength < 0.0 or most < 1.0:
        raise BadProblem(f"the weight of the past is {strength:g}, at most {most:g}: expected >= 0 and >= 1")
    total = float(past.asked_wh.sum())
    everyone = float(past.curtailed_wh.sum()) / total if total > 0.0 else 0.0
    found = np.exp(np.clip(strength * (past.share - everyone), -np.log(most), np.log(most)))
    return np.where(past.asked_wh > 0.0, found, 1.0)


def with_catch_up(problem: Problem, past: dict[str, Curtailment], strength: float) -> Problem:
    """The same problem with headroom shifted towards connections that were curtailed most."""
    imports, exports = (catch_up_weights(past[one], strength) for one in (Direction.IMPORT, Direction.EXPORT))
    return replace(problem, favour_import=imports, favour_export=exports)


def jain(share: Real) -> float:
    """Jain's index of a vector of shares: 1 when all are equal, 1/n when one takes all; 1 for no shares at all."""
    total = float(share.sum())
    return 1.0 if total <= 0.0 else total**2 / (len(share) * float((share**2).sum()))
