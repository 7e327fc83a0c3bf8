"""`sep2 measurements import`: what is in the files is shown first, then taken."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from envelope.command_line.command_frame import refusals, stages
from envelope.command_line.measurement_options import DAY_S, As, Dir, Files, Json, StoreFolder, opened
from envelope.command_line.options import warn
from gridmodel.command_errors import writable
from gridmodel.errors import GridError
from gridmodel.meter_data import importing
from gridmodel.meter_data.guessing import Hints
from gridmodel.meter_data.import_report import sentences
from gridmodel.meter_data.mapping import Edge
from gridmodel.meter_data.quantities import Quantity, unit_of
from gridmodel.meter_data.store import Kind, MeasurementStore
from sep2.terminal import say, say_json


def import_files(
    files: Files,
    kind: Annotated[As, typer.Option("--as", help="Kind of the measurements.")] = As.AMI,
    folder: Dir = Path(),
    store: StoreFolder = None,
    *,
    mapping: Annotated[Path | None, typer.Option(help="How a CSV file is read: a mapping that was saved.")] = None,
    save_mapping: Annotated[Path | None, typer.Option(help="Write the guessed mapping to this .toml file.")] = None,
    tags: Annotated[Path | None, typer.Option(help="Map of SCADA tags (.csv).")] = None,
    zone: Annotated[str, typer.Option(help="Zone of times without an offset; default: utility.zone, else UTC.")] = "",
    edge: Annotated[Edge | None, typer.Option(help="Which end of its interval a time names.")] = None,
    quantity: Annotated[Quantity | None, typer.Option(help="Of values whose column does not say it.")] = None,
    unit: Annotated[str, typer.Option(help="Of values whose column does not say it, such as kWh.")] = "",
    decimal: Annotated[str, typer.Option(help="Decimal sign, where it is not seen.")] = "",
    connection: Annotated[str, typer.Option(help="Connection of a Green Button file's usage point.")] = "",
    arrived: Annotated[
        str,
        typer.Option(help="When the values arrived: now, file, or such as +6h after the end of each day."),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be taken; write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Take meter readings, SCADA points or weather; show first what is in the files, then ask."""
    with refusals(as_json):
        at = opened(folder, store)
        hints = _hints(Hints(zone, at.zone, edge, quantity, unit, decimal))
        now = int(time.time())
        options = importing.ImportOptions(
            Kind(kind.value), hints, mapping, tags, connection, _arrival(arrived), max(now - at.kept_s, 0)
        )
        writable("--save-mapping", save_mapping, ".toml")
        with stages(as_json) as stage:
            written = yes and not dry_run
            prepared = importing.prepare(at.store, files, options, now, compare=not written, progress=stage, warn=warn)
        with prepared.staging:
            if at.settings is not None and prepared.report.kind in (Kind.AMI, Kind.ACCUMULATED):
                from envelope.operation.joint_measurements import ServerMeasurements

                names = sorted({one.place for one in prepared.staging.series})
                prepared.report.unknown_places = asyncio.run(ServerMeasurements(at.settings).unknown(names))
            _save_mapping(prepared, save_mapping)
            _take(at.store, prepared, _Decision(dry_run or (as_json and not yes), yes, as_json))


def _hints(said: Hints) -> Hints:
    """Return the same; GridError where a unit or decimal sign can not be."""
    if said.unit:
        unit_of(said.unit)
    if said.decimal not in ("", ".", ","):
        raise GridError(f"--decimal {said.decimal!r} is neither . nor ,")
    return said


@dataclass(frozen=True)
class _Decision:
    """Whether to write, ask and print JSON."""

    dry_run: bool
    yes: bool
    as_json: bool


def _take(store: MeasurementStore, prepared: importing.Prepared, how: _Decision) -> None:
    report = prepared.report
    if how.yes and not how.dry_run:
        _write_values(store, prepared, how.as_json)
    if how.as_json:
        taken = report.counts.written > 0 and how.yes and not how.dry_run
        say_json(json.dumps({"taken": taken, "folder": str(store.folder), **report.fields()}))
        return
    for line in (*sentences(report), *_mapping_lines(prepared)):
        say(line)
    count = report.counts.new + report.counts.revised
    if not count:
        say("Nothing is new: nothing changes.")
    elif how.dry_run:
        say(f"A dry run: nothing was written. Without --dry-run, {count:,} values are taken.")
    else:
        if not how.yes:
            typer.confirm(f"Take {count:,} values into {store.folder}?", abort=True)
            _write_values(store, prepared, how.as_json)
        first = min(one.place for one in prepared.staging.series)
        say(f"{report.counts.written:,} values were taken. Look at them: sep2 measurements show {first}")


def _write_values(store: MeasurementStore, prepared: importing.Prepared, as_json: bool) -> None:
    with stages(as_json) as stage:
        stage("writing")
        importing.write(store, prepared)


def _mapping_lines(prepared: importing.Prepared) -> Iterator[str]:
    """Show a guessed mapping, once."""
    found = next((one for one in prepared.opened if one.mapping is not None and "guessed" in one.format), None)
    if found is not None and found.mapping is not None:
        yield "mapping (--save-mapping FILE.toml keeps it, --mapping FILE.toml uses it):"
        yield from (f"    {line}" for line in found.mapping.to_toml().splitlines() if line)


def _save_mapping(prepared: importing.Prepared, path: Path | None) -> None:
    if path is None:
        return
    found = next((one.mapping for one in prepared.opened if one.mapping is not None), None)
    if found is None:
        raise GridError("--save-mapping: no file was read by a mapping")
    path.write_text(found.to_toml(), encoding="utf-8")


def _arrival(said: str) -> str | int:
    """The meaning of --arrived; GridError where it has none."""
    if said in ("", importing.NOW, importing.FROM_FILE):
        return said
    units = {"h": 3600, "d": DAY_S, "m": 60}
    if said.startswith("+") and said[1:-1].isdecimal() and said[-1:] in units:
        return int(said[1:-1]) * units[said[-1]]
    raise GridError(f"--arrived {said!r} is none of now, file, +6h, +30m, +1d")
