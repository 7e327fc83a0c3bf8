"""When a transformer must be replaced: year by year with growth, without envelopes and with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envelope.field_rules import BadProblem
from envelope.planning.cars import ENOUGH_WH
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
from envelope.planning.growth_years import GrowthYears
from envelope.planning.relief import Needs, Relieved, firm_relief_w
from envelope.planning.transformers import Loading, Unit, units_of
from envelope.planning.year import longest_run
from envelope.problem.thermal import simulate
from gridmodel.arrays import Real


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
        self.grown = GrowthYears(studied, plan, units)
        self.first: dict[tuple[str, str], int] = {}
        self.at: dict[str, tuple[Figures, float]] = {}
        """by transformer the figures with envelopes and the firm relief, of the year it is decided in"""

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be found."""
        return len(self.first) == 2 * len(self.units)

    def year(self, case: GrowthCase, year: int) -> list[Figures]:
        """Figures of all transformers in one year, without and with envelopes."""
        found, rows = self.grown.powers(case, year), list[Figures]()
        for unit, need, one in zip(self.units, found.needs, found.relieved, strict=True):
            rows += self._compared((case, year, unit), need, one, (found.without, found.held))
        return rows

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
