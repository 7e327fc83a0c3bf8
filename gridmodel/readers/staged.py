"""Formats that hold the same tables as a folder of CSV files: laid out as such a folder for a moment, then read.

Whatever is wrong names the user's own file and its sheet or layer.
"""

from __future__ import annotations

import csv
import math
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from gridmodel.errors import FileError
from gridmodel.model.feeder import Feeder
from gridmodel.model.findings import Finding
from gridmodel.readers.known_columns import COLUMNS, SERIES, unread

Tables = Mapping[str, Sequence[Sequence[Any]]]
"""rows of cells per table name ("lines"), the first row names the columns"""
Loader = Callable[[Path], tuple[Feeder | None, list[FileError]]]
KNOWN = frozenset(Path(name).stem for name in (*COLUMNS, *SERIES)) | {"head_voltage"}
WHOLE = 1e15
"""floating numbers below are written as whole numbers where they are"""


def load_staged(
    path: Path, tables: Tables, load: Loader, *, kind: str, beside: Path | None = None
) -> tuple[Feeder | None, list[FileError]]:
    """The feeder of some tables, with CSV files of a folder `beside`; `kind` is what a table is called ("sheet")."""
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(empty) / path.stem
        folder.mkdir()
        for other in sorted([*beside.glob("*.csv"), *beside.glob("feeder.toml")]) if beside else ():
            shutil.copyfile(other, folder / other.name)
        for name, rows in tables.items():
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([[cell(v) for v in row] for row in rows])
        feeder, faults = load(folder)

        def own(file: str) -> str:
            name = Path(file)
            if name.stem in tables:
                return f"{path}, {kind} {name.stem}"
            return str(beside / name.name) if beside and name.parent == folder else str(path)

        faults = [FileError(own(e.file), e.detail, row=e.row, field=e.field) for e in faults]
    if feeder is not None:
        findings = tuple(replace(f, element=_renamed(f, tables, kind)) for f in feeder.findings)
        feeder = replace(feeder, findings=findings)
    return feeder, faults


def unread_tables(names: Iterable[str], found: Collection[str], kind: str) -> list[Finding]:
    """Findings about sheets or layers that are no tables of a feeder."""
    free = [name for name in KNOWN if name not in found]
    return [replace(unread(name, free), element=f"{kind} {name}", field=kind) for name in names]


def _renamed(finding: Finding, tables: Tables, kind: str) -> str:
    stem = Path(finding.element).stem
    return f"{kind} {stem}" if finding.element.endswith(".csv") and stem in tables else finding.element


def cell(value: Any) -> str:
    """A cell as the text of a CSV file."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE:
        return str(int(value))
    return str(value)
