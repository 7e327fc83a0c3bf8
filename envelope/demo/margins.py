"""Use of the forecast's paths: the day as it came under limits with them, without them, and with the day known.

Besides what devices did, each hour is judged at the worst that customers could have done within their limits, at the
homes' demand, earlier solar and head voltage as they were: hourly means, as the limits are for hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from rich.table import Table

from envelope import EnvelopeSchedule, calculate
from envelope.constraints.formulation import formulate
from envelope.demo import forecast, study
from envelope.demo.criteria import Figures
from envelope.demo.day import STEP_S
from envelope.demo.devices import Limits
from envelope.demo.policies import EFFORT, day_under
from envelope.demo.scenario import Scenario
from envelope.demo.simulation import SimulatedDay
from envelope.forecast.forecast_file import load
from envelope.operation.load_forecast import FILE as FORECAST
from envelope.problem import Problem
from envelope.schedule import verified_box
from envelope.verification.corner_trials import try_boxes
from gridmodel.arrays import Real, Watts

WITH, WITHOUT, KNOWN = "forecast", "without_margins", "known_day"
TITLES = {WITH: "forecast,\n{} paths", WITHOUT: "forecast,\nwithout margins", KNOWN: "the day\nknown before"}


@dataclass(frozen=True)
class Judged:
    """One kind of limits on the day as it came."""

    pv_curtailed_percent: float
    customers_outside_voltage: int
    hours_over_rating: float
    evs_short: int
    hours_beyond: int
    """in which customers could go beyond a limit of the network without leaving theirs"""
    over_v: float
    under_v: float
    overload_percent: float
    """beyond the limits at the worst of it; negative: inside"""


@dataclass(frozen=True)
class Margins:
    """The three kinds, by name, and what the forecast was."""

    model: str
    paths: int
    rounds: int
    """Runs that were published over the day."""
    judged: Mapping[str, Judged]

    def as_json(self) -> dict[str, Any]:
        """Return all figures by name."""
        kinds = {name: asdict(one) for name, one in self.judged.items()}
        return {"model": self.model, "paths": self.paths, "rounds": self.rounds, **kinds}

    def table(self) -> Table:
        """Return the three kinds beside each other."""
        made = Table(title="What the forecast costs, and what its margins hold", title_style="bold")
        made.add_column("")
        for name in self.judged:
            made.add_column(TITLES[name].format(self.paths), justify="right")
        for label, field, form in ROWS:
            made.add_row(label, *(form.format(getattr(one, field)) for one in self.judged.values()))
        return made


ROWS = (
    ("solar curtailed, %", "pv_curtailed_percent", "{:.1f}"),
    ("customers outside their voltages", "customers_outside_voltage", "{:d}"),
    ("hours over a rating", "hours_over_rating", "{:.1f}"),
    ("cars short at departure", "evs_short", "{:d}"),
    ("hours in which customers could go beyond a limit", "hours_beyond", "{:d}"),
    ("  worst, V over", "over_v", "{:+.2f}"),
    ("  worst, V under", "under_v", "{:+.2f}"),
    ("  worst, % of a rating", "overload_percent", "{:+.1f}"),
)


def of_day(scenario: Scenario, played: SimulatedDay, envelope: Figures) -> Margins:
    """Return the simulated day beside the same with other limits. envelope: figures of the simulated day."""
    published, made = played.published, load(played.folder / FORECAST)
    held = in_force(played.known, played.homes.in_force)
    kinds = {
        WITH: judge_limits(scenario, held, envelope),
        WITHOUT: judge_limits(scenario, without_margins(published.problem)),
        KNOWN: judge_limits(scenario, played.known),
    }
    return Margins(str(made.model), len(made.path_w), played.rounds, kinds)


def without_margins(problem: Problem) -> EnvelopeSchedule:
    """Return limits of the forecast's mean alone, as if it were certain."""
    return calculate(replace(problem, scenarios=None))


def judge_limits(scenario: Scenario, schedule: EnvelopeSchedule, figures: Figures | None = None) -> Judged:
    """Return the day as it came under limits. figures: of what devices did; None: as if they keep these limits."""
    found = figures or study.run(scenario.reduced, scenario.day, day_under(scenario.day, schedule)).figures
    beyond = beyond_limits(forecast.means_problem(scenario), schedule)
    worst = beyond.max(axis=1)
    return Judged(
        found.pv_curtailed_percent,
        found.customers_outside_voltage,
        found.hours_over_rating,
        found.evs_short,
        int((beyond > 0.0).any(axis=0).sum()),
        *(round(float(one), digits) for one, digits in zip(worst, (3, 3, 2), strict=True)),
    )


def beyond_limits(problem: Problem, schedule: EnvelopeSchedule) -> Real:
    """Return (3, T) V over, V under and percent beyond a limit at the worst that limits permit, in each interval."""
    formulation = formulate(problem)
    boxes = formulation.boxes(*verified_box(problem, schedule), limit_w=schedule.export_limit_w)
    return try_boxes(formulation, schedule, boxes, effort=EFFORT).worst.beyond


def in_force(schedule: EnvelopeSchedule, held: Sequence[Limits]) -> EnvelopeSchedule:
    """Return a schedule with the loosest limits that devices had in each interval; held: every five minutes."""
    import_w, export_w, load_w = (
        _loosest(np.array([getattr(one, side) for one in held])) for side in ("import_w", "export_w", "load_w")
    )
    return replace(
        schedule,
        import_limit_w=_known(import_w, schedule.import_limit_w),
        export_limit_w=_known(export_w, schedule.export_limit_w),
        load_limit_w=_known(load_w, schedule.load_limit_w),
    )


def _loosest(fine: Real) -> Real:
    return np.asarray(fine.reshape(-1, forecast.ROUND_S // STEP_S, fine.shape[1]).max(axis=1))


def _known(found: Real, otherwise: Watts) -> Watts:
    """Return limits, and those of a schedule where no client has any."""
    return np.where(np.isfinite(found), np.nan_to_num(found, posinf=0.0), otherwise).astype(otherwise.dtype)
