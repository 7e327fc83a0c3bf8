"""Controls that were issued anew to one device, because what its percentages are of has changed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, bindparam, func, insert, select

from sep2.store.connection import Connection
from sep2.store.controls import COLUMNS, GOES_ON, Control
from sep2.store.tables import control, member
from sep2.store.tables_served import control_edition as t

FIRST_NUMBER = 10**15
"""Editions follow controls in the numbers that hrefs are made of."""


class Edition(NamedTuple):
    """One row; ratings in watts, None where not known. creationTimes rise; `since` is when it took effect."""

    id: int
    control_id: int
    mrid: str
    created: int
    since: int
    rating_w: int | None
    before_w: int | None


_FIELDS = tuple(t.c[name] for name in Edition._fields)


def _of_device(*columns: Any) -> Select[Any]:
    query = select(*columns).join_from(t, control, control.c.id == t.c.control_id)
    return query.where(t.c.end_device_id == bindparam("device_id"))


_LISTED = _of_device(*_FIELDS).where(
    control.c.device_group_id == bindparam("group_id"), control.c.latest_end > bindparam("since")
)
_OF_CONTROL = _of_device(*_FIELDS).where(t.c.control_id == bindparam("control_id"))
_CONTROL_ID = select(t.c.control_id).where(t.c.id == bindparam("edition"), t.c.end_device_id == bindparam("device_id"))
_EDITED = (
    _of_device(control.c.device_group_id, func.count(t.c.control_id.distinct()).label("controls"))
    .where(control.c.latest_end > bindparam("since"))
    .group_by(control.c.device_group_id)
)
_LIMITING = (
    select(*COLUMNS)
    .join_from(control, member, member.c.device_group_id == control.c.device_group_id)
    .where(member.c.end_device_id == bindparam("device_id"), *GOES_ON)
    .where(control.c.export_limit_w.is_not(None) | control.c.gen_limit_w.is_not(None))
    .order_by(control.c.id)
)


async def listed(db: Connection, device_id: int, group_id: int, since: int) -> dict[int, list[Edition]]:
    """The editions of a group's controls that end after `since`, by control, in the order they were made."""
    rows = await db.all(_LISTED.order_by(t.c.id), device_id=device_id, group_id=group_id, since=since)
    return _by_control(rows)


async def of_control(db: Connection, device_id: int, control_id: int) -> list[Edition]:
    """The editions of one control, in the order they were made."""
    rows = await db.all(_OF_CONTROL.order_by(t.c.id), device_id=device_id, control_id=control_id)
    return [Edition._make(row) for row in rows]


async def control_of(db: Connection, device_id: int, edition: int) -> int | None:
    """The id of the control that an edition is of."""
    found = await db.one(_CONTROL_ID, device_id=device_id, edition=edition)
    return found.control_id if found else None


async def edited(db: Connection, device_id: int, since: int) -> dict[int, int]:
    """How many controls of each group that end after `since` have editions for the device."""
    rows = await db.all(_EDITED, device_id=device_id, since=since)
    return {row.device_group_id: row.controls for row in rows}


async def limiting(db: Connection, device_id: int, now: int) -> list[Control]:
    """The controls that hold for a device, or will, and limit what it generates or exports."""
    return [Control._make(row) for row in await db.all(_LIMITING, device_id=device_id, now=now)]


async def add(db: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Store editions."""
    if rows:
        await db.run(insert(t), list(rows))


def _by_control(rows: Sequence[Row[Any]]) -> dict[int, list[Edition]]:
    found: dict[int, list[Edition]] = {}
    for row in rows:
        found.setdefault(row.control_id, []).append(Edition._make(row))
    return found
