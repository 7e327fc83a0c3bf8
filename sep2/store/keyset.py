"""One page of a list that is read by keyset: what follows a row, without counting past those before it."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Row, Select, String, and_, func, or_, select
from sqlalchemy.sql.operators import desc_op

from sep2.rules.cursor import BadCursor, Key, Keyset, encode
from sep2.store.connection import Connection
from sep2.store.page import SortKey

COUNTED = 10_000
"""A longer list is counted only where its exact length is asked for."""


class Following(NamedTuple):
    """The rows of the page, how many the list has (if `capped`, at least so many), and the cursor of the next page."""

    total: int
    rows: list[Row[Any]]
    capped: bool
    next: str | None


async def select_following(
    db: Connection, query: Select[Any], page: Keyset, counting: Select[Any] | None = None
) -> Following:
    """The page of `query`, which is ordered by columns that are never NULL and together name one row.

    counting: a simpler query of as many rows, where there is one.
    """
    keys = [SortKey.of(clause) for clause in query._order_by_clauses]
    named = [key.expression.label(f"page_key_{n}") for n, key in enumerate(keys)]
    rest = query if page.after is None else query.where(_follows(keys, page.after))
    rows = await db.all(rest.add_columns(*named).limit(page.limit + 1))
    total, capped = await _counted(db, query if counting is None else counting, page)
    more, rows = len(rows) > page.limit, rows[: page.limit]
    cursor = encode([getattr(rows[-1], label.name) for label in named]) if more and rows else None
    return Following(total, rows, capped, cursor)


async def _counted(db: Connection, query: Select[Any], page: Keyset) -> tuple[int, bool]:
    counted = query.order_by(None)
    if not page.exact:
        counted = counted.limit(COUNTED + 1)
    row = await db.one(select(func.count().label("n")).select_from(counted.subquery()))
    total = row.n if row else 0
    return (total, False) if page.exact or total <= COUNTED else (COUNTED, True)


def _follows(keys: list[SortKey], after: Key) -> ColumnElement[bool]:
    """Whether a row comes after the one with these keys, in the order of the list."""
    if len(keys) != len(after) or not all(_fits(key, value) for key, value in zip(keys, after, strict=True)):
        raise BadCursor
    pairs = list(zip(keys, after, strict=True))
    return or_(*(_beyond(pairs[: n + 1]) for n in range(len(pairs))))


def _fits(key: SortKey, value: int | str) -> bool:
    kind = key.expression.type
    return isinstance(value, int) if isinstance(kind, Integer) else isinstance(kind, String) and isinstance(value, str)


def _beyond(pairs: list[tuple[SortKey, int | str]]) -> ColumnElement[bool]:
    """Equal in all keys but the last, and beyond in that."""
    *equal, (key, value) = pairs
    beyond = key.expression < value if desc_op in key.words else key.expression > value
    return and_(*(one.expression == same for one, same in equal), beyond)
