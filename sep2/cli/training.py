"""`sep2 training make`: a copy of a server for people to learn on, which reaches nobody outside."""

import asyncio
import re
import shutil
import time
import tomllib
from datetime import UTC
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from sep2.cli import folder as folders
from sep2.cli.private import write_private
from sep2.cli.show import show
from sep2.cli.units import When, when
from sep2.errors import Conflict
from sep2.rules import typed_times
from sep2.settings import FILE, Settings, parse, read, resolved

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
) -> None:
    """Copy a server: its register, controls, readings and alarms, with a clock that stands until it is moved.

    The copy has certificates and a token of its own, no subscriptions, receivers or operators, and sends nothing to
    another machine. Its desk says TRAINING.

    [bold]sep2 training make utility training[/]
    """
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
    at = _epoch(start or When(), original.utility.zone)
    try:
        folders.make_parts(settings, folder)
        rows = asyncio.run(_copied(original, settings, at))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    write_private(folder / FILE, text)
    said = f"{folder} is a copy of {source} with {rows} rows. Start it: sep2 serve {folder}. Its clock stands until"
    show({"folder": str(folder), "rows": rows}, f"{said} it is moved: SEP2_DIR={folder} sep2 clock +10m")


def _epoch(said: When, zone: str) -> int:
    """A typed time, of this machine's clock and the utility's zone."""
    now = int(time.time())
    if said.local is not None:
        return typed_times.read(said.local, now, ZoneInfo(zone) if zone else UTC)
    return now + said.ahead if said.at is None else said.at


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


async def _copied(original: Settings, settings: Settings, at: int) -> int:
    """How many rows were copied; the copy's clock stands at `at`."""
    from sep2.server.app import CLOCK_MARK
    from sep2.store import copying, marks
    from sep2.store.opening import open_database

    source, target = await open_database(original.database.url), await open_database(settings.database.url)
    try:
        async with source.read() as reading, target.write() as writing:
            await copying.empty(writing)
            rows = sum([await copying.copy_table(reading, writing, table) for table in copying.tables()])
            await copying.cut_off(writing)
            await marks.put(writing, CLOCK_MARK, str(at))
    finally:
        await source.close()
        await target.close()
    return rows
