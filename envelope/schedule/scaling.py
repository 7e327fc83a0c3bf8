"""Limits scaled down towards what is granted in any event, where they do not verify as they were calculated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from envelope.problem import Guarantee
from envelope.schedule.codes import CAPACITY, NETWORK
from envelope.schedule.schedule import EnvelopeSchedule
from gridmodel.arrays import Real, Watts

FACTORS = (0.97, 0.94, 0.88, 0.76, 0.5, 0.25)
"""Parts of the headroom that are tried in this order."""
NOT_SCALED = (Guarantee.DECLARED_BAND,)
"""Guarantees of which smaller limits may allow what larger ones do not."""


def scaled(schedule: EnvelopeSchedule, factor: float | Real) -> EnvelopeSchedule:
    """Return a schedule with so much of the headroom of every limit and default beyond its least value.

    factor: of all connections, or (C,) of each. Every state within the new limits lies within the old ones.
    """
    if np.all(np.asarray(factor) == 1.0):
        return schedule
    found: dict[str, Any] = {}
    for direction, of_device in (("import", "load"), ("export", "gen")):
        limit = getattr(schedule, f"{direction}_limit_w")
        firm, least = getattr(schedule, f"firm_{direction}_w"), getattr(schedule, f"{direction}_least_w")
        new = _towards(limit, np.broadcast_to(firm, limit.shape) if least is None else least, factor)
        binding = getattr(schedule, f"{direction}_binding")
        # What was free up to its capacity is held back by the network now, and has to be adopted early like that.
        held = (binding.row == CAPACITY) & (new < limit)
        found |= {
            f"{direction}_limit_w": new,
            f"{of_device}_limit_w": np.maximum(getattr(schedule, f"{of_device}_limit_w") - (limit - new), 0),
            f"{direction}_room_w": factor * getattr(schedule, f"{direction}_room_w"),
            f"{direction}_binding": replace(binding, row=np.where(held, NETWORK, binding.row)),
            f"default_{direction}_w": _towards(getattr(schedule, f"default_{direction}_w"), firm, factor),
        }
    return replace(schedule, **found)


def _towards(limit: Watts, least: Watts, factor: float | Real) -> Watts:
    """Whole watts, never above the limit."""
    room = np.maximum(limit - least, 0)
    return np.asarray(limit - room + np.floor(factor * room).astype(np.int64))
