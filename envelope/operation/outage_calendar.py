"""Planned switching and outages, in a CSV file beside the plan: rounds obey them before they begin.

Columns: start, end (ISO 8601; UTC where there is no offset), what (a connection, transformer or group as
`connection:H1`; empty: the whole feeder), note.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from envelope.operation.mode import ScopeKind
from gridmodel.readers.encodings import encoding_of
from gridmodel.readers.meant import slip_of, unused_in
from sep2.errors import BadRequest

FILE = "envelope-calendar.csv"
COLUMNS = ("start", "end", "what", "note")
LONGEST_S = 400 * 86_400


class BadCalendar(BadRequest):
    """The calendar of planned outages can not be used."""


class Entry(NamedTuple):
    """One planned outage or switching."""

    start: int
    """epoch seconds"""
    end: int
    kind: ScopeKind | None
    """None: the whole feeder"""
    name: str
    note: str

    @property
    def what(self) -> str:
        """Kind and name as the file says them; empty: the whole feeder."""
        return "" if self.kind is None else f"{self.kind}:{self.name}"

    @property
    def fields(self) -> dict[str, str]:
        """Its columns in the file."""
        start, end = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" for at in (self.start, self.end))
        return {"start": start, "end": end, "what": self.what, "note": self.note}


def entry_of(start: int, end: int, what: str, note: str, *, where: str = "") -> Entry:
    """Return an entry; BadCalendar names the field that is wrong. where: the row it stands in."""
    at = f"{where}: " if where else ""
    if not start < end <= start + LONGEST_S:
        raise BadCalendar(f"{at}end: is not after start, or more than {LONGEST_S // 86_400} days after it")
    if not what.strip():
        return Entry(start, end, None, "", note.strip())
    kind, separator, name = what.strip().partition(":")
    if not separator or kind not in set(ScopeKind) or not name.strip():
        raise BadCalendar(f"{at}what: {what!r} is none of connection:NAME, transformer:NAME, group:NAME, or empty")
    return Entry(start, end, ScopeKind(kind), name.strip(), note.strip())


def parsed(text: str, where: str) -> list[Entry]:
    """Return the entries of a CSV file, by their start. where: its name."""
    rows = csv.DictReader(io.StringIO(text))
    columns = rows.fieldnames or ()
    if slip := slip_of(columns, COLUMNS):
        raise BadCalendar(f"{where}: {slip}")
    if missing := [name for name in COLUMNS[:3] if name not in columns]:
        raise BadCalendar(f"{where}: column {missing[0]} is missing; expected {', '.join(COLUMNS)}")
    found = []
    for number, row in enumerate(rows, 2):
        place = f"{where}, row {number}"
        start, end = (_epoch(row[name] or "", f"{place}: {name}") for name in ("start", "end"))
        found.append(entry_of(start, end, row["what"] or "", row.get("note") or "", where=place))
    return sorted(found, key=_order)


def unused(text: str, where: str) -> str:
    """Return which columns of a CSV file nothing reads, in a sentence; empty: none. where: its name."""
    found = unused_in(next(csv.reader(io.StringIO(text)), []), COLUMNS)
    return f"{where}: {found}" if found else ""


def _order(entry: Entry) -> tuple[int, int, str]:
    return entry.start, entry.end, entry.what


def _epoch(text: str, where: str) -> int:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadCalendar(f"{where}: {text!r} is no time such as 2026-11-30T06:00Z") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def read(folder: Path) -> list[Entry]:
    """Return the entries of the folder's calendar; none without a file."""
    path = folder / FILE
    try:
        content = path.read_bytes()
        return parsed(content.decode(encoding_of(content)), FILE)
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise BadCalendar(f"{FILE}: {wrong}") from None


def write(folder: Path, entries: Iterable[Entry]) -> None:
    """Replace the folder's calendar in one step."""
    part = folder / f"{FILE}.part"
    with part.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, COLUMNS)
        out.writeheader()
        out.writerows(entry.fields for entry in sorted(entries, key=_order))
    part.replace(folder / FILE)
