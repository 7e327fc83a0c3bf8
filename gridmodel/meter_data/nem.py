"""NEM12 interval readings and NEM13 accumulated energies of Australia, by the library `aemo-mdff-reader`.

The file is taken channel by channel, so that any size fits in memory and a fault is named by its row. Times are those
of the national market, UTC+10 all the year; a day's values are those of its intervals in order.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Index, Whole
from gridmodel.errors import FileError
from gridmodel.meter_data.csv_blocks import octets
from gridmodel.meter_data.csv_readings import Cells, Remarks, si_values
from gridmodel.meter_data.mapping import Meaning
from gridmodel.meter_data.quantities import UNITS, Quality, Quantity
from gridmodel.meter_data.staging import Series, Values

ZONE_S = 10 * 3600
LONGEST_HEADER = 1000
"""octets of a first record"""
DAYS_AT_ONCE = 400
"""300 records of a channel that are converted together"""


@lru_cache
def codes() -> dict[str, Any]:
    """Codes of the formats of meters, with their source."""
    return tomllib.loads((files("gridmodel") / "data" / "meter_codes.toml").read_text(encoding="utf-8"))


class NumberedRow(NamedTuple):
    """A record, and the row of the file that it stands in."""

    number: int
    cells: list[str]


def is_nem(path: Path) -> str:
    """NEM12 or NEM13, by the first record; "" for another file."""
    with octets(path) as content:
        first = content.readline(LONGEST_HEADER).decode("utf-8-sig", errors="replace").split(",")
    found = first[1].strip().upper() if len(first) > 1 and first[0].strip() == "100" else ""
    return found if found in ("NEM12", "NEM13") else ""


def rows_of(path: Path) -> Iterator[NumberedRow]:
    """The records of a file."""
    with octets(path) as content, TextIOWrapper(content, encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines)
        try:
            for cells in reader:
                if cells and any(cells):
                    yield NumberedRow(reader.line_num, [cell.strip() for cell in cells])
        except UnicodeDecodeError:
            raise FileError(path, "not UTF-8 text", row=reader.line_num + 1) from None


class Nem12Reader:
    """Reads the interval records of a file."""

    def __init__(self, path: Path) -> None:
        self.path, self.remarks = path, Remarks()

    def __iter__(self) -> Iterator[Values]:
        channel: NumberedRow | None = None
        days: list[NumberedRow] = []
        ended = False
        for row in rows_of(self.path):
            kind = row.cells[0]
            if kind in ("200", "900") or (kind == "300" and len(days) >= DAYS_AT_ONCE):
                yield from self._channel(channel, days)
                days = []
            if kind == "200":
                channel = row
            elif kind in ("300", "400"):
                if channel is None:
                    raise FileError(self.path, f"a {kind} record before any 200 record", row=row.number)
                days.append(row)
            ended = ended or kind == "900"
        yield from self._channel(channel, days)
        if not ended:
            raise FileError(self.path, "ends without its 900 record: it was cut off")

    def _channel(self, channel: NumberedRow | None, days: list[NumberedRow]) -> Iterator[Values]:
        """Values of one channel over some days."""
        if channel is None or not any(row.cells[0] == "300" for row in days):
            return
        nmi, suffix, unit = (channel.cells[k] if k < len(channel.cells) else "" for k in (1, 4, 7))
        meaning = meaning_of(suffix, unit)
        if meaning is None:
            self.remarks.count(self.remarks.left_out, f"channel {suffix} in {unit}", _count(days))
            return
        columns, events = self._parsed(channel, days)
        value = np.array(columns["Value"], dtype=np.float64)
        duration = np.array(columns["IntervalLength"], dtype=np.int64) * 60
        start = _epoch(columns["IntervalStart"])
        quality = _qualities(columns["Quality"])
        self._apply(events, (start, duration, quality))
        self.remarks.durations.update(int(one) for one in np.unique(duration))
        rows = np.repeat([row.number for row in days if row.cells[0] == "300"], _counts(columns["IntervalDate"]))
        cells = Cells(f"channel {suffix}", meaning, value, start, duration)
        found = np.where(quality == Quality.MISSING, np.nan, si_values(self.path, cells, self.remarks, rows))
        series = Series(nmi, suffix, meaning.quantity, meaning.phase)
        yield Values((series,), np.zeros(len(start), dtype=np.intp), start, duration, found, quality)

    def _parsed(self, channel: NumberedRow, days: list[NumberedRow]) -> tuple[dict[str, Any], list[Any]]:
        import aemo_mdff_reader as mdff

        expected = self._intervals(channel, days)
        try:
            rows = [channel.cells, *(_with_gaps(row, expected) for row in days)]
            columns = mdff.parse_to_columns(iter(rows))
            has_events = any(row.cells[0] == "400" for row in days)
            return columns, list(mdff.parse_events(iter(rows))) if has_events else []
        except ValueError:
            for row in days:
                self._name_fault(channel, row)
            raise

    def _intervals(self, channel: NumberedRow, days: list[NumberedRow]) -> int:
        """Number of intervals in a day of the channel; every record must have so many."""
        minutes = channel.cells[8] if len(channel.cells) > 8 else ""
        if not minutes.isdecimal() or int(minutes) == 0 or 1440 % int(minutes):
            raise FileError(self.path, f"IntervalLength {minutes!r} does not divide a day", row=channel.number)
        expected = 1440 // int(minutes)
        for row in days:
            if row.cells[0] == "300" and not expected + 3 <= len(row.cells) <= expected + 7:
                detail = f"{len(row.cells)} fields; {expected} intervals need {expected + 3} to {expected + 7}"
                raise FileError(self.path, detail, row=row.number)
        return expected

    def _name_fault(self, channel: NumberedRow, row: NumberedRow) -> None:
        """Raise the fault of a record, if it is the one at fault."""
        import aemo_mdff_reader as mdff

        if row.cells[0] != "300":
            return
        try:
            mdff.parse_to_columns(iter([channel.cells, row.cells]))
        except ValueError as wrong:
            raise FileError(self.path, f"the record of {row.cells[1]}: {wrong}", row=row.number) from None

    def _apply(self, events: list[Any], what: tuple[Whole, Whole, NDArray[np.uint8]]) -> None:
        """Set the qualities that 400 records give to some intervals of a day."""
        start, duration, quality = what
        for event in events:
            begin = int(np.datetime64(event.interval_date, "s").astype(np.int64)) - ZONE_S
            own = (start >= begin) & (start < begin + 86_400)
            number = (start - begin) // np.maximum(duration, 1) + 1
            own &= (number >= event.start_interval) & (number <= event.end_interval)
            quality[own] = _quality(event.quality_flag)


class Nem13Reader:
    """Reads the accumulated energies between two reads of a register."""

    def __init__(self, path: Path) -> None:
        self.path, self.remarks = path, Remarks()

    def __iter__(self) -> Iterator[Values]:
        import aemo_mdff_reader as mdff

        for row in rows_of(self.path):
            if row.cells[0] != "250":
                continue
            try:
                (one,) = mdff.parse_accumulations(iter([row.cells]))
            except ValueError as wrong:
                raise FileError(self.path, str(wrong), row=row.number) from None
            meaning = meaning_of(_letter(one.nmi_suffix, one.direction_indicator), one.uom)
            times = one.previous_register_read_datetime, one.current_register_read_datetime
            if meaning is None or None in times:
                self.remarks.count(self.remarks.left_out, f"register {one.nmi_suffix} in {one.uom}", 1)
                continue
            start, end = _epoch(list(times))
            if end <= start:
                raise FileError(self.path, "its current read is not after the previous one", row=row.number)
            duration = np.array([end - start])
            cells = Cells("Quantity", meaning, np.array([one.quantity]), np.array([start]), duration)
            value = si_values(self.path, cells, self.remarks, np.array([row.number]))
            quality = np.array([_quality(one.current_quality_flag)], dtype=np.uint8)
            series = Series(one.nmi, one.nmi_suffix, meaning.quantity, meaning.phase)
            yield Values((series,), np.zeros(1, dtype=np.intp), np.array([start]), duration, value, quality)


def meaning_of(suffix: str, unit: str) -> Meaning | None:
    """The quantity of a channel, by the first letter of its suffix and its unit; None where it is not taken."""
    said = codes()["nem"]
    found, known = said["suffixes"].get(suffix[:1].upper()), unit.strip().lower()
    if known not in UNITS:
        return None
    dimension = UNITS[known].dimension
    if found is None or dimension not in found:
        found = said["units"]
    return Meaning(Quantity(found[dimension]), known) if dimension in found else None


def _letter(suffix: str, direction: str) -> str:
    """The suffix of an accumulated register; where it is a number, the letter that its direction stands for.

    E is energy out of the grid, which the customer imports, I energy into it.
    """
    return suffix if suffix[:1].isalpha() else {"E": "E", "I": "B"}.get(direction.strip().upper(), suffix)


def _with_gaps(row: NumberedRow, intervals: int) -> Sequence[str]:
    """The record with empty cells as gaps; the library would read them as zero."""
    cells, end = row.cells, 2 + intervals
    if cells[0] != "300" or "" not in cells[2:end]:
        return cells
    return [*cells[:2], *(cell or "nan" for cell in cells[2:end]), *cells[end:]]


def _epoch(times: Sequence[Any]) -> Whole:
    return np.asarray(np.array(times, dtype="datetime64[s]").astype(np.int64) - ZONE_S)


def _quality(flag: str) -> int:
    name = codes()["nem"]["qualities"].get(flag.upper())
    return int(Quality.SUSPECT if name is None else Quality[name.upper()])


def _qualities(flags: Sequence[str]) -> NDArray[np.uint8]:
    known = {flag: _quality(flag[:1]) for flag in set(flags)}
    return np.array([known[flag] for flag in flags], dtype=np.uint8)


def _counts(dates: Sequence[Any]) -> Index:
    """How many intervals in a row are of the same record: each has one date."""
    at = np.array(dates, dtype="datetime64[s]").astype(np.int64)
    edges = np.flatnonzero(np.append(True, np.diff(at) != 0))
    return np.asarray(np.diff(np.append(edges, len(at))), dtype=np.intp)


def _count(days: list[NumberedRow]) -> int:
    return sum(max(len(row.cells) - 7, 1) for row in days if row.cells[0] == "300")
