"""Meter readings of wide CSV files: a column per place, or a row per place and day with a column per time of day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Index, Mask, Real, Whole
from gridmodel.errors import FileError
from gridmodel.meter_data.column_names import unused_columns
from gridmodel.meter_data.csv_blocks import CsvBlocks, Words, sample, unrounded
from gridmodel.meter_data.csv_readings import Cells, Remarks, joined, qualities_of, si_values
from gridmodel.meter_data.file_times import FileTimes
from gridmodel.meter_data.mapping import ColumnMapping, Edge, Layout, Meaning
from gridmodel.meter_data.quantities import Quality
from gridmodel.meter_data.staging import Series, Values
from gridmodel.meter_data.store import DAY_S

CLOCK = re.compile(r"\D*?(\d{1,2}):(\d{2})(?::00)?")
NUMBERED = re.compile(r"[^\d:]*(\d{1,3})")


class _Read(NamedTuple):
    """Values as they stand in a file, and which of them count."""

    start: Whole
    value: Real
    quality: NDArray[np.uint8]
    kept: Mask
    duration_s: int


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
            columns = (Cells(place, meaning, block[place], start, duration) for place in places)
            value = [si_values(self.path, one, self.remarks, rows) for one in columns]
            series = np.repeat(np.arange(len(places)), count)
            good = np.zeros(len(series), dtype=np.uint8)
            every = np.ones(len(series), dtype=np.bool_)
            cells = _Read(np.tile(start, len(places)), np.concatenate(value), good, every, m.duration_s)
            yield _values(names, series, cells)
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


def unused_in(path: Path, mapping: ColumnMapping) -> str:
    """A sentence on columns of a file that its mapping does not use; "" where there are none."""
    if mapping.layout is Layout.WIDE:
        return ""
    columns = sample(path).columns
    of_day = time_columns(columns) if mapping.layout is Layout.DAYS else {}
    return unused_columns(columns, {*mapping.used, *of_day})


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
        texts = [name for name in (m.place, m.register, m.date, m.quality, *m.quantity) if name]
        blocks = CsvBlocks(self.path, m.separator, m.decimal, texts=texts, numbers=list(columns))
        for block in blocks:
            yield from self._block(block, blocks.row, columns)
        self.times.check()

    def _block(self, block: dict[str, Any], row: int, columns: dict[str, int]) -> Iterator[Values]:
        m = self.mapping
        place = unrounded(self.path, m.place, block[m.place], row)
        register = block[m.register] if m.register else Words(np.zeros_like(place.code), ("",))
        said = joined([block[name] for name in m.quantity]) if m.quantity else Words(np.zeros_like(place.code), ("*",))
        midnight, by_clock = self.times.local(m.date, block[m.date], row)
        shape = len(place.words), len(register.words), len(said.words)
        number = np.ravel_multi_index((place.code, register.code, said.code), shape)
        for one in np.unique(number).tolist():
            mine = np.flatnonzero(number == one)
            p, r, w = (int(part) for part in np.unravel_index(one, shape))
            meaning = self._meaning(said.words[w], len(mine) * len(columns))
            if meaning is None:
                continue
            start = self._starts(midnight[mine], by_clock[mine], columns, p)
            duration = np.full(len(mine), m.duration_s, dtype=np.int64)
            cells = [Cells(name, meaning, block[name][mine], midnight[mine], duration) for name in columns]
            value = np.array([si_values(self.path, each, self.remarks, row + mine) for each in cells]).T.reshape(-1)
            quality = self._quality(block, mine, len(columns))
            value = np.where(quality == Quality.MISSING, np.nan, value)
            kept = np.isfinite(value) | (start >= 0)
            series = Series(place.words[p], register.words[r] or meaning.register, meaning.quantity, meaning.phase)
            yield _values(
                (series,), np.zeros(int(kept.sum()), np.intp), _Read(start, value, quality, kept, m.duration_s)
            )

    def _meaning(self, word: str, count: int) -> Meaning | None:
        """The meaning of the values of rows that say this; None where they are left out."""
        if not self.mapping.quantity:
            return self.mapping.columns["*"]
        if word not in self.mapping.words:
            self.remarks.count(self.remarks.left_out, f"{' '.join(self.mapping.quantity)} {word!r}", count)
        return self.mapping.words.get(word)

    def _quality(self, block: dict[str, Any], mine: Index, columns: int) -> NDArray[np.uint8]:
        """(rows x columns,) qualities: a row's holds for its whole day."""
        if not self.mapping.quality:
            return np.zeros(len(mine) * columns, dtype=np.uint8)
        words = block[self.mapping.quality]
        return qualities_of(words.words, np.repeat(words.code[mine], columns), self.mapping.qualities, self.remarks)

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


def _values(names: tuple[Series, ...], series: Index, cells: _Read) -> Values:
    kept = cells.kept
    duration = np.full(int(kept.sum()), cells.duration_s, dtype=np.int64)
    return Values(names, series, cells.start[kept], duration, cells.value[kept], cells.quality[kept])
