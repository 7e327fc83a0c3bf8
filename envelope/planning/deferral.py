"""When a transformer must be replaced: year by year with growth, without envelopes and with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.demo.criteria import limits_of
from envelope.field_rules import BadProblem
from envelope.planning.cars import ENOUGH_WH, car_year, to_midnight
from envelope.planning.deferral_results import (
    DAYS_A_YEAR,
    LONGEST_LIFE,
    WITH,
    WITHOUT,
    Criterion,
    Deferral,
    DeferralPlan,
    Figures,
    Studied,
)
from envelope.planning.growth import GrowthCase
from envelope.planning.relief import Needs, Relieved, firm_relief_w, relieve
from envelope.planning.transformers import Loading, Unit, loading_of, losses_factor, units_of
from envelope.planning.year import longest_run
from envelope.problem.thermal import simulate
from gridmodel.arrays import Complex, Index, Mask, Real

ROUNDS = 4
"""of limits and power flow at most, until shifted load keeps the rating"""


class _Homes(NamedTuple):
    """What grows at all homes, in the order in which homes get it."""

    car_order: Index
    solar_order: Index
    obeying: Mask


def study_feeder(
    studied: Studied, plan: DeferralPlan, tell: Callable[[str], None] = lambda _: None
) -> tuple[list[Deferral], list[Figures]]:
    """Per transformer and growth case when it must be replaced, and all years that were looked at."""
    if plan.years < 1:
        raise BadProblem(f"--years: {plan.years} is below 1")
    units = units_of(studied.reduced)
    rows, found = list[Figures](), list[Deferral]()
    for case in plan.cases:
        looked = _Looked(studied, plan, units)
        for year in range(plan.years + 1):
            tell(f"{studied.name}: growth {case.name}, year {year} of {plan.years}")
            rows += looked.year(case, year)
            if looked.settled:
                break
        found += [looked.deferral(case, unit) for unit in units]
    return found, rows


class _Looked:
    """A growth case year by year, until every transformer's first violating years are known."""

    def __init__(self, studied: Studied, plan: DeferralPlan, units: tuple[Unit, ...]) -> None:
        self.studied, self.plan, self.units = studied, plan, units
        self.limits = studied.limits or limits_of(studied.reduced)
        count = len(studied.reduced.network.connections)
        rng = np.random.default_rng(plan.seed)
        car_order, solar_order = (np.argsort(rng.permutation(count)) for _ in range(2))
        self.homes = _Homes(car_order, solar_order, rng.uniform(size=count) < studied.obedience)
        year = studied.year
        self.cars = car_year(year.days, count, year.per_day, chance=plan.charges, seed=plan.seed)
        self.first: dict[tuple[str, str], int] = {}
        self.at: dict[str, tuple[Figures, float]] = {}
        """by transformer the figures with envelopes and the firm relief, of the year it is decided in"""

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be found."""
        return len(self.first) == 2 * len(self.units)

    def year(self, case: GrowthCase, year: int) -> list[Figures]:
        """Figures of all transformers in one year, without and with envelopes."""
        base, solar_w, has_car = self._grown(case, year)
        cars = self.cars.of(has_car)
        free_w = to_midnight(cars.charged().power_w)
        drawn = base - solar_w + free_w
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
        relieved, held = self._held(base, drawn, needs, without)
        rows = []
        for unit, need, one in zip(self.units, needs, relieved, strict=True):
            rows += self._compared((case, year, unit), need, one, (without, held))
        return rows

    def _held(
        self, base: Complex, drawn: Complex, needs: list[Needs], without: Loading
    ) -> tuple[list[Relieved], Loading]:
        """Powers with envelopes and their power flow; repeated where shifted load has higher losses than assumed."""
        source, held = self.studied.year.source_v, without
        relieved = list[Relieved]()
        for _ in range(ROUNDS):
            relieved = [relieve(unit, need) for unit, need in zip(self.units, needs, strict=True)]
            eased = drawn.copy()
            for unit, one in zip(self.units, relieved, strict=True):
                eased[:, unit.homes] = base[:, unit.homes] - one.solar_w + one.cars_w
            changed = np.flatnonzero(np.any([one.changed for one in relieved], axis=0))
            if not len(changed):
                return relieved, without
            part = None if source is None else source[changed]
            held = without.replaced(changed, loading_of(self.studied.reduced, self.limits, eased[changed], part))
            again = False
            for k, unit in enumerate(self.units):
                own = np.maximum(needs[k].factor, losses_factor(unit, held, eased))
                again |= bool(((own > needs[k].factor + 1e-4).any(axis=1) & (held.of(unit) > 1.0)).any())
                needs[k] = replace(needs[k], factor=own)
            if not again:
                break
        return relieved, held

    def _grown(self, case: GrowthCase, year: int) -> tuple[Complex, Real, Mask]:
        """(T, C) VA of the base load, (T, C) W of new solar generation, (C,) homes with a new car."""
        studied, count = self.studied.year, len(self.homes.obeying)
        factor = case.load_factor(year)
        # What homes feed today does not grow with their demand.
        grown_w = np.where(studied.load_w > 0.0, factor * studied.load_w, studied.load_w)
        has_solar = self.homes.solar_order < case.solar(year, count)
        solar_w = self.plan.solar_w * studied.sky[:, None] * has_solar
        return grown_w + 1j * factor * studied.load_var, solar_w, self.homes.car_order < case.cars(year, count)

    def _compared(
        self, which: tuple[GrowthCase, int, Unit], needs: Needs, one: Relieved, loadings: tuple[Loading, Loading]
    ) -> list[Figures]:
        """Figures without and with envelopes; notes the first years that violate."""
        _, year, unit = which
        plain = self._figures(which, loadings[0], needs)
        relieved = self._figures(which, loadings[1], needs, one)
        for row in (plain, relieved):
            if row.violates and (row.envelopes, unit.id) not in self.first:
                self.first[row.envelopes, unit.id] = year
        # The last year in which envelopes help is the one that a planner counts on.
        if unit.id not in self.at or not relieved.violates:
            relief = firm_relief_w(unit, needs, self.studied.obedience[unit.homes])
            self.at[unit.id] = (relieved, relief / 1e3)
        return [plain, relieved]

    def _figures(
        self, which: tuple[GrowthCase, int, Unit], loading: Loading, needs: Needs, relieved: Relieved | None = None
    ) -> Figures:
        (case, year, unit), studied = which, self.studied
        load, hours = loading.of(unit), studied.year.hours
        over = load > 1.0 + 1e-9
        trace = simulate(studied.thermal, np.clip(load, 0.0, 10.0), studied.ambient_c, studied.year.step_s)
        scale = DAYS_A_YEAR / studied.year.days
        ageing = trace.life_used_percent * scale
        missing = np.zeros(1) if relieved is None else relieved.missing_wh
        return Figures(
            studied.name,
            unit.id,
            round(unit.kva, 3),
            len(unit.homes),
            case.name,
            year,
            WITHOUT if relieved is None else WITH,
            _percent(np.quantile(load, 0.5)),
            _percent(np.quantile(load, 0.95)),
            _percent(load.max()),
            round(float(over.sum()) * hours * scale, 2),
            round(longest_run(over) * hours, 2),
            round(float(trace.hot_spot_c.max()), 2),
            round(ageing, 6),
            round(min(100.0 / ageing if ageing > 0.0 else LONGEST_LIFE, LONGEST_LIFE), 2),
            int((needs.cars.asked_wh > 0.0).any(axis=0).sum()),
            _kwh(needs.cars.asked_wh.sum() * scale),
            _kwh(0.0 if relieved is None else relieved.shifted_wh * scale),
            _kwh(missing.sum() * scale),
            round(int((missing > ENOUGH_WH).sum()) * scale),
            _kwh(0.0 if relieved is None else relieved.curtailed_wh * scale),
            round(float(loading.voltage_broken.sum()) * hours * scale, 2),
            round(float(loading.lines_over.sum()) * hours * scale, 2),
            self._violation(load, needs, missing, relieved is not None),
        )

    def _violation(self, load: Real, needs: Needs, missing_wh: Real, envelopes: bool) -> str:
        """Reason for which a transformer must be replaced; empty: there is none."""
        plan, studied = self.plan, self.studied
        year = studied.year
        if plan.criterion is Criterion.RATING:
            scale = DAYS_A_YEAR / year.days
            if float((load > 1.0 + 1e-9).sum()) * year.hours * scale > plan.hours_over:
                return "load above its rating"
        else:
            trace = simulate(studied.thermal, np.clip(load, 0.0, 10.0), studied.ambient_c, year.step_s)
            if load.max() > studied.policy.k_max:
                return f"load above {studied.policy.k_max:g} of its rating"
            if not studied.policy.permits(trace, year.step_s):
                return "hotter or ageing faster than the thermal policy permits"
        asked = float(needs.cars.asked_wh.sum())
        if envelopes and asked > 0.0 and float(missing_wh.sum()) > plan.unserved * asked:
            return f"more than {100.0 * plan.unserved:g} % of the cars' energy missing"
        return ""

    def deferral(self, case: GrowthCase, unit: Unit) -> Deferral:
        """When one transformer must be replaced, and the worth of the delay."""
        plan, economics = self.plan, self.plan.economics
        due, eased = self.first.get((WITHOUT, unit.id)), self.first.get((WITH, unit.id))
        until = plan.years + 1 if eased is None else eased
        years = 0 if due is None else max(0, until - due)
        row, relief_kw = self.at[unit.id]
        return Deferral(
            self.studied.name,
            unit.id,
            round(unit.kva, 3),
            len(unit.homes),
            case.name,
            due,
            eased,
            years,
            due is not None and eased is None,
            economics.cost_for(unit.id),
            round(economics.value(unit.id, years), 2),
            round(economics.present_value(unit.id, due or 0, years), 2),
            round(relief_kw, 3),
            row.year,
            row.shifted_kwh,
            row.missing_kwh,
            row.cars_short,
            _why(due, eased, years),
        )


def _why(due: int | None, eased: int | None, years: int) -> str:
    if due is None:
        return "no replacement needed in the years looked ahead"
    if eased is None:
        return "envelopes suffice for all years looked ahead"
    return f"envelopes last {years} years" if years else "envelopes do not help: the load itself is too high"


def _kwh(energy_wh: float) -> float:
    return round(float(energy_wh) / 1e3, 2)


def _percent(part: float | np.floating) -> float:
    return round(100.0 * float(part), 2)
