"""The street's homes as their clients see them: one device each, which is told limits and asked what was measured."""

from __future__ import annotations

import numpy as np

from envelope.demo.day import Day
from envelope.demo.devices import Devices, Limits, Played, Powers, collect
from gridmodel.arrays import Mask, Real
from sep2 import wire as w
from sep2.client import limits as told
from sep2.client.device import Measured, Power, Rating


class Homes:
    """Everything that is behind the clients, in one place because it is simulated together."""

    def __init__(self, day: Day, disobeying: Mask) -> None:
        """disobeying: (C,) homes whose devices answer as they should and do as they like."""
        count = len(day.connection_ids)
        self.day = day
        self.devices = Devices(day)
        self.disobeying = disobeying
        self.import_limit_w, self.export_limit_w = np.full(count, np.inf), np.full(count, np.inf)
        """(C,) limits in force, as the clients said; nothing else reaches a device"""
        self.steps: list[Powers] = []
        self.held: list[Limits] = []
        self._since = np.zeros(count, dtype=np.intp)

    def device(self, connection: int) -> Home:
        """The device behind one connection."""
        return Home(self, connection)

    def play(self, step: int) -> None:
        """Five minutes of everyone's life."""
        limits = Limits(self.import_limit_w.copy(), self.export_limit_w.copy())
        self.held.append(limits)
        self.steps.append(self.devices.step(step, limits.without(self.disobeying)))

    def since_asked(self, connection: int) -> list[Powers]:
        """The steps since a home was last asked what it measured."""
        since, self._since[connection] = self._since[connection], len(self.steps)
        return self.steps[since:]

    def played(self) -> Played:
        """The day as it happened."""
        return collect(self.steps, self.devices)

    def limits(self) -> tuple[Real, Real]:
        """(T, C) import and export limits that were in force."""
        return np.array([held.import_w for held in self.held]), np.array([held.export_w for held in self.held])


class Home:
    """An inverter, a charger and a meter at one connection (`sep2.client.device.Device`)."""

    def __init__(self, homes: Homes, connection: int) -> None:
        self._homes, self._connection = homes, connection
        size_w, charge_w = float(homes.day.pv_size_w[connection]), float(homes.day.charging_w[:, connection].max())
        kind = w.DERType.PHOTOVOLTAIC if size_w else w.DERType.EVSE
        self._rating = Rating(max_w=size_w, max_charge_w=charge_w or None, kind=kind, has_der_meter=False)

    @property
    def rating(self) -> Rating:
        """What is installed."""
        return self._rating

    def apply(self, limits: told.Limits, now: int) -> None:
        """Obey from now on."""
        homes, at = self._homes, self._connection
        homes.import_limit_w[at] = np.inf if limits.import_limit_w is None else limits.import_limit_w
        homes.export_limit_w[at] = np.inf if limits.export_limit_w is None else limits.export_limit_w

    def measure(self, now: int) -> Measured:
        """Averages since this was last asked."""
        steps = self._homes.since_asked(self._connection)
        if not steps:
            return Measured()
        mean = complex(np.mean([step.s_va[self._connection] for step in steps]))
        return Measured(site=Power(-mean.real, -mean.imag))
