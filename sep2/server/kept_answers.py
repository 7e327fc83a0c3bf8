"""Answers to GET that are kept until something they were made of changes, or a control begins or ends.

An answer is made of stored facts, the caller, the page and the time. It is used again for the same caller and page,
while no table that it was read from was written and the clock has not reached the time at which it reads differently.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sep2.functions.request import Caller
from sep2.resources import Resource
from sep2.store.database import Database
from sep2.store.written import KEPT, Tables

NEVER = math.inf
OVERHEAD = 1000
"""Octets that an answer takes beside its body, about."""


class Key(NamedTuple):
    """What was asked, by the certificate of which peer."""

    lfdi: str
    path: str
    query: str


@dataclass(slots=True, frozen=True)
class KeptAnswer:
    """An answer, and what it holds on."""

    body: bytes
    row: Resource
    ids: dict[str, int]
    caller: Caller
    rates: Mapping[str, int]
    """The poll rates that operators have set, of which it may show one."""
    tables: Tables
    count: int
    """Of writes, before it was read."""
    since: int
    until: float
    """The seconds of the server's clock between which it reads so."""

    @property
    def size(self) -> int:
        """Octets of memory, about."""
        return len(self.body) + OVERHEAD


class KeptAnswers:
    """The answers of one server process, the one that nobody asked for longest first."""

    def __init__(self, db: Database, most_bytes: int) -> None:
        self._db = db
        self._most = most_bytes
        self._entries: OrderedDict[Key, KeptAnswer] = OrderedDict()
        self._size = 0
        self.used = 0
        """How many answers were used again."""

    def may_keep(self, row: Resource) -> bool:
        """Whether an answer about a resource is worth to be kept."""
        return row.same is not None and self._most > 0

    def find(self, key: Key, now: int, rates: Any) -> KeptAnswer | None:
        """The answer as it still reads."""
        entry = self._entries.get(key)
        if entry is None or not self._db.knows_all():
            return None
        if not self._holds(entry, now, rates):
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        self.used += 1
        return entry

    def keep(self, key: Key, entry: KeptAnswer) -> None:
        """Keep an answer for the next who asks, unless it is made of what other processes do not tell of."""
        if entry.caller.client is None or not entry.tables <= KEPT or entry.size > self._most // 4:
            return
        self._drop(key)
        self._entries[key] = entry
        self._size += entry.size
        while self._size > self._most:
            self._drop(next(iter(self._entries)))

    def _holds(self, entry: KeptAnswer, now: int, rates: Any) -> bool:
        is_of_now = entry.since <= now < entry.until and entry.rates is rates
        return is_of_now and self._db.written.unchanged(entry.tables, entry.count)

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size
