"""`sep2 study deferral` and `connect`: when transformers must be replaced, and what a new plant may feed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from envelope.planning.deferral_report import Found, write_deferral
from envelope.planning.deferral_results import Criterion, Deferral, DeferralPlan, Figures, ranked
from envelope.planning.economics import Economics
from envelope.planning.growth import CASES, growth_case
from envelope.planning.year import YEAR_DAYS
from envelope.problem.thermal import ThermalPolicy
from envelope.study import fleet
from sep2.terminal import add_row, console, say, say_json

if TYPE_CHECKING:
    from envelope.planning.interconnection import Interconnection

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


CHANGES = "The plant"


@app.command(
    "connect",
    epilog="""Example: sep2 study connect european-lv --node 639 --export 60kW --out connect

Next: open connect/report.html; limits_288.csv is a profile for the contract, send.sh sends the best setting.""",
)
def study_connect(
    feeder: Annotated[str, typer.Argument(metavar="FEEDER", help="A feeder folder, a network file, or european-lv.")],
    *,
    node: Annotated[str, typer.Option(help="Node that the plant connects at, low or medium voltage.")],
    export: Annotated[str, typer.Option(help="Size of generation, such as 500kW.", rich_help_panel=CHANGES)] = "",
    import_: Annotated[
        str, typer.Option("--import", help="Size of load, such as 500kW.", rich_help_panel=CHANGES)
    ] = "",
    name: Annotated[str, typer.Option(help="Id of the plant's connection.", rich_help_panel=CHANGES)] = "plant",
    phases: Annotated[
        str, typer.Option(help="Its phases, such as a or abc; default: all of the node.", rich_help_panel=CHANGES)
    ] = "",
    resource: Annotated[
        str,
        typer.Option(
            help="Power it can have: solar (default for --export), constant (for --import), or a CSV file with hour and"
            " part of its size.",
            rich_help_panel=CHANGES,
        ),
    ] = "",
    queue: Annotated[
        Path | None,
        typer.Option(help="Plants ahead: CSV with name, node, export_w or import_w.", rich_help_panel=CHANGES),
    ] = None,
    pro_rata: Annotated[
        bool,
        typer.Option(
            "--pro-rata/--last-in",
            help="Whether all are limited alike, or those ahead come first.",
            rich_help_panel=CHANGES,
        ),
    ] = False,
    curtailment: Annotated[
        float, typer.Option(help="Part of its energy that a flexible plant may lose.", min=0.0, max=1.0)
    ] = 0.05,
    round_to: Annotated[str, typer.Option("--round", help="Limits are rounded down to multiples of it.")] = "1kW",
    limits: Annotated[str, typer.Option(help="A voltage criterion; default: one that suits the network.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Try no settings and no reinforcements.")] = False,
    out: Out = Path("connect"),
    days: Days = YEAR_DAYS,
    profiles: Profiles = None,
    store: Store = None,
    since: Since = "",
    power_factor: PowerFactor = 0.95,
    step: Step = 1800,
    as_json: Json = False,
) -> None:
    """Find what a new plant may feed or draw at a node: firm and flexible capacity, limits by hour, settings to use.

    Every limit is verified again, after rounding, by AC power flow. Writes CSV tables, report.html and send.sh.
    """
    from envelope.command_line.connect_run import PlantAsked, power_of, stated
    from envelope.planning.interconnection import InterconnectionPlan, study_plant
    from envelope.planning.interconnection_report import write_interconnection
    from envelope.planning.settings import UNITY, settings_tried

    with refusals(as_json):
        refuse_missing(feeder)
        if out.exists() and not out.is_dir():
            raise BadProblem(f"--out {out}: is a file")
        asked = PlantAsked(node, export, import_, name, phases, resource, queue, pro_rata, limits, step)
        round_w = power_of("--round", round_to)
        with stages(as_json) as stage:
            stage("reading the feeder")
            plant = stated(feeder, asked, DaysAsked(days, profiles, store, since, power_factor))
            tried = settings_tried(plant.region) if plant.hosting.direction == "export" and not quick else [UNITY]
            plan = InterconnectionPlan(round_w, curtailment, tried, not quick)
            found = study_plant(plant.hosting, plan, stage)
            files = write_interconnection(found, out, plant.said)
    _show_connect(found, files, as_json)


def _show_connect(found: Interconnection, files: dict[str, str], as_json: bool) -> None:
    from envelope.planning.interconnection_report import conclusion

    if as_json:
        kinds = {
            name: one._asdict() | {"broken_steps": found.verified[name].broken_steps}
            for name, one in found.curtailed.items()
        }
        answer = {
            "capacity": found.capacity._asdict(),
            "fail_safe_w": found.tables.least_w,
            "limits": kinds,
            "binding": found.binding,
            "settings": [one._asdict() for one in found.settings],
            "recommended": found.best.name,
            "send": found.best.commands(found.hosting.plant.name),
            "reinforcements": [one._asdict() for one in found.reinforcements],
            "files": files,
        }
        say_json(json.dumps(answer))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("limits", "curtailed P50, kWh", "% of energy", "hours a year", "longest, h"):
        table.add_column(name, justify="left" if name == "limits" else "right")
    for name, one in found.curtailed.items():
        cells = f"{one.p50_kwh:,.0f}", f"{one.p50_percent:.2f}", f"{one.hours:,.0f}", f"{one.longest_h:g}"
        add_row(table, name, *cells)
    console().print(table)
    for line in conclusion(found):
        say(line)
    say(f"Fail-safe value: {found.tables.least_w / 1e3:g} kW. Recommended setting: {found.best.name}.")
    say(f"Report: {files['report']}")


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
