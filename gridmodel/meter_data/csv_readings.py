"""Meter readings and weather of a CSV file with a row per place and interval, by its mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Index, Real, Whole
from gridmodel.errors import FileError
from gridmodel.meter_data.column_names import usual_quality
from gridmodel.meter_data.csv_blocks import CsvBlocks, Words, unrounded
from gridmodel.meter_data.file_times import FileTimes
from gridmodel.meter_data.mapping import ColumnMapping, Edge, Meaning
from gridmodel.meter_data.quantities import DIMENSION, LARGEST, Quality, Quantity, in_si, unit_of
from gridmodel.meter_data.staging import Series, Values

LONGEST_S = 31 * 86_400
"""of an interval that is one; longer ones are the time between two reads of a register"""
PHASES = {
    "": "",
    "all": "",
    "abc": "",
    "a": "a",
    "b": "b",
    "c": "c",
    "l1": "a",
    "l2": "b",
    "l3": "c",
    "1": "a",
    "2": "b",
    "3": "c",
}
NOT_NEGATIVE = frozenset(
    {Quantity.IMPORT, Quantity.EXPORT, Quantity.IMPORT_VAR, Quantity.EXPORT_VAR, Quantity.VOLTAGE, Quantity.IRRADIANCE}
)


@dataclass
class Remarks:
    """What a reader noticed, for the report."""

    qualities: dict[str, int] = field(default_factory=dict)
    """values by what the file says of their quality, and how that was taken"""
    unknown_qualities: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    """values of which the mapping or the format says no quantity, by what they are"""
    durations: set[int] = field(default_factory=set)
    negative: dict[str, int] = field(default_factory=dict)
    """values below zero, by quantity"""

    def count(self, where: dict[str, int], word: str, number: int) -> None:
        """Add to the number of a word."""
        where[word] = where.get(word, 0) + number


@dataclass(frozen=True)
class Cells:
    """Cells of one meaning: everything but their series."""

    field: str
    meaning: Meaning
    value: Real
    start: Whole
    duration: Whole


class LongReader:
    """Reads a file with a row per place and interval."""

    def __init__(self, path: Path, mapping: ColumnMapping, *, descending: bool = False) -> None:
        self.path, self.mapping, self.remarks = path, mapping, Remarks()
        self.times = FileTimes(path, mapping, descending=descending)
        self.received = FileTimes(path, replace(mapping, time_format=""))
        self.longest_s = LONGEST_S
        self.place_of: dict[str, int] = {}
        """number of each place, for all blocks"""

    def __iter__(self) -> Iterator[Values]:
        m = self.mapping
        texts = [
            name for name in (m.place, m.register, m.phase, m.date, m.time, m.received, m.quality, *m.quantity) if name
        ]
        numbers = [*m.columns, *(name for name in (m.value, m.duration) if name)]
        blocks = CsvBlocks(self.path, m.separator, m.decimal, texts=texts, numbers=numbers)
        for block in blocks:
            if m.value:
                yield from self._of_words(block, blocks.row)
            for number, (name, meaning) in enumerate(m.columns.items()):
                yield self._values(block, blocks.row, name, (meaning, number, np.arange(len(block[name]))))
        self.times.check()

    def _of_words(self, block: dict[str, Any], row: int) -> Iterator[Values]:
        """Values of a column that holds several quantities."""
        said = joined([block[name] for name in self.mapping.quantity])
        for code, word in enumerate(said.words):
            rows = np.flatnonzero(said.code == code)
            if word not in self.mapping.words:
                self.remarks.count(self.remarks.left_out, f"{' '.join(self.mapping.quantity)} {word!r}", len(rows))
                continue
            meaning = self.mapping.words[word]
            if meaning is not None and len(rows):
                number = list(self.mapping.words).index(word)
                yield self._values(block, row, self.mapping.value, (meaning, number, rows))

    def _values(self, block: dict[str, Any], row: int, name: str, what: tuple[Meaning, int, Index]) -> Values:
        meaning, number, rows = what
        place = unrounded(self.path, self.mapping.place, block[self.mapping.place], row)
        numbers = np.array([self.place_of.setdefault(word, len(self.place_of)) for word in place.words], dtype=np.intp)
        names, series = self._series(block, meaning, rows)
        duration = self._duration(block, rows, row)
        local, by_clock = self._local(block, row)
        start = self.times.epoch(local[rows], by_clock[rows], numbers[place.code[rows]], np.full(len(rows), number))
        if self.mapping.edge is Edge.END:
            start = start - duration
        quality = self._quality(block, rows)
        cells = Cells(name, meaning, block[name][rows], start, duration)
        value = si_values(self.path, cells, self.remarks, row + rows)
        value = np.where(quality == Quality.MISSING, np.nan, value)
        return Values(names, series, start, duration, value, quality, self._arrived(block, rows, row))

    def _local(self, block: dict[str, Any], row: int) -> tuple[Whole, Index]:
        m = self.mapping
        if not m.date:
            return self.times.local(m.time, block[m.time], row)
        return self.times.local(m.time, joined([block[m.date], block[m.time]]), row)

    def _series(self, block: dict[str, Any], meaning: Meaning, rows: Index) -> tuple[tuple[Series, ...], Index]:
        place = block[self.mapping.place]
        register = block[self.mapping.register] if self.mapping.register else Words(np.zeros_like(place.code), ("",))
        phase = block[self.mapping.phase] if self.mapping.phase else Words(np.zeros_like(place.code), (meaning.phase,))
        shape = len(place.words), len(register.words), len(phase.words)
        number = np.ravel_multi_index((place.code[rows], register.code[rows], phase.code[rows]), shape)
        numbers, series = np.unique(number, return_inverse=True)
        names = tuple(
            Series(
                place.words[p],
                " ".join(part for part in (register.words[r], meaning.register) if part),
                meaning.quantity,
                self._phase(phase.words[f]),
            )
            for p, r, f in zip(*(part.tolist() for part in np.unravel_index(numbers, shape)), strict=True)
        )
        return names, series.astype(np.intp)

    def _phase(self, word: str) -> str:
        found = PHASES.get(word.lower())
        if found is None:
            raise FileError(
                self.path, f"{word!r} is none of {', '.join(filter(None, PHASES))}", field=self.mapping.phase
            )
        return found

    def _duration(self, block: dict[str, Any], rows: Index, row: int) -> Whole:
        m = self.mapping
        if not m.duration:
            self.remarks.durations.add(m.duration_s)
            return np.full(len(rows), m.duration_s, dtype=np.int64)
        found = block[m.duration][rows]
        wrong = ~((found > 0) & (found <= self.longest_s) & (found == np.floor(found)))
        if wrong.any():
            at = int(np.argmax(wrong))
            detail = f"{found[at]:g} is no whole number of seconds from 1 to {self.longest_s}"
            raise FileError(self.path, detail, row=row + int(rows[at]), field=m.duration)
        self.remarks.durations.update(int(one) for one in np.unique(found))
        return np.asarray(found, dtype=np.int64)

    def _quality(self, block: dict[str, Any], rows: Index) -> NDArray[np.uint8]:
        m = self.mapping
        if not m.quality:
            return np.zeros(len(rows), dtype=np.uint8)
        words = block[m.quality]
        return qualities_of(words.words, words.code[rows], m.qualities, self.remarks)

    def _arrived(self, block: dict[str, Any], rows: Index, row: int) -> Whole | None:
        if not self.mapping.received:
            return None
        local, by_clock = self.received.local(self.mapping.received, block[self.mapping.received], row)
        zeros = np.zeros(len(rows), dtype=np.intp)
        return self.received.epoch(local[rows], by_clock[rows], zeros, zeros)


def qualities_of(
    words: tuple[str, ...], codes: Index, said: Mapping[str, Quality], remarks: Remarks
) -> NDArray[np.uint8]:
    """(N,) qualities by a file's words: as the mapping says, else as usual; a word that nothing explains is suspect."""
    found = []
    for code, word in enumerate(words):
        quality = said.get(word, usual_quality(word))
        count = int((codes == code).sum())
        if quality is None:
            remarks.count(remarks.unknown_qualities, word, count)
        elif word and count:
            remarks.count(remarks.qualities, f"{word} {quality.name.lower()}", count)
        found.append(Quality.SUSPECT if quality is None else quality)
    return np.array(found, dtype=np.uint8)[codes]


def joined(columns: list[Words]) -> Words:
    """Several columns of texts as one, joined by spaces."""
    code, words = columns[0].code, columns[0].words
    for other in columns[1:]:
        pairs, code = np.unique(code * len(other.words) + other.code, return_inverse=True)
        words = tuple(f"{words[one // len(other.words)]} {other.words[one % len(other.words)]}" for one in pairs)
    return Words(code.astype(np.intp), words)


def si_values(path: Path, cells: Cells, remarks: Remarks, rows: Index) -> Real:
    """Values in SI units; refused where a magnitude shows that a unit or a sign has slipped."""
    meaning = cells.meaning
    found = in_si(cells.value * meaning.sign, unit_of(meaning.unit), cells.duration.astype(np.float64))
    most = LARGEST.get(DIMENSION[meaning.quantity], np.inf)
    wrong = np.abs(found) > most
    if wrong.any():
        at = int(np.argmax(wrong))
        detail = (
            f"{cells.value[at]:g} {meaning.unit} in {int(cells.duration[at])} s is beyond {most:g}: is the unit right?"
        )
        raise FileError(path, detail, row=int(rows[at]), field=cells.field)
    below = found < 0
    if meaning.quantity in NOT_NEGATIVE and below.any():
        at = int(np.argmax(below))
        net = Quantity.NET_VAR if DIMENSION[meaning.quantity] == "var" else Quantity.NET
        hint = f"; values of both signs are {net}" if DIMENSION[meaning.quantity] in ("W", "var") else ""
        detail = f"{cells.value[at]:g} is negative, which {meaning.quantity} can not be{hint}"
        raise FileError(path, detail, row=int(rows[at]), field=cells.field)
    if below.any():
        remarks.count(remarks.negative, meaning.quantity, int(below.sum()))
    return found
