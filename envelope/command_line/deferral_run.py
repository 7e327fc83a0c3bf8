"""The deferral study: its options, one feeder's study as other processes are handed it, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from envelope.command_line.command_frame import stages
from envelope.command_line.options import refuse_missing, warn
from envelope.command_line.study_options import DaysAsked, ambient_series, costs_of, obedience_of
from envelope.field_rules import BadProblem
from envelope.planning.deferral import study_feeder
from envelope.planning.deferral_report import Found
from envelope.planning.deferral_results import Criterion, Deferral, DeferralPlan, Figures, Studied
from envelope.planning.economics import Economics
from envelope.planning.growth import CASES, growth_case
from envelope.problem import plan_file
from envelope.problem.thermal import ThermalPolicy, thermal_model
from envelope.study import many_feeders
from envelope.study.estimate import of_flows
from gridmodel.flow.kron import reduce

MONEY, LOADED, GROWTH = "Money", "When a transformer must be replaced", "Growth"


@dataclass(frozen=True)
class GrowthOptions:
    """Options of growth, and of homes with cars and solar generation."""

    growth: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=LOAD,CARS,SOLAR, percent a year: growth of demand, homes that get a car, homes that get solar"
            " generation. Several times for several cases; default: low, middle, high.",
            rich_help_panel=GROWTH,
        ),
    ] = None
    years: Annotated[int, typer.Option(help="Years looked ahead.", min=1, max=60, rich_help_panel=GROWTH)] = 15
    charges: Annotated[
        float, typer.Option(help="Chance that a car charges on a day.", min=0.0, max=1.0, rich_help_panel=GROWTH)
    ] = 0.6
    solar_kw: Annotated[
        float, typer.Option(help="Size of a home's new solar generation, kW.", min=0.0, rich_help_panel=GROWTH)
    ] = 5.0
    seed: Annotated[int, typer.Option(help="Which homes get what, and when cars come.", min=0)] = 1
    step: Annotated[int, typer.Option(help="Length of a step of the study, s; finer series are averaged.")] = 3600
    obedience: Annotated[
        str,
        typer.Option(
            help="Chance that a home keeps its limits, 0 to 1; or a CSV file with connection_id and obedience, such as"
            " `sep2 compliance export` writes."
        ),
    ] = "0.95"


@dataclass(frozen=True)
class ReplacementOptions:
    """Options of when a transformer must be replaced, and what that costs."""

    criterion: Annotated[
        Criterion,
        typer.Option(help="Load above the rating, or heat and ageing (IEEE C57.91).", rich_help_panel=LOADED),
    ] = Criterion.RATING
    hours_over: Annotated[
        float, typer.Option(help="Hours a year above the rating permitted.", min=0.0, rich_help_panel=LOADED)
    ] = 0.0
    unserved: Annotated[
        float,
        typer.Option(
            help="Part of the cars' energy that may be missing at departure.", min=0.0, max=1.0, rich_help_panel=LOADED
        ),
    ] = 0.01
    thermal: Annotated[str, typer.Option(help="Thermal parameters of the transformers.", rich_help_panel=LOADED)] = (
        "onan-65"
    )
    ambient: Annotated[
        str, typer.Option(help="Degrees Celsius, or a CSV file with at and temp_c.", rich_help_panel=LOADED)
    ] = "30"
    hot_spot: Annotated[float, typer.Option(help="Hottest winding permitted, C.", rich_help_panel=LOADED)] = 120.0
    k_max: Annotated[float, typer.Option(help="Load over the rating at most.", rich_help_panel=LOADED)] = 1.5
    cost: Annotated[float, typer.Option(help="Cost of a replacement.", min=0.0, rich_help_panel=MONEY)] = 25_000.0
    costs: Annotated[
        Path | None, typer.Option(help="CSV file with transformer_id and cost.", rich_help_panel=MONEY)
    ] = None
    discount: Annotated[float, typer.Option(help="Discount rate a year.", min=0.0, max=1.0, rich_help_panel=MONEY)] = (
        0.07
    )
    inflation: Annotated[
        float, typer.Option(help="Inflation of the cost a year.", min=0.0, max=1.0, rich_help_panel=MONEY)
    ] = 0.02


def plan_of(growing: GrowthOptions, replacing: ReplacementOptions) -> DeferralPlan:
    """The assumptions of a study."""
    cases = tuple(growth_case(said) for said in growing.growth) if growing.growth else CASES
    if len({one.name for one in cases}) < len(cases):
        raise BadProblem("--growth: two cases have the same name")
    return DeferralPlan(
        cases,
        growing.years,
        replacing.criterion,
        replacing.hours_over,
        replacing.unserved,
        growing.charges,
        1e3 * growing.solar_kw,
        growing.seed,
        Economics(replacing.cost, replacing.discount, replacing.inflation, costs_of(replacing.costs)),
    )


@dataclass(frozen=True)
class DeferralTask:
    """A feeder to study, by name, and how."""

    feeder: str
    plan: DeferralPlan
    days: DaysAsked
    growing: GrowthOptions
    replacing: ReplacementOptions


class FeederDeferrals(NamedTuple):
    """All that was found on one feeder."""

    deferrals: Sequence[Deferral]
    figures: Sequence[Figures]
    said: Sequence[str]


def study_one(task: DeferralTask, tell: Callable[[str], None] = lambda _: None) -> FeederDeferrals:
    """The deferrals of a feeder's transformers."""
    refuse_missing(task.feeder)
    tell("reading the feeder")
    feeder, growing, replacing = plan_file.feeder_of(task.feeder), task.growing, task.replacing
    year = task.days.year(feeder)
    if year.step_s < growing.step:
        year = year.at_steps(growing.step)
    warn(of_flows(feeder.network, len(np.unique(year.distinct))).warning)
    obedience = obedience_of(growing.obedience, feeder)
    studied = Studied(
        feeder.name,
        reduce(feeder.network),
        year,
        ambient_series(replacing.ambient, year),
        thermal_model(replacing.thermal),
        ThermalPolicy(hot_spot_c=replacing.hot_spot, k_max=replacing.k_max),
        obedience,
    )
    deferrals, figures = study_feeder(studied, task.plan, tell)
    said = (
        *year.said,
        f"homes keep their limits with a chance of {obedience.mean():.0%} on average (--obedience {growing.obedience})",
        f"ambient temperature (--ambient): {replacing.ambient}; thermal parameters: {studied.thermal.source}",
    )
    return FeederDeferrals(deferrals, figures, said)


def study_all(
    tasks: Sequence[DeferralTask], workers: many_feeders.Workers, plan: DeferralPlan, *, quiet: bool
) -> Found:
    """All feeders' deferrals, in the order asked for; a single feeder that fails raises."""
    results: dict[str, FeederDeferrals | many_feeders.Failure] = {}
    with stages(quiet) as stage:
        if len(tasks) == 1:
            results[tasks[0].feeder] = study_one(tasks[0], stage)
        else:
            for done in many_feeders.each(study_one, tasks, workers):
                results[done.item.feeder] = done.result
                stage(f"{len(results)} of {len(tasks)} feeders")
    deferrals, figures, said, failed = list[Deferral](), list[Figures](), dict[str, None](), dict[str, str]()
    for task in tasks:
        one = results[task.feeder]
        if isinstance(one, many_feeders.Failure):
            failed[task.feeder] = one.detail
            continue
        deferrals += one.deferrals
        figures += one.figures
        prefix = f"{task.feeder}: " if len(tasks) > 1 else ""
        said |= dict.fromkeys(f"{prefix}{line}" for line in one.said)
    return Found(deferrals, figures, plan, list(said), failed)
