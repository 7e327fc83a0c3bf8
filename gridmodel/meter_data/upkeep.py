"""Upkeep of a store: few files per day, nothing older than is kept, and nothing of a place that was erased."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from gridmodel.meter_data import series_index
from gridmodel.meter_data.store import COLUMNS, KEY, Kind, MeasurementStore, connect, parquet_of

FILES_PER_DAY = 8
"""above it the files of a day are put together"""


def compact(store: MeasurementStore, kind: Kind, days: Iterable[date], *, most: int = FILES_PER_DAY) -> int:
    """Put the files of these days together where a day has more than `most`; the number of such days.

    The caller holds the store's lock.
    """
    count = 0
    for day in days:
        files = sorted(store.day_folder(kind, day).glob("*.parquet"))
        if len(files) > most:
            _rewrite(store, kind, (day, files))
            count += 1
    return count


def _rewrite(store: MeasurementStore, kind: Kind, what: tuple[date, list[Path]], without: str = "") -> int:
    """Write the rows of a day's files into one, without those of a place; the number of rows that went."""
    day, files = what
    statement = f"""
        SELECT DISTINCT {", ".join(COLUMNS)} FROM {parquet_of(files)} WHERE place <> $1 OR $1 = ''
        ORDER BY {", ".join((*KEY, "start", "duration", "arrived"))}
    """
    with connect(store.folder) as db:
        ((before,),) = db.execute(f"SELECT count(*) FROM {parquet_of(files)}").fetchall()
        rows: Any = db.sql(statement, params=[without]).to_arrow_table()
    if len(rows):
        store.write_days(kind, [(day, rows)])
    for path in files:
        path.unlink()
    if not len(rows):
        store.day_folder(kind, day).rmdir()
    return int(before) - len(rows)


def forget_before(store: MeasurementStore, day: date) -> int:
    """Delete everything that was measured before a UTC day; the number of days that went."""
    count = 0
    with store.writing():
        for kind in Kind:
            old = [one for one in store.days(kind) if one < day]
            for one in old:
                shutil.rmtree(store.day_folder(kind, one))
            if old:
                series_index.rebuild(store, kind)
            count += len(old)
    return count


def erase(store: MeasurementStore, place: str) -> int:
    """Delete every value of a place, in every kind; the number of rows that went. What was reported of it stays."""
    if not place:
        return 0
    count = 0
    with store.writing():
        for kind in Kind:
            if not series_index.known_series(store, kind, [place]):
                continue
            for day, files in list(store.files_by_day(kind)):
                own = [path for path in files if _may_hold(path, place)]
                if own:
                    count += _rewrite(store, kind, (day, own), place)
            series_index.rebuild(store, kind)
    return count


def _may_hold(path: Path, place: str) -> bool:
    """Whether a file may have rows of a place, by the statistics in it."""
    import pyarrow.parquet as pq

    meta = pq.read_metadata(path)
    for k in range(meta.num_row_groups):
        found = meta.row_group(k).column(0).statistics
        if found is None or not found.has_min_max or found.min <= place <= found.max:
            return True
    return False
