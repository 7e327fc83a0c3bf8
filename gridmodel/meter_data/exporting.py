"""Stored measurements as a file in our own format, which an import reads back to the same values."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.meter_data.csv_blocks import octets
from gridmodel.meter_data.quantities import ENERGY_OF, HOUR_S, Quality, Quantity
from gridmodel.meter_data.reading import Window, fetch
from gridmodel.meter_data.series_index import KnownSeries, known_series
from gridmodel.meter_data.store import Kind, MeasurementStore

HEADER = (
    "connection_id",
    "register",
    "interval_start",
    "duration_s",
    "phase",
    "quantity",
    "value",
    "quality",
    "received_at",
)
ACCUMULATED_HEADER = tuple("previous_read" if name == "interval_start" else name for name in HEADER)
"""of energies between two reads, which begin at a read and not at an interval"""
PLACES_AT_ONCE = 500


def export(
    store: MeasurementStore, kind: Kind, window: tuple[int, int], path: Path, *, places: Sequence[str] | None = None
) -> int:
    """Write values that began in a time to a .csv or .parquet file, as last known; the number of values.

    Energies between two reads last for weeks: they are written where their time touches the window, as `energies`
    returns them.
    """
    names = sorted({one.series.place for one in known_series(store, kind, places)})
    blocks = _blocks(store, kind, names, window)
    return _csv(blocks, path, header_of(kind)) if path.suffix.lower() == ".csv" else _parquet(blocks, path)


def header_of(kind: Kind) -> tuple[str, ...]:
    """The columns of a file of this kind."""
    return ACCUMULATED_HEADER if kind is Kind.ACCUMULATED else HEADER


def is_own_export(path: Path, kind: Kind) -> bool:
    """Whether a file has the header that `export` writes: it names its places and quantities itself."""
    header = ",".join(header_of(kind))
    with octets(path) as content:
        return content.readline(len(header) + 8).decode("utf-8-sig", "replace").strip() == header


Block = tuple[list[KnownSeries], dict[str, Any]]


def _blocks(store: MeasurementStore, kind: Kind, names: Sequence[str], window: tuple[int, int]) -> Iterator[Block]:
    """Values in the order of place, series and time, some places at a time."""
    since, until = window
    for at in range(0, len(names), PLACES_AT_ONCE):
        series = known_series(store, kind, names[at : at + PLACES_AT_ONCE])
        series.sort(key=lambda one: one.series)
        rows = fetch(store, kind, series, Window(since, until, until - since))
        inside = (rows["start"] >= since) | (kind is Kind.ACCUMULATED)
        order = np.lexsort([rows["start"][inside], rows["code"][inside]])
        yield series, {name: column[inside][order] for name, column in rows.items()}


def _csv(blocks: Iterator[Block], path: Path, header: Sequence[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(header)
        for series, rows in blocks:
            columns = [rows[name].tolist() for name in ("code", "start", "duration", "value", "quality", "arrived")]
            for code, start, duration, value, quality, arrived in zip(*columns, strict=True):
                one = series[code].series
                said, name = _own(value, one.quantity, duration)
                quality_name = Quality(quality).name.lower()
                out.writerow(
                    (
                        one.place,
                        one.register,
                        _time(start),
                        duration,
                        one.phase,
                        name,
                        said,
                        quality_name,
                        _time(arrived),
                    )
                )
            count += len(columns[0])
    return count


def _own(value: float, quantity: str, duration: int) -> tuple[str, str]:
    """Value and quantity as our own format has them: energies in Wh."""
    energy = ENERGY_OF.get(Quantity(quantity))
    return (repr(round(value, 9)), quantity) if energy is None else (repr(round(value * duration / HOUR_S, 9)), energy)


def _parquet(blocks: Iterator[Block], path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [(name, pa.string()) for name in ("place", "register", "quantity", "phase")]
    numbers = [("start", pa.int64()), ("duration", pa.int32()), ("value", pa.float64()), ("quality", pa.uint8())]
    schema = pa.schema([*fields, *numbers, ("arrived", pa.int64())])
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as out:
        for series, rows in blocks:
            named = {name: [one.series[k] for one in series] for k, (name, _) in enumerate(fields)}
            codes = pa.array(rows["code"])
            columns = {name: pa.array(words, pa.string()).take(codes) for name, words in named.items()}
            columns |= {name: pa.array(rows[name], kind) for name, kind in [*numbers, ("arrived", pa.int64())]}
            out.write_table(pa.table(columns, schema=schema))
            count += len(codes)
    return count


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
