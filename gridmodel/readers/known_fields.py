"""Fields of other programs' tables: read, without effect, refused, or unknown and named with what may be meant.

The lists are data: `gridmodel/data/pandapower.toml` says how its marks are read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from gridmodel.errors import FileError
from gridmodel.model.findings import Finding
from gridmodel.readers.meant import unused_names
from gridmodel.readers.tables import Table, absent

REQUIRED, IDLE, REFUSED = "*", "-", "!"
NOTHING = (False, 0)


class Fields(NamedTuple):
    """Names of the fields of one table."""

    read: frozenset[str]
    required: frozenset[str]
    """of those that are read"""
    idle: frozenset[str]
    """change neither a power flow nor a rating"""
    refused: frozenset[str]

    @property
    def known(self) -> frozenset[str]:
        """All of them."""
        return self.read | self.idle | self.refused


@lru_cache
def fields_of(program: str) -> Mapping[str, Fields]:
    """The fields of each table of a program, from its list in `data`."""
    given = tomllib.loads(files("gridmodel").joinpath("data", f"{program}.toml").read_text("utf-8"))
    return {table: _fields(words.split()) for table, words in given.items()}


def _fields(words: Iterable[str]) -> Fields:
    marked: dict[str, set[str]] = {"": set(), REQUIRED: set(), IDLE: set(), REFUSED: set()}
    for word in words:
        mark = word[0] if word[0] in marked else ""
        marked[mark].add(word.removeprefix(mark))
    required = frozenset(marked[REQUIRED])
    return Fields(frozenset(marked[""]) | required, required, frozenset(marked[IDLE]), frozenset(marked[REFUSED]))


def judged(program: str, tables: Iterable[Table], where: str) -> list[Finding]:
    """Findings about fields that are not used; FileError for what is missing, or would change the power flow.

    where: the file, for a note about all its tables.
    """
    found, idle = list[Finding](), list[str]()
    for table in tables:
        fields = fields_of(program)[table.name]
        if len(table):
            meant = dict(unused_names(table.columns, fields.known))
            _refuse(table, fields, meant)
            unused = [name for name in table.columns if (name in fields.idle or name in meant) and _says(table, name)]
            idle += [f"{table.name}.{name}" for name in unused if not meant.get(name)]
            for name in filter(meant.get, unused):
                detail = f"is not used: did you mean {meant[name]}?"
                found.append(Finding("warning", "unused_column", f"table {table.name}", name, detail))
    if idle:
        found.append(Finding("note", "unused_column", where, "columns", f"not used: {', '.join(idle)}"))
    return found


def _refuse(table: Table, fields: Fields, meant: Mapping[str, str]) -> None:
    for name in sorted(fields.required - set(table.columns)):
        other = next((own for own, near in meant.items() if near == name), "")
        detail = f"is missing{f'; {other} is not used: is it meant?' if other else ''}"
        raise FileError(table.file, detail, field=f"{table.name}.{name}")
    for name in sorted(fields.refused.intersection(table.columns)):
        for row in table:
            if not absent(row.fields[name]) and row.fields[name] not in NOTHING:
                raise row.wrong(name, "is not modelled, and would change the power flow")


def _says(table: Table, name: str) -> bool:
    return any(not absent(row.fields[name]) for row in table)
