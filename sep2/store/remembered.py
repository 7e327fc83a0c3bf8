"""Single rows that one process keeps between blocks, such as a client's rights or a mirror's owner.

A row is used again as long as no table that it was read from has been written (`store.written`). A block that has
used one checks that again before it ends (`PostgresConnection.ensure_known`), and fails with Stale where it changed.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.store.written import KEPT, Tables, Written

MOST = 5000
"""Rows that are kept, those that were used last."""


class Kept(NamedTuple):
    """A row, the tables that it was read from, and how many writes were known of before that."""

    row: Row[Any]
    tables: Tables
    since: int


class Remembered:
    """The rows that one process keeps."""

    def __init__(self, written: Written) -> None:
        self.written = written
        self.used = 0
        """How many rows were used again."""
        self._rows: OrderedDict[Hashable, Kept] = OrderedDict()

    def find(self, key: Hashable) -> Kept | None:
        """The row of a key, if it holds."""
        kept = self._rows.get(key)
        if kept is None:
            return None
        if not self.holds(kept):
            del self._rows[key]
            return None
        self._rows.move_to_end(key)
        self.used += 1
        return kept

    def holds(self, kept: Kept) -> bool:
        """Whether nothing was written that a row may have been made of."""
        return self.written.unchanged(kept.tables, kept.since)

    def keep(self, key: Hashable, kept: Kept) -> None:
        """Keep a row, unless it is made of what other processes do not tell of."""
        if not kept.tables <= KEPT:
            return
        self._rows[key] = kept
        if len(self._rows) > MOST:
            self._rows.popitem(last=False)
