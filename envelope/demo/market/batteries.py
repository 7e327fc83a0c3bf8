"""The batteries of the market's day as their clients see them: they follow a set-point within the limits in force."""

from __future__ import annotations

import numpy as np

from envelope.demo.market.network import RATED_W, sites
from sep2 import wire as w
from sep2.client import limits as client_limits
from sep2.client.device import Measured, Power, Rating

RATING = Rating(max_w=RATED_W, max_charge_w=RATED_W, energy_wh=4 * RATED_W, kind=w.DERType.OTHER_STORAGE)


class Batteries:
    """All batteries, simulated together; power in W, injection positive."""

    def __init__(self) -> None:
        self.names = sites()
        count = len(self.names)
        self.target_w = np.zeros(count)
        """What their aggregators ask of them."""
        self.export_limit_w, self.gen_limit_w = np.full(count, np.inf), np.full(count, np.inf)
        self.disobeys = np.zeros(count, dtype=bool)
        self.power_w = np.zeros(count)
        self.history: list[tuple[int, np.ndarray]] = []
        """When each step began, and what they did in it."""
        self._energy_ws, self._since = np.zeros(count), np.zeros(count)
        self._at = 0

    def play(self, now: int) -> None:
        """Let time pass until `now`, and follow set-points and limits from then on."""
        passed = now - self._at if self._at else 0
        self._energy_ws += self.power_w * passed
        self._since += passed
        self._at = now
        most_w = np.minimum(self.gen_limit_w, self.export_limit_w)
        self.power_w = np.where(self.disobeys, self.target_w, np.minimum(self.target_w, most_w))
        self.history.append((now, self.power_w))

    def device(self, connection: int) -> Battery:
        """Return the battery at one connection."""
        return Battery(self, connection)

    def mean_w(self, at: int) -> float | None:
        """Return the mean since it was asked last; None where no time has passed."""
        if not self._since[at]:
            return None
        mean = float(self._energy_ws[at] / self._since[at])
        self._energy_ws[at] = self._since[at] = 0.0
        return mean


class Battery:
    """One battery with its meter and that of its site (`sep2.client.device.Device`)."""

    rating = RATING

    def __init__(self, batteries: Batteries, at: int) -> None:
        self._batteries, self._at = batteries, at

    def apply(self, limits: client_limits.Limits, now: int) -> None:
        """Apply limits from now on."""
        all_of, at = self._batteries, self._at
        all_of.export_limit_w[at] = np.inf if limits.export_limit_w is None else limits.export_limit_w
        all_of.gen_limit_w[at] = np.inf if limits.gen_limit_w is None else limits.gen_limit_w

    def measure(self, now: int) -> Measured:
        """Return means since the last measurement."""
        mean = self._batteries.mean_w(self._at)
        if mean is None:
            return Measured()
        return Measured(site=Power(-mean), der=Power(mean))
