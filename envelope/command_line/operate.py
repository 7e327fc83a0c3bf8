"""`sep2 envelope status`, `deactivate`, `activate`, `topology`, `safe-limits`: the engine in an operator's hand."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from envelope.command_line.options import refusals, stages
from envelope.operation import mode
from envelope.operation.mode import Mode, Operating, Safe
from envelope.operation.net_to_device import sides
from envelope.operation.preview import Desk, Effect, Standing, run_said
from envelope.problem import plan_file as plan
from envelope.schedule.findings import some
from sep2.rules.limits import Limits
from sep2.settings import read as read_settings
from sep2.terminal import add_row, say, say_json

Folder = Annotated[Path, typer.Argument(metavar="DIR", envvar="SEP2_DIR", help="The server's folder.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; without --yes nothing is changed.")]


class Without(StrEnum):
    """What takes the place of envelopes."""

    CONTRACT = "contract"
    HOLD = "hold"


class Topology(StrEnum):
    """Whether the feeder is switched as the plan takes it to be."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"


def add_to(app: typer.Typer) -> None:
    """Make these the app's commands."""
    for name, verb in (
        ("status", status),
        ("deactivate", deactivate),
        ("activate", activate),
        ("topology", topology),
        ("safe-limits", safe_limits),
    ):
        app.command(name)(verb)


def status(
    folder: Folder = Path(), *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """What the engine publishes in a server's folder, until when, and what is wrong."""
    with refusals(as_json):
        desk, decided = _desk(folder)
        now, rows, raised, run = asyncio.run(desk.standing())
        planned = _planned(desk, rows)
    ours = [row for row in rows if row.is_ours]
    until = max((row.until for row in rows if row.until is not None), default=None)
    said = {
        "mode": str(decided.mode),
        "topology": decided.abnormal or "normal",
        "safe_limits": str(decided.safe),
        "published": run_said(run),
        "plan": planned,
        "now": now,
        "until": until,
        "connections": len(rows),
        "in_force": len(ours),
        "alarms": [{"code": row.code, "subject": row.subject, "detail": row.detail} for row in raised],
    }
    if as_json:
        say_json(json.dumps(said))
        return
    for row in raised:
        say(f"alarm {row.code}: {row.subject}: {row.detail}")
    reaches = "" if until is None else f", until {_time(until)}"
    switched = f"abnormal ({decided.abnormal})" if decided.abnormal else "normal"
    say(f"Published: {said['published']}; in force at {len(ours)} of {len(rows)} connections{reaches}.")
    say(f"Mode {decided.mode}, topology {switched}; {decided.safe} are the safe limits.")
    for line in _of_plan(desk, planned, now):
        say(line)


def _planned(desk: Desk, rows: list[Standing]) -> dict[str, Any] | None:
    """The plan in the folder, and which of its connections the server does not know; None: there is no plan."""
    saved = desk.plan()
    if saved is None:
        return None
    start, known = saved.fields["step_start"], {row.connection_id for row in rows}
    unknown = [name for name in saved.connection_id if name not in known]
    until = int(start[-1]) + int(saved.fields["step_s"])
    count = len(saved.connection_id)
    return {"feeder": saved.feeder, "from": int(start[0]), "until": until, "connections": count, "unknown": unknown}


def _of_plan(desk: Desk, planned: dict[str, Any] | None, now: int) -> list[str]:
    """What a person should know, or do, about it."""
    if planned is None:
        return [f"No plan lies in {desk.folder}: sep2 envelope run FEEDER --plan {desk.folder / plan.FILE} makes one."]
    of, missing = planned["feeder"], planned["unknown"]
    lines = [f"Plan of {of}: {_time(planned['from'])} to {_time(planned['until'])}."]
    if planned["until"] <= now:
        lines.append("It is over: make a plan of the days to come.")
    if missing:
        said = f"The server does not know {len(missing)} of the plan's {planned['connections']} connections"
        lines.append(f"{said} ({some(missing)}): sep2 connection add ID, and sep2 device add --connection ID.")
    return lines


def deactivate(
    folder: Folder = Path(),
    *,
    to: Annotated[Without, typer.Option(help="contract: each one's static limits; hold: what stands, as it is.")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Publish no new envelopes: the contract's static limits instead, or what stands for as long as it reaches."""
    with refusals(as_json):
        desk, before = _desk(folder)
        said = "the contract's limits take their place" if to is Without.CONTRACT else "what stands is held"
        _decide(desk, before, replace(before, mode=Mode(to)), f"Envelopes are deactivated: {said}", how=(yes, as_json))


def activate(folder: Folder = Path(), *, yes: Yes = False, as_json: Json = False) -> None:
    """Publish envelopes again."""
    with refusals(as_json):
        desk, before = _desk(folder)
        _decide(desk, before, replace(before, mode=Mode.ACTIVE), "Envelopes are active", how=(yes, as_json))


def topology(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The server's folder.")],
    how: Annotated[
        Topology,
        typer.Argument(
            metavar="HOW", help="normal or abnormal: whether the feeder is switched as the plan takes it to be."
        ),
    ],
    *,
    reason: Annotated[str, typer.Option(help="What is switched; shown in the alarm.")] = "declared by the operator",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Declare that the feeder is switched otherwise than planned, or as planned again."""
    with refusals(as_json):
        desk, before = _desk(folder)
        after = replace(before, abnormal=reason if how is Topology.ABNORMAL else "")
        said = "safe limits take the place of envelopes" if after.abnormal else "envelopes go on"
        _decide(desk, before, after, f"The topology is {how}: {said}", how=(yes, as_json))


def safe_limits(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The server's folder.")],
    which: Annotated[
        Safe,
        typer.Argument(metavar="WHICH", help="defaults or contract: what is published where envelopes are not valid."),
    ],
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Choose what is published while the premises of envelopes do not hold."""
    with refusals(as_json):
        desk, before = _desk(folder)
        _decide(desk, before, replace(before, safe=which), f"Safe limits are the {which}", how=(yes, as_json))


def _desk(folder: Path) -> tuple[Desk, Operating]:
    return Desk(folder, read_settings(folder)), mode.read(folder)


def _decide(desk: Desk, before: Operating, after: Operating, said: str, *, how: tuple[bool, bool]) -> None:
    """Show what a decision does to each connection, ask, and note it for the next round."""
    yes, as_json = how
    with stages(as_json) as stage:
        stage("calculating the effect")
        now, effects = asyncio.run(desk.effect(after))
    if not as_json:
        _show(effects)
        say(_counted(effects))
    if before != after and not yes and not as_json:
        typer.confirm("Do it?", abort=True)
    changed = before != after and (yes or not as_json)
    if changed:
        asyncio.run(desk.decide(after, now))
    if as_json:
        say_json(json.dumps({"changed": changed, "mode": str(after.mode), "now": now, **_plain(effects)}))
        return
    say(f"{said}. " + ("A server that runs follows at once." if changed else "That is so already."))


def _show(effects: list[Effect]) -> None:
    table = Table("connection", "import now", "then", "export now", "then", box=None, pad_edge=False)
    for one in effects:
        pairs = zip(sides(one.now), sides(one.then), strict=True)
        add_row(table, one.connection_id, *(_watts(side) for pair in pairs for side in pair))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def _counted(effects: list[Effect]) -> str:
    """How many get more, and how many less."""
    pairs = [pair for one in effects for pair in zip(sides(one.now), sides(one.then), strict=True)]
    changes = [_loose(then) - _loose(now) if then != now else 0.0 for now, then in pairs]
    tighter, looser = sum(change < 0 for change in changes), sum(change > 0 for change in changes)
    stay = len(changes) - tighter - looser
    return f"{len(effects)} connections: {tighter} limits become tighter, {looser} looser, {stay} stay."


def _loose(watts: int | None) -> float:
    return float("inf") if watts is None else watts


def _watts(watts: int | None) -> str:
    return "no limit" if watts is None else f"{watts} W"


def _plain(effects: list[Effect]) -> dict[str, list[dict[str, Any]]]:
    def said(limits: Limits, when: str) -> dict[str, int | None]:
        of_device = {f"{word}_{when}_w": watts for word, watts in zip(("gen", "load"), limits[2:], strict=True)}
        net = {f"import_{when}_w": limits.import_w, f"export_{when}_w": limits.export_w}
        return net | {name: watts for name, watts in of_device.items() if watts is not None}

    rows = [{"connection_id": one.connection_id, **said(one.now, "now"), **said(one.then, "then")} for one in effects]
    return {"connections": rows}


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"
