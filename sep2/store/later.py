"""Statements whose result nobody waits for, kept for the end of a transaction and sent together: one trip for many.

A statement may be put off only past others that it has nothing to do with. What a statement looks at and what it
changes is noted by column; whether a row is there at all counts as a column of its table.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Delete, Executable, Insert, Table, Update
from sqlalchemy.sql.elements import TextClause

from sep2.store.prepared import Prepared
from sep2.store.written import columns_in, with_followers

Columns = frozenset[str]


class Touched(NamedTuple):
    """The columns that a statement looks at, and those that it changes; None: nobody knows."""

    reads: Columns
    writes: Columns

    def meets(self, other: "Touched") -> bool:
        """Whether it matters which of the two runs first."""
        return not (
            self.writes.isdisjoint(other.writes)
            and self.writes.isdisjoint(other.reads)
            and self.reads.isdisjoint(other.writes)
        )


_known: WeakKeyDictionary[Executable, dict[tuple[str, ...], Touched | None]] = WeakKeyDictionary()


def touched_by(statement: Executable, names: Collection[str]) -> Touched | None:
    """What a statement touches that is given values of these names; None where only its text is known."""
    known = _known.get(statement)
    if known is None:
        known = _known[statement] = {}
    key = tuple(names)
    if key not in known:
        known[key] = None if isinstance(statement, TextClause) else _touched(statement, key)
    return known[key]


def _touched(statement: Any, names: Collection[str]) -> Touched:
    reads = set(columns_in(statement))
    if not isinstance(statement, Insert | Update | Delete):
        return Touched(frozenset(reads), frozenset())
    table = statement.table
    assert isinstance(table, Table)
    if isinstance(statement, Update) and not statement._values:
        return Touched(frozenset(reads), frozenset(f"{table.name}.{name}" for name in names if name in table.c))
    writes = with_followers(table) if isinstance(statement, Delete) else {table.name}
    if isinstance(statement, Insert):
        reads |= {rows_of(key.column.table.name) for key in table.foreign_keys}
    return Touched(frozenset(reads), frozenset(map(rows_of, writes)))


def rows_of(table: str) -> str:
    """What stands for the rows of a table being there."""
    return f"{table}."


class Later:
    """The statements of one transaction that wait, by their text, in the order in which they are to run."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}
        self._touched: dict[str, Touched] = {}

    def meeting(self, statement: Executable, names: Collection[str], text: str = "") -> list[str]:
        """Which of what waits has to run before a statement; that of its own text, if any, need not."""
        if not self._waiting:
            return []
        touched = touched_by(statement, names)
        others = (known for known in self._touched if known != text)
        return [one for one in others if touched is None or touched.meets(self._touched[one])]

    def put(self, prepared: Prepared, touched: Touched, each: Collection[Mapping[str, Any]]) -> None:
        """Have a statement wait with these values."""
        self._touched[prepared.text] = touched
        self._waiting.setdefault(prepared.text, []).extend(prepared.values(one) for one in each)

    def take(self, texts: Collection[str] | None = None) -> list[tuple[str, list[tuple[Any, ...]]]]:
        """What waits, as texts and their values, all or some of it: what waits beside has nothing to do with that."""
        found = [(text, self._waiting.pop(text)) for text in (list(self._waiting) if texts is None else texts)]
        for text, _ in found:
            del self._touched[text]
        return found
