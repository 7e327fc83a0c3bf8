"""Which tables were written, and in which order: by that, what was read before is known to hold still or not."""

from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Executable, Table
from sqlalchemy.sql.elements import ColumnClause, TextClause
from sqlalchemy.sql.selectable import AliasedReturnsRows
from sqlalchemy.sql.visitors import iterate

Tables = frozenset[str]
EVERYTHING: Tables = frozenset({"*"})
"""What a statement writes of which only the text is known."""

KEPT: Tables = frozenset(
    {
        "client",
        "client_identity",
        "connection",
        "control",
        "control_edition",
        "curve",
        "default_control",
        "device_group",
        "end_device",
        "log_event",
        "member",
        "mirror_usage_point",
        "served_default",
        "setting",
        "subscription",
    }
)
"""What an answer may be made of that is kept: other processes are told of changes of these tables only."""


class Written:
    """The writes of one database, in the order in which this process learned of them.

    A write is under way from before its commit until after it; while it is, nobody knows whether a reader sees it.
    """

    def __init__(self) -> None:
        self.count = 0
        """How many writes have begun or ended; what is read after a look at it is not older than that."""
        self._last: dict[str, int] = {}
        self._under_way: Counter[str] = Counter()
        self._since = 0

    def begin(self, tables: Collection[str]) -> None:
        """Rows of these tables are about to change."""
        self._under_way.update(tables)
        self._note(tables)

    def end(self, tables: Collection[str]) -> None:
        """They have changed, or stay as they were."""
        self._under_way -= Counter(tables)
        self._note(tables)

    def everything(self) -> None:
        """Anything may have changed."""
        self.count += 1
        self._since = self.count

    def unchanged(self, tables: Tables, since: int) -> bool:
        """Whether no row of these tables has changed since the count was that."""
        if since < self._since or "*" in self._under_way:
            return False
        last, under_way = self._last, self._under_way
        return not any(last.get(name, 0) > since or name in under_way for name in tables)

    def _note(self, tables: Collection[str]) -> None:
        if not tables:
            return
        self.count += 1
        self._last.update(dict.fromkeys(tables, self.count))
        if "*" in tables:
            self._since = self.count


def written_by(statement: Any) -> Tables:
    """The tables whose rows a statement changes; none where it only reads."""
    if statement.is_dml:
        return with_followers(statement.table)
    if isinstance(statement, TextClause) and not statement.text.lstrip().upper().startswith("SELECT"):
        return EVERYTHING
    return frozenset()


@cache
def with_followers(table: Table) -> Tables:
    """A table, and those from which rows go with its own."""
    found, looked_at = {table.name}, [table]
    while looked_at:
        target = looked_at.pop()
        for other in table.metadata.tables.values():
            follows = any(key.column.table is target and key.ondelete for key in other.foreign_keys)
            if follows and other.name not in found:
                found.add(other.name)
                looked_at.append(other)
    return frozenset(found)


_known: WeakKeyDictionary[Executable, Tables] = WeakKeyDictionary()


def read_by(statement: Executable) -> Tables:
    """The tables that a statement looks at."""
    found = _known.get(statement)
    if found is None:
        found = _known[statement] = frozenset(name.partition(".")[0] for name in columns_in(statement))
    return found


def columns_in(statement: Any) -> Iterator[str]:
    """Columns that a statement names, as `table.column`, and the tables themselves as `table.`; some more than once.

    A column may stand for its table without any word of that.
    """
    waiting, seen = [statement], {id(statement)}
    while waiting:
        for one in iterate(waiting.pop()):
            element: Any = one
            is_column = isinstance(element, ColumnClause)
            table = element.table if is_column else element
            if isinstance(table, AliasedReturnsRows):
                if id(table.element) not in seen:
                    seen.add(id(table.element))
                    waiting.append(table.element)
                table = table.element
            if isinstance(table, Table):
                yield f"{table.name}."
                if is_column:
                    yield f"{table.name}.{element.name}"
