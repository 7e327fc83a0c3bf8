"""The demonstration's day under each guarantee and allocation: `python -m envelope.demo.policies [--feeder DIR]`.

No server and no clients take part: every device keeps the limits as they would be published, from their first second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from envelope import EnvelopeSchedule, calculate, verify
from envelope.demo import forecast, study
from envelope.demo.arguments import DayNumber, FeederFolder
from envelope.demo.criteria import Figures
from envelope.demo.day import STEP_S, STEPS, Day
from envelope.demo.devices import DayPowers, Devices, Limits, day_powers
from envelope.demo.scenario import Scenario, build_scenario
from envelope.operation.lead_time import upcoming_intervals
from envelope.problem import Allocation, Guarantee, Problem, TighteningLead
from envelope.schedule import Curtailment, Fairness
from envelope.schedule.curtailment import fairness
from envelope.study.coordinated_fleet import coordinate
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
COORDINATED, FLEET_SEED = 0.5, 9
"""Part of the inverters that one aggregator coordinates, and the number of their random choice."""


@dataclass(frozen=True)
class PolicyResult:
    """One policy on one day: its figures, and how evenly the solar energy is used."""

    name: str
    figures: Figures
    fairness: Fairness
    beyond: tuple[float, float, float]
    """V over, V under and percent of a rating at the worst corner of any mix of limits; negative: inside."""
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
    """Return the day's result under each policy and with a coordinated fleet, all with the same forecast."""
    stated = problems(forecast.problem(scenario))
    return [*(result_of(scenario, name, problem) for name, problem in stated.items()), with_fleet(scenario)]


def with_fleet(scenario: Scenario, part: float = COORDINATED) -> PolicyResult:
    """Return the day's result where an aggregator coordinates a part of the inverters, and boxes hold for the rest."""
    day, solar = scenario.day, np.flatnonzero(scenario.day.has_pv)
    chosen = np.random.default_rng(FLEET_SEED).permutation(solar)[: round(part * len(solar))]
    found = coordinate(forecast.problem(scenario), np.isin(np.arange(len(day.has_pv)), chosen))
    limits, generated_w = published_limits(day, found.schedule), day.pv_w.copy()
    # Members keep sums, not their own export limits.
    limits[1][:, found.fleet.members] = np.inf
    for k in range(STEPS):
        available_w = day.pv_w[k, found.fleet.members]
        generated_w[k, found.fleet.members] = found.fleet.dispatch(k // forecast.PER_INTERVAL, available_w)
    devices = Devices(replace(day, pv_w=generated_w))
    powers = day_powers([devices.step(k, Limits(*limits[:, k])) for k in range(STEPS)], devices)
    run = study.run(scenario.reduced, day, powers)
    boxes = verify(found.problem, found.schedule, solver="reduced", effort=EFFORT).worst
    over, under, load = (max(pair) for pair in zip(boxes, found.fleet.beyond, strict=True))
    return PolicyResult(
        f"the first, {100 * part:.0f} % of solar coordinated",
        run.figures,
        _evenness(day, powers),
        (over, under, load),
        f"{found.schedule.guarantee} | a fleet of {len(chosen)} within its sums, or silent within its own limits",
    )


def result_of(scenario: Scenario, name: str, problem: Problem) -> PolicyResult:
    """Return the day's result under a problem's policy."""
    schedule = calculate(problem)
    run = study.run(scenario.reduced, scenario.day, day_under(scenario.day, schedule))
    any_mix = verify(problem.for_any_combination(), schedule, solver="reduced", effort=EFFORT)
    return PolicyResult(name, run.figures, _evenness(scenario.day, run.powers), any_mix.worst, schedule.guarantee)


def _evenness(day: Day, powers: DayPowers) -> Fairness:
    """Return how evenly new solar energy is used by its owners."""
    hours = STEP_S / 3600
    return fairness(Curtailment(day.pv_w.sum(axis=0) * hours, (day.pv_w - powers.pv_w).sum(axis=0) * hours))


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
        add_row(table, one.name, *_figures(one.figures), *fair, _worst(one.beyond), number[one.sentence])
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


def _worst(beyond: tuple[float, float, float]) -> str:
    volts, percent = max(beyond[:2]), beyond[2]
    worst = [f"{volts:+.1f} V"] if volts > 0.0 else []
    worst += [f"{percent:+.1f} %"] if percent > 0.0 else []
    return ", ".join(worst) or "inside"


def main(
    feeder: FeederFolder = None,
    seed: DayNumber = 7,
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
