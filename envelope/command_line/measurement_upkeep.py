"""`sep2 measurements imports`, `erase` and `forget`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from envelope.command_line.command_frame import refusals
from envelope.command_line.measurement_options import Dir, Json, Place, StoreFolder, epoch_of, opened, utc
from gridmodel.meter_data import importing
from gridmodel.meter_data.upkeep import erase, forget_before
from sep2.terminal import add_row, console, say, say_json


def show_imports(folder: Dir = Path(), store: StoreFolder = None, as_json: Json = False) -> None:
    """List the imports that brought something new."""
    with refusals(as_json):
        found = importing.imports(opened(folder, store).store)
    if as_json:
        say_json(json.dumps(found))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("batch", "kind", "files", "values", "from", "until"):
        table.add_column(name)
    for one in found:
        files = Path(one["files"][0]["path"]).name + (
            f" and {len(one['files']) - 1} more" if len(one["files"]) > 1 else ""
        )
        add_row(table, one["batch"], one["kind"], files, f"{one['written']:,}", utc(one["since"]), utc(one["until"]))
    console().print(table)


def erase_place(
    place: Place,
    folder: Dir = Path(),
    store: StoreFolder = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete every stored value of a connection, for good."""
    with refusals(as_json):
        at = opened(folder, store)
        if not yes and not as_json:
            typer.confirm(f"Delete all values of {place} from {at.store.folder}, for good?", abort=True)
        count = erase(at.store, place) if yes or not as_json else 0
    if as_json:
        say_json(json.dumps({"place": place, "deleted": count}))
    else:
        say(f"{count:,} values of {place} were deleted.")


def forget_days(
    before: Annotated[str, typer.Option(help="Delete what was measured before this day (UTC), such as 2024-01-01.")],
    folder: Dir = Path(),
    store: StoreFolder = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete whole days of measurements; a running server does so by itself (utility.retention.measurements_s)."""
    with refusals(as_json):
        at = opened(folder, store)
        day = datetime.fromtimestamp(epoch_of("--before", before), UTC).date()
        if not yes and not as_json:
            typer.confirm(f"Delete everything before {day} from {at.store.folder}, for good?", abort=True)
        count = forget_before(at.store, day) if yes or not as_json else 0
    if as_json:
        say_json(json.dumps({"before": day.isoformat(), "days": count}))
    else:
        say(f"{count:,} days before {day} were deleted; {day - timedelta(days=1)} is the last of them.")
