"""Meter readings of wide CSV files: a column per place, or a row per place and day with a column per time of day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Index, Real, Whole
from gridmodel.errors import FileError
from gridmodel.meter_data.csv_blocks import CsvBlocks, Words, sample, unrounded
from gridmodel.meter_data.csv_readings import Cells, Remarks, si_values
from gridmodel.meter_data.file_times import FileTimes
from gridmodel.meter_data.mapping import ColumnMapping, Edge
from gridmodel.meter_data.staging import Series, Values
from gridmodel.meter_data.store import DAY_S

CLOCK = re.compile(r"\D*?(\d{1,2}):(\d{2})(?::00)?")
NUMBERED = re.compile(r"[^\d:]*(\d{1,3})")


class WideReader:
    """Reads a file with a row per interval and a column per place."""

    def __init__(self, path: Path, mapping: ColumnMapping, *, descending: bool = False) -> None:
        self.path, self.mapping, self.remarks = path, mapping, Remarks()
        self.times = FileTimes(path, mapping, descending=descending)

    def __iter__(self) -> Iterator[Values]:
        m = self.mapping
        texts = [name for name in (m.date, m.time) if name]
        places = [name for name in sample(self.path).columns if name not in texts]
        meaning = m.columns["*"]
        self.remarks.durations.add(m.duration_s)
        names = tuple(Series(place, meaning.register, meaning.quantity, meaning.phase) for place in places)
        blocks = CsvBlocks(self.path, m.separator, m.decimal, texts=texts, numbers=places)
        for block in blocks:
            start = self._start(block, blocks.row)
            count = len(start)
            rows = blocks.row + np.arange(count)
            duration = np.full(count, m.duration_s, dtype=np.int64)
            cells = (Cells(place, meaning, block[place], start, duration) for place in places)
            value = [si_values(self.path, one, self.remarks, rows) for one in cells]
            series = np.repeat(np.arange(len(places)), count)
            yield _values(names, series, (np.tile(start, len(places)), np.concatenate(value)), m.duration_s)
        self.times.check()

    def _start(self, block: dict[str, Any], row: int) -> Whole:
        m = self.mapping
        words = block[m.time]
        if m.date:
            dates = block[m.date]
            words = Words(
                np.arange(len(dates.code)),
                tuple(f"{dates.words[d]} {words.words[t]}" for d, t in zip(dates.code, words.code, strict=True)),
            )
        local, by_clock = self.times.local(m.time, words, row)
        none = np.zeros(len(local), dtype=np.intp)
        start = self.times.epoch(local, by_clock, none, none)
        return start - m.duration_s if m.edge is Edge.END else start


def time_columns(columns: Sequence[str]) -> dict[str, int]:
    """Columns that are the times of a day: seconds since midnight for a clock time, else -number of the interval."""
    clock = {name: found for name in columns if (found := CLOCK.fullmatch(name))}
    if len(clock) >= 24:
        return {name: int(found[1]) * 3600 + int(found[2]) * 60 for name, found in clock.items()}
    numbered = {name: int(found[1]) for name in columns if (found := NUMBERED.fullmatch(name))}
    if len(numbered) >= 24 and sorted(numbered.values()) == list(range(1, len(numbered) + 1)):
        return {name: -number for name, number in numbered.items()}
    return {}


class DayReader:
    """Reads a file with a row per place and day and a column per time of day."""

    def __init__(self, path: Path, mapping: ColumnMapping, *, descending: bool = False) -> None:
        self.path, self.mapping, self.remarks = path, mapping, Remarks()
        self.times = FileTimes(path, mapping, descending=descending)

    def __iter__(self) -> Iterator[Values]:
        m = self.mapping
        columns = time_columns(sample(self.path).columns)
        if not columns:
            raise FileError(self.path, "no columns named 00:30 … or 1 …, one for each interval of a day", row=1)
        self.remarks.durations.add(m.duration_s)
        texts = [name for name in (m.place, m.register, m.date) if name]
        blocks = CsvBlocks(self.path, m.separator, m.decimal, texts=texts, numbers=list(columns))
        for block in blocks:
            yield from self._block(block, blocks.row, columns)
        self.times.check()

    def _block(self, block: dict[str, Any], row: int, columns: dict[str, int]) -> Iterator[Values]:
        m, meaning = self.mapping, self.mapping.columns["*"]
        place = unrounded(self.path, m.place, block[m.place], row)
        register = block[m.register] if m.register else Words(np.zeros_like(place.code), ("",))
        midnight, by_clock = self.times.local(m.date, block[m.date], row)
        rows = row + np.arange(len(midnight))
        for place_code, name in enumerate(place.words):
            for register_code, of in enumerate(register.words):
                mine = np.flatnonzero((place.code == place_code) & (register.code == register_code))
                if not len(mine):
                    continue
                start = self._starts(midnight[mine], by_clock[mine], columns, place_code)
                duration = np.full(len(mine), m.duration_s, dtype=np.int64)
                cells = [
                    si_values(
                        self.path,
                        Cells(one, meaning, block[one][mine], midnight[mine], duration),
                        self.remarks,
                        rows[mine],
                    )
                    for one in columns
                ]
                series = Series(name, of or meaning.register, meaning.quantity, meaning.phase)
                value = np.array(cells).T.reshape(-1)
                kept = np.isfinite(value) | (start >= 0)
                yield _values((series,), np.zeros(int(kept.sum()), np.intp), (start[kept], value[kept]), m.duration_s)

    def _starts(self, midnight: Whole, by_clock: Index, columns: dict[str, int], place: int) -> Whole:
        """(rows x columns,) epoch seconds; a time of day that its day does not have is -1 where it has no value."""
        m, said = self.mapping, np.array(list(columns.values()), dtype=np.int64)
        shift = m.duration_s if m.edge is Edge.END else 0
        if said[0] < 0:
            zero = np.zeros(len(midnight), dtype=np.intp)
            begin = self.times.epoch(midnight, by_clock, zero + place, zero)
            return (begin[:, None] + (-said - 1) * m.duration_s).reshape(-1)
        # 00:00 as the last column of a day that is named by its intervals' ends is the next midnight.
        said = np.where((said == 0) & bool(shift), DAY_S, said)
        local = (midnight[:, None] + said).reshape(-1)
        flags, zero = np.repeat(by_clock, len(said)), np.zeros(len(local), dtype=np.intp)
        return self.times.epoch(local, flags, zero + place, zero) - shift


def _values(names: tuple[Series, ...], series: Index, what: tuple[Whole, Real], duration_s: int) -> Values:
    start, value = what
    duration = np.full(len(start), duration_s, dtype=np.int64)
    return Values(names, series, start, duration, value, np.zeros(len(start), dtype=np.uint8))
