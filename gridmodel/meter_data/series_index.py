"""The series of a store: what each place measures, from when to when, without a look at the values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridmodel.meter_data.staging import Series
from gridmodel.meter_data.store import KEY, Kind, MeasurementStore, connect, parquet_of, require

FILE = "series.parquet"
FEW = 32
"""names that are compared one by one"""
_SPAN = "min(start) AS first, max(start + duration) AS until, min(duration) AS shortest, max(duration) AS longest"


@dataclass(frozen=True)
class KnownSeries:
    """A series, and the time that it spans."""

    series: Series
    first: int
    """epoch seconds at which its first value begins"""
    until: int
    """epoch seconds at which its last value ends"""
    shortest_s: int
    longest_s: int
    """its interval lengths"""


def path_of(store: MeasurementStore, kind: Kind) -> Path:
    """Where the series of a kind are listed."""
    return store.folder / kind / FILE


def known_series(
    store: MeasurementStore, kind: Kind, places: Iterable[str] | None = None, quantities: Iterable[str] = ()
) -> list[KnownSeries]:
    """Series of a kind by name; of these places and quantities only, where they are given."""
    require()
    path = path_of(store, kind)
    if not path.is_file():
        if not store.days(kind):
            return []
        rebuild(store, kind)
    given = {"place": places, "quantity": tuple(quantities) or None}
    wanted = {name: [str(one) for one in several] for name, several in given.items() if several is not None}
    conditions = [f"AND {_among(name, several, k + 1)}" for k, (name, several) in enumerate(wanted.items())]
    key = ", ".join(KEY)
    statement = (
        f"SELECT {key}, first, until, shortest, longest FROM rows WHERE true {' '.join(conditions)} ORDER BY {key}"
    )
    columns = [column.tolist() for column in store.query(statement, [path], wanted.values()).values()]
    return [KnownSeries(Series(*row[:4]), *row[4:]) for row in zip(*columns, strict=True)]


def _among(column: str, wanted: list[str], parameter: int) -> str:
    """A condition that a column has one of the values of a parameter."""
    if len(wanted) <= FEW:
        return f"list_contains(${parameter}, {column})"
    return f"{column} IN (SELECT unnest(${parameter}))"


def widen(store: MeasurementStore, kind: Kind, new: Any) -> None:
    """Add series and their spans, an Arrow table with the columns of the list, before their values are written."""
    path = path_of(store, kind)
    if not path.is_file() and store.days(kind):
        rebuild(store, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = f"UNION ALL SELECT * FROM {parquet_of([path])}" if path.is_file() else ""
    merged = "min(first) AS first, max(until) AS until, min(shortest) AS shortest, max(longest) AS longest"
    with connect(store.folder) as db:
        db.register("new", new)
        statement = f"""
            SELECT {", ".join(KEY)}, {merged} FROM (SELECT * FROM new {before}) GROUP BY ALL ORDER BY ALL
        """
        _write(path, db.sql(statement).to_arrow_table())


def rebuild(store: MeasurementStore, kind: Kind) -> None:
    """List the series anew from all files."""
    path = path_of(store, kind)
    files = [one for _, several in store.files_by_day(kind) for one in several]
    if not files:
        path.unlink(missing_ok=True)
        return
    with connect(store.folder) as db:
        statement = f"SELECT {', '.join(KEY)}, {_SPAN} FROM {parquet_of(files)} GROUP BY ALL ORDER BY ALL"
        _write(path, db.sql(statement).to_arrow_table())


def _write(path: Path, table: Any) -> None:
    import pyarrow.parquet as pq

    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.rename(path)
