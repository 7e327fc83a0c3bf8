"""The demonstration's day under each guarantee and allocation: `python -m envelope.demo.policies [--feeder DIR]`.

No server and no clients take part: every device keeps the limits as they would be published, from their first second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

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
from envelope.problem import Allocation, Direction, Guarantee, Problem, TighteningLead
from envelope.schedule import Fairness
from envelope.schedule.curtailment import of_schedule
from envelope.verification import Effort
from gridmodel.arrays import Real
from sep2.terminal import add_row

STANDING: Mapping[str, Any] = {}
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "two-sided, proportional-fair, floor 0.7": STANDING,
    "two-sided, proportional-fair": {"max_min_floor": 0.0},
    "two-sided, max-min": {"allocation": Allocation.MAX_MIN},
    "the same, net import limits": {"control_point": None},
    "the same, import in the sun shared": {"ceiling_import_w": None},
    "the same, a whole step early": {"early": TighteningLead.STEP},
    "one-sided, import in the sun shared": {"guarantee": Guarantee.ONE_SIDED, "ceiling_import_w": None},
    "coincident, equal": {
        "guarantee": Guarantee.COINCIDENT,
        "allocation": Allocation.EQUAL,
        "ceiling_import_w": None,
    },
}
"""By name what each changes of the demonstration's policy, which is the first; "the same" continues the one before."""
SAME = "the same"
EFFORT = Effort(random=4, inside=1, greedy=1)


@dataclass(frozen=True)
class PolicyResult:
    """One policy on one day: its figures, fairness of export, and a verification at corners of any mix of limits."""

    name: str
    figures: Figures
    fairness: Fairness
    corners: VerificationReport
    sentence: str
    """What its limits hold for."""


def problems(stated: Problem) -> dict[str, Problem]:
    """Return the problem under each policy, by name."""
    found: dict[str, Problem] = {}
    before = stated
    for name, changes in POLICIES.items():
        before = replace(before if name.startswith(SAME) else stated, **changes)
        found[name] = before
    return found


def compare_policies(scenario: Scenario) -> list[PolicyResult]:
    """Return the day's result under each policy, all with the same forecast."""
    return [result_of(scenario, name, problem) for name, problem in problems(forecast.problem(scenario)).items()]


def result_of(scenario: Scenario, name: str, problem: Problem) -> PolicyResult:
    """Return the day's result under a problem's policy."""
    schedule = calculate(problem)
    run = study.run(scenario.reduced, scenario.day, day_under(scenario.day, schedule))
    any_mix = verify(replace(problem, guarantee=Guarantee.TWO_SIDED), schedule, solver="reduced", effort=EFFORT)
    fair = of_schedule(schedule)[Direction.EXPORT]
    return PolicyResult(name, run.figures, fair, any_mix, schedule.guarantee)


def day_under(day: Day, schedule: EnvelopeSchedule) -> DayPowers:
    """Return the day's powers if every device with limits keeps them."""
    limits, devices = published_limits(day, schedule), Devices(day)
    return day_powers([devices.step(k, Limits(*limits[:, k])) for k in range(STEPS)], devices)


def published_limits(day: Day, schedule: EnvelopeSchedule) -> Real:
    """Return the limits of import, export and load as they are published, (3, T, C) W; infinity where there is none."""
    found = np.full((3, STEPS, len(day.connection_ids)), np.inf)
    for column in np.flatnonzero(day.flexible):
        for interval in upcoming_intervals(schedule, int(column), day.start, most=STEPS):
            steps = slice((interval.start - day.start) // STEP_S, (interval.end - day.start) // STEP_S)
            import_w, export_w, _, load_w = interval.limits
            found[:, steps, column] = [[np.inf if w is None else w] for w in (import_w, export_w, load_w)]
    return found


def perfect_figures(scenario: Scenario) -> Figures:
    """Return the figures with perfect information of the day, which no policy can reach."""
    return study.run(scenario.reduced, scenario.day, study.perfect_dispatch(scenario.reduced, scenario.day)).figures


def policies_table(results: list[PolicyResult], perfect: Figures) -> Table:
    """Return a table of the policies and of the bound; sentences are numbered as in `sentences`."""
    table = Table(title="The same day under each policy", title_style="bold")
    table.add_column("guarantee, allocation")
    heads = (
        "solar\ncurtailed",
        "outside",
        "cars\nshort",
        "cable",
        "Jain's\nindex",
        "worst\ntenth",
        "worst corner",
        "for",
    )
    for name in heads:
        table.add_column(name, justify="right")
    number = {sentence: str(k) for k, sentence in enumerate(sentences(results), start=1)}
    for one in results:
        fair = f"{one.fairness.jain:.3f}", f"{one.fairness.worst_decile_share:.0%}"
        add_row(table, one.name, *_figures(one.figures), *fair, _worst(one.corners), number[one.sentence])
    add_row(table, "perfect information", *_figures(perfect), "", "", "", "")
    return table


def sentences(results: list[PolicyResult]) -> list[str]:
    """Return what the limits hold for, each sentence once, in the order of the policies."""
    return list(dict.fromkeys(one.sentence for one in results))


def _figures(found: Figures) -> tuple[str, ...]:
    return (
        f"{found.pv_curtailed_percent:.1f} %",
        f"{found.customers_outside_voltage}",
        f"{found.evs_short}",
        f"{found.max_line_percent:.0f} %",
    )


def _worst(corners: VerificationReport) -> str:
    volts = max(corners.over_v, corners.under_v)
    worst = [f"{volts:+.1f} V"] if volts > 0.0 else []
    worst += [f"{corners.overload_percent:+.1f} %"] if corners.overload_percent > 0.0 else []
    return ", ".join(worst) or "inside"


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
    results, console = compare_policies(scenario), Console(width=160)
    console.print(policies_table(results, perfect_figures(scenario)))
    for number, sentence in enumerate(sentences(results), start=1):
        console.print(f"{number}: {sentence}", markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
