"""An Excel workbook whose sheets are the tables of a feeder folder."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from gridmodel.errors import FileError, GridError
from gridmodel.readers.staged import KNOWN

MOST_BYTES = 512 * 2**20
"""of a workbook after unpacking"""
SUFFIXES = (".xlsx", ".xlsm")


def sheets(path: Path) -> tuple[dict[str, list[list[Any]]], list[str]]:
    """(The sheets that are tables of a feeder, by their names in lower case; names of the others); no formulas."""
    try:
        from openpyxl import load_workbook
    except ImportError as e:
        raise GridError("a workbook takes openpyxl: install sep2[files]") from e
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(part.file_size for part in packed.infolist()) > MOST_BYTES:
                raise FileError(path, f"is larger than {MOST_BYTES // 2**20} MiB when unpacked")
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as e:
        raise FileError(path, f"is no workbook that can be read: {e}") from None
    found, others = {}, []
    for sheet in book.worksheets:
        name = str(sheet.title).strip().lower().removesuffix(".csv")
        if name in KNOWN:
            rows = [list(row) for row in sheet.iter_rows(values_only=True)]
            found[name] = _without_empty(rows)
        else:
            others.append(str(sheet.title))
    book.close()
    if "nodes" not in found or "lines" not in found:
        raise FileError(path, f"has no sheets nodes and lines; sheets are called as {', '.join(sorted(KNOWN))}")
    return found, others


def _without_empty(rows: list[list[Any]]) -> list[list[Any]]:
    """Without columns beyond the header and rows after the last that says something."""
    header = rows[0] if rows else []
    width = max((k + 1 for k, value in enumerate(header) if value is not None), default=0)
    used = [row[:width] for row in rows]
    while used and not any(value is not None for value in used[-1]):
        used.pop()
    return [row if any(value is not None for value in row) else [] for row in used]
