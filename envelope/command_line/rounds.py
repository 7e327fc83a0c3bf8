"""`sep2 envelope stage`, `release`, `evaluate`, `replay`, `outages`: rounds before and after they are published."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from envelope.command_line import examples
from envelope.command_line.command_frame import refusals, stages
from envelope.command_line.further_feeders import time_of
from envelope.command_line.measurement_options import epoch_of
from envelope.command_line.operate import (
    DIR_HELP,
    Folder,
    Json,
    Yes,
    changes_as_fields,
    count_of,
    decide_on,
    opened,
    show_changes,
)
from envelope.command_line.options import warn
from envelope.operation import outage_calendar
from envelope.operation.mode import Stage
from envelope.operation.outage_calendar import BadCalendar, entry_of, parsed
from envelope.operation.run_store import FOLDER, RunStore
from gridmodel.readers.tables import read_text
from sep2.errors import SepError
from sep2.terminal import add_row, console, say, say_json

Dir = Annotated[Path, typer.Argument(metavar="DIR", help=DIR_HELP)]


class NothingWaits(SepError):
    """No such round waits for a person."""

    status = 400


def add_to(app: typer.Typer) -> None:
    """Add these commands to the app."""
    for name, verb in (
        ("stage", stage),
        ("release", release),
        ("evaluate", evaluate),
        ("replay", replay_run),
        ("outages", outages),
    ):
        app.command(name, epilog=examples.OF_COMMAND[name])(verb)


def stage(
    folder: Dir,
    to: Annotated[
        Stage, typer.Argument(metavar="STAGE", help="shadow: calculate only; advise: a person publishes; publish.")
    ],
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Choose what becomes of rounds: told to no client, published by a person, or published by themselves."""
    with refusals(as_json):
        view, before = opened(folder)
        said = {
            Stage.SHADOW: "new rounds are told to no client; what is published stays until its end",
            Stage.ADVISE: "each round waits for sep2 envelope release",
            Stage.PUBLISH: "rounds are published; one that lets out far more than before waits",
        }
        decide_on(view, before, replace(before, stage=to), f"The stage is {to}: {said[to]}", how=(yes, as_json))


def release(
    folder: Folder = Path(),
    run: Annotated[str, typer.Option(help="The run that waits; default: the one that does.")] = "",
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Publish the round that waits for a person; show first what it changes for whom."""
    with refusals(as_json):
        view, before = opened(folder)
        made = asyncio.run(view.latest_round())
        waiting = "" if made is None else made.waiting
        if not waiting or (run and run != waiting):
            raise NothingWaits(f"{run or 'none'}; {waiting or 'none'} waits")
        if not as_json and made is not None:
            say(f"Run {waiting} waits: {made.why}.")
        decide_on(view, before, replace(before, approved=waiting), f"Run {waiting} is released", how=(yes, as_json))


def evaluate(
    folder: Folder = Path(),
    plan: Annotated[Path | None, typer.Option(help="A plan (.npz) in place of the server's own.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what the next round, or another plan, would change for whom; nothing is changed or published."""
    with refusals(as_json):
        view, state = opened(folder)
        view = replace(view, other_plan=plan)
        with stages(as_json) as show:
            show("calculating the effect")
            # As if it were to be published: what a feeder in shadow or advise would get is the question.
            now, changes = asyncio.run(view.preview(replace(state, stage=Stage.PUBLISH)))
    if as_json:
        say_json(json.dumps({"now": now, **changes_as_fields(changes)}))
        return
    show_changes(changes)
    say(f"{count_of(changes)} Nothing was changed.")


def replay_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A published run, as status and the audit log name it.")],
    folder: Folder = Path(),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Calculate again every number that a run published, from the inputs that were kept, and compare them."""
    with refusals(as_json):
        from envelope.operation.run_replay import replay

        with stages(as_json) as show:
            show("calculating again")
            found = replay(RunStore(folder / FOLDER), run)
    if as_json:
        say_json(json.dumps({**found._asdict(), "same": found.is_same}))
    else:
        for line in found.differences[:10]:
            say(line)
        same = "every one of them came out again" if found.is_same else f"{len(found.differences)} groups differ"
        say(f"Run {run}: {found.numbers} numbers in {found.publications} publications; {same}.")
    raise typer.Exit(0 if found.is_same else 6)


def outages(
    folder: Folder = Path(),
    *,
    since: Annotated[str, typer.Option("--from", help="Begin of one to add, such as 2026-11-30T22:00+10:30.")] = "",
    until: Annotated[str, typer.Option("--until", help="Its end.")] = "",
    what: Annotated[str, typer.Option(help="connection:H1, transformer:T1 or group:north; empty: all.")] = "",
    note: Annotated[str, typer.Option(help="Why.")] = "",
    file: Annotated[Path | None, typer.Option("--import", help="CSV of some: start, end, what, note.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the one that begins at --from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show planned switching and outages, add or remove one: limits there and then are static, published in advance."""
    with refusals(as_json):
        found = outage_calendar.read(folder)
        after = list(found)
        if file is not None:
            text = read_text(file)
            after += parsed(text, str(file))
            warn(outage_calendar.unused(text, str(file)))
        if remove:
            at = epoch_of("--from", since)
            after = [one for one in after if (one.start, one.what) != (at, what)]
            if len(after) == len(found):
                raise BadCalendar(f"--from: nothing of {what or 'the whole feeder'} begins at {time_of(at)}")
        elif since or until:
            after.append(entry_of(epoch_of("--from", since), epoch_of("--until", until), what, note))
        if after != found:
            outage_calendar.write(folder, dict.fromkeys(after))
            found = outage_calendar.read(folder)
    if as_json:
        say_json(json.dumps({"outages": [one.fields for one in found]}))
        return
    if not found:
        say("Nothing is planned.")
        return
    table = Table("from (UTC)", "until", "what", "note", box=None, pad_edge=False)
    for one in found:
        add_row(table, time_of(one.start), time_of(one.end), one.what or "the whole feeder", one.note)
    console().print(table)
