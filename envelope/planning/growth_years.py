"""Powers of a feeder in a year of a growth case, without envelopes and with them, and their AC power flow."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.demo.criteria import limits_of
from envelope.planning.cars import car_year, to_midnight
from envelope.planning.deferral_results import DeferralPlan, Studied
from envelope.planning.growth import GrowthCase
from envelope.planning.relief import Needs, Relieved, relieve
from envelope.planning.transformers import Loading, Unit, loading_of, losses_factor
from gridmodel.arrays import Complex, Index, Mask, Real

ROUNDS = 4
"""of limits and power flow at most, until shifted load keeps the rating"""


class YearPowers(NamedTuple):
    """One year; by transformer what homes need and get."""

    needs: list[Needs]
    relieved: list[Relieved]
    drawn_va: Complex
    eased_va: Complex
    """(T, C) VA drawn without envelopes, and with them"""
    without: Loading
    held: Loading


class _Homes(NamedTuple):
    """Order in which homes get cars and solar generation, and which homes keep their limits."""

    car_order: Index
    solar_order: Index
    obeying: Mask


class GrowthYears:
    """Homes of a feeder that get cars and solar generation one after another, in an order that stays."""

    def __init__(self, studied: Studied, plan: DeferralPlan, units: tuple[Unit, ...]) -> None:
        self.studied, self.plan, self.units = studied, plan, units
        self.limits = studied.limits or limits_of(studied.reduced)
        count = len(studied.reduced.network.connections)
        rng = np.random.default_rng(plan.seed)
        car_order, solar_order = (np.argsort(rng.permutation(count)) for _ in range(2))
        self.homes = _Homes(car_order, solar_order, rng.uniform(size=count) < studied.obedience)
        year = studied.year
        self.cars = car_year(year.days, count, year.per_day, chance=plan.charges, seed=plan.seed)

    def powers(self, case: GrowthCase, year: int) -> YearPowers:
        """All powers of a year."""
        base, solar_w, has_car = self._grown(case, year)
        cars = self.cars.of(has_car)
        drawn = base - solar_w + to_midnight(cars.charged().power_w)
        without = loading_of(self.studied.reduced, self.limits, drawn, self.studied.year.source_v)
        needs = [
            Needs(
                base[:, unit.homes],
                cars.of_homes(unit.homes),
                solar_w[:, unit.homes],
                self.homes.obeying[unit.homes],
                losses_factor(unit, without, drawn),
            )
            for unit in self.units
        ]
        relieved, eased, held = self._held(base, drawn, needs, without)
        return YearPowers(needs, relieved, drawn, eased, without, held)

    def _held(
        self, base: Complex, drawn: Complex, needs: list[Needs], without: Loading
    ) -> tuple[list[Relieved], Complex, Loading]:
        """Powers with envelopes and their power flow; repeated where shifted load has higher losses than assumed."""
        source, held = self.studied.year.source_v, without
        relieved, eased = list[Relieved](), drawn
        for _ in range(ROUNDS):
            relieved = [relieve(unit, need) for unit, need in zip(self.units, needs, strict=True)]
            eased = drawn.copy()
            for unit, one in zip(self.units, relieved, strict=True):
                eased[:, unit.homes] = base[:, unit.homes] - one.solar_w + one.cars_w
            changed = np.flatnonzero(np.any([one.changed for one in relieved], axis=0))
            if not len(changed):
                return relieved, eased, without
            part = None if source is None else source[changed]
            held = without.replaced(changed, loading_of(self.studied.reduced, self.limits, eased[changed], part))
            again = False
            for k, unit in enumerate(self.units):
                own = np.maximum(needs[k].factor, losses_factor(unit, held, eased))
                again |= bool(((own > needs[k].factor + 1e-4).any(axis=1) & (held.of(unit) > 1.0)).any())
                needs[k] = replace(needs[k], factor=own)
            if not again:
                break
        return relieved, eased, held

    def _grown(self, case: GrowthCase, year: int) -> tuple[Complex, Real, Mask]:
        """(T, C) VA of the base load, (T, C) W of new solar generation, (C,) homes with a new car."""
        studied, count = self.studied.year, len(self.homes.obeying)
        factor = case.load_factor(year)
        # What homes feed today does not grow with their demand.
        grown_w = np.where(studied.load_w > 0.0, factor * studied.load_w, studied.load_w)
        has_solar = self.homes.solar_order < case.solar(year, count)
        solar_w = self.plan.solar_w * studied.sky[:, None] * has_solar
        return grown_w + 1j * factor * studied.load_var, solar_w, self.homes.car_order < case.cars(year, count)
