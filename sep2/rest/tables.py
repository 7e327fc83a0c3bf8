"""Lists as CSV, for spreadsheets: one column for each field, nested ones with a point between their names."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from sep2.rest.types import Listed

CSV = "text/csv"
XML = "application/xml"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NEXT = "Next-After"
"""The header with the `after` of the next part; absent at the end."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that spreadsheets would run (CWE-1236)."""


def wants_csv(http: web.Request) -> bool:
    """Whether the caller accepts CSV and does not say that JSON will do."""
    said = http.headers.get("Accept", "")
    return CSV in said and "json" not in said


def as_csv(found: Listed[Any]) -> bytes:
    """The items of a list, one line each, under the names of their fields."""
    rows = [_flat(msgspec.to_builtins(item, str_keys=True)) for item in found.items]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return out.getvalue().encode()


def _flat(item: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in item.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{before}{name}.")
        else:
            found[before + name] = value
    return found


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return json.dumps(value) if isinstance(value, Sequence | Mapping) else str(value)
