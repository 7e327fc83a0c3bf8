"""EndDeviceLists: the rows of a page are found in an index, and only these are read."""

from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Subquery, bindparam, case, func, literal, select, true, union_all

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.devices import WITH_COUNTS
from sep2.store.page import Found
from sep2.store.tables import end_device

_START: ColumnElement[int] = bindparam("page_start")
_LIMIT: ColumnElement[int] = bindparam("page_limit")


async def of_client(db: Connection, client_id: int, client_lfdi: str, page: Page) -> Found[Row[Any]]:
    """The devices a client may act for: its own entry first, then the latest changed first."""
    values: dict[str, Any] = {"client_id": client_id, "client_lfdi": client_lfdi}
    query = LISTED
    if page.after is not None:
        query, values["since"] = LISTED_SINCE, page.after
    rows = await db.all(query, page_start=page.start, page_limit=page.limit, **values)
    return Found(rows[0].page_total, [row for row in rows if row.id is not None])


def _paged(*which: ColumnElement[bool]) -> Select[Any]:
    """A page of the devices that fulfil a condition, each row with their total; the total alone where it is empty."""
    whose = (end_device.c.client_id == bindparam("client_id"), *which)
    key = select(end_device.c.id, end_device.c.changed, end_device.c.sfdi).where(*whose)
    own = key.where(end_device.c.lfdi == bindparam("client_lfdi")).subquery("own")
    total = select(func.count().label("page_total")).select_from(end_device).where(*whose).subquery("total")
    is_other = end_device.c.id != func.coalesce(select(own.c.id).scalar_subquery(), 0)
    keys = _keys(own, key.where(is_other))
    # Where the page is empty the total has a row of its own.
    rows = total.outerjoin(keys, true()).outerjoin(end_device, end_device.c.id == keys.c.id)
    query = WITH_COUNTS.add_columns(total.c.page_total).select_from(rows)
    return query.order_by(keys.c.place, keys.c.changed.desc(), keys.c.sfdi, keys.c.id)


def _keys(own: Subquery, others: Select[Any]) -> Subquery:
    """The keys of a page: the own entry, where the page begins with it, and others in the order of their index."""
    before = select(func.count()).select_from(own).scalar_subquery()
    skipped = case((before < _START, _START - before), else_=0)
    wanted = case((_START == 0, case((before < _LIMIT, _LIMIT - before), else_=0)), else_=_LIMIT)
    ordered = others.order_by(end_device.c.changed.desc(), end_device.c.sfdi, end_device.c.id)
    later = ordered.limit(wanted).offset(skipped).subquery("others")
    return union_all(
        select(literal(0).label("place"), own).where(_START == 0, _LIMIT > 0),
        select(literal(1), later),
    ).subquery("keys")


LISTED = _paged()
LISTED_SINCE = _paged(end_device.c.changed > bindparam("since"))
