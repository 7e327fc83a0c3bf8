"""`sep2 study deferral` and `connect`: when transformers must be replaced, and what a new plant may feed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from envelope.command_line.command_frame import stages
from envelope.command_line.connect_run import PlantAsked, power_of, stated
from envelope.command_line.deferral_run import DeferralTask, GrowthOptions, ReplacementOptions, plan_of, study_all
from envelope.command_line.option_groups import command
from envelope.command_line.options import refuse_missing
from envelope.command_line.study_options import DaysAsked
from envelope.field_rules import BadProblem
from envelope.planning.deferral_report import Found, write_deferral
from envelope.planning.deferral_results import ranked
from envelope.study.many_feeders import Workers
from sep2.terminal import add_row, console, say, say_json

if TYPE_CHECKING:
    from envelope.planning.interconnection import Interconnection

app = typer.Typer(
    no_args_is_help=True,
    help="Planning studies: deferral of transformer replacements, flexible interconnection.",
    epilog="""Example: sep2 study deferral european-lv --days 28 --out deferral

Next: open deferral/report.html; sep2 study connect shows what a new plant may feed at a node.""",
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Out = Annotated[Path, typer.Option(help="Folder for the CSV tables and report.html.")]
SHOWN, SOME_FAILED = 15, 3
"""rows printed, and the exit code where feeders could not be studied"""


@command(
    app,
    "deferral",
    """Example: sep2 study deferral feeders/* --growth middle=1,4,2 --obedience 0.9 --cost 30000 --out deferral

Next: open deferral/report.html; transformers.csv ranks all transformers, years.csv has every year looked at.""",
)
def study_deferral(
    feeders: Annotated[
        list[str], typer.Argument(metavar="FEEDER…", help="Feeder folders, network files, or european-lv.")
    ],
    *,
    out: Out = Path("deferral"),
    workers: Annotated[int, typer.Option(help="Processes; 0: one for each processor.", min=0)] = 0,
    dask: Annotated[
        str, typer.Option(help="Work on this Dask scheduler, such as tcp://host:8786; local: a cluster made here.")
    ] = "",
    as_json: Json = False,
    growing: GrowthOptions,
    replacing: ReplacementOptions,
    days: DaysAsked,
) -> None:
    """Find when transformers must be replaced as load, cars and solar generation grow, and how far envelopes defer it.

    Writes transformers.csv (ranked by value), years.csv and report.html to the folder --out. Ends with 3 if some of
    several feeders could not be studied.
    """
    if len(feeders) == 1:
        refuse_missing(feeders[0])
    _refuse_file(out)
    plan = plan_of(growing, replacing)
    tasks = [DeferralTask(name, plan, days, growing, replacing) for name in dict.fromkeys(feeders)]
    found = study_all(tasks, Workers(workers, dask), plan, quiet=as_json)
    _show_deferral(found, write_deferral(found, out), as_json)
    if found.failed:
        raise typer.Exit(SOME_FAILED)


@command(
    app,
    "connect",
    """Example: sep2 study connect european-lv --node 639 --export 60kW --out connect

Next: open connect/report.html; limits_288.csv is a profile for the contract, send.sh sends the best setting.""",
)
def study_connect(
    feeder: Annotated[str, typer.Argument(metavar="FEEDER", help="A feeder folder, a network file, or european-lv.")],
    *,
    curtailment: Annotated[
        float, typer.Option(help="Part of its energy that a flexible plant may lose.", min=0.0, max=1.0)
    ] = 0.05,
    round_to: Annotated[str, typer.Option("--round", help="Limits are rounded down to multiples of it.")] = "1kW",
    quick: Annotated[bool, typer.Option("--quick", help="Try no settings and no reinforcements.")] = False,
    out: Out = Path("connect"),
    as_json: Json = False,
    plant: PlantAsked,
    days: DaysAsked,
) -> None:
    """Find what a new plant may feed or draw at a node: firm and flexible capacity, limits by hour, settings to use.

    Every limit is verified again, after rounding, by AC power flow. Writes CSV tables, report.html and send.sh.
    """
    from envelope.planning.interconnection import InterconnectionPlan, study_plant
    from envelope.planning.interconnection_report import write_interconnection
    from envelope.planning.settings import UNITY, settings_tried

    refuse_missing(feeder)
    _refuse_file(out)
    round_w = power_of("--round", round_to)
    with stages(as_json) as stage:
        stage("reading the feeder")
        asked = stated(feeder, plant, days)
        exports = asked.hosting.direction == "export"
        tried = settings_tried(asked.region) if exports and not quick else [UNITY]
        found = study_plant(asked.hosting, InterconnectionPlan(round_w, curtailment, tried, not quick), stage)
        files = write_interconnection(found, out, asked.said)
    _show_connect(found, files, as_json)


def _refuse_file(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise BadProblem(f"--out {out}: is a file")


def _show_connect(found: Interconnection, files: dict[str, str], as_json: bool) -> None:
    from envelope.planning.interconnection_report import as_plain, conclusion

    if as_json:
        say_json(json.dumps(as_plain(found) | {"files": files}))
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
