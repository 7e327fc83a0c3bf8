"""`sep2 measurements show`, `export` and `coverage`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from envelope.command_line.command_frame import refusals
from envelope.command_line.measurement_options import (
    DAY_S,
    As,
    AsOf,
    Dir,
    From,
    Json,
    Place,
    Places,
    Stored,
    StoreFolder,
    Until,
    epoch_of,
    opened,
    span_of,
    utc,
)
from gridmodel.command_errors import writable
from gridmodel.errors import GridError
from gridmodel.meter_data.accumulated import Energy, energies
from gridmodel.meter_data.coverage import Coverage, coverage
from gridmodel.meter_data.exporting import export
from gridmodel.meter_data.quantities import DIMENSION, Quality, Quantity
from gridmodel.meter_data.reading import MeasuredTable, Window, read
from gridmodel.meter_data.series_index import KnownSeries, known_series
from gridmodel.meter_data.store import Kind, MeasurementStore
from sep2.terminal import add_row, console, say, say_json

if TYPE_CHECKING:
    from envelope.operation.joint_measurements import ReportedSettings
    from envelope.operation.measurements import Measured
    from sep2.settings import Settings

SHOWN_ROWS = 60
Tables = dict[tuple[Kind, Quantity], MeasuredTable]


def show_place(
    place: Place,
    folder: Dir = Path(),
    store: StoreFolder = None,
    *,
    since: From = "",
    until: Until = "",
    step: Annotated[int, typer.Option(help="Length of a step, s.", min=1)] = 1800,
    as_of: AsOf = "",
    out: Annotated[Path | None, typer.Option(help="Draw to this PNG file.")] = None,
    as_json: Json = False,
) -> None:
    """Show what is measured at a connection, element or site: of its last day, or of a time."""
    with refusals(as_json):
        at = opened(folder, store)
        writable("--out", out, ".png")
        series = {kind: known_series(at.store, kind, [place]) for kind in Kind}
        known = epoch_of("--as-of", as_of) if as_of else None
        window = _window(series, (since, until), step, known)
        tables = _tables(at.store, place, series, window)
        reads = energies(at.store, place, window)
        live, settings = _reported(at.settings, place, window)
        if not tables and not live and not settings and not series[Kind.ACCUMULATED]:
            raise GridError(f"nothing is measured at {place}; sep2 measurements coverage lists what is")
        if out is not None and tables:
            from gridmodel.meter_data.pictures import place_picture

            place_picture(place, {quantity: table for (_, quantity), table in tables.items()}, out)
    if as_json:
        said = _as_fields(place, window, tables, (live, settings))
        say_json(json.dumps({**said, "accumulated": [one._asdict() for one in reads]}))
        return
    _print_place(tables, window)
    _print_live(live, settings)
    _print_reads(reads, series[Kind.ACCUMULATED])
    say(
        f"Picture written to {out}."
        if out
        else "Add --out FILE.png for a picture, --from and --until for another time."
    )


def _reported(settings: Settings | None, place: str, window: Window) -> tuple[list[Measured], list[ReportedSettings]]:
    """Return what clients mirrored and devices report, where the store is a server's."""
    if settings is None:
        return [], []
    from envelope.operation.joint_measurements import ServerMeasurements

    return asyncio.run(ServerMeasurements(settings).live(place, window.since, window.until))


def _print_reads(reads: Sequence[Energy], known: Sequence[KnownSeries]) -> None:
    """Print energies between two reads; of registers without one in this time, from when to when they have some."""
    for one in reads:
        energy = f"{one.value / 1000:,.3f} k{one.quantity.rpartition('_')[2].replace('wh', 'Wh')}"
        mark = "" if one.quality == "measured" else f", {one.quality}"
        say(f"accumulated {one.quantity} {one.register}: {energy} from {utc(one.since)} to {utc(one.until)}{mark}")
    shown = {one.register for one in reads}
    for series in known:
        if series.series.register not in shown:
            name = f"{series.series.quantity} {series.series.register}"
            say(f"accumulated {name}: none in this time; {utc(series.first)} to {utc(series.until)} is known")


def _print_live(live: Sequence[Measured], settings: Sequence[ReportedSettings]) -> None:
    """Print what clients mirrored, and what devices report of themselves."""
    for one in live:
        say(f"mirror: {one.quantity} {one.value:.1f} at {utc(one.start)} for {one.duration} s")
    for device in settings:
        said = ", ".join(f"{name} {value}" for name, value in device.settings.items()) or "no DERSettings"
        say(f"device {device.lfdi}: {said}")


def _tables(store: MeasurementStore, place: str, series: dict[Kind, list[KnownSeries]], window: Window) -> Tables:
    """Return what is stored of a place, by kind and quantity; accumulated energies have no steps."""
    return {
        (kind, Quantity(name)): read(store, [place], Quantity(name), window, kind=kind)
        for kind, found in series.items()
        if kind is not Kind.ACCUMULATED
        for name in dict.fromkeys(one.series.quantity for one in found)
    }


def _window(series: dict[Kind, list[KnownSeries]], said: tuple[str, str], step: int, as_of: int | None) -> Window:
    """The time that is asked for; by default the last day that has values."""
    last = max((one.until for found in series.values() for one in found), default=int(time.time()))
    # A day that ends with the last value, whichever zone the utility's days are of.
    end = -(-last // step) * step
    since, until = span_of(said, default=(end - DAY_S, end))
    until = since + -(-(until - since) // step) * step
    return Window(since, until, step, as_of)


def _print_place(tables: Tables, window: Window) -> None:
    if not tables:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("from (UTC)")
    for kind, quantity in tables:
        table.add_column(f"{quantity}{'' if kind is Kind.AMI else f' ({kind})'}", justify="right")
    for step in range(min(window.steps, SHOWN_ROWS)):
        cells = [_cell(found.value[step, 0], int(found.quality[step, 0])) for found in tables.values()]
        add_row(table, utc(int(window.start[step])), *cells)
    console().print(table)
    if window.steps > SHOWN_ROWS:
        say(f"… {window.steps - SHOWN_ROWS} further steps: --json has all, --step makes them longer")
    for (_, quantity), found in tables.items():
        known = found.known[:, 0]
        doubtful = int((found.quality[known, 0] > Quality.MEASURED).sum())
        unit = DIMENSION[quantity]
        middle = f"mean {np.mean(found.value[known, 0]):.1f} {unit}, " if known.any() else ""
        gaps = f"{int((~known).sum())} of {window.steps} steps are gaps"
        say(f"{quantity}: {middle}{gaps}, {doubtful} not measured plainly")


def _cell(value: float, quality: int) -> str:
    if not np.isfinite(value):
        return "-"
    mark = "" if quality == Quality.MEASURED else f" {Quality(quality).name[:3].lower()}"
    return f"{value:.1f}{mark}"


def _as_fields(
    place: str,
    window: Window,
    tables: Tables,
    live: tuple[Sequence[Measured], Sequence[ReportedSettings]],
) -> dict[str, Any]:
    stored = [
        {
            "kind": str(kind),
            "quantity": str(quantity),
            "value": [None if not np.isfinite(one) else one for one in found.value[:, 0].tolist()],
            "quality": [Quality(one).name.lower() for one in found.quality[:, 0].tolist()],
        }
        for (kind, quantity), found in tables.items()
    ]
    mirrors = [{**one._asdict(), "quantity": str(one.quantity)} for one in live[0]]
    devices = [{"lfdi": one.lfdi, "settings": one.settings} for one in live[1]]
    span = {"since": window.since, "until": window.until, "step_s": window.step_s, "as_of": window.as_of}
    return {"place": place, **span, "stored": stored, "mirrors": mirrors, "devices": devices}


def _nothing(store: MeasurementStore, kind: Kind, places: Places) -> GridError:
    """Return the refusal where nothing of a kind is stored, which names the kinds of which there is something."""
    others = [str(one) for one in Kind if one is not kind and known_series(store, one, places or None)]
    of_places = f" of {', '.join(places)}" if places else ""
    hint = f"; of {', '.join(others)} there are (--as)" if others else ""
    return GridError(f"no {kind} values{of_places} in {store.folder}{hint}")


def export_values(
    places: Places = None,
    kind: Annotated[Stored, typer.Option("--as", help="Kind of the measurements.")] = Stored.AMI,
    folder: Dir = Path(),
    store: StoreFolder = None,
    *,
    out: Annotated[Path, typer.Option(help="The .csv or .parquet file to write.")],
    since: From = "",
    until: Until = "",
    as_json: Json = False,
) -> None:
    """Write stored values in our own format, which an import reads back.

    Values that begin in the time are written; of energies between two reads those whose time touches it.
    """
    with refusals(as_json):
        at = opened(folder, store)
        writable("--out", out, ".csv", ".parquet")
        series = known_series(at.store, Kind(kind.value), places or None)
        if not series:
            raise _nothing(at.store, Kind(kind.value), places)
        known = (min(one.first for one in series), max(one.until for one in series))
        span = span_of((since, until), default=known)
        count = export(at.store, Kind(kind.value), span, out, places=places or None)
    if as_json:
        say_json(json.dumps({"file": str(out), "values": count, "known": known}))
    elif count:
        say(f"{count:,} values are in {out}.")
    else:
        asked = f"none begin between {utc(span[0])} and {utc(span[1])}"
        say(f"No values are in {out}: {asked}; {utc(known[0])} to {utc(known[1])} is known.")


def show_coverage(
    places: Places = None,
    kind: Annotated[As, typer.Option("--as", help="Kind of the measurements.")] = As.AMI,
    folder: Dir = Path(),
    store: StoreFolder = None,
    *,
    since: From = "",
    until: Until = "",
    as_of: AsOf = "",
    out: Annotated[Path | None, typer.Option(help="Draw to this PNG file.")] = None,
    as_json: Json = False,
) -> None:
    """Say how much of a time is measured, and where the gaps are."""
    with refusals(as_json):
        at = opened(folder, store)
        writable("--out", out, ".png")
        series = known_series(at.store, Kind(kind.value), places or None)
        if not series:
            raise _nothing(at.store, Kind(kind.value), places)
        span = span_of((since, until), default=(min(one.first for one in series), max(one.until for one in series)))
        known = epoch_of("--as-of", as_of) if as_of else None
        found = coverage(at.store, Kind(kind.value), *span, places=places or None, as_of=known)
        if out is not None:
            from gridmodel.meter_data.pictures import coverage_picture

            coverage_picture(found, out)
    if as_json:
        rows = [
            {"place": name, "measured": share, "doubtful": bad}
            for name, share, bad in zip(
                found.places, found.share.mean(axis=0).tolist(), found.doubtful.mean(axis=0).tolist(), strict=True
            )
        ]
        say_json(json.dumps({"kind": str(found.kind), "since": span[0], "until": span[1], "places": rows}))
        return
    _print_coverage(found)
    say(f"Picture written to {out}." if out else "Add --out FILE.png for a picture.")


def _print_coverage(found: Coverage) -> None:
    share = found.share.mean(axis=0)
    whole = int((share > 0.9999).sum())
    days = f"{utc(int(found.day[0]))[:10]} to {utc(int(found.day[-1]))[:10]}, {len(found.day)} days"
    measured = f"{100 * share.mean():.2f} % measured, {whole:,} places whole"
    say(f"{found.kind}: {len(found.places):,} places, {days}: {measured}.")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("place", "measured", "days without any", "doubtful values"):
        table.add_column(name, justify="left" if name == "place" else "right")
    for k in np.argsort(share, kind="stable")[:20].tolist():
        empty = int((found.share[:, k] == 0).sum())
        add_row(table, found.places[k], f"{100 * share[k]:.2f} %", empty, f"{100 * found.doubtful[:, k].mean():.2f} %")
    console().print(table)
    if len(share) > 20:
        say(f"… {len(share) - 20:,} further places, all better measured than these")
