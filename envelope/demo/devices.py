"""Inverters and chargers: they know their home, their car, their weather and the limits they were told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envelope.demo.day import STEP_S, STEPS, Day
from gridmodel.arrays import Complex, Mask, Real

LEAST_CHARGE_W = 1380.0
"""IEC 61851-1 offers a car 6 A or nothing: below that, charging pauses."""
ENOUGH_WH = 100.0
"""A car that lacks less than this at departure is not short."""


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """(C,) what each connection may take and give at one moment, W; infinity where nothing was said."""

    import_w: Real
    export_w: Real

    @classmethod
    def none(cls, connections: int) -> Limits:
        """No limit for anyone."""
        free = np.full(connections, np.inf)
        return cls(free, free)

    def without(self, who: Mask) -> Limits:
        """The same, as seen by those in `who`, who do not care."""
        return Limits(np.where(who, np.inf, self.import_w), np.where(who, np.inf, self.export_w))


@dataclass(frozen=True, slots=True, eq=False)
class Powers:
    """(C,) what happened in one step, W and VA; `s_va` is the injection at the connection."""

    pv_w: Real
    charge_w: Real
    s_va: Complex


class Devices:
    """All inverters and chargers of a street, played step by step through a day."""

    def __init__(self, day: Day, charger_share: float = 1.0) -> None:
        """charger_share: the fraction of its rating at which every charger is fixed for good (today's practice)."""
        self.day = day
        self.charger_share = charger_share
        self.missing_wh = day.cars.asked_wh.copy()

    def step(self, k: int, limits: Limits) -> Powers:
        """Play step `k`: charge as fast as the import limit lets, produce what the export limit lets."""
        day = self.day
        home_w, sun_w = day.base_va[k].real, day.pv_w[k]
        charge_w = self._charge(k, limits.import_w + home_w + sun_w)
        room_w = limits.export_w - home_w + charge_w
        pv_w = np.clip(sun_w, 0.0, np.maximum(room_w, 0.0))
        return Powers(pv_w, charge_w, day.base_va[k] + pv_w - charge_w)

    def _charge(self, k: int, room_w: Real) -> Real:
        """(C,) charging power, taken off what the cars still miss."""
        cars = self.day.cars
        plugged = (cars.arrives <= k) & (k < cars.departs)
        rate = np.minimum(cars.rate_w * self.charger_share, np.maximum(room_w[cars.home], 0.0))
        rate[rate < LEAST_CHARGE_W] = 0.0
        taken = np.where(plugged, np.minimum(rate, self.missing_wh * 3600 / STEP_S), 0.0)
        self.missing_wh = self.missing_wh - taken * STEP_S / 3600
        charge = np.zeros(len(self.day.connection_ids))
        charge[cars.home] = taken
        return charge


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A whole day as it happened: (T, C) powers, and what each car still missed when it left."""

    pv_w: Real
    charge_w: Real
    s_va: Complex
    missing_wh: Real


def play(day: Day, limits: Limits, charger_share: float = 1.0) -> Played:
    """A day under limits that never change."""
    devices = Devices(day, charger_share)
    return collect([devices.step(k, limits) for k in range(STEPS)], devices)


def collect(steps: list[Powers], devices: Devices) -> Played:
    """The day from its steps."""
    pv, charge, s = (np.array([getattr(step, name) for step in steps]) for name in ("pv_w", "charge_w", "s_va"))
    return Played(pv, charge, s, devices.missing_wh)
