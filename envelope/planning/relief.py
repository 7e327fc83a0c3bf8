"""Relief of a transformer by envelopes: cars charge later, and new solar generation feeds less, while it is full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envelope.planning.cars import CarYear, Charging, equal_level, from_noon, to_midnight
from envelope.planning.transformers import Unit, phase_va
from gridmodel.arrays import Complex, Mask, Real

KEEP_FREE = 0.002
"""part of the rating that limits keep free"""


class Relieved(NamedTuple):
    """Powers at C homes of one transformer with envelopes in force, T steps."""

    cars_w: Real
    solar_w: Real
    """(T, C)"""
    shifted_wh: float
    """charged at another time than without envelopes"""
    missing_wh: Real
    """(D, C) of cars at their departure"""
    curtailed_wh: float
    """solar energy that was not fed"""
    changed: Mask
    """(T,) steps in which anything differs from the powers without envelopes"""


@dataclass(frozen=True, eq=False)
class Needs:
    """Powers of the C homes of one transformer without envelopes. T steps, in the order of the clock."""

    base_va: Complex
    """(T, C) VA drawn, without new cars and new solar generation"""
    cars: CarYear
    solar_w: Real
    """(T, C) new solar generation"""
    obeying: Mask
    """(C,) homes that keep their limits"""
    factor: Real
    """(T, R) current over rating by power flow, over that by sums"""

    @property
    def per_day(self) -> int:
        """Steps of a day."""
        return self.cars.steps


def relieve(unit: Unit, needs: Needs) -> Relieved:
    """Powers with limits that keep every phase of the transformer within its rating, as far as obeying homes can."""
    at_once = needs.cars.charged()
    free_w = to_midnight(at_once.power_w)
    solar_w = _solar_within(unit, needs)
    room_va = _room_va(unit, needs, solar_w, free_w)
    wanted_va = phase_va(unit, np.where(needs.obeying, free_w, 0.0)).real
    tight = np.asarray(from_noon(wanted_va > room_va, needs.per_day).any(axis=(1, 2)))
    charging = _charge(unit, needs, at_once, (tight, room_va))
    cars_w = to_midnight(charging.power_w)
    hours = needs.cars.hours
    moved, fed_less = np.abs(cars_w - free_w).max(axis=1, initial=0.0) > 0.1, (solar_w != needs.solar_w).any(axis=1)
    return Relieved(
        cars_w,
        solar_w,
        float(np.maximum(cars_w - free_w, 0.0).sum() * hours),
        charging.missing_wh,
        float((needs.solar_w - solar_w).sum() * hours),
        np.asarray(moved | fed_less),
    )


def _room_va(unit: Unit, needs: Needs, solar_w: Real, free_w: Real) -> Real:
    """(T, R) W that obeying cars may draw on each phase: what the rest leaves of the rating."""
    unmoved = needs.base_va - solar_w + np.where(needs.obeying, 0.0, free_w)
    rest = phase_va(unit, unmoved)
    rated = (1.0 - KEEP_FREE) * unit.rated_va / needs.factor
    return np.maximum(np.sqrt(np.maximum(rated**2 - rest.imag**2, 0.0)) - rest.real, 0.0)


def _charge(unit: Unit, needs: Needs, at_once: Charging, when: tuple[Mask, Real]) -> Charging:
    """Charging within the room on the days (D,) that are tight, at once on others."""
    tight, room_va = when
    if not tight.any():
        return at_once
    homes = np.flatnonzero(needs.obeying)
    room = from_noon(room_va, needs.per_day)[tight]
    share = unit.share[:, homes]
    own = needs.cars.part(tight, homes)
    found = own.charged(lambda step, wanted_w: equal_level(wanted_w, share, room[:, step]))
    power, missing = at_once.power_w.copy(), at_once.missing_wh.copy()
    days = np.flatnonzero(tight)
    power[np.ix_(days, np.arange(power.shape[1]), homes)] = found.power_w
    missing[np.ix_(days, homes)] = found.missing_wh
    return Charging(power, missing)


def _solar_within(unit: Unit, needs: Needs) -> Real:
    """(T, C) solar generation that obeying homes may feed while nothing flows back beyond the rating."""
    rest = phase_va(unit, needs.base_va - np.where(needs.obeying, 0.0, needs.solar_w))
    rated = (1.0 - KEEP_FREE) * unit.rated_va / needs.factor
    room = np.maximum(np.sqrt(np.maximum(rated**2 - rest.imag**2, 0.0)) + rest.real, 0.0)
    wanted = np.where(needs.obeying, needs.solar_w, 0.0)
    tight = (phase_va(unit, wanted).real > room).any(axis=1)
    found = needs.solar_w.copy()
    if tight.any():
        granted = equal_level(wanted[tight], unit.share, room[tight])
        found[tight] = np.where(needs.obeying, granted, needs.solar_w[tight])
    return found


def firm_relief_w(unit: Unit, needs: Needs, obedience: Real, *, draws: int = 200, seed: int = 1) -> float:
    """W by which the highest load of a year can be lowered with 95 % confidence, cars of obeying homes at zero.

    obedience: (C,) chance that a home keeps its limits through the peaks; homes decide independently.
    """
    free_w = to_midnight(needs.cars.charged().power_w)
    without = np.abs(phase_va(unit, needs.base_va - needs.solar_w + free_w)) * needs.factor
    peak_va = without.sum(axis=1)
    # Beyond these steps nothing can be the highest in any draw.
    fixed = (np.abs(phase_va(unit, needs.base_va - needs.solar_w)) * needs.factor).sum(axis=1)
    at = np.flatnonzero(peak_va >= fixed.max(initial=0.0))
    if not len(at):
        return 0.0
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(size=(draws, len(unit.homes))) >= obedience
    base, cars = needs.base_va[at] - needs.solar_w[at], free_w[at]
    left = np.empty(draws)
    for k, disobeys in enumerate(drawn):
        total = np.abs(phase_va(unit, base + np.where(disobeys, cars, 0.0))) * needs.factor[at]
        left[k] = max(float(total.sum(axis=1).max()), float(fixed.max()))
    return float(np.quantile(peak_va.max() - left, 0.05, method="lower"))
