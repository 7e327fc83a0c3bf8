"""Inverters and chargers: their power in each step, by demand, weather and the limits in force."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envelope.demo.day import STEP_S, STEPS, Day
from gridmodel.arrays import Complex, Mask, Real

LEAST_CHARGE_W = 1380.0
"""IEC 61851-1 offers a car 6 A or nothing: below that, charging pauses."""
ENOUGH_WH = 100.0
"""Energy that may be missing at departure without counting as short, Wh."""


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Limits of each connection at one moment, (C,) W: import, export, and load of its charger; infinity: none."""

    import_w: Real
    export_w: Real
    load_w: Real | float = np.inf
    """Of the charger."""
    gen_w: Real | float = np.inf
    """Of the inverter."""

    @classmethod
    def none(cls, connections: int) -> Limits:
        """Return no limits."""
        free = np.full(connections, np.inf)
        return cls(free, free)

    def without(self, disobeying: Mask) -> Limits:
        """Return the same limits, and none for connections that disobey."""
        sides = (self.import_w, self.export_w, self.load_w, self.gen_w)
        return Limits(*(np.where(disobeying, np.inf, side) for side in sides))

    def at_meter(self, base_w: Real) -> tuple[Real, Real]:
        """Return the most import and export that all limits leave, (C,) W; base_w: injection without devices."""
        imports = np.minimum(self.import_w, self.load_w - base_w)
        return np.asarray(imports), np.asarray(np.minimum(self.export_w, self.gen_w + base_w))


@dataclass(frozen=True, slots=True, eq=False)
class StepPowers:
    """Powers of one step, (C,) W and VA; `s_va` is the injection at the connection."""

    pv_w: Real
    charge_w: Real
    s_va: Complex


class Devices:
    """All inverters and chargers of a feeder, simulated step by step."""

    def __init__(self, day: Day, charger_share: float = 1.0) -> None:
        """charger_share: part of its rating at which every charger is fixed (today's practice)."""
        self.day = day
        self.charger_share = charger_share
        self.missing_wh = day.cars.asked_wh.copy()

    def step(self, k: int, limits: Limits) -> StepPowers:
        """Simulate step `k`: charge as fast as the import limit permits, produce what the export limit permits."""
        day = self.day
        home_w, sun_w = day.base_va[k].real, day.pv_w[k]
        charge_w = self._charge(k, np.minimum(limits.import_w + home_w + sun_w, limits.load_w))
        headroom_w = limits.export_w - home_w + charge_w
        pv_w = np.clip(sun_w, 0.0, np.maximum(np.minimum(headroom_w, limits.gen_w), 0.0))
        return StepPowers(pv_w, charge_w, day.base_va[k] + pv_w - charge_w)

    def _charge(self, k: int, headroom_w: Real) -> Real:
        """Return the charging power, (C,) W, and subtract its energy from what the cars still need."""
        cars = self.day.cars
        plugged = (cars.arrives <= k) & (k < cars.departs)
        rate = np.minimum(cars.rate_w * self.charger_share, np.maximum(headroom_w[cars.home], 0.0))
        rate[rate < LEAST_CHARGE_W] = 0.0
        taken = np.where(plugged, np.minimum(rate, self.missing_wh * 3600 / STEP_S), 0.0)
        self.missing_wh = self.missing_wh - taken * STEP_S / 3600
        charge = np.zeros(len(self.day.connection_ids))
        charge[cars.home] = taken
        return charge


@dataclass(frozen=True, slots=True, eq=False)
class DayPowers:
    """Powers of a whole day, (T, C), and the energy that each car missed at departure, Wh."""

    pv_w: Real
    charge_w: Real
    s_va: Complex
    missing_wh: Real


def simulate(day: Day, limits: Limits, charger_share: float = 1.0) -> DayPowers:
    """Return a day under constant limits."""
    devices = Devices(day, charger_share)
    return day_powers([devices.step(k, limits) for k in range(STEPS)], devices)


def day_powers(steps: list[StepPowers], devices: Devices) -> DayPowers:
    """Return the day from its steps."""
    pv, charge, s = (np.array([getattr(step, name) for step in steps]) for name in ("pv_w", "charge_w", "s_va"))
    return DayPowers(pv, charge, s, devices.missing_wh)
