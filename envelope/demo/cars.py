"""Electric cars at home: arrival, departure and requested energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmodel.arrays import Index, Mask, Real

HOME_FROM_H, HOME_UNTIL_H = 15.0, 8.0
"""A charger may be in use from 15:00 to 08:00: registered by customers, and so counted by the engine."""
RATE_W = 7000.0
MEDIAN_WH = 11_000.0
TIMER_SHARE, CHEAP_FROM_H = 0.6, 23.0
"""Most drivers plug in after work and let a timer wait for the night tariff, so that their cars all begin at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Cars:
    """One charging session per car; times are steps of the day, a car wants power from `arrives` until `departs`."""

    home: Index
    arrives: Index
    departs: Index
    asked_wh: Real
    rate_w: Real

    def __len__(self) -> int:
        return len(self.home)

    def of(self, homes: Mask) -> Cars:
        """Return the cars of these homes only."""
        kept = homes[self.home]
        return Cars(self.home[kept], self.arrives[kept], self.departs[kept], self.asked_wh[kept], self.rate_w[kept])


def sessions(rng: np.random.Generator, count: int, hours: Real) -> Cars:
    """Return a session for each home: from the evening until eight, with the energy of one or two days of driving."""
    steps = len(hours)
    home = np.clip(rng.normal(17.9, 1.2, count), 15.5, 22.0)
    waits = rng.uniform(size=count) < TIMER_SHARE
    arrives = _step(np.where(waits, CHEAP_FROM_H + rng.uniform(0.0, 0.15, count), home), hours)
    departs = _step(np.clip(rng.normal(7.1, 0.5, count), 6.0, 7.9), hours)
    asked = np.clip(rng.lognormal(np.log(MEDIAN_WH), 0.45, count), 4_000.0, 35_000.0)
    possible = RATE_W * (departs - arrives) * 24 / steps
    return Cars(np.arange(count), arrives, departs, np.minimum(asked, 0.8 * possible).round(-1), np.full(count, RATE_W))


def _step(hour: Real, hours: Real) -> Index:
    """Return the step of the day that contains an hour of the clock."""
    return np.asarray((hour - hours[0]) % 24 / 24 * len(hours), dtype=np.intp)
