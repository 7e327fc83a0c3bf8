"""Why a limit is what it is: the row that holds it back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envelope.boxes.allocate import takes_part
from envelope.boxes.box import Fit
from envelope.schedule import CAPACITY, NETWORK, Binding

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

NEARLY = 0.25
"""a row whose room is within this many units of slack (V, percent) may be what holds a limit back"""


def bind(found: Fit, constrained: Mask, *, up: bool) -> Binding:
    """(T, C) for each limit below its reach, the fullest row that it takes part in."""
    steps, count = constrained.shape
    row = np.full((steps, count), CAPACITY, dtype=np.intp)
    interval = np.broadcast_to(np.arange(steps, dtype=np.intp)[:, None], (steps, count)).copy()
    slack = np.where(found.breached, -np.inf, found.slack())
    candidates = np.flatnonzero((slack < NEARLY).any(axis=0))
    if not len(candidates):
        row[constrained] = NETWORK
        return Binding(row, interval)
    part = takes_part(found.rows.plus if up else found.rows.minus)[candidates] > 0.0
    for t in np.flatnonzero(constrained.any(axis=1)):
        strain = np.where(part, slack[t, candidates][:, None], np.inf)
        best = strain.argmin(axis=0)
        found_row = np.where(
            np.isfinite(strain.min(axis=0)) | (strain.min(axis=0) == -np.inf), candidates[best], NETWORK
        )
        row[t] = np.where(constrained[t], found_row, CAPACITY)
    return Binding(row, interval)
