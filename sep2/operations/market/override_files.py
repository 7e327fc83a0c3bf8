"""Copies of overrides for a system operator, as CSV files in a folder: one when it is issued, one when it is over."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.issuing import limits_of
from sep2.operations.market import aggregations
from sep2.store.connection import Connection
from sep2.store.market import register
from sep2.store.market.facts import AsOf

COLUMNS = (
    *("override_id", "sequence", "state", "iso_resource_id", "iso_node", "start", "end", "direction", "limit_kw"),
    "reason",
)
ISSUED, OVER = 1, 2
"""Sequences of the files of one override."""
NAMES = {"import_w": "import", "export_w": "export", "gen_w": "generation", "load_w": "load"}


class File(NamedTuple):
    """A copy: its name, what is in it, and its sequence."""

    name: str
    text: str
    sequence: int


async def file_of(db: Connection, row: Row[Any]) -> File:
    """The next copy of an override that a folder lacks."""
    sequence = row.copied + 1
    aggregation = await register.entry(db, "aggregation", row.aggregation_id, AsOf(row.created))
    said = None if aggregation is None else aggregations.said_of(aggregation)
    nodes = " ".join(said.iso_nodes) if said else ""
    end = row.end if sequence == ISSUED or row.released is None else min(row.end, row.released)
    head = [row.override_id, sequence, _state(row, sequence), said.iso_resource_id if said else "", nodes]
    head += [_time(row.start), _time(end)]
    told = io.StringIO()
    lines = csv.writer(told, lineterminator="\n")
    lines.writerow(COLUMNS)
    limits = {NAMES[name]: watts for name, watts in limits_of(row)._asdict().items() if watts is not None}
    for direction, watts in (limits or {"": None}).items():
        lines.writerow([*head, direction, "" if watts is None else f"{watts / 1000:g}", row.reason])
    return File(f"override-{row.override_id}-{sequence}.csv", told.getvalue(), sequence)


def _state(row: Row[Any], sequence: int) -> str:
    if sequence == ISSUED:
        return "issued"
    return "ended" if row.released is None else "released"


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def write(folder: Path, file: File) -> None:
    """Put a file into a folder at once: whoever looks finds all of it, or nothing; written again it is the same."""
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f".{file.name}.part"
    half.write_text(file.text, "utf-8")
    half.replace(folder / file.name)
