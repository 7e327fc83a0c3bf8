"""Times of a file, however it writes them, as epoch seconds of the intervals that they begin."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from gridmodel.arrays import Index, Whole
from gridmodel.errors import FileError
from gridmodel.meter_data.csv_blocks import Words
from gridmodel.meter_data.local_times import EPOCH, LocalClock, zone_of
from gridmodel.meter_data.mapping import ColumnMapping
from gridmodel.meter_data.store import DAY_S

FORMATS = (
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d-%b-%Y %H:%M",
    "%d-%b-%Y %H:%M:%S",
    "%Y%m%d%H%M",
    "%Y%m%d%H%M%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
)
"""that are tried where a file's times are not ISO 8601"""
MIDNIGHT = re.compile(r"([T ]?)24:00(:00)?")
EARLIEST, LATEST = 0, 4_102_444_800
"""1970 and 2100: a time outside was misread"""


def parsed(word: str, format_of: str) -> datetime:
    """A time as it is written, with its offset if it has one; ValueError where it is none."""
    if format_of == "epoch":
        return datetime.fromtimestamp(int(float(word)), UTC)
    ends_day = MIDNIGHT.search(word)
    said = MIDNIGHT.sub(r"\g<1>00:00\2", word) if ends_day else word
    at = datetime.strptime(said, format_of) if format_of else datetime.fromisoformat(said)  # noqa: DTZ007
    return at + timedelta(days=1) if ends_day else at


class FileTimes:
    """Converts the times of one file, word by word; each is read once."""

    def __init__(self, path: Path, mapping: ColumnMapping, *, descending: bool = False) -> None:
        self.path, self.mapping = path, mapping
        self.clock = LocalClock(zone_of(mapping.zone), descending=descending)
        self.with_offset = self.without = 0
        """number of distinct times that name an offset, and of those that do not"""
        self._known: dict[str, tuple[int, bool]] = {}
        self._block: tuple[str, int, Whole] = "", 0, np.zeros(0, dtype=np.int64)
        """field, first row and times of the block that `local` converted last"""
        self._nonexistent: tuple[int, str, int | None] | None = None
        """the first time that the zone does not have, with its field and row"""

    def local(self, field: str, words: Words, row: int) -> tuple[Whole, Index]:
        """(N,) seconds from 1970, and (N,) whether they are by the local clock (1) or in UTC (0)."""
        for code, word in enumerate(words.words):
            if word not in self._known:
                try:
                    at = parsed(word, self.mapping.time_format)
                except (ValueError, OverflowError):
                    expected = self.mapping.time_format or "ISO 8601, such as 2026-05-29T00:30"
                    at_row = row + int(np.argmax(words.code == code))
                    raise FileError(self.path, f"{word!r} is no time: {expected}", row=at_row, field=field) from None
                self._known[word] = _seconds(at)
                if not EARLIEST < self._known[word][0] < LATEST:
                    at_row = row + int(np.argmax(words.code == code))
                    raise FileError(self.path, f"{word!r} is outside 1970 to 2100", row=at_row, field=field)
                self.without += self._known[word][1]
                self.with_offset += not self._known[word][1]
        known = np.array([self._known[word] for word in words.words], dtype=np.int64).reshape(-1, 2)
        self._block = field, row, known[words.code, 0]
        return known[words.code, 0], known[words.code, 1].astype(np.intp)

    def epoch(self, local: Whole, by_clock: Index, place: Index, quantity: Index) -> Whole:
        """(N,) epoch seconds of what `local` returned."""
        rows = np.flatnonzero(by_clock)
        if len(rows):
            local = local.copy()
            local[rows] = self.clock.epoch(local[rows], place[rows], quantity[rows])
            if self.clock.nonexistent and self._nonexistent is None:
                self._nonexistent = self._place_of(self.clock.nonexistent[0])
        return local

    def _place_of(self, at: int) -> tuple[int, str, int | None]:
        """A time of the last block, or one within a day that it names, with its field and row."""
        field, row, times = self._block
        for said in (at, at - at % DAY_S):
            if len(found := np.flatnonzero(times == said)):
                return at, field, row + int(found[0])
        return at, field, None

    def check(self) -> None:
        """Refuse times that the zone does not have: the file keeps another one."""
        if self._nonexistent is not None:
            seconds, field, row = self._nonexistent
            at = (EPOCH + timedelta(seconds=seconds)).isoformat(" ", "minutes")
            detail = (
                f"{at} does not exist in {self.mapping.zone}: clocks go forward over it. "
                "A file that keeps standard time all the year has a fixed zone, such as --zone +10:00"
            )
            raise FileError(self.path, detail, row=row, field=field)


def _seconds(at: datetime) -> tuple[int, bool]:
    """Seconds since 1970: in UTC where the time names an offset, else by its own clock."""
    if at.tzinfo is not None:
        return int(at.timestamp()), False
    return round((at - EPOCH).total_seconds()), True


def format_of(words: tuple[str, ...]) -> str | None:
    """The format in which all these times can be read: "" for ISO 8601; None where there is none."""
    said = [word for word in words if word]
    if all(word.isdecimal() and 9 <= len(word) <= 10 for word in said):
        return "epoch"
    for one in ("", *FORMATS):
        try:
            for word in said:
                parsed(word, one)
        except ValueError:
            continue
        return one
    return None
