"""Demand of households: standing load, a fridge, and appliances."""

from dataclasses import dataclass

import numpy as np

from gridmodel.arrays import Complex, Real

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Appliance:
    """One kind of use: its power while it runs, how often a household of average size uses it, and when."""

    name: str
    power_w: float
    minutes: int
    per_day: float
    power_factor: float
    when: str


APPLIANCES = (
    Appliance("kettle and toaster", 1600.0, 5, 3.0, 1.0, "awake"),
    Appliance("breakfast", 1200.0, 15, 0.7, 1.0, "morning"),
    Appliance("hair dryer and iron", 1400.0, 10, 0.6, 1.0, "morning"),
    Appliance("hob and oven", 1500.0, 45, 0.9, 0.99, "evening"),
    Appliance("washing machine", 1500.0, 35, 0.5, 0.97, "awake"),
    Appliance("dishwasher", 1200.0, 45, 0.5, 0.98, "evening"),
    Appliance("lights and screens", 220.0, 180, 1.6, 0.92, "evening"),
    Appliance("desk at home", 130.0, 240, 0.5, 0.92, "day"),
    Appliance("vacuum and tools", 900.0, 20, 0.3, 0.9, "day"),
)
"""Rounded values of common appliances; together about 8 kWh a day, and 1.1 kW per home at a street's peak."""

WHEN: dict[str, tuple[tuple[float, float, float], ...]] = {
    "morning": ((7.3, 0.7, 1.0),),
    "day": ((12.5, 2.5, 1.0),),
    "evening": ((18.8, 1.3, 1.0),),
    "awake": ((7.5, 0.9, 0.3), (12.5, 2.5, 0.3), (18.8, 1.8, 0.4)),
}
"""Hours of the day as a mixture of (mean, standard deviation, weight)."""


def demand_va(rng: Rng, homes: int, hours: Real, daily: Rng | None = None) -> Complex:
    """Return the demand of households, (steps, homes) VA; `hours` is the hour of the day at each step.

    daily: of what differs from day to day, so that `rng` makes the same households on each of them; None: `rng` itself.
    """
    size = rng.lognormal(-0.05, 0.32, homes)
    standing, of_day = _standing(rng, size, hours), daily or rng
    demand = standing + _fridges(of_day, homes, hours)
    for appliance in APPLIANCES:
        demand += _use(of_day, appliance, size, hours)
    return demand


def _standing(rng: Rng, size: Real, hours: Real) -> Complex:
    """Routers, standby and clocks: 40 to 160 W."""
    watts = 90.0 * size * rng.uniform(0.6, 1.4, len(size))
    return np.tile(apparent(watts, 0.9), (len(hours), 1))


def _fridges(rng: Rng, homes: int, hours: Real) -> Complex:
    """A compressor that runs for about two fifths of each hour."""
    period_h = rng.uniform(0.7, 1.2, homes)
    phase = (hours[:, None] / period_h + rng.uniform(0.0, 1.0, homes)) % 1.0
    return apparent(np.where(phase < 0.4, 95.0, 0.0), 0.8)


def _use(rng: Rng, appliance: Appliance, size: Real, hours: Real) -> Complex:
    """Return the demand of one kind of appliance, (steps, homes) VA; each use is a block of whole steps."""
    step_minutes = 24 * 60 / len(hours)
    times = rng.poisson(appliance.per_day * size)
    home = np.repeat(np.arange(len(size)), times)
    length = max(1, round(appliance.minutes / step_minutes))
    start = (_moments(rng, appliance.when, len(home)) - hours[0]) % 24 / 24 * len(hours)
    steps = (start.astype(int)[:, None] + np.arange(length)) % len(hours)
    watts = appliance.power_w * rng.uniform(0.8, 1.2, len(home)) * appliance.minutes / (length * step_minutes)
    drawn = np.zeros((len(hours), len(size)))
    np.add.at(drawn, (steps, home[:, None]), watts[:, None])
    return apparent(drawn, appliance.power_factor)


def _moments(rng: Rng, when: str, count: int) -> Real:
    """Return hours of the day at which appliances are switched on."""
    mean, spread, weight = np.array(WHEN[when]).T
    which = rng.choice(len(mean), count, p=weight)
    return np.asarray(rng.normal(mean[which], spread[which]), dtype=float)


def apparent(watts: Real, power_factor: float) -> Complex:
    """Return apparent power, VA, of active power at a lagging power factor."""
    return np.asarray(watts * complex(1.0, np.tan(np.arccos(power_factor))), dtype=complex)
