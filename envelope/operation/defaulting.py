"""Whether what holds when no control does is inside what was verified: every state in between counts on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from envelope.findings import LOOSE, some
from envelope.operation import seen
from envelope.schedule import EnvelopeSchedule, floored
from sep2.rules.limits import Limits
from sep2.store import defaults
from sep2.store.connection import Connection

Array = NDArray[np.float64]


async def in_effect(db: Connection, names: Sequence[str]) -> dict[str, Limits]:
    """The default of each connection whose net limits a device holds: of every mode the strongest program's."""
    found: dict[str, Limits] = {}
    for row in await defaults.of_net_limit_holders(db, names):
        before = found.get(row.connection_id, Limits())
        own = (row.import_limit_w, row.export_limit_w, row.gen_limit_w, row.load_limit_w)
        found[row.connection_id] = Limits(*(b if a is None else a for a, b in zip(before, own, strict=True)))
    return found


def looser(schedule: EnvelopeSchedule, default: Mapping[str, Limits], now: int, *, counted: bool = True) -> list[str]:
    """The connections that could go beyond a limit from now on, on these defaults.

    counted: whether the default that the schedule was verified with may be looser than a limit.
    """
    ahead = slice(max(int(np.searchsorted(schedule.step_start, now, side="right")) - 1, 0), None)
    beyond = np.zeros(len(schedule.connection_id), dtype=bool)
    for side, limit, reach, binding, own in (
        (0, schedule.import_limit_w, schedule.import_reach_w, schedule.import_binding, schedule.default_import_w),
        (1, schedule.export_limit_w, schedule.export_reach_w, schedule.export_binding, schedule.default_export_w),
    ):
        most = np.stack([_most(schedule, default, k, side)[ahead] for k in range(len(own))], axis=1)
        verified = np.maximum(limit[ahead], own) if counted else limit[ahead]
        # Limits at reach are whole watts too.
        within_reach = np.minimum(most, floored(np.maximum(reach[ahead], 0.0)))
        beyond |= ((within_reach > verified) & binding.is_network[ahead]).any(axis=0)
    return [name for name, is_beyond in zip(schedule.connection_id, beyond, strict=True) if is_beyond]


def finding(names: Sequence[str]) -> tuple[str, ...]:
    """The connections, as a finding; none where there are none."""
    return (f"{LOOSE}: on their default, {some(names)} could go beyond a published limit",) if names else ()


def _most(schedule: EnvelopeSchedule, default: Mapping[str, Limits], column: int, side: int) -> Array:
    """(T,) a connection's default, infinite where none is set; of one without a client the schedule's own."""
    net, seen_w, own, at = (
        (schedule.import_limit_w, schedule.load_limit_w, schedule.default_import_w, 3),
        (schedule.export_limit_w, schedule.gen_limit_w, schedule.default_export_w, 2),
    )[side]
    name = schedule.connection_id[column]
    if name not in default:
        return np.full(schedule.steps, float(own[column]))
    of_device = seen.is_device(schedule, column)
    watts = default[name][at if of_device else side]
    if watts is None:
        return np.full(schedule.steps, np.inf)
    base = (net - seen_w)[:, column] if of_device else np.zeros(schedule.steps)
    return np.asarray(watts + base, dtype=float)
