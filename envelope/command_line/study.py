"""`sep2 study deferral` and `connect`: when transformers must be replaced, and what a new plant may feed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from envelope.command_line.deferral_run import DeferralTask, FeederDeferrals, study_one
from envelope.command_line.options import refusals, refuse_missing, stages
from envelope.command_line.study_options import (
    Dask,
    Days,
    DaysAsked,
    PowerFactor,
    Profiles,
    Since,
    Step,
    Store,
    Workers,
    costs_of,
)
from envelope.field_rules import BadProblem
from envelope.planning.deferral import Criterion, Deferral, DeferralPlan, Figures, ranked
from envelope.planning.deferral_report import Found, write_deferral
from envelope.planning.economics import Economics
from envelope.planning.growth import CASES, growth_case
from envelope.planning.year import YEAR_DAYS
from envelope.problem.thermal import ThermalPolicy
from envelope.study import fleet
from sep2.terminal import add_row, console, say, say_json

app = typer.Typer(
    no_args_is_help=True,
    help="Planning studies: deferral of transformer replacements, flexible interconnection.",
    epilog="""Example: sep2 study deferral european-lv --days 28 --out deferral

Next: open deferral/report.html; sep2 study connect shows what a new plant may feed at a node.""",
)
MONEY, LOADED, GROWTH = "Money", "When a transformer must be replaced", "Growth"
Feeders = Annotated[list[str], typer.Argument(metavar="FEEDER…", help="Feeder folders, network files, or european-lv.")]
Out = Annotated[Path, typer.Option(help="Folder for the CSV tables and report.html.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
SHOWN = 15


@app.command(
    "deferral",
    epilog="""Example: sep2 study deferral feeders/* --growth middle=1,4,2 --obedience 0.9 --cost 30000 --out deferral

Next: open deferral/report.html; transformers.csv ranks all transformers, years.csv has every year looked at.""",
)
def study_deferral(
    feeders: Feeders,
    *,
    out: Out = Path("deferral"),
    days: Days = YEAR_DAYS,
    profiles: Profiles = None,
    store: Store = None,
    since: Since = "",
    power_factor: PowerFactor = 0.95,
    step: Step = 3600,
    growth: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=LOAD,CARS,SOLAR, percent a year: growth of demand, homes that get a car, homes that get solar"
            " generation. Several times for several cases; default: low, middle, high.",
            rich_help_panel=GROWTH,
        ),
    ] = None,
    years: Annotated[int, typer.Option(help="Years looked ahead.", min=1, max=60, rich_help_panel=GROWTH)] = 15,
    charges: Annotated[
        float, typer.Option(help="Chance that a car charges on a day.", min=0.0, max=1.0, rich_help_panel=GROWTH)
    ] = 0.6,
    solar_kw: Annotated[
        float, typer.Option(help="Size of a home's new solar generation, kW.", min=0.0, rich_help_panel=GROWTH)
    ] = 5.0,
    seed: Annotated[int, typer.Option(help="Which homes get what, and when cars come.", min=0)] = 1,
    criterion: Annotated[
        Criterion,
        typer.Option(help="Load above the rating, or heat and ageing (IEEE C57.91).", rich_help_panel=LOADED),
    ] = Criterion.RATING,
    hours_over: Annotated[
        float, typer.Option(help="Hours a year above the rating permitted.", min=0.0, rich_help_panel=LOADED)
    ] = 0.0,
    unserved: Annotated[
        float,
        typer.Option(
            help="Part of the cars' energy that may be missing at departure.",
            min=0.0,
            max=1.0,
            rich_help_panel=LOADED,
        ),
    ] = 0.01,
    thermal: Annotated[
        str, typer.Option(help="Thermal parameters of the transformers.", rich_help_panel=LOADED)
    ] = "onan-65",
    ambient: Annotated[
        str, typer.Option(help="Degrees Celsius, or a CSV file with at and temp_c.", rich_help_panel=LOADED)
    ] = "30",
    hot_spot: Annotated[float, typer.Option(help="Hottest winding permitted, C.", rich_help_panel=LOADED)] = 120.0,
    k_max: Annotated[float, typer.Option(help="Load over the rating at most.", rich_help_panel=LOADED)] = 1.5,
    obedience: Annotated[
        str,
        typer.Option(
            help="Chance that a home keeps its limits, 0 to 1; or a CSV file with connection_id and obedience, such as"
            " `sep2 compliance export` writes."
        ),
    ] = "0.95",
    cost: Annotated[float, typer.Option(help="Cost of a replacement.", min=0.0, rich_help_panel=MONEY)] = 25_000.0,
    costs: Annotated[
        Path | None, typer.Option(help="CSV file with transformer_id and cost.", rich_help_panel=MONEY)
    ] = None,
    discount: Annotated[
        float, typer.Option(help="Discount rate a year.", min=0.0, max=1.0, rich_help_panel=MONEY)
    ] = 0.07,
    inflation: Annotated[
        float, typer.Option(help="Inflation of the cost a year.", min=0.0, max=1.0, rich_help_panel=MONEY)
    ] = 0.02,
    workers: Workers = 0,
    dask: Dask = "",
    as_json: Json = False,
) -> None:
    """Find when transformers must be replaced as load, cars and solar generation grow, and how far envelopes defer it.

    Writes transformers.csv (ranked by value), years.csv and report.html to the folder --out. Ends with 3 if some of the
    feeders could not be studied.
    """
    with refusals(as_json):
        for feeder in feeders if len(feeders) == 1 else ():
            refuse_missing(feeder)
        if out.exists() and not out.is_dir():
            raise BadProblem(f"--out {out}: is a file")
        cases = tuple(growth_case(said) for said in growth) if growth else CASES
        if len({one.name for one in cases}) < len(cases):
            raise BadProblem("--growth: two cases have the same name")
        plan = DeferralPlan(
            cases,
            years,
            criterion,
            hours_over,
            unserved,
            charges,
            1e3 * solar_kw,
            seed,
            Economics(cost, discount, inflation, costs_of(costs)),
        )
        asked = DaysAsked(days, profiles, store, since, power_factor)
        policy = ThermalPolicy(hot_spot_c=hot_spot, k_max=k_max)
        tasks = [
            DeferralTask(name, plan, asked, step, thermal, ambient, policy, obedience)
            for name in dict.fromkeys(feeders)
        ]
        found = _studied(tasks, fleet.Workers(workers, dask), plan, as_json)
        files = write_deferral(found, out)
    _show_deferral(found, files, as_json)
    if found.failed:
        raise typer.Exit(3)


def _studied(tasks: list[DeferralTask], workers: fleet.Workers, plan: DeferralPlan, quiet: bool) -> Found:
    """All feeders' deferrals, in the order asked for; a single feeder that fails ends the command."""
    results: dict[str, FeederDeferrals | fleet.Failure] = {}
    with stages(quiet) as stage:
        if len(tasks) == 1:
            results[tasks[0].feeder] = study_one(tasks[0], stage)
        else:
            for done in fleet.each(study_one, tasks, workers):
                results[done.item.feeder] = done.result
                stage(f"{len(results)} of {len(tasks)} feeders")
    deferrals, figures, said, failed = list[Deferral](), list[Figures](), dict[str, None](), dict[str, str]()
    for task in tasks:
        one = results[task.feeder]
        if isinstance(one, fleet.Failure):
            failed[task.feeder] = one.detail
            continue
        deferrals += one.deferrals
        figures += one.figures
        prefix = f"{task.feeder}: " if len(tasks) > 1 else ""
        said |= dict.fromkeys(f"{prefix}{line}" for line in one.said)
    return Found(deferrals, figures, plan, list(said), failed)


def _show_deferral(found: Found, files: dict[str, str], as_json: bool) -> None:
    order = ranked(found.deferrals)
    if as_json:
        rows = [one._asdict() for one in order]
        say_json(json.dumps({"transformers": rows, "assumed": found.said, "failed": found.failed, "files": files}))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("transformer", "growth", "due without", "due with", "deferred", "value today", "firm relief, kW"):
        table.add_column(name, justify="left" if name in ("transformer", "growth") else "right")
    for one in order[:SHOWN]:
        due, eased = ("–" if year is None else f"year {year}" for year in (one.first_without, one.first_with))
        deferred = f"{'≥ ' if one.at_least else ''}{one.deferred_years} years"
        value, relief = f"{one.present_value:,.0f}", f"{one.firm_relief_kw:.1f}"
        add_row(table, one.transformer, one.case, due, eased, deferred, value, relief)
    console().print(table)
    if len(order) > SHOWN:
        say(f"{len(order) - SHOWN} more are in {files['transformers']}.")
    for feeder, why in found.failed.items():
        say(f"not studied: {feeder}: {why}", err=True)
    say(f"Report: {files['report']}")
