"""Assumptions and results of a deferral study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from envelope.planning.economics import Economics
from envelope.planning.growth import CASES, GrowthCase
from envelope.planning.year import Year
from envelope.problem import OperatingLimits
from envelope.problem.thermal import ThermalModel, ThermalPolicy
from gridmodel.arrays import Real
from gridmodel.flow.kron import Reduced

DAYS_A_YEAR = 365.0
WITHOUT, WITH = "without", "with"
LONGEST_LIFE = 200.0
"""years; beyond it something else than its insulation ends a transformer"""


class Criterion(StrEnum):
    """Criterion by which a transformer must be replaced."""

    RATING = "rating"
    """load above its rating for more than the permitted hours a year"""
    THERMAL = "thermal"
    """hot spot, top oil, ageing or load beyond the thermal policy (IEEE C57.91)"""


@dataclass(frozen=True)
class DeferralPlan:
    """Assumptions of a deferral study."""

    cases: Sequence[GrowthCase] = CASES
    years: int = 15
    """looked ahead"""
    criterion: Criterion = Criterion.RATING
    hours_over: float = 0.0
    """a year above the rating that are permitted; only for `Criterion.RATING`"""
    unserved: float = 0.01
    """part of the cars' energy that may be missing at departure before envelopes count as not enough"""
    charges: float = 0.6
    """chance that a car charges on a day"""
    solar_w: float = 5_000.0
    """size of each new solar generation"""
    seed: int = 1
    economics: Economics = field(default_factory=Economics)


@dataclass(frozen=True, eq=False)
class Studied:
    """A feeder that is studied, with its days. T steps, C connections."""

    name: str
    reduced: Reduced
    year: Year
    ambient_c: Real
    """(T,)"""
    thermal: ThermalModel
    policy: ThermalPolicy
    obedience: Real
    """(C,) chance that a home keeps its limits, 0 to 1"""
    limits: OperatingLimits | None = None
    """None: the first criterion that suits the connections' nominal voltages"""


class Figures(NamedTuple):
    """One transformer in one year of one growth case; a row of `years.csv`."""

    feeder: str
    transformer: str
    kva: float
    homes: int
    case: str
    year: int
    envelopes: str
    """without or with"""
    load_p50_percent: float
    load_p95_percent: float
    peak_percent: float
    hours_over: float
    longest_over_h: float
    hot_spot_c: float
    ageing_percent_a_year: float
    life_years: float
    cars: int
    car_kwh: float
    shifted_kwh: float
    missing_kwh: float
    cars_short: int
    """sessions that ended short of energy"""
    curtailed_kwh: float
    voltage_hours: float
    """of the feeder, with a connection outside its voltage band"""
    line_hours: float
    violates: str
    """what makes it necessary to replace it; empty: nothing"""


class Deferral(NamedTuple):
    """One transformer in one growth case; a row of `transformers.csv`."""

    feeder: str
    transformer: str
    kva: float
    homes: int
    case: str
    first_without: int | None
    first_with: int | None
    """years from now; None: not within the years looked ahead"""
    deferred_years: int
    at_least: bool
    """whether envelopes last longer than was looked ahead"""
    cost: float
    value: float
    present_value: float
    firm_relief_kw: float
    firm_year: int
    """year that the firm relief and the following are of"""
    shifted_kwh: float
    missing_kwh: float
    cars_short: int
    why: str


def ranked(found: Sequence[Deferral]) -> list[Deferral]:
    """The highest present value first, then the most firm relief."""
    return sorted(found, key=lambda one: (-one.present_value, -one.firm_relief_kw, one.feeder, one.transformer))
