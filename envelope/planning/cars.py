"""Electric cars over a year: sessions from noon to noon, charged at once or as the headroom of a transformer lets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from envelope.demo.cars import RATE_W, sessions
from gridmodel.arrays import Index, Mask, Real

Number = TypeVar("Number", bound=np.generic)
ENOUGH_WH = 500.0
"""a car that lacks less at departure is not short"""
NOON_H = 12.0


class Charging(NamedTuple):
    """Charging of D days at C homes, with n steps from noon to noon in each."""

    power_w: Real
    """(D, n, C)"""
    missing_wh: Real
    """(D, C) energy that a car asked for and did not get by its departure"""


@dataclass(frozen=True, eq=False)
class CarYear:
    """Sessions of D days at C homes; steps are counted from noon."""

    arrives: Index
    departs: Index
    """(D, C) the car may charge from the first up to the second"""
    asked_wh: Real
    """(D, C) 0 where no car charges that day"""
    steps: int
    """n, steps of a day"""
    rate_w: float = RATE_W

    @property
    def hours(self) -> float:
        """Length of a step, hours."""
        return 24.0 / self.steps

    def of(self, homes: Mask) -> CarYear:
        """Cars of these homes only, the others ask nothing."""
        return replace(self, asked_wh=np.where(homes, self.asked_wh, 0.0))

    def of_homes(self, homes: Index) -> CarYear:
        """These homes alone."""
        return self.part(np.arange(len(self.asked_wh)), homes)

    def part(self, days: Index | Mask, homes: Index) -> CarYear:
        """Some days and homes."""
        arrives, departs = (one[days][:, homes] for one in (self.arrives, self.departs))
        return replace(self, arrives=arrives, departs=departs, asked_wh=self.asked_wh[days][:, homes])

    def charged(self, grant: Callable[[int, Real], Real] | None = None) -> Charging:
        """Charging with what is granted; grant: takes step and (D, C) wanted W, returns (D, C) W. None: all of it."""
        remaining = self.asked_wh.copy()
        power = np.zeros((len(remaining), self.steps, remaining.shape[1]))
        for step in range(self.steps):
            here = (self.arrives <= step) & (step < self.departs) & (remaining > 0.0)
            wanted = np.where(here, np.minimum(self.rate_w, remaining / self.hours), 0.0)
            power[:, step] = wanted if grant is None else np.minimum(wanted, grant(step, wanted))
            remaining = np.maximum(remaining - power[:, step] * self.hours, 0.0)
        return Charging(power, remaining)


def car_year(days: int, homes: int, steps: int, *, chance: float, seed: int) -> CarYear:
    """Sessions of a year: a home's car charges on a day with that chance, when and as much as in the demonstration."""
    rng = np.random.default_rng(seed)
    hours = NOON_H + np.arange(steps) * 24.0 / steps
    found = sessions(rng, days * homes, hours)
    asked = np.where(rng.uniform(size=days * homes) < chance, found.asked_wh, 0.0)
    shape = (days, homes)
    return CarYear(found.arrives.reshape(shape), found.departs.reshape(shape), asked.reshape(shape), steps)


def from_noon(series: NDArray[Number], per_day: int) -> NDArray[Number]:
    """(D, n, …) of (T, …): days from noon to noon; the last one ends with the first morning."""
    return np.roll(series, -(per_day // 2), axis=0).reshape(-1, per_day, *series.shape[1:])


def to_midnight(windows: Real) -> Real:
    """(T, …) of (D, n, …), in the order of the clock."""
    flat = windows.reshape(-1, *windows.shape[2:])
    return np.roll(flat, windows.shape[1] // 2, axis=0)


def equal_level(wanted_w: Real, share: Real, room_va: Real) -> Real:
    """(D, C) W that each is granted: what it wants up to one common level, as the phases' room lets.

    wanted_w: (D, C); share: (R, C) part of a home's power on each phase; room_va: (D, R).
    """
    high = np.full(room_va.shape, float(wanted_w.max(initial=0.0)))
    low, rows = np.zeros(room_va.shape), share[None]
    full = wanted_w @ share.T <= room_va
    for _ in range(24):
        middle = 0.5 * (low + high)
        used = (np.minimum(wanted_w[:, None, :], middle[:, :, None]) * rows).sum(axis=2)
        fits = used <= room_va
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    level = np.where(full, np.inf, low)
    own = np.where(rows > 0.0, level[:, :, None], np.inf).min(axis=1)
    return np.asarray(np.minimum(wanted_w, own))
