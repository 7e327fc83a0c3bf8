"""`sep2 envelope run`, `compare` and `explain`: limits for a feeder's day, what each policy costs, and why."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from envelope.allocate import Allocation
from envelope.asked import Asked, command, stages
from envelope.engine import calculate
from envelope.problem import BadProblem, Guarantee, Problem
from envelope.schedule import EnvelopeSchedule
from envelope.summary import compared, most_withheld, summarise
from envelope.verification import verify

app = typer.Typer(no_args_is_help=True, help="Operating envelopes: calculate, compare, explain.")

FeederName = Annotated[
    str, typer.Argument(metavar="FEEDER", help="A feeder folder, european-lv, or a plan (.npz) that the engine saved.")
]
Out = Annotated[Path | None, typer.Option(help="Write the limits to this .csv or .parquet file.")]
Picture = Annotated[Path | None, typer.Option(help="Draw to this PNG file.")]
COMPARED = (
    (Guarantee.COINCIDENT, Allocation.EQUAL),
    (Guarantee.ONE_SIDED, Allocation.MAX_MIN),
    (Guarantee.ONE_SIDED, Allocation.PROPORTIONAL_FAIR),
    (Guarantee.ONE_SIDED, Allocation.MAX_SUM),
    (Guarantee.TWO_SIDED, Allocation.EQUAL),
    (Guarantee.TWO_SIDED, Allocation.MAX_MIN),
    (Guarantee.TWO_SIDED, Allocation.PROPORTIONAL_FAIR),
    (Guarantee.TWO_SIDED, Allocation.MAX_SUM),
)


@command(app, "run")
def run(feeder: FeederName, out: Out = None, picture: Picture = None, *, asked: Asked) -> None:
    """Limits for every connection and interval of a feeder's day, verified by an independent power flow."""
    with stages(asked.as_json) as stage:
        stage("reading the feeder")
        problem = asked.problem(feeder)
        stage("calculating")
        schedule = calculate(problem)
        stage("verifying")
        report = verify(problem, schedule)
        stage("writing")
        files = _write(problem, schedule, out=out, picture=picture)
    summary = summarise(problem, schedule, report) | files
    if asked.as_json:
        typer.echo(json.dumps(summary))
    else:
        _print_summary(summary)
        if report.wrong_phases is not None:
            typer.echo(f"{report.stress_sentence()}: check the model first.")
        typer.echo(f"{report.sentence()}.")
    raise typer.Exit(0 if report.inside else 1)


@command(app, "compare")
def compare(feeder: FeederName, *, asked: Asked) -> None:
    """Guarantees and fairness side by side: what each allows, how evenly, and what breaks at corners beyond it."""
    with stages(asked.as_json) as stage:
        stage("reading the feeder")
        problem = asked.problem(feeder)
        rows = []
        for guarantee, allocation in COMPARED:
            stage(f"{guarantee}, {allocation}")
            rows.append(compared(replace(problem, guarantee=guarantee, allocation=allocation)))
    if asked.as_json:
        typer.echo(json.dumps({"feeder": problem.reduced.network.name, "policies": rows}))
        return
    _print_rows(rows)
    worst = rows[0]
    typer.echo(
        "Beyond its guarantee, coincident breaks at corners that its limits allow:"
        f" {worst['any_over_v']:+.1f} V over, {worst['any_under_v']:+.1f} V under,"
        f" {worst['any_load_percent']:+.1f} % load."
    )


@command(app, "explain")
def explain_limit(
    feeder: FeederName,
    connection: Annotated[str, typer.Argument(help="The connection whose limit is asked about.")],
    step: Annotated[int | None, typer.Option(help="Interval of the day; default: where most is withheld.")] = None,
    direction: Annotated[str, typer.Option(help="export or import")] = "export",
    *,
    picture: Picture = None,
    asked: Asked,
) -> None:
    """Why one limit is what it is: what binds, where, by how much, and what would relieve it."""
    from envelope.explain import explain

    if direction not in ("export", "import"):
        raise BadProblem(f"direction: {direction!r} is neither export nor import")
    with stages(asked.as_json) as stage:
        stage("reading the feeder")
        problem = asked.problem(feeder)
        if connection not in problem.connection_id:
            raise BadProblem(f"{feeder} has no connection {connection!r}")
        stage("calculating")
        schedule = calculate(problem)
        at = most_withheld(problem, schedule, connection, direction) if step is None else _known(step, problem)
        found = explain(problem, schedule, connection, step=at, direction=direction)
        if picture is not None:
            from envelope.picture import explain_picture

            explain_picture(problem, schedule, connection, picture)
    if asked.as_json:
        typer.echo(json.dumps(asdict(found) | {"sentence": found.sentence()}))
        return
    for who in found.contributors:
        typer.echo(f"  {100 * who.part:5.1f} %  {who.connection_id}, {who.direction}")
    typer.echo(found.sentence())


def _known(step: int, problem: Problem) -> int:
    if not 0 <= step < problem.steps:
        raise BadProblem(f"step: {step} is outside 0..{problem.steps - 1}")
    return step


def _write(problem: Problem, schedule: EnvelopeSchedule, *, out: Path | None, picture: Path | None) -> dict[str, str]:
    files = {}
    if out is not None:
        from envelope.frame import save

        if out.suffix not in (".csv", ".parquet"):
            raise BadProblem(f"--out {out}: the ending is neither .csv nor .parquet")
        save(schedule, out)
        files["file"] = str(out)
    if picture is not None:
        from envelope.picture import schedule_picture

        files["picture"] = str(schedule_picture(problem, schedule, picture))
    return files


def _print_summary(summary: dict[str, Any]) -> None:
    table = Table("", "export", "import")
    table.add_row("mean kW", f"{summary['export_kw']:.1f}", f"{summary['import_kw']:.1f}")
    table.add_row("least connection, mean W", f"{summary['export_least_w']:.0f}", f"{summary['import_least_w']:.0f}")
    table.add_row("Jain's index", f"{summary['export_jain']:.2f}", f"{summary['import_jain']:.2f}")
    Console().print(table)
    typer.echo(
        f"{summary['feeder']}: {summary['connections']} connections, {summary['steps']} steps, {summary['guarantee']},"
        f" {summary['allocation']} of {summary['reference']}; {summary['seconds']:.2f} s,"
        f" {summary['solves']:.0f} power flows."
    )
    files = [f"{name}: {summary[name]}" for name in ("file", "picture") if name in summary]
    for line in [*summary["findings"], *files]:
        typer.echo(line)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    table = Table("guarantee", "allocation", "export kW", "import kW", "Jain e/m", "s", "worst inside", "at any corner")
    for row in rows:
        worst = [
            f"{row[f'{kind}_over_v']:+.2f} V, {row[f'{kind}_under_v']:+.2f} V, {row[f'{kind}_load_percent']:+.1f} %"
            for kind in ("own", "any")
        ]
        table.add_row(
            row["guarantee"],
            row["allocation"],
            f"{row['export_kw']:.1f}",
            f"{row['import_kw']:.1f}",
            f"{row['export_jain']:.2f} / {row['import_jain']:.2f}",
            f"{row['seconds']:.2f}",
            *worst,
        )
    Console().print(table)
