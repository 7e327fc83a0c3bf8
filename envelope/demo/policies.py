"""The demonstration's day under each guarantee and allocation: `python -m envelope.demo.policies [--feeder DIR]`.

No server and no clients take part: every device keeps the limits as they would be published, from their first second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from envelope import EnvelopeSchedule, VerificationReport, calculate, verify
from envelope.demo import forecast, study
from envelope.demo.criteria import Figures
from envelope.demo.day import STEP_S, STEPS, Day
from envelope.demo.devices import DayPowers, Devices, Limits, day_powers
from envelope.demo.scenario import Scenario, build_scenario
from envelope.operation.lead_time import upcoming_intervals
from envelope.problem import Allocation, Guarantee, Problem
from envelope.verification import Effort
from gridmodel.arrays import Real
from sep2.terminal import add_row

POLICIES = (
    (Guarantee.TWO_SIDED, Allocation.MAX_MIN),
    (Guarantee.TWO_SIDED, Allocation.PROPORTIONAL_FAIR),
    (Guarantee.ONE_SIDED, Allocation.MAX_MIN),
    (Guarantee.ONE_SIDED, Allocation.PROPORTIONAL_FAIR),
    (Guarantee.COINCIDENT, Allocation.EQUAL),
)
"""The first is the demonstration's own."""
EFFORT = Effort(random=4, inside=1, greedy=1)


@dataclass(frozen=True)
class PolicyResult:
    """One policy on one day: its figures, and a verification at corners of any mix of limits on the day's path."""

    guarantee: Guarantee
    allocation: Allocation
    has_scenarios: bool
    """Whether limits hold on the day's joint path; else for each half-hour's mean alone."""
    figures: Figures
    corners: VerificationReport


def compare_policies(scenario: Scenario, *, with_scenarios: bool = True) -> list[PolicyResult]:
    """Return the day's result under each policy, all with the same knowledge of the base load."""
    stated = forecast.problem(scenario)
    if not with_scenarios:
        stated = replace(stated, scenarios=None, base_load_lo_w=stated.load_lo_w, base_load_hi_w=stated.load_hi_w)
    return [
        result_of(scenario, replace(stated, guarantee=guarantee, allocation=allocation))
        for guarantee, allocation in POLICIES
    ]


def result_of(scenario: Scenario, problem: Problem) -> PolicyResult:
    """Return the day's result under a problem's policy."""
    schedule = calculate(problem)
    run = study.run(scenario.reduced, scenario.day, day_under(scenario.day, schedule))
    any_mix = replace(problem.for_any_combination(), scenarios=forecast.scenarios_of(scenario.day))
    corners = verify(any_mix, schedule, solver="reduced", effort=EFFORT)
    has_scenarios = problem.scenarios is not None
    return PolicyResult(problem.guarantee, problem.allocation, has_scenarios, run.figures, corners)


def day_under(day: Day, schedule: EnvelopeSchedule) -> DayPowers:
    """Return the day's powers if every device with limits keeps them."""
    imports, exports = published_limits(day, schedule)
    devices = Devices(day)
    return day_powers([devices.step(k, Limits(imports[k], exports[k])) for k in range(STEPS)], devices)


def published_limits(day: Day, schedule: EnvelopeSchedule) -> tuple[Real, Real]:
    """Return the import and export limits as they are published, (T, C) W each; infinity without a device."""
    found = np.full((2, STEPS, len(day.connection_ids)), np.inf)
    for column in np.flatnonzero(day.flexible):
        for interval in upcoming_intervals(schedule, int(column), day.start, most=STEPS):
            steps = slice((interval.start - day.start) // STEP_S, (interval.end - day.start) // STEP_S)
            found[:, steps, column] = [[interval.limits.import_w or 0], [interval.limits.export_w or 0]]
    return found[0], found[1]


def perfect_figures(scenario: Scenario) -> Figures:
    """Return the figures with perfect information of the day, which no policy can reach."""
    return study.run(scenario.reduced, scenario.day, study.perfect_dispatch(scenario.reduced, scenario.day)).figures


def policies_table(with_scenarios: list[PolicyResult], without: list[PolicyResult], perfect: Figures) -> Table:
    """Return a table of the policies, for the demonstration's scenarios and for means alone, and of the bound."""
    table = Table(title="The same day under each policy", title_style="bold")
    table.add_column("guarantee, allocation")
    for name in ("scenarios:\nsolar curtailed", "outside", "cable", "worst corner"):
        table.add_column(name, justify="right")
    for name in ("means alone:\nsolar curtailed", "outside", "cable", "worst corner"):
        table.add_column(name, justify="right")
    for one, other in zip(with_scenarios, without, strict=True):
        add_row(table, f"{one.guarantee}, {one.allocation}", *_cells(one), *_cells(other))
    add_row(table, "perfect information", *2 * (*_figures(perfect), ""))
    return table


def _figures(found: Figures) -> tuple[str, ...]:
    return (
        f"{found.pv_curtailed_percent:.1f} %",
        f"{found.customers_outside_voltage}",
        f"{found.max_line_percent:.1f} %",
    )


def _cells(found: PolicyResult) -> tuple[str, ...]:
    corners = found.corners
    volts = max(corners.over_v, corners.under_v)
    worst = [f"{volts:+.1f} V"] if volts > 0.0 else []
    worst += [f"{corners.overload_percent:+.1f} %"] if corners.overload_percent > 0.0 else []
    return (*_figures(found.figures), ", ".join(worst) or "inside")


def main(
    feeder: Annotated[
        Path | None, typer.Option(help="A feeder folder.", show_default="the IEEE European LV feeder")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Number of the day, as of `sep2 demo`.")] = 7,
) -> None:
    """Compare guarantees and allocations on the demonstration's day.

    Example: python -m envelope.demo.policies --feeder FEEDER
    """
    scenario = build_scenario(feeder, seed)
    results = compare_policies(scenario), compare_policies(scenario, with_scenarios=False)
    Console(width=160).print(policies_table(*results, perfect_figures(scenario)))


if __name__ == "__main__":
    typer.run(main)
