"""What devices answered to controls."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, insert, select

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.page import Found, select_page
from sep2.store.tables import control, end_device, response


def _columns() -> tuple[Any, ...]:
    return (
        response.c.id,
        response.c.status,
        response.c.created,
        response.c.received,
        control.c.mrid,
        response.c.subject,
        end_device.c.lfdi,
    )


_ADD = insert(response)
_OF_DEVICE = select(response.c.id).where(response.c.end_device_id == bindparam("device_id"))
_LISTED = (
    select(*_columns())
    .join_from(response, control)
    .join(end_device)
    .where(response.c.end_device_id == bindparam("device_id"))
    .order_by(response.c.created.desc(), response.c.id.desc())
)


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new response."""
    return (await db.run(_ADD, columns)).inserted_id


async def of_device(db: Connection, device_id: int, page: Page) -> Found[Row[Any]]:
    """A device's responses, latest first."""
    return await select_page(db, _LISTED, page, counting=_OF_DEVICE, device_id=device_id)


async def one(db: Connection, device_id: int, response_id: int) -> Row[Any] | None:
    """A response of a device by its id."""
    query = select(*_columns()).join_from(response, control).join(end_device)
    return await db.one(query.where(response.c.end_device_id == device_id, response.c.id == response_id))


async def to_control(db: Connection, control_id: int) -> Sequence[Row[Any]]:
    """All responses to one control, in the order they came in."""
    query = select(*_columns()).join_from(response, control).join(end_device)
    return await db.all(query.where(response.c.control_id == control_id).order_by(response.c.id))
