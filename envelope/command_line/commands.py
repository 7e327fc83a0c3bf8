"""`sep2 envelope run`, `compare`, `explain` and `ledger`: limits of a feeder's day, policies, and reasons."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from envelope.command_line import examples, rounds
from envelope.command_line.audit import verify_limits
from envelope.command_line.command_frame import refusals, stages
from envelope.command_line.models import add_to as add_models
from envelope.command_line.operate import add_to
from envelope.command_line.option_groups import command
from envelope.command_line.options import StudyOptions, refuse_missing
from envelope.command_line.printing import show_policies, show_whole
from envelope.command_line.rolling_options import RollingOptions
from envelope.field_rules import BadProblem
from envelope.model_free.methods import Method
from envelope.problem import Allocation, Guarantee
from envelope.study.summary import compared, most_withheld, possible, priced, recovered
from gridmodel.command_errors import writable
from sep2.terminal import say, say_json

if TYPE_CHECKING:
    from envelope.command_line.runs import Files

app = typer.Typer(
    no_args_is_help=True, help="Operating envelopes: calculate, compare, explain, operate.", epilog=examples.OVERVIEW
)

NO_MODEL, MANY = "Without a network model", "Several feeders"
OVER_TIME = "Fairness over time"
FeederName = Annotated[
    str, typer.Argument(metavar="FEEDER", help="A feeder folder, a network file, european-lv, or a plan (.npz).")
]
Out = Annotated[Path | None, typer.Option(help="Write the limits to this .csv or .parquet file.")]
Picture = Annotated[Path | None, typer.Option(help="Draw to this PNG file.")]
FeedersOrReadings = Annotated[
    list[str],
    typer.Argument(
        metavar="FEEDER…",
        help="A feeder folder, a network file, european-lv, a plan (.npz), or meter readings (.csv) with --fallback;"
        " or several feeders, such as DIR/*.",
    ),
]
LedgerFile = Annotated[
    Path | None,
    typer.Option(help="Add curtailed energy to this CSV file.", rich_help_panel=OVER_TIME),
]
Past = Annotated[
    float,
    typer.Option(
        min=0.0,
        help="Weight of connections that the ledger shows as curtailed most; 0: none.",
        rich_help_panel=OVER_TIME,
    ),
]
PlanFile = Annotated[
    Path | None,
    typer.Option(help="Save the problem for `sep2 serve DIR`, which publishes what DIR/envelope-plan.npz gives."),
]
EXPLAINED = 5
"""calculations of an explanation: the schedule's, and one for each relief"""
COMPARED = (
    (Guarantee.COINCIDENT, Allocation.EQUAL),
    (Guarantee.ONE_SIDED, Allocation.EQUAL),
    (Guarantee.ONE_SIDED, Allocation.MAX_MIN),
    (Guarantee.ONE_SIDED, Allocation.PROPORTIONAL_FAIR),
    (Guarantee.ONE_SIDED, Allocation.MAX_SUM),
    (Guarantee.TWO_SIDED, Allocation.EQUAL),
    (Guarantee.TWO_SIDED, Allocation.MAX_MIN),
    (Guarantee.TWO_SIDED, Allocation.PROPORTIONAL_FAIR),
    (Guarantee.TWO_SIDED, Allocation.MAX_SUM),
)


@dataclass(frozen=True)
class MeterOptions:
    """Options of limits without a network model."""

    fallback: Annotated[
        Method | None,
        typer.Option(help="Set limits from meter readings alone, without a power flow.", rich_help_panel=NO_MODEL),
    ] = None
    rating_kva: Annotated[
        float | None, typer.Option(help="The transformer's rating, kVA.", rich_help_panel=NO_MODEL)
    ] = None
    meter_of: Annotated[
        str,
        typer.Option(help="connection_id of the transformer's own meter in the readings.", rich_help_panel=NO_MODEL),
    ] = ""
    critical: Annotated[
        str,
        typer.Option(
            help="The connection whose voltage counts; default: the one that varies most.", rich_help_panel=NO_MODEL
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.fallback is None and (self.rating_kva is not None or self.meter_of or self.critical):
            raise BadProblem("--rating-kva, --meter-of, --critical: have no effect without --fallback")


@dataclass(frozen=True)
class ManyOptions:
    """Options of many feeders."""

    workers: Annotated[int, typer.Option(help="Processes; 0: one for each processor.", min=0, rich_help_panel=MANY)] = 0
    dask: Annotated[
        str,
        typer.Option(
            help="Calculate on this Dask scheduler, such as tcp://host:8786; local: on a cluster made here.",
            rich_help_panel=MANY,
        ),
    ] = ""
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Calculate all, also what was calculated before.", rich_help_panel=MANY)
    ] = False


@command(app, "run")
def run(
    feeders: FeedersOrReadings,
    *,
    out: Out = None,
    picture: Picture = None,
    plan: PlanFile = None,
    ledger: LedgerFile = None,
    past: Past = 0.0,
    rolling: RollingOptions,
    meters: MeterOptions,
    many: ManyOptions,
    options: StudyOptions,
) -> None:
    """Calculate limits for every connection and interval of a feeder's day, verified by an independent power flow.

    Ends with 0 only if every corner that was tried is inside the limits; with 3 if only the base load, or what is
    granted in any case, is beyond them. Of several feeders each is calculated by itself: all limits are one Parquet
    file, a feeder that fails is named (exit code 2) while the others go on, and the same command goes on where it
    stopped.
    """
    # An audit by `verify` must be possible without the calculation.
    from envelope.command_line.runs import Files

    files = Files(out, picture, plan, ledger, past, rolling.plan)
    if len(feeders) > 1:
        _refuse_for_many(len(feeders), files, meters)
        _run_many(feeders, out, options, many)
    if many.dask or many.fresh:
        raise BadProblem("--dask, --fresh: are for several feeders")
    refuse_missing(feeders[0])
    _refuse_files(out, picture)
    _run_one(feeders[0], files, meters, options)


def _run_one(feeder: str, files: Files, meters: MeterOptions, options: StudyOptions) -> None:
    """Calculate one feeder, or limits from its meters alone, and end."""
    from envelope.command_line.runs import run_on_model, run_without_model

    if meters.fallback is None:
        _refuse_with_model(feeder, files, options)
        raise typer.Exit(run_on_model(feeder, files, options))
    from envelope.command_line.model_free import TransformerOptions

    if files.past:
        raise BadProblem("--past: shares without a network model are equal, regardless of the past")
    if files.plan is not None:
        raise BadProblem("--plan: a server needs a network model")
    known = TransformerOptions(meters.rating_kva, meters.meter_of, meters.critical)
    written = {"out": files.out, "picture": files.picture, "ledger": files.ledger}
    run_without_model((Path(feeder), meters.fallback, known), **written, options=options)


def _refuse_for_many(count: int, files: Files, meters: MeterOptions) -> None:
    """Refuse what is for one feeder."""
    given = {name: getattr(files, name) for name in ("picture", "plan", "ledger", "past", "rolling")}
    if names := [name for name, value in (given | {"fallback": meters.fallback}).items() if value]:
        raise BadProblem(f"--{names[0]}: is for one feeder; there are {count}")


def _refuse_with_model(feeder: str, files: Files, options: StudyOptions) -> None:
    """Refuse what does not go together in a run on a network model."""
    plan = files.plan
    if Path(feeder).suffix == ".csv":
        raise BadProblem(f"{feeder}: limits from meter readings alone need --fallback and --rating-kva")
    if plan is None:
        if files.rolling is not None:
            raise BadProblem("--rolling: has no effect without --plan")
        return
    if plan.suffix != ".npz" or Path(feeder).suffix == ".npz":
        raise BadProblem(f"--plan {plan}: a plan is an .npz file, made of a feeder")
    if options.files_from is not None:
        raise BadProblem("--files-from: a server reads a circuit's files from its own folder only")


def _run_many(feeders: list[str], out: Path | None, options: StudyOptions, many: ManyOptions) -> NoReturn:
    """Calculate several feeders and end."""
    from envelope.command_line.many_runs import run_many
    from envelope.study.many_feeders import Workers

    to = Path("limits.parquet") if out is None else out
    raise typer.Exit(run_many(feeders, to, options, Workers(many.workers, many.dask), fresh=many.fresh))


@app.command("ledger", epilog=examples.OF_COMMAND["ledger"])
def show_ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A ledger that `run --ledger` keeps.")],
    most: Annotated[int, typer.Option(min=1, help="How many of the most curtailed connections to name.")] = 10,
    picture: Picture = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the curtailed energy of each connection so far, the most curtailed first."""
    from envelope.schedule import Ledger

    with refusals(as_json):
        _refuse_files(None, picture)
        if not file.is_file():
            raise BadProblem(f"{file}: no such ledger; `sep2 envelope run FEEDER --ledger {file}` begins one")
        found = Ledger.read(file).whole()
        if picture is not None:
            from envelope.study.plots import ledger_picture

            ledger_picture(found, picture, name=file.name)
    if as_json:
        say_json(json.dumps(found.figures()))
        return
    show_whole(found, most)
    if picture is not None:
        say(f"picture: {picture}")


@command(app, "compare")
def compare(feeder: FeederName, picture: Picture = None, *, options: StudyOptions) -> None:
    """Compare guarantees and allocations: limits, fairness, and violations at corners beyond the guarantee."""
    _refuse_files(None, picture)
    with stages(options.as_json) as stage:
        stage("reading the feeder")
        problem = options.problem(feeder, times=len(COMPARED) + 1)
        rows = []
        for k, (guarantee, allocation) in enumerate(COMPARED, start=1):
            stage(f"{k} of {len(COMPARED)}: {guarantee}, {allocation}")
            rows.append(compared(replace(problem, guarantee=guarantee, allocation=allocation)))
        bound = possible(problem, stage)
        rows = recovered(priced(rows), bound)
        if picture is not None:
            from envelope.study.plots import compare_picture

            compare_picture(rows, picture, name=problem.reduced.network.name)
    if options.as_json:
        say_json(json.dumps({"feeder": problem.reduced.network.name, "policies": rows, "perfect_information": bound}))
        return
    show_policies(rows, bound)
    if picture is not None:
        say(f"picture: {picture}")


@command(app, "explain")
def explain_limit(
    feeder: FeederName,
    connection: Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection whose limit is explained.")],
    step: Annotated[int | None, typer.Option(help="Interval of the day; default: the most curtailed one.")] = None,
    direction: Annotated[str, typer.Option(help="export or import")] = "export",
    *,
    picture: Picture = None,
    options: StudyOptions,
) -> None:
    """Explain one limit: the binding constraint, its place, the contributors, and what would relieve it."""
    from envelope.engine import solve_with_boxes
    from envelope.explanation.explanation import explain
    from envelope.explanation.relief import recalculate_reliefs

    _refuse_files(None, picture)
    if direction not in ("export", "import"):
        raise BadProblem(f"direction: {direction!r} is neither export nor import")
    with stages(options.as_json) as stage:
        stage("reading the feeder")
        problem = options.problem(feeder, times=EXPLAINED)
        if connection not in problem.connection_id:
            names = problem.connection_id
            raise BadProblem(f"{feeder} has no connection {connection!r}; there are {names[0]} to {names[-1]}")
        if step is not None and not 0 <= step < problem.steps:
            raise BadProblem(f"step: {step} is outside 0..{problem.steps - 1}")
        stage("calculating")
        solution = solve_with_boxes(problem)
        schedule = solution.schedule
        at = most_withheld(problem, schedule, connection, direction) if step is None else step
        found = explain(problem, solution, connection, step=at, direction=direction)
        stage("calculating with the constraint relieved")
        found = recalculate_reliefs(problem, schedule, found)
        if picture is not None:
            from envelope.study.plots import explain_picture

            explain_picture(problem, schedule, connection, picture, step=at, direction=direction, found=found)
    if options.as_json:
        say_json(json.dumps(asdict(found) | {"sentence": found.sentence()}))
        return
    for who in found.contributors:
        say(f"  {100 * who.part:5.1f} %  {who.connection_id}, {who.direction}")
    say(found.sentence())
    if picture is not None:
        say(f"picture: {picture}")


def _refuse_files(out: Path | None, picture: Path | None) -> None:
    writable("--out", out, ".csv", ".parquet")
    writable("--picture", picture, ".png")


app.command("verify", epilog=examples.OF_COMMAND["verify"])(verify_limits)
add_to(app)
add_models(app)
rounds.add_to(app)
