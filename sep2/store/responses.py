"""What devices answered to controls."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, insert, select

from sep2.rules.paging import Page
from sep2.store import controls
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


_SAID = ("end_device_id", "status", "created", "received", "subject")
_GIVEN = [bindparam(f"its_{name}", type_=response.c[name].type) for name in _SAID]
_ADD = (
    insert(response)
    .from_select(["control_id", *_SAID], controls.ADDRESSED.add_columns(*_GIVEN).limit(1))
    .returning(response.c.id, response.c.control_id)
)
_OF_DEVICE = select(response.c.id).where(response.c.end_device_id == bindparam("device_id"))
_LISTED = (
    select(*_columns())
    .join_from(response, control)
    .join(end_device)
    .where(response.c.end_device_id == bindparam("device_id"))
    .order_by(response.c.created.desc(), response.c.id.desc())
)


async def add(
    db: Connection, device_id: int, mrid: str, *, status: int, created: int, received: int, subject: str | None = None
) -> Row[Any] | None:
    """A new response to the control that a device was told under an mRID: id, control_id; None where there is none.

    subject: the mRID that the device answered to, where that is another than the control's.
    """
    said = {"its_status": status, "its_created": created, "its_received": received, "its_subject": subject}
    return await db.one(_ADD, mrid=mrid, device_id=device_id, its_end_device_id=device_id, **said)


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
