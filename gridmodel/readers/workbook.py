"""An Excel workbook whose sheets are the tables of a feeder folder."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from gridmodel.errors import FileError, GridError
from gridmodel.readers.staged import KNOWN

MOST_BYTES = 512 * 2**20
"""of a workbook after unpacking"""
MOST_EMPTY = 10_000
"""rows in a row without a value"""
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
        return _tables(book, path)
    except GridError:
        raise
    except Exception as e:  # a workbook is made of XML that can be wrong in any way
        raise FileError(path, f"is no workbook that can be read: {e}") from None


def _tables(book: Any, path: Path) -> tuple[dict[str, list[list[Any]]], list[str]]:
    found, others = {}, []
    for sheet in book.worksheets:
        name = str(sheet.title).strip().lower().removesuffix(".csv")
        if name in KNOWN:
            found[name] = _rows(sheet, path)
        else:
            others.append(str(sheet.title))
    book.close()
    if "nodes" not in found or "lines" not in found:
        raise FileError(path, f"has no sheets nodes and lines; sheets are called as {', '.join(sorted(KNOWN))}")
    return found, others


def _rows(sheet: Any, path: Path) -> list[list[Any]]:
    """The rows of a sheet, without columns beyond the header and rows after the last that says something."""
    # A stray cell far away makes every row as wide as the sheet: what stands beyond the header is never looked at.
    header = next(sheet.iter_rows(max_row=1, values_only=True), ())
    width = max((k + 1 for k, value in enumerate(header) if value is not None), default=0)
    if not width:
        return []
    used: list[list[Any]] = []
    empty = 0
    for row in sheet.iter_rows(max_col=width, values_only=True):
        if all(value is None for value in row):
            empty += 1
            if empty > MOST_EMPTY:
                raise FileError(
                    path, f"a value stands below {MOST_EMPTY} empty rows: remove it", field=f"sheet {sheet.title}"
                )
        else:
            used += [[] for _ in range(empty)]
            used.append(list(row))
            empty = 0
    return used
