"""Homes of csip clients: an inverter and a charger each, as EndDevices of their own."""

from __future__ import annotations

import numpy as np

from envelope.demo.cars import RATE_W
from envelope.demo.devices import StepPowers
from envelope.demo.homes import Equipment, Homes
from sep2 import wire as w
from sep2.client.device import Device, Measured, Power, Rating
from sep2.client.limits import Limits

INVERTER, CHARGER = "inverter", "charger"


class SeparateHomes(Homes):
    """All homes, simulated together; inverters hold limits of generation, chargers follow EndDeviceControls."""

    def equipment(self, connection: int) -> tuple[Equipment, ...]:
        """Return the inverter and the charger of one connection, as far as they are there."""
        pv, evse = w.DeviceCategoryType.PHOTOVOLTAIC, w.DeviceCategoryType.EVSE
        has_pv, count = bool(self.day.has_pv[connection]), len(self.day.connection_ids)
        inverter = Equipment(connection, INVERTER, {"device_category": int(pv)})
        # The first stands for its connection; others beside it have a group of their own.
        follows = {"device_category": int(evse), "load_control_w": int(RATE_W), "holds_net_limit": not has_pv}
        owned = (has_pv, inverter), (self.day.has_car[connection], Equipment(connection + count, CHARGER, follows))
        return tuple(found for is_there, found in owned if is_there)

    def device(self, number: int) -> Device:
        """Return the inverter of that connection, or the charger of the one so many connections before."""
        count = len(self.day.connection_ids)
        return Inverter(self, number) if number < count else Charger(self, number, number - count)


class Inverter:
    """The inverter of one home (`sep2.client.device.Device`)."""

    def __init__(self, homes: Homes, connection: int) -> None:
        self._homes, self._connection = homes, connection
        size_w = float(homes.day.pv_size_w[connection])
        category = int(w.DeviceCategoryType.PHOTOVOLTAIC)
        self._rating = Rating(max_w=size_w, category=category, has_site_meter=False)

    @property
    def rating(self) -> Rating:
        """Ratings of the inverter."""
        return self._rating

    def apply(self, limits: Limits, now: int) -> None:
        """Generate no more than that from now on."""
        self._homes.gen_limit_w[self._connection] = np.inf if limits.gen_limit_w is None else limits.gen_limit_w

    def measure(self, now: int) -> Measured:
        """Return what it generated since the last measurement."""
        steps = self._homes.steps_since_measured(self._connection)
        return Measured(der=Power(_mean_w(steps, "pv_w", self._connection))) if steps else Measured()


class Charger:
    """The charger of one home (`sep2.client.device.Device`)."""

    def __init__(self, homes: Homes, number: int, connection: int) -> None:
        self._homes, self._number, self._connection = homes, number, connection
        kind, category = w.DERType.EVSE, int(w.DeviceCategoryType.EVSE)
        self._rating = Rating(max_w=0, max_charge_w=RATE_W, kind=kind, category=category, has_site_meter=False)

    @property
    def rating(self) -> Rating:
        """Ratings of the charger."""
        return self._rating

    def apply(self, limits: Limits, now: int) -> None:
        """Draw no more than that from now on."""
        self._homes.load_limit_w[self._connection] = np.inf if limits.load_limit_w is None else limits.load_limit_w

    def measure(self, now: int) -> Measured:
        """Return what it drew since the last measurement, as negative generation."""
        steps = self._homes.steps_since_measured(self._number)
        return Measured(der=Power(-_mean_w(steps, "charge_w", self._connection))) if steps else Measured()


def _mean_w(steps: list[StepPowers], what: str, connection: int) -> float:
    return float(np.mean([getattr(step, what)[connection] for step in steps]))
