"""One day of a street: what its homes draw, what their roofs could produce, and what their cars ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from envelope.demo import households, solar
from envelope.demo.cars import HOME_FROM_H, HOME_UNTIL_H, RATE_W, Cars, sessions
from gridmodel.arrays import Complex, Mask, Real

STEPS, STEP_S = 288, 300
FIRST_HOUR = 8
START = 1_779_350_400
"""Thursday 2026-05-21, 08:00 UTC, taken as the street's own solar time."""
PV_SIZES_W, PV_WEIGHTS = (4000.0, 5000.0, 6000.0), (0.2, 0.6, 0.2)


@dataclass(frozen=True, slots=True)
class Growth:
    """How much of the street has bought solar and cars."""

    pv_share: float
    ev_share: float


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """Steps of five minutes from 08:00 to 08:00, so that every car that plugs in also leaves; T steps, C homes."""

    start: int
    connection_ids: tuple[str, ...]
    base_va: Complex
    """(T, C) injection of what nobody controls: households, and solar of before; consumption is negative"""
    pv_size_w: Real
    """(C,) new inverters; 0 where there is none"""
    pv_w: Real
    """(T, C) what the weather lets them produce"""
    pv_ceiling_w: Real
    """(T, C) what a clear sky would"""
    cars: Cars
    source_v: Complex | None = None
    """(T, 3) voltages behind the feeder where they were measured"""

    @property
    def has_pv(self) -> Mask:
        """(C,) connections with an inverter that listens."""
        return self.pv_size_w > 0.0

    @property
    def has_car(self) -> Mask:
        """(C,) connections with a charger that listens."""
        found = np.zeros(len(self.connection_ids), dtype=bool)
        found[self.cars.home] = True
        return found

    @property
    def flexible(self) -> Mask:
        """(C,) connections that have something to control."""
        return self.has_pv | self.has_car

    @property
    def charging_w(self) -> Real:
        """(T, C) most that a car may draw at each step, by what the customer registered."""
        hour = hours()
        at_home = (hour >= HOME_FROM_H) | (hour < HOME_UNTIL_H)
        return np.outer(at_home, RATE_W * self.has_car)


def hours() -> Real:
    """(T,) hour of the clock at the start of each step."""
    return (FIRST_HOUR + np.arange(STEPS) * STEP_S / 3600) % 24


def generated(connection_ids: tuple[str, ...], seed: int) -> Day:
    """A street's day without new solar or cars: nothing but households."""
    rng = np.random.default_rng([seed, 1])
    count = len(connection_ids)
    return bare(connection_ids, -households.demand_va(rng, count, hours()))


def bare(connection_ids: tuple[str, ...], base_va: Complex, source_v: Complex | None = None) -> Day:
    """A day with nothing to control."""
    count = len(connection_ids)
    nothing = np.zeros((STEPS, count))
    cars = sessions(np.random.default_rng(0), 0, hours())
    return Day(START, connection_ids, base_va, np.zeros(count), nothing, nothing, cars, source_v)


def grown(day: Day, growth: Growth, seed: int, weather: Real | None = None) -> Day:
    """The same day after customers bought solar and cars; a larger share keeps the buyers of a smaller one.

    weather: (T,) measured output per unit of inverter, where the day has it.
    """
    pv, car, roof, sky = (np.random.default_rng([seed, k]) for k in (2, 3, 4, 5))
    count = len(day.connection_ids)
    has_pv = _buyers(pv, count, growth.pv_share)
    size = np.where(has_pv, roof.choice(PV_SIZES_W, count, p=PV_WEIGHTS), 0.0)
    clear = solar.clear_sky_pu(solar.Sky(), hours(), roof.normal(180.0, 35.0, count))
    through = solar.cloud_factor(sky, STEPS)[:, None]
    if weather is not None:
        clear = ceiling_over(weather)[:, None]
        pv_w = np.outer(weather, size)
    else:
        pv_w = clear * through * size
    owner = _buyers(car, count, growth.ev_share)
    cars = sessions(car, count, hours()).of(owner)
    return replace(day, pv_size_w=size, pv_w=pv_w, pv_ceiling_w=clear * size, cars=cars)


def _buyers(rng: np.random.Generator, count: int, share: float) -> Mask:
    """(C,) the first `share` of the homes in an order of their own."""
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: round(share * count)]] = True
    return chosen


def ceiling_over(weather: Real) -> Real:
    """(T,) the lowest clear day, a power of a sine from sunrise to sunset, that lies over a measured one."""
    bright = np.flatnonzero(np.roll(weather, FIRST_HOUR * 3600 // STEP_S) > 0.002)
    clock = np.roll(np.arange(STEPS), -FIRST_HOUR * 3600 // STEP_S)
    angle = (clock - bright[0] + 1) / (bright[-1] - bright[0] + 2)
    shape = np.sin(np.pi * np.clip(angle, 0.0, 1.0)) ** 1.3
    high = shape > 0.2
    return np.asarray(np.maximum(shape * (weather[high] / shape[high]).max(), weather), dtype=float)
