"""SCADA points of a CSV file with tag, time and value, by a map of tags: element, quantity, unit and sign of each.

A point is reported when it changes. Its value holds until the next one, at most for the tag's `hold_s`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Whole
from gridmodel.errors import FileError, GridError
from gridmodel.meter_data.column_names import unused_columns
from gridmodel.meter_data.csv_blocks import CsvBlocks, sample
from gridmodel.meter_data.csv_readings import Cells, Remarks, qualities_of, si_values
from gridmodel.meter_data.file_times import FileTimes, format_of
from gridmodel.meter_data.guessing import Hints
from gridmodel.meter_data.mapping import ColumnMapping, Meaning, checked
from gridmodel.meter_data.quantities import Quality, Quantity
from gridmodel.meter_data.staging import Series, Values
from gridmodel.readers.tables import read_csv

HOLD_S = 900
LONGEST_HOLD_S = 86_400
HEAD = "head"
"""element of the feeder's head, where its voltage is measured"""
TAG_COLUMNS = ("tag", "element", "quantity", "unit")
OPTIONAL_TAG_COLUMNS = ("terminal", "phase", "sign", "hold_s")
POINT_COLUMNS = ("tag", "at", "value", "quality", "received_at")


@dataclass(frozen=True)
class Tag:
    """A point: where it is, and how its values are read."""

    series: Series
    meaning: Meaning
    hold_s: int


def read_tags(path: Path) -> dict[str, Tag]:
    """The map of tags of a CSV file; its columns: tag, element, terminal, phase, quantity, unit, sign, hold_s."""
    found: dict[str, Tag] = {}
    for row in read_csv(path, TAG_COLUMNS, optional=OPTIONAL_TAG_COLUMNS):
        name = row.text("tag")
        if name in found:
            raise row.wrong("tag", f"{name} stands here twice")
        try:
            quantity = Quantity(_QUANTITIES.get(row.text("quantity").lower(), row.text("quantity").lower()))
        except ValueError:
            known = ", ".join([*_QUANTITIES, *(str(one) for one in Quantity)])
            raise row.wrong("quantity", f"{row.text('quantity')!r} is none of {known}") from None
        try:
            meaning = checked(
                Meaning(quantity, row.text("unit").lower(), row.whole("sign", 1), row.text("phase", "").lower())
            )
        except GridError as wrong:
            raise row.wrong("unit", str(wrong)) from None
        hold_s = row.whole("hold_s", HOLD_S)
        if not 1 <= hold_s <= LONGEST_HOLD_S:
            raise row.wrong("hold_s", f"{hold_s} is not in 1..{LONGEST_HOLD_S}")
        series = Series(row.text("element"), row.text("terminal", ""), quantity, meaning.phase)
        found[name] = Tag(series, meaning, hold_s)
    if not found:
        raise FileError(path, "no tags")
    return found


_QUANTITIES = {
    "p": Quantity.NET,
    "w": Quantity.NET,
    "q": Quantity.NET_VAR,
    "var": Quantity.NET_VAR,
    "s": Quantity.APPARENT,
    "i": Quantity.CURRENT,
    "voltage": Quantity.VOLTAGE,
    "current": Quantity.CURRENT,
    "power": Quantity.NET,
    "temperature": Quantity.TEMPERATURE,
}


class ScadaReader:
    """Reads points: columns tag, at, value, and quality and received_at where there are such."""

    def __init__(self, path: Path, tags: dict[str, Tag], hints: Hints) -> None:
        self.path, self.tags, self.remarks = path, tags, Remarks()
        found = sample(path)
        for name in ("tag", "at", "value"):
            if name not in found.columns:
                raise FileError(path, f"column is missing; found {', '.join(found.columns)}", row=1, field=name)
        self.columns, self.separator = found.columns, found.separator
        self.unused = tuple(filter(None, [unused_columns(found.columns, POINT_COLUMNS)]))
        said = tuple(row[found.columns.index("at")] for row in found.rows)
        form = format_of(said)
        if form is None:
            raise FileError(path, f"{said[0]!r} is no time that is understood", row=2, field="at")
        self.zone = hints.zone or hints.default_zone or "UTC"
        mapping = ColumnMapping(time="at", time_format=form, zone=self.zone, decimal=hints.decimal or ".")
        self.mapping = mapping
        self.times, self.received = FileTimes(path, mapping), FileTimes(path, mapping)

    def __iter__(self) -> Iterator[Values]:
        optional = [name for name in ("quality", "received_at") if name in self.columns]
        blocks = CsvBlocks(
            self.path, self.separator, self.mapping.decimal, texts=("tag", "at", *optional), numbers=("value",)
        )
        for block in blocks:
            yield from self._block(block, blocks.row)
        self.times.check()

    def _block(self, block: dict[str, Any], row: int) -> Iterator[Values]:
        tags = block["tag"]
        local, by_clock = self.times.local("at", block["at"], row)
        zero = np.zeros(len(local), dtype=np.intp)
        start = self.times.epoch(local, by_clock, tags.code, zero)
        quality = self._quality(block, len(start))
        arrived = self._arrived(block, row)
        for code, word in enumerate(tags.words):
            rows = np.flatnonzero(tags.code == code)
            tag = self.tags.get(word)
            if tag is None:
                self.remarks.count(self.remarks.left_out, f"tag {word}", len(rows))
                continue
            duration = np.full(len(rows), tag.hold_s, dtype=np.int64)
            cells = Cells("value", tag.meaning, block["value"][rows], start[rows], duration)
            value = si_values(self.path, cells, self.remarks, row + rows)
            value = np.where(quality[rows] == Quality.MISSING, np.nan, value)
            self.remarks.durations.add(tag.hold_s)
            times = None if arrived is None else arrived[rows]
            yield Values(
                (tag.series,), np.zeros(len(rows), np.intp), start[rows], duration, value, quality[rows], times
            )

    def _quality(self, block: dict[str, Any], count: int) -> Any:
        if "quality" not in block:
            return np.zeros(count, dtype=np.uint8)
        words = block["quality"]
        return qualities_of(words.words, words.code, {}, self.remarks)

    def _arrived(self, block: dict[str, Any], row: int) -> Whole | None:
        if "received_at" not in block:
            return None
        local, by_clock = self.received.local("received_at", block["received_at"], row)
        zero = np.zeros(len(local), dtype=np.intp)
        return self.received.epoch(local, by_clock, zero, zero)
