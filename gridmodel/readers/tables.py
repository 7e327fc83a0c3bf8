"""Rows of a table with typed fields, so that every refusal names file, row and field."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gridmodel.errors import FileError
from gridmodel.model.equipment import LARGEST, SMALLEST
from gridmodel.readers.encodings import decoded
from gridmodel.readers.meant import LIKELY, unused_names

DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d{2,}")
"""as spreadsheets write long digits"""
SEPARATORS = {";": "semicolons", "|": "bars"}
EPOCH_DIGITS = 12
"""a number of seconds that has more is none"""


class Row:
    """One row: fields by name, converted on request."""

    def __init__(self, file: str, table: str, number: int, fields: Mapping[str, Any]) -> None:
        self.file, self.table, self.position, self.fields = file, table, number, fields

    def __contains__(self, field: str) -> bool:
        """Whether the field is there and says something."""
        return not absent(self.fields.get(field))

    def number(self, field: str, default: float | None = None) -> float:
        """The field as a number; the default where it is absent, an error where there is no default."""
        value = self.fields.get(field)
        if absent(value):
            if default is None:
                raise self.wrong(field, "is missing")
            return default
        try:
            found = float(value)  # type: ignore[arg-type]  # absent() has excluded None
        except (TypeError, ValueError):
            comma = " (a decimal comma; a point is expected)" if DECIMAL_COMMA.fullmatch(str(value).strip()) else ""
            raise self.wrong(field, f"{value!r} is not a number{comma}") from None
        if not math.isfinite(found):
            raise self.wrong(field, f"{value!r} is not a finite number")
        if abs(found) > LARGEST:
            raise self.wrong(field, f"{value!r} is outside {-LARGEST:g}..{LARGEST:g}")
        return found

    def positive(self, field: str, default: float | None = None) -> float:
        """The field as a number above 0."""
        found = self.number(field, default)
        if found < SMALLEST:
            raise self.wrong(field, f"{found:g} is not positive" if found <= 0 else f"{found:g} is below {SMALLEST:g}")
        return found

    def whole(self, field: str, default: int) -> int:
        """The field as a whole number; the default where it is absent."""
        found = self.number(field, float(default))
        if found != math.floor(found):
            raise self.wrong(field, f"{found:g} is not a whole number")
        return int(found)

    def text(self, field: str, default: str | None = None) -> str:
        """The field as text; the default where it is absent."""
        value = self.fields.get(field)
        if absent(value):
            if default is None:
                raise self.wrong(field, "is missing")
            return default
        found = str(value).strip()
        if ROUNDED.fullmatch(found):
            raise self.wrong(field, f"{found!r}: a spreadsheet has rounded an identifier; format the column as text")
        return found

    def epoch_s(self, field: str) -> int:
        """The field as epoch seconds: a number of them, or an ISO 8601 time; without a zone it is UTC."""
        said = self.text(field)
        if said.isdecimal() and len(said) <= EPOCH_DIGITS:
            return int(said)
        try:
            at = datetime.fromisoformat(said)
        except ValueError:
            raise self.wrong(field, f"{said!r} is no time: 2026-05-29T00:00+00:00 or epoch seconds") from None
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())

    def flag(self, field: str, default: bool) -> bool:
        """The field as yes or no."""
        value = self.fields.get(field)
        if absent(value):
            return default
        known = {
            "true": True,
            "1": True,
            "1.0": True,
            "yes": True,
            "false": False,
            "0": False,
            "0.0": False,
            "no": False,
        }
        found = known.get(str(value).strip().lower())
        if found is None:
            raise self.wrong(field, f"{value!r} is neither true nor false")
        return found

    def wrong(self, field: str, detail: str) -> FileError:
        """The error to raise about one field of this row."""
        return FileError(self.file, detail, row=self.position, field=f"{self.table}.{field}" if self.table else field)


def absent(value: object) -> bool:
    """Empty, null and NaN all mean that nothing was said."""
    return (
        value is None or (isinstance(value, float) and math.isnan(value)) or str(value).strip() in {"", "nan", "<NA>"}
    )


class Table:
    """A table of a file: columns and rows; `number` of a row is its index there."""

    def __init__(self, file: str, name: str, columns: Sequence[str], data: Sequence[tuple[int, Sequence[Any]]]) -> None:
        self.file, self.name, self.columns, self._data = file, name, tuple(columns), data

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Row]:
        for number, values in self._data:
            yield Row(self.file, self.name, number, dict(zip(self.columns, values, strict=False)))


def read_text(path: Path) -> str:
    """A file's text: UTF-8, or what its byte order mark says."""
    if not path.is_file():
        raise FileError(path, "not a file" if path.exists() else "no such file")
    try:
        return decoded(path, path.read_bytes())
    except OSError as e:
        raise FileError(path, e.strerror or str(e)) from None


def read_csv(path: Path, required: Sequence[str] = (), *, optional: Sequence[str] | None = None) -> Table:
    """A CSV file with a header line; rows are numbered as an editor numbers its lines.

    Tabs separate as well as commas: spreadsheets write them into what they call Unicode text.
    optional: further columns that are read; where they are given, a column that is likely a slip of one is refused.
    """
    text = read_text(path).splitlines(keepends=True)
    tabs = bool(text) and "\t" in text[0] and "," not in text[0]
    lines = csv.reader(text, delimiter="\t" if tabs else ",")
    try:
        columns = [name.strip() for name in next(lines, [])]
        data = [(lines.line_num, values) for values in lines if values]
    except csv.Error as e:
        raise FileError(path, f"not CSV: {e}", row=lines.line_num) from None
    _check_header(path, columns, required)
    for name, meant in unused_names(columns, (*required, *optional), LIKELY) if optional is not None else ():
        if meant:
            raise FileError(path, f"column is not used: did you mean {meant}?", row=1, field=name)
    for number, values in data:
        if len(values) != len(columns):
            raise FileError(path, f"{len(values)} values for {len(columns)} columns", row=number)
    return Table(str(path), "", columns, data)


def _check_header(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    if not columns:
        raise FileError(path, "the file is empty; its first line names the columns", row=1)
    other = next((name for sign, name in SEPARATORS.items() if len(columns) == 1 and sign in columns[0]), None)
    if other:
        raise FileError(path, f"its values are separated by {other}; commas are expected", row=1)
    for name in columns:
        if columns.count(name) > 1:
            raise FileError(path, "stands here twice", row=1, field=name)
    for name in required:
        if name not in columns:
            near = next((one for one, meant in unused_names(columns, required) if meant == name), "")
            hint = f"; is {near} meant?" if near else ""
            raise FileError(path, f"column is missing; found {', '.join(columns)}{hint}", row=1, field=name)


def by_id(rows: Iterable[Row], field: str) -> dict[str, Row]:
    """The rows by what identifies them, which none shares with another."""
    found: dict[str, Row] = {}
    for row in rows:
        if found.setdefault(name := row.text(field), row) is not row:
            raise row.wrong(field, f"{name} stands here twice")
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = json.loads(read_text(path))
    except json.JSONDecodeError as e:
        raise FileError(path, f"not JSON: {e.msg}", row=e.lineno) from None
    except (RecursionError, ValueError) as e:
        raise FileError(path, f"not JSON that can be read: {e}") from None
    if not isinstance(found, dict):
        raise FileError(path, "not a JSON object")
    return found
