"""`sep2 training make`: a copy of a server for people to learn on, which reaches nobody outside."""

import asyncio
import contextlib
import re
import shutil
import time
import tomllib
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sep2.cli import folder as folders
from sep2.cli.private import write_private
from sep2.cli.show import show
from sep2.cli.units import When, when
from sep2.cli.verb import Given, Json, given
from sep2.errors import Conflict
from sep2.extension import load
from sep2.rules import typed_times
from sep2.settings import FILE, Settings, parse, read, resolved

if TYPE_CHECKING:
    from sep2.store.database import Database

training = typer.Typer(no_args_is_help=True, help="Copies of a server to learn on, which reach nobody outside.")
MODE = "training"
OWN = ("name", "zone")
"""Fields of `[utility]` that a new folder's settings begin with."""


class SourceMissing(Conflict):
    """There is no server's folder to copy."""


@training.command("make")
def make_training(
    source: Annotated[Path, typer.Argument(help="The folder of the server that is copied; it may be running.")],
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    *,
    port: Annotated[int, typer.Option(help="Port for simulated 2030.5 clients, on this machine.")] = 9443,
    operator_port: Annotated[int, typer.Option(help="Port of the copy's operator API.")] = 9444,
    start: Annotated[
        When | None,
        typer.Option("--from", parser=when, metavar="TIME", help="Where its clock begins; else now."),
    ] = None,
    day: Annotated[
        str,
        typer.Option(
            metavar="DATE", help="A day to play again, such as yesterday or 2026-01-31: its clock begins there."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Copy a server: its register, controls, readings, alarms and plan, with a clock that stands until it is moved.

    With --day it begins as that day began. What devices measured, answered and reported on the day comes again as the
    clock reaches its time; what operators and the engine sent on it is left to whoever learns.

    The copy has certificates and a token of its own, no subscriptions, receivers or operators, and sends nothing to
    another machine. Its desk says TRAINING.

    [bold]sep2 training make utility training[/]

    [bold]sep2 training make utility training --day yesterday[/]
    """
    given.set(Given(folder, as_json))
    if start is not None and day:
        raise typer.BadParameter("--from and --day both say where its clock begins: give one of them")
    if not (source / FILE).exists():
        raise SourceMissing(str(source))
    if (folder / FILE).exists():
        raise folders.FolderTaken(f"{folder / FILE} exists. Start it: sep2 serve {folder}")
    original = read(source)
    wanted = folders.Wanted(
        "127.0.0.1", port, operator_port, "sqlite:///sep2.db", original.utility.name, original.pen, MODE, "paced",
        original.utility.zone,
    )  # fmt: skip
    text = folders.settings_text(wanted) + _utility_of((source / FILE).read_text(encoding="utf-8"))
    settings = resolved(parse(tomllib.loads(text)), folder.resolve())
    folder.mkdir(parents=True, exist_ok=True)
    at = _beginning_of(day, original.utility.zone) if day else _epoch(start or When(), original.utility.zone)
    try:
        folders.make_parts(settings, folder)
        rows = asyncio.run(_copied(original, settings, at, replays=bool(day)))
        plans = _copy_plans(source, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    write_private(folder / FILE, text)
    with_it = f" and {', '.join(plans)}" if plans else ""
    said = f"{folder} is a copy of {source} with {rows} rows{with_it}. Start it: sep2 serve {folder}. Its clock stands"
    began = f" at the beginning of {day}" if day else ""
    moved = f"{said}{began} until it is moved: SEP2_DIR={folder} sep2 clock +10m"
    show({"folder": str(folder), "rows": rows, "plans": plans, "from": at}, moved)


def _epoch(said: When, zone: str) -> int:
    """A typed time, of this machine's clock and the utility's zone."""
    now = int(time.time())
    if said.local is not None:
        return typed_times.read(said.local, now, ZoneInfo(zone) if zone else UTC)
    return now + said.ahead if said.at is None else said.at


def _beginning_of(day: str, zone: str) -> int:
    """Midnight by the utility's zone of a date, today or yesterday."""
    said = f"{day} 00:00" if day in typed_times.DAYS else f"{day}T00:00"
    return typed_times.read(said, int(time.time()), ZoneInfo(zone) if zone else UTC)


def _copy_plans(source: Path, folder: Path) -> list[str]:
    """Copy what extensions keep beside the database; the names of what was there."""
    found = []
    for name in (name for extension in load() for name in extension.files):
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)
        elif (source / name).exists():
            shutil.copy2(source / name, folder / name)
        else:
            continue
        found.append(name)
    return found


def _utility_of(text: str) -> str:
    """What a settings file says of the utility, beyond what a new folder's settings begin with."""
    parts = re.split(r"(?m)^(?=\[)", text)
    said = []
    for part in parts:
        head, _, rest = part.partition("\n")
        if head.startswith("[utility]"):
            said += [line for line in rest.splitlines() if not re.match(rf"\s*({'|'.join(OWN)})\s*=", line)]
        elif head.startswith("[utility."):
            said += [head, *rest.splitlines()]
    return "\n".join(said) + "\n"


async def _copied(original: Settings, settings: Settings, at: int, *, replays: bool) -> int:
    """How many rows were copied; the copy's clock stands at `at`."""
    from sep2.server.app import CLOCK_MARK
    from sep2.server.replay import FILE as REPLAY
    from sep2.store import copying, marks, replay
    from sep2.store.opening import migrate, open_database

    async with contextlib.AsyncExitStack() as stack:

        async def opened(url: str) -> "Database":
            found = await open_database(url)
            stack.push_async_callback(found.close)
            return found

        source, target = await opened(original.database.url), await opened(settings.database.url)
        reading = await stack.enter_async_context(source.read())
        writing = await stack.enter_async_context(target.write())
        beginning = waiting = None
        if replays:
            beginning = replay.Beginning(at)
            url = f"{settings.database.url.rpartition('/')[0]}/{REPLAY}"
            await migrate(url)
            waiting = await stack.enter_async_context((await opened(url)).write())
            await replay.unbind(waiting)
        await copying.empty(writing)
        rows = 0
        for table in copying.tables():
            rows += await copying.copy_table(reading, writing, table, beginning=beginning, later=waiting)
        await copying.cut_off(writing)
        await marks.put(writing, CLOCK_MARK, str(at))
        if replays:
            await replay.set_back(writing, at)
    return rows
