"""Why a limit is what it is: the constraint that holds it back."""

from __future__ import annotations

import numpy as np

from envelope.allocation.rules import takes_part
from envelope.calculation.feasible_box import BoxSide, FeasibleBox
from envelope.calculation.kernels import fullest
from envelope.schedule import Binding
from envelope.schedule.codes import CAPACITY, NETWORK
from gridmodel.arrays import Mask

NEARLY = 0.25
"""a constraint whose headroom is within this many units of slack (V, percent) may be what holds a limit back"""

EQUAL, MUCH = 0.05, 0.5
"""constraints within so many units of slack of each other are equally full, as a fit leaves no less between them; of
them, those may hold a connection back in which its watt counts this part of what it counts in any"""


def binding_constraints(found: FeasibleBox, constrained: Mask, side: BoxSide, *, together: bool = False) -> Binding:
    """(T, C) for each limit below its capacity, the fullest constraint that it takes part in.

    Of constraints that are equally full, one in which a watt of the connection counts about most.
    side: of the box in the limits' direction.
    together: limits are one common level, so that a full constraint holds back connections without a part in it too.
    """
    steps, count = constrained.shape
    row = np.full((steps, count), CAPACITY, dtype=np.intp)
    interval = np.broadcast_to(np.arange(steps, dtype=np.intp)[:, None], (steps, count)).copy()
    slack = np.where(found.infeasible, -np.inf, found.slack())
    candidates = np.flatnonzero((slack < NEARLY).any(axis=0))
    if not len(candidates):
        row[constrained] = NETWORK
        return Binding(row, interval)
    uses = side.rise[candidates]
    best = np.empty((steps, count), dtype=np.intp)
    takes = np.ones(uses.shape, dtype=np.bool_) if together else takes_part(uses, side.most_w)
    counts = uses / found.slack_unit[candidates, None]
    fullest(np.ascontiguousarray(slack[:, candidates]), takes, counts, EQUAL, MUCH, best)
    row[constrained] = np.where(best < 0, NETWORK, candidates[best])[constrained]
    return Binding(row, interval)
