"""Homes as their clients see them: one device each, which applies limits and returns measurements."""

from __future__ import annotations

import numpy as np

from envelope.demo.day import Day
from envelope.demo.devices import DayPowers, Devices, Limits, StepPowers, day_powers
from gridmodel.arrays import Mask, Real
from sep2 import wire as w
from sep2.client import limits as client_limits
from sep2.client.device import Measured, Power, Rating


class Homes:
    """All homes, simulated together."""

    def __init__(self, day: Day, disobeying: Mask) -> None:
        """disobeying: (C,) homes whose devices answer as required and ignore their limits."""
        count = len(day.connection_ids)
        self.day = day
        self.devices = Devices(day)
        self.disobeying = disobeying
        self.import_limit_w, self.export_limit_w = np.full(count, np.inf), np.full(count, np.inf)
        self.load_limit_w = np.full(count, np.inf)
        """Limits in force, (C,) W, as the clients have applied them."""
        self.steps: list[StepPowers] = []
        self.in_force: list[Limits] = []
        self._since = np.zeros(count, dtype=np.intp)

    def device(self, connection: int) -> Home:
        """Return the device at one connection."""
        return Home(self, connection)

    def play(self, step: int) -> None:
        """Simulate one step of five minutes."""
        limits = Limits(self.import_limit_w.copy(), self.export_limit_w.copy(), self.load_limit_w.copy())
        self.in_force.append(limits)
        self.steps.append(self.devices.step(step, limits.without(self.disobeying)))

    def steps_since_measured(self, connection: int) -> list[StepPowers]:
        """Return the steps since a home's last measurement."""
        since, self._since[connection] = self._since[connection], len(self.steps)
        return self.steps[since:]

    def powers(self) -> DayPowers:
        """Return the powers of all steps."""
        return day_powers(self.steps, self.devices)

    def limits(self) -> tuple[Real, Real, Real]:
        """Return the limits of import, export and load that were in force, (T, C) W each."""
        imports, exports, loads = (
            np.array([getattr(limits, side) for limits in self.in_force]) for side in ("import_w", "export_w", "load_w")
        )
        return imports, exports, loads


class Home:
    """An inverter, a charger and a meter at one connection (`sep2.client.device.Device`)."""

    def __init__(self, homes: Homes, connection: int) -> None:
        self._homes, self._connection = homes, connection
        size_w, charge_w = float(homes.day.pv_size_w[connection]), float(homes.day.charging_w[:, connection].max())
        kind = w.DERType.PHOTOVOLTAIC if size_w else w.DERType.EVSE
        self._rating = Rating(max_w=size_w, max_charge_w=charge_w or None, kind=kind)

    @property
    def rating(self) -> Rating:
        """Ratings of what is installed."""
        return self._rating

    def apply(self, limits: client_limits.Limits, now: int) -> None:
        """Apply limits from now on."""
        homes, at = self._homes, self._connection
        homes.import_limit_w[at] = np.inf if limits.import_limit_w is None else limits.import_limit_w
        homes.export_limit_w[at] = np.inf if limits.export_limit_w is None else limits.export_limit_w
        homes.load_limit_w[at] = np.inf if limits.load_limit_w is None else limits.load_limit_w

    def measure(self, now: int) -> Measured:
        """Return means since the last measurement."""
        steps = self._homes.steps_since_measured(self._connection)
        if not steps:
            return Measured()
        mean = complex(np.mean([step.s_va[self._connection] for step in steps]))
        # The equipment's meter is the charger's; where there is none, the inverter's.
        part, sign = ("charge_w", -1.0) if self._rating.max_charge_w else ("pv_w", 1.0)
        der_w = sign * float(np.mean([getattr(step, part)[self._connection] for step in steps]))
        return Measured(site=Power(-mean.real, -mean.imag), der=Power(der_w))
