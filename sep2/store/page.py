"""One page of a list together with the true length of the list."""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Row, Select, bindparam, func, select, true

from sep2.rules.paging import Page
from sep2.store.connection import Connection


class Found(NamedTuple):
    """How many rows there are, and those of the page; each row has its columns by name."""

    total: int
    rows: list[Row[Any]]


_known: WeakKeyDictionary[Select[Any], Select[Any]] = WeakKeyDictionary()


async def select_page(db: Connection, query: Select[Any], page: Page, **values: Any) -> Found:
    """The page of `query` and its total, in one statement; `query` is ordered and does not repeat a column name."""
    paged = _known.get(query)
    if paged is None:
        paged = _known[query] = _paged(query)
    rows = await db.all(paged, page_start=page.start, page_limit=page.limit, **values)
    return Found(rows[0].page_total, [row for row in rows if row.page_row is not None])


def _paged(query: Select[Any]) -> Select[Any]:
    """The total beside each row of the page, and alone where the page is empty."""
    count = select(func.count().label("page_total")).select_from(query.order_by(None).subquery()).subquery()
    page = query.limit(bindparam("page_limit")).offset(bindparam("page_start")).subquery()
    rows = select(*page.c, func.row_number().over().label("page_row")).subquery()
    columns = [column for column in rows.c if column.name != "page_row"]
    joined = count.outerjoin(rows, true())
    return select(*columns, rows.c.page_row, count.c.page_total).select_from(joined).order_by(rows.c.page_row)
