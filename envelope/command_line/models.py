"""`sep2 envelope model`, `take-model`, `balance`: the network model in use, a later extract, and meters against it."""

from typing import Annotated, Any

import typer
from msgspec import Struct

from envelope.command_line import examples
from envelope.schedule.findings import some
from sep2.cli.api import api
from sep2.cli.show import show
from sep2.cli.units import shown_power, shown_time
from sep2.cli.verb import verb
from sep2.terminal import Lines

COLUMNS = ("what", "id", "change", "field", "before", "after")
PATH, BALANCE_PATH = "/x/envelope/model", "/x/envelope/balance"


class _Difference(Struct):
    kind: str
    id: str
    change: str
    field: str
    before: str
    after: str


class _Extract(Struct):
    feeder: str
    digest: str
    sentence: str
    problem: str
    count: int
    differences: list[_Difference]
    reached: list[str]
    untouched: int
    has_plan: bool


class _Model(Struct):
    feeder: str
    digest: str
    since: int
    by: str
    second: str
    reason: str
    extract: _Extract | None


class _Taken(Struct):
    digest: str
    needs_second: str
    sentences: list[str]
    reached: list[str]
    untouched: int


class _Balance(Struct):
    place: str
    since: int
    until: int
    connections: int
    metered: int
    connections_w: float | None
    own_w: float | None
    missing_percent: float | None
    is_plausible: bool | None


class _Take(Struct):
    reason: str
    digest: str
    feeder: str


OfFeeder = Annotated[str, typer.Option(metavar="NAME", help="Of the plan in DIR/feeders/NAME; else of DIR's own.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the app."""
    verb(app, "model", epilog=examples.OF_COMMAND["model"])(show_model)
    verb(app, "balance", epilog=examples.OF_COMMAND["balance"])(show_balance)
    verb(app, "take-model", changes=True, epilog=examples.OF_COMMAND["take-model"])(take_model)


def show_model(*, feeder: OfFeeder = "") -> None:
    """Show the network model that limits rest on, and what a later extract of the feeder would change."""
    kind: Any = _Model | None
    model: _Model | None = api().get(PATH, kind, feeder=feeder)
    if model is None:
        show(None, "No network model is in use yet: the first plan brings one (sep2 envelope run --plan).")
        return
    lines = [_in_use(model)]
    rows: list[tuple[str, ...]] = []
    if model.extract is not None:
        rows = [(d.kind, d.id, d.change, d.field, d.before, d.after) for d in model.extract.differences]
        lines += _extract_lines(model.extract)
    show(model, Lines("\n".join(lines)), columns=COLUMNS if rows else (), rows=rows)


def _in_use(model: _Model) -> str:
    who = f" taken by {model.by}" if model.by else ""
    second = f" and {model.second}" if model.second else ""
    why = f" ({model.reason})" if model.reason else ""
    since = shown_time(model.since)
    return f"In use: the model of {model.feeder} as of {since},{who or ' as its plan came'}{second}{why}."


def _extract_lines(found: _Extract) -> list[str]:
    lines = [f"{found.sentence}."]
    if found.problem:
        return [*lines, "The model in use stays. `sep2 grid check` says more about the files."]
    if found.count > len(found.differences):
        lines.append(f"{len(found.differences)} of {found.count} differences are shown.")
    if found.reached:
        lines.append(f"It reaches {some(found.reached)}.")
    plan = "A plan of it waits" if found.has_plan else "No plan is made of it yet"
    return [*lines, f"{plan}. Take it: sep2 envelope take-model --digest {found.digest[:16]} --reason …"]


def take_model(
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    digest: Annotated[
        str, typer.Option(metavar="DIGEST", help="Take this extract only, by the first digits of its digest.")
    ] = "",
    feeder: OfFeeder = "",
) -> None:
    """Take the model of a later extract into use; a second person agrees first, where one is asked for."""
    done = api().change("POST", PATH, _Taken, _Take(reason, digest, feeder))
    show(done, Lines("\n".join(done.sentences)))


def show_balance(place: Annotated[str, typer.Argument(help="A transformer, by its name.")]) -> None:
    """Show the power through a transformer by its own meter, and the sum of its connections' meters."""
    found = api().get(BALANCE_PATH, _Balance, place=place)
    own = (
        "no own meter, or nothing of that time"
        if found.own_w is None
        else f"own meter {shown_power(round(found.own_w))}"
    )
    total = "" if found.connections_w is None else f" {shown_power(round(found.connections_w))}"
    lines = [
        f"{found.place}, {shown_time(found.since)} to {shown_time(found.until)}: {own};"
        f" its connections{total}, {found.metered} of {found.connections} meters."
    ]
    if found.missing_percent is not None:
        said = "which losses explain" if found.is_plausible else "which losses do not explain"
        lines.append(f"{found.missing_percent} % of it is not at the connections, {said}.")
    show(found, Lines("\n".join(lines)))
