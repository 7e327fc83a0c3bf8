"""LogEvents that devices posted."""

from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.page import Found, select_page
from sep2.store.tables import end_device
from sep2.store.tables import log_event as t

# Held until the end of the transaction; rows that refer to the device are written meanwhile.
_ONE_AT_A_TIME = (
    select(end_device.c.id).where(end_device.c.id == bindparam("device_id")).with_for_update(key_share=True)
)


async def same(db: Connection, device_id: int, columns: dict[str, Any]) -> int | None:
    """The id of the event that was posted before and is equal in all it says; of several requests one looks first."""
    await db.one(_ONE_AT_A_TIME, device_id=device_id)
    query = select(t.c.id).where(t.c.end_device_id == device_id)
    found = await db.one(query.where(*(t.c[name].is_not_distinct_from(said) for name, said in columns.items())))
    return found.id if found else None


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new event."""
    return await db.add(insert(t).values(columns))


_LATEST = select(t.c.id).where(t.c.end_device_id == bindparam("device_id")).order_by(t.c.id.desc())
_BEYOND = delete(t).where(t.c.id.in_(_LATEST.offset(bindparam("keep"))))


async def drop_oldest(db: Connection, device_id: int, *, keep: int) -> None:
    """Forget a device's events but for those that came in last."""
    await db.run(_BEYOND, {"device_id": device_id, "keep": keep})


_LISTED = (
    select(t)
    .where(t.c.end_device_id == bindparam("device_id"))
    .order_by(t.c.created.desc(), t.c.log_event_id.desc(), t.c.id.desc())
)
_LISTED_AFTER = _LISTED.where(t.c.created > bindparam("after"))


async def of_device(db: Connection, device_id: int, page: Page) -> Found[Row[Any]]:
    """A device's events, latest first."""
    if page.after is None:
        return await select_page(db, _LISTED, page, device_id=device_id)
    return await select_page(db, _LISTED_AFTER, page, device_id=device_id, after=page.after)


async def one(db: Connection, device_id: int, event_id: int) -> Row[Any] | None:
    """An event of a device by its id."""
    return await db.one(select(t).where(t.c.end_device_id == device_id, t.c.id == event_id))
