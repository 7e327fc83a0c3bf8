"""Homes as their clients see them: devices that apply limits and return measurements."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envelope.demo.day import Day
from envelope.demo.devices import DayPowers, Devices, Limits, StepPowers, day_powers
from gridmodel.arrays import Mask, Real
from sep2 import wire as w
from sep2.client import limits as client_limits
from sep2.client.device import Device, Measured, Power, Rating


class Equipment(NamedTuple):
    """One EndDevice of a home, and how it is registered."""

    number: int
    """By which `Homes.device` gives it."""
    name: str
    """What tells it from others of the home; empty: it is the only one."""
    registered: dict[str, Any]
    """What the utility registers of it, beside whose it is and where."""


class Homes:
    """All homes, simulated together; each has one EndDevice for all that is there."""

    def __init__(self, day: Day, disobeying: Mask) -> None:
        """disobeying: (C,) homes whose devices answer as required and ignore their limits."""
        count = len(day.connection_ids)
        self.day = day
        self.devices = Devices(day)
        self.disobeying = disobeying
        self.import_limit_w, self.export_limit_w = np.full(count, np.inf), np.full(count, np.inf)
        self.load_limit_w, self.gen_limit_w = np.full(count, np.inf), np.full(count, np.inf)
        """Limits in force, (C,) W, as the clients have applied them."""
        self.steps: list[StepPowers] = []
        self.in_force: list[Limits] = []
        self._since: dict[int, int] = {}

    def equipment(self, connection: int) -> tuple[Equipment, ...]:
        """Return what is registered at one connection."""
        return (Equipment(connection, "", {}),)

    def device(self, number: int) -> Device:
        """Return the device of that number, which is its connection's."""
        return Home(self, number)

    def play(self, step: int) -> None:
        """Simulate one step of five minutes."""
        held = (self.import_limit_w, self.export_limit_w, self.load_limit_w, self.gen_limit_w)
        limits = Limits(*(side.copy() for side in held))
        self.in_force.append(limits)
        self.steps.append(self.devices.step(step, limits.without(self.disobeying)))

    def steps_since_measured(self, number: int) -> list[StepPowers]:
        """Return the steps since a device's last measurement."""
        since, self._since[number] = self._since.get(number, 0), len(self.steps)
        return self.steps[since:]

    def powers(self) -> DayPowers:
        """Return the powers of all steps."""
        return day_powers(self.steps, self.devices)

    def limits(self) -> tuple[Real, Real]:
        """Return the most import and export that the limits in force left, (T, C) W each."""
        base_w = self.day.base_va.real
        sides = [limits.at_meter(base_w[k]) for k, limits in enumerate(self.in_force)]
        return np.array([imports for imports, _ in sides]), np.array([exports for _, exports in sides])


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
