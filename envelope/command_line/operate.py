"""`sep2 envelope status`, `deactivate`, `activate`, `topology`, `safe-limits`: operation of the engine."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from envelope.command_line import examples
from envelope.command_line.command_frame import refusals, stages
from envelope.command_line.further_feeders import further_lines, read_further, time_of
from envelope.operation import mode
from envelope.operation.mode import Mode, OperatingState, ScopeKind, StaticLimits
from envelope.operation.net_to_device import sides
from envelope.operation.plan_folders import server_of
from envelope.operation.preview import ConnectionStatus, LimitsChange, ServerView
from envelope.operation.round_notes import RoundNote
from envelope.operation.run_record import run_statement
from envelope.problem import plan_file
from envelope.schedule.findings import some
from sep2.errors import SepError
from sep2.rules.limits import Limits
from sep2.settings import read as read_settings
from sep2.terminal import add_row, say, say_json

DIR_HELP = "The server's folder, or that of one of its further feeders: DIR/feeders/NAME."
Folder = Annotated[Path, typer.Argument(metavar="DIR", envvar="SEP2_DIR", help=DIR_HELP)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; without --yes nothing is changed.")]


class Replacement(StrEnum):
    """Limits that take the place of envelopes."""

    CONTRACT = "contract"
    HOLD = "hold"


class Topology(StrEnum):
    """Whether the feeder is switched as the plan assumes."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"


OfConnection = Annotated[str, typer.Option(help="Only this connection.")]
OfTransformer = Annotated[str, typer.Option(help="Only the connections of this transformer of the feeder.")]
OfGroup = Annotated[str, typer.Option(help="Only the connections of this group's devices.")]
EFFECT = {
    Replacement.CONTRACT: "the contract's limits take their place",
    Replacement.HOLD: "their published limits do not rise, and fall only where the network needs it",
}


class OneScope(SepError):
    """Name one of --connection, --transformer and --group."""

    status = 400


def _scope(named: tuple[str, str, str]) -> tuple[ScopeKind, str] | None:
    """Return what a decision is about; None: the whole feeder."""
    kinds = ScopeKind.CONNECTION, ScopeKind.TRANSFORMER, ScopeKind.GROUP
    found = [(kind, name) for kind, name in zip(kinds, named, strict=True) if name]
    if len(found) > 1:
        raise OneScope(" ".join(f"--{kind} {name}" for kind, name in found))
    return found[0] if found else None


def add_to(app: typer.Typer) -> None:
    """Add these commands to the app."""
    for name, verb in (
        ("status", status),
        ("deactivate", deactivate),
        ("activate", activate),
        ("topology", topology),
        ("safe-limits", safe_limits),
    ):
        app.command(name, epilog=examples.OF_COMMAND[name])(verb)


def status(
    folder: Folder = Path(), *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """Show which limits the engine publishes from a server's folder, until when, and its alarms."""
    with refusals(as_json):
        view, state = opened(folder)
        now, rows, raised, run = asyncio.run(view.status())
        made = asyncio.run(view.latest_round())
        planned = _plan_fields(view, rows)
        further = read_further(folder)
    ours = [row for row in rows if row.is_ours]
    until = max((row.until for row in rows if row.until is not None), default=None)
    fields = {
        "mode": str(state.mode),
        "topology": state.abnormal or "normal",
        "safe_limits": str(state.safe),
        "stage": str(state.stage_in(view.settings.mode)),
        "scopes": [one._asdict() for one in state.scopes],
        "round": None if made is None else made._asdict(),
        "published": run_statement(run),
        "plan": planned,
        "now": now,
        "until": until,
        "connections": len(rows),
        "in_force": len(ours),
        "feeders": further,
        "alarms": [{"code": row.code, "subject": row.subject, "detail": row.detail} for row in raised],
    }
    if as_json:
        say_json(json.dumps(fields))
        return
    for row in raised:
        say(f"alarm {row.code}: {row.subject}: {row.detail}")
    reaches = "" if until is None else f", until {time_of(until)}"
    topology = f"abnormal ({state.abnormal})" if state.abnormal else "normal"
    say(f"Published: {fields['published']}; in force at {len(ours)} of {len(rows)} connections{reaches}.")
    say(f"Mode {state.mode}, topology {topology}; {state.safe} are the safe limits.")
    for line in (*_round_lines(state, view.settings.mode, made), *_plan_lines(view, planned, now)):
        say(line)
    for line in further_lines(folder, further):
        say(line)


def _plan_fields(view: ServerView, rows: list[ConnectionStatus]) -> dict[str, Any] | None:
    """Return the folder's plan, with those of its connections that are not registered; None: there is no plan."""
    saved = view.plan()
    if saved is None:
        return None
    start, known = saved.fields["step_start"], {row.connection_id for row in rows}
    unknown = [name for name in saved.connection_id if name not in known]
    until = int(start[-1]) + int(saved.fields["step_s"])
    count = len(saved.connection_id)
    fields = {"feeder": saved.feeder, "from": int(start[0]), "until": until, "rolling": saved.rolling is not None}
    return fields | {"connections": count, "unknown": unknown}


def _round_lines(state: OperatingState, server_mode: str, made: RoundNote | None) -> list[str]:
    """Return sentences about the latest round, and what becomes of rounds."""
    lines = [f"Stage {state.stage_in(server_mode)}."]
    lines += [f"{one.mode} for {one.kind} {one.name}." for one in state.scopes]
    if made is None:
        return [*lines, "No round has ended yet."]
    why = f": {made.why}" if made.why else ""
    lines.append(f"Latest round at {time_of(made.at)}: {made.ended}{why}.")
    if made.waiting:
        lines.append(f"Run {made.waiting} waits: sep2 envelope evaluate shows its effect, release publishes it.")
    return [*lines, *(f"  {one}" for one in (*made.notes, *made.inputs))]


def _plan_lines(view: ServerView, planned: dict[str, Any] | None, now: int) -> list[str]:
    """Return sentences about the plan, each with what to do next."""
    if planned is None:
        return [
            f"No plan lies in {view.folder}: sep2 envelope run FEEDER --plan {view.folder / plan_file.FILE} makes one."
        ]
    of, missing = planned["feeder"], planned["unknown"]
    lines = [f"Plan of {of}: {time_of(planned['from'])} to {time_of(planned['until'])}."]
    if planned["rolling"]:
        lines = [f"Plan of {of}: it goes on by itself, a horizon from each round on."]
    elif planned["until"] <= now:
        lines.append("Its horizon is over: make a plan for the coming days.")
    if missing:
        unknown = f"The server does not know {len(missing)} of the plan's {planned['connections']} connections"
        lines.append(f"{unknown} ({some(missing)}): sep2 connection add ID, and sep2 device add --connection ID.")
    return lines


def deactivate(
    folder: Folder = Path(),
    *,
    to: Annotated[Replacement, typer.Option(help="contract: static limits; hold: the published schedule.")],
    connection: OfConnection = "",
    transformer: OfTransformer = "",
    group: OfGroup = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Publish no new envelopes: static limits by contract instead, or the published controls until they end."""
    with refusals(as_json):
        view, before = opened(folder)
        named = _scope((connection, transformer, group))
        if named is not None:
            sentence = f"Envelopes of {named[0]} {named[1]} are deactivated: {EFFECT[to]}"
            decide_on(view, before, before.with_scope(*named, Mode(to)), sentence, how=(yes, as_json))
            return
        effect = (
            "the contract's limits take their place" if to is Replacement.CONTRACT else "the published schedule stays"
        )
        decide_on(
            view, before, replace(before, mode=Mode(to)), f"Envelopes are deactivated: {effect}", how=(yes, as_json)
        )


def activate(
    folder: Folder = Path(),
    *,
    connection: OfConnection = "",
    transformer: OfTransformer = "",
    group: OfGroup = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Publish envelopes again."""
    with refusals(as_json):
        view, before = opened(folder)
        named = _scope((connection, transformer, group))
        if named is not None:
            sentence = f"Envelopes of {named[0]} {named[1]} are active"
            decide_on(view, before, before.with_scope(*named, Mode.ACTIVE), sentence, how=(yes, as_json))
            return
        decide_on(view, before, replace(before, mode=Mode.ACTIVE), "Envelopes are active", how=(yes, as_json))


def topology(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=DIR_HELP)],
    how: Annotated[
        Topology,
        typer.Argument(metavar="HOW", help="normal or abnormal: whether the feeder is switched as planned."),
    ],
    *,
    reason: Annotated[str, typer.Option(help="Reason, shown in the alarm.")] = "declared by the operator",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Declare that the feeder is switched differently from the plan, or as planned again."""
    with refusals(as_json):
        view, before = opened(folder)
        after = replace(before, abnormal=reason if how is Topology.ABNORMAL else "")
        effect = "safe limits take the place of envelopes" if after.abnormal else "envelopes are published again"
        decide_on(view, before, after, f"The topology is {how}: {effect}", how=(yes, as_json))


def safe_limits(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=DIR_HELP)],
    which: Annotated[
        StaticLimits,
        typer.Argument(metavar="WHICH", help="defaults or contract: published while envelopes are not valid."),
    ],
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Choose the limits that are published while an assumption of the envelopes is violated."""
    with refusals(as_json):
        view, before = opened(folder)
        decide_on(view, before, replace(before, safe=which), f"Safe limits are the {which}", how=(yes, as_json))


def opened(folder: Path) -> tuple[ServerView, OperatingState]:
    """Return a plan's server as the engine sees it, and how the engine is operated there."""
    return ServerView(folder, read_settings(server_of(folder))), mode.read(folder)


def decide_on(
    view: ServerView, before: OperatingState, after: OperatingState, sentence: str, *, how: tuple[bool, bool]
) -> None:
    """Show how a decision changes each connection's limits, ask, and write it for the next round."""
    yes, as_json = how
    with stages(as_json) as stage:
        stage("calculating the effect")
        now, changes = asyncio.run(view.preview(after))
    if not as_json:
        show_changes(changes)
        say(count_of(changes))
    if before != after and not yes and not as_json:
        typer.confirm("Apply this?", abort=True)
    changed = before != after and (yes or not as_json)
    if changed:
        asyncio.run(view.decide(after, now))
    if as_json:
        say_json(json.dumps({"changed": changed, "mode": str(after.mode), "now": now, **changes_as_fields(changes)}))
        return
    say(f"{sentence}. " + ("A running server applies it at once." if changed else "Nothing changes."))


def show_changes(changes: list[LimitsChange]) -> None:
    """Print each connection's limits now and then."""
    table = Table("connection", "import now", "then", "export now", "then", box=None, pad_edge=False)
    for one in changes:
        pairs = zip(sides(one.now), sides(one.then), strict=True)
        add_row(table, one.connection_id, *(_watts(side) for pair in pairs for side in pair))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def count_of(changes: list[LimitsChange]) -> str:
    """Return how many limits become tighter, looser, or stay."""
    pairs = [pair for one in changes for pair in zip(sides(one.now), sides(one.then), strict=True)]
    steps = [_looseness(then) - _looseness(now) if then != now else 0.0 for now, then in pairs]
    tighter, looser = sum(step < 0 for step in steps), sum(step > 0 for step in steps)
    stay = len(steps) - tighter - looser
    return f"{len(changes)} connections: {tighter} limits become tighter, {looser} looser, {stay} stay."


def _looseness(watts: int | None) -> float:
    return float("inf") if watts is None else watts


def _watts(watts: int | None) -> str:
    return "no limit" if watts is None else f"{watts} W"


def changes_as_fields(changes: list[LimitsChange]) -> dict[str, list[dict[str, Any]]]:
    """Return the same for JSON."""

    def fields(limits: Limits, when: str) -> dict[str, int | None]:
        of_device = {f"{word}_{when}_w": watts for word, watts in zip(("gen", "load"), limits[2:], strict=True)}
        net = {f"import_{when}_w": limits.import_w, f"export_{when}_w": limits.export_w}
        return net | {name: watts for name, watts in of_device.items() if watts is not None}

    rows = [
        {"connection_id": one.connection_id, **fields(one.now, "now"), **fields(one.then, "then")} for one in changes
    ]
    return {"connections": rows}
