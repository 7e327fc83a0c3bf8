"""One day of a feeder: household demand, available solar power, and requested charging."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from envelope.demo import households, solar
from envelope.demo.cars import HOME_FROM_H, HOME_UNTIL_H, RATE_W, Cars, sessions
from gridmodel.arrays import Complex, Mask, Real

STEPS, STEP_S = 288, 300
FIRST_HOUR = 8
START = 1_779_350_400
"""Thursday 2026-05-21, 08:00 UTC, taken as local solar time."""
PV_SIZES_W, PV_WEIGHTS = (4000.0, 5000.0, 6000.0), (0.2, 0.6, 0.2)


@dataclass(frozen=True, slots=True)
class Growth:
    """Parts of the homes with new solar and with a car."""

    pv_share: float
    ev_share: float


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """Steps of five minutes from 08:00 to 08:00, so that every car that arrives also departs; T steps, C homes."""

    start: int
    connection_ids: tuple[str, ...]
    base_va: Complex
    """(T, C) injection that is not controlled: households and earlier solar; demand is negative."""
    pv_size_w: Real
    """(C,) rating of new inverters; 0 where there is none."""
    pv_w: Real
    """(T, C) their available power."""
    pv_ceiling_w: Real
    """(T, C) their available power under a clear sky."""
    cars: Cars
    source_v: Complex | None = None
    """(T, 3) voltages at the head of the feeder, where they were measured."""
    base_solar_w: Real | None = None
    """(T, C) earlier solar within `base_va`, where it was measured apart."""

    @property
    def has_pv(self) -> Mask:
        """(C,) connections with a controllable inverter."""
        return self.pv_size_w > 0.0

    @property
    def has_car(self) -> Mask:
        """(C,) connections with a controllable charger."""
        found = np.zeros(len(self.connection_ids), dtype=bool)
        found[self.cars.home] = True
        return found

    @property
    def flexible(self) -> Mask:
        """(C,) connections with a controllable device."""
        return self.has_pv | self.has_car

    @property
    def charging_w(self) -> Real:
        """(T, C) most charging power at each step, as registered."""
        hour = hours()
        at_home = (hour >= HOME_FROM_H) | (hour < HOME_UNTIL_H)
        return np.outer(at_home, RATE_W * self.has_car)


def hours() -> Real:
    """Return the hour of the clock at the start of each step, (T,)."""
    return (FIRST_HOUR + np.arange(STEPS) * STEP_S / 3600) % 24


def generated(connection_ids: tuple[str, ...], seed: int) -> Day:
    """Return a day of households only, without new solar or cars."""
    rng = np.random.default_rng([seed, 1])
    count = len(connection_ids)
    return bare(connection_ids, -households.demand_va(rng, count, hours()))


def bare(
    connection_ids: tuple[str, ...],
    base_va: Complex,
    source_v: Complex | None = None,
    base_solar_w: Real | None = None,
) -> Day:
    """Return a day without controllable devices."""
    count = len(connection_ids)
    nothing = np.zeros((STEPS, count))
    cars = sessions(np.random.default_rng(0), 0, hours())
    return Day(START, connection_ids, base_va, np.zeros(count), nothing, nothing, cars, source_v, base_solar_w)


def grown(day: Day, growth: Growth, seed: int, weather: Real | None = None) -> Day:
    """Return the same day with new solar and cars; a larger share contains the homes of a smaller one.

    weather: (T,) measured output per unit of inverter, where there is one.
    """
    pv, car, roof, sky = (np.random.default_rng([seed, k]) for k in (2, 3, 4, 5))
    count = len(day.connection_ids)
    has_pv = _owners(pv, count, growth.pv_share)
    size = np.where(has_pv, roof.choice(PV_SIZES_W, count, p=PV_WEIGHTS), 0.0)
    clear = solar.clear_sky_pu(solar.Sky(), hours(), roof.normal(180.0, 35.0, count))
    through = solar.cloud_factor(sky, STEPS)[:, None]
    if weather is not None:
        clear = ceiling_over(weather)[:, None]
        pv_w = np.outer(weather, size)
    else:
        pv_w = clear * through * size
    owner = _owners(car, count, growth.ev_share)
    cars = sessions(car, count, hours()).of(owner)
    return replace(day, pv_size_w=size, pv_w=pv_w, pv_ceiling_w=clear * size, cars=cars)


def _owners(rng: np.random.Generator, count: int, share: float) -> Mask:
    """Return a random part of the homes, (C,), of size `share`."""
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: round(share * count)]] = True
    return chosen


def ceiling_over(weather: Real) -> Real:
    """Return the lowest clear-sky day above a measured one, (T,): a power of a sine from sunrise to sunset."""
    bright = np.flatnonzero(np.roll(weather, FIRST_HOUR * 3600 // STEP_S) > 0.002)
    clock = np.roll(np.arange(STEPS), -FIRST_HOUR * 3600 // STEP_S)
    angle = (clock - bright[0] + 1) / (bright[-1] - bright[0] + 2)
    shape = np.sin(np.pi * np.clip(angle, 0.0, 1.0)) ** 1.3
    high = shape > 0.2
    return np.asarray(np.maximum(shape * (weather[high] / shape[high]).max(), weather), dtype=float)
