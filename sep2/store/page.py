"""One page of a list together with the true length of the list."""

from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Row, Select, UnaryExpression, bindparam, func, literal_column, select, true

from sep2.rules.paging import Page
from sep2.store.connection import Connection

Item = TypeVar("Item")


class Found(NamedTuple, Generic[Item]):
    """How many rows there are, and those of the page; each row has its columns by name."""

    total: int
    rows: list[Item]


_known: WeakKeyDictionary[Select[Any], Select[Any]] = WeakKeyDictionary()


async def select_page(
    db: Connection, query: Select[Any], page: Page, *, counting: Select[Any] | None = None, **values: Any
) -> Found[Row[Any]]:
    """The page of `query` and its total, in one statement; `query` is ordered and does not repeat a column name.

    counting: a simpler query of as many rows, where there is one; always the same one for the same `query`.
    A query that is built once, with `bindparam`s for its `values`, costs 0.1 ms of CPU; one built in the call 1 ms.
    """
    paged = _known.get(query)
    if paged is None:
        paged = _known[query] = _paged(query, query if counting is None else counting)
    rows = await db.all(paged, page_start=page.start, page_limit=page.limit, **values)
    return Found(rows[0].page_total, [row for row in rows if row.page_row is not None])


def _paged(query: Select[Any], counting: Select[Any]) -> Select[Any]:
    """The total beside each row of the page, and alone where the page is empty."""
    count = select(func.count().label("page_total")).select_from(counting.order_by(None).subquery()).subquery()
    keys = [SortKey.of(clause) for clause in query._order_by_clauses]
    named = [key.expression.label(f"page_key_{n}") for n, key in enumerate(keys)]
    page = query.add_columns(literal_column("1").label("page_row"), *named)
    rows = page.limit(bindparam("page_limit")).offset(bindparam("page_start")).subquery()
    columns = [column for column in rows.c if not column.name.startswith("page_key_")]
    # A join promises no order, so it is asked for again.
    order = [key.applied_to(rows.c[label.name]) for key, label in zip(keys, named, strict=True)]
    return select(*columns, count.c.page_total).select_from(count.outerjoin(rows, true())).order_by(*order)


class SortKey(NamedTuple):
    """One term of ORDER BY: what is sorted, and the words around it (DESC, NULLS LAST), innermost first."""

    expression: ColumnElement[Any]
    words: tuple[Any, ...] = ()

    @classmethod
    def of(cls, clause: Any) -> "SortKey":
        """The term that a clause of ORDER BY stands for."""
        if isinstance(clause, UnaryExpression) and clause.modifier is not None:
            inner = cls.of(clause.element)
            return cls(inner.expression, (*inner.words, clause.modifier))
        return cls(clause)

    def applied_to(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The same order of another column."""
        for word in self.words:
            column = UnaryExpression(column, modifier=word)
        return column
