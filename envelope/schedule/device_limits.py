"""Limits of single devices behind a connection, divided by a stated policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from envelope.problem import Policy
from envelope.problem.steps import select
from envelope.schedule.schedule import EnvelopeSchedule, whole_w_below
from gridmodel.arrays import Index, Real, Watts
from gridmodel.model.devices import HOLDERS, SITE, Device, settled

if TYPE_CHECKING:
    import pandas as pd
from envelope.problem.control_points import holders


@dataclass(frozen=True, eq=False)
class DeviceLimits:
    """Limits of D devices in T steps, whole watts. Parts never sum to more than their connection's limit."""

    devices: tuple[Device, ...]
    """(D,) each with its control point"""
    schedule: EnvelopeSchedule
    column: Index
    """(D,) of its connection in the schedule"""
    gen_limit_w: Watts
    load_limit_w: Watts
    """(T, D)"""
    policy: Policy

    def to_frame(self) -> pd.DataFrame:
        """One row per device and interval; import and export limits only where the device holds them."""
        import pandas as pd

        steps, count = self.gen_limit_w.shape
        points = np.array([device.control_point for device in self.devices], dtype=object)

        def net(table: Watts, holders: Sequence[str]) -> pd.Series[int]:
            tall = pd.Series(table[:, self.column].T.ravel(), dtype="Int64")
            return tall.mask(np.repeat(~np.isin(points, holders), steps))

        return pd.DataFrame(
            {
                "device_id": np.repeat(np.array([d.id for d in self.devices], dtype=object), steps),
                "connection_point": np.repeat(np.array([d.connection_id for d in self.devices], dtype=object), steps),
                "aggregator_id": np.repeat(np.array([d.aggregator_id for d in self.devices], dtype=object), steps),
                "control_point": np.repeat(points, steps),
                "start": pd.to_datetime(np.tile(self.schedule.step_start, count), unit="s", utc=True),
                "duration": pd.to_timedelta(np.full(steps * count, self.schedule.step_s), unit="s"),
                "import_limit_w": net(self.schedule.import_limit_w, [SITE]),
                "export_limit_w": net(self.schedule.export_limit_w, HOLDERS),
                "gen_limit_w": self.gen_limit_w.T.ravel(),
                "load_limit_w": self.load_limit_w.T.ravel(),
                "policy": str(self.policy),
                "run_id": self.schedule.run_id,
            }
        )


def divide(schedule: EnvelopeSchedule, devices: Sequence[Device], policy: Policy = Policy.PROPORTIONAL) -> DeviceLimits:
    """Generation and load limits of every device, by the policy.

    The holder of a connection's net limits takes part in it, so that what the others may do leaves it its own.
    """
    holders(devices)
    known = settled(devices)
    column = select(schedule.connection_id, [device.connection_id for device in known])
    shape = (schedule.steps, len(known))
    gen, load = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    sizes = np.array([[d.max_gen_w, d.max_load_w] for d in known]).reshape(-1, 2)
    for connection in np.unique(column):
        own = np.flatnonzero(column == connection)
        gen[:, own] = parts(schedule.gen_limit_w[:, connection], sizes[own, 0], policy)
        load[:, own] = parts(schedule.load_limit_w[:, connection], sizes[own, 1], policy)
    return DeviceLimits(known, schedule, column, gen, load, policy)


def parts(limit_w: NDArray[np.number], size_w: Real, policy: Policy) -> Watts:
    """(T, D) whole watts of each device: never beyond its size, in all never beyond the (T,) limit.

    No part falls as the limit rises. A device of infinite size, which is not known, may be as large as the limit.
    """
    limit = np.asarray(limit_w, dtype=float)
    size = np.where(np.isfinite(size_w), size_w, limit[:, None])
    whole = np.floor(size)
    if policy is Policy.PROPORTIONAL:
        share = limit / np.maximum(size.sum(axis=1), np.maximum(limit, 1.0))
        return np.minimum(whole_w_below(share[:, None] * size), whole.astype(np.int64))
    given = np.zeros(size.shape)
    order = np.argsort(size_w, kind="stable") if policy is Policy.EQUAL else np.arange(len(size_w))
    left = limit.copy()
    for place, device in enumerate(order):
        level = left / (len(size_w) - place) if policy is Policy.EQUAL else left
        given[:, device] = np.minimum(np.floor(level), whole[:, device])
        left = left - given[:, device]
    return given.astype(np.int64)
