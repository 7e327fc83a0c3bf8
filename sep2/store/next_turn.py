"""Until when a device's programs read the same, if nobody changes anything: when the next control begins or ends."""

from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Select, bindparam, case, func, or_, select

from sep2.store.connection import Connection
from sep2.store.controls import Seen
from sep2.store.tables import control as c
from sep2.store.tables import member
from sep2.store.tables_served import control_edition

_NOW: BindParameter[int] = bindparam("now", type_=BigInteger)
_LISTED_S: BindParameter[int] = bindparam("listed_s", type_=BigInteger)


def _next(when: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.min(case((when > _NOW, when)))


_TIMES = (c.c.earliest_start, c.c.successor_start, c.c.latest_end, c.c.latest_end + _LISTED_S)
_TURNS = tuple(_next(when) for when in _TIMES)
# A time of a status that is yet to come is shown as the present, which is another in each second.
_IS_AHEAD = or_(c.c.created > _NOW, c.c.cancelled > _NOW, c.c.successor_created > _NOW)
_AHEAD = func.max(case((_IS_AHEAD, 1), else_=0)).label("is_ahead")
_LISTED = c.c.latest_end > _NOW - _LISTED_S


# What was issued anew to one device has times of its own.
_EDITED = (
    select(func.count(control_edition.c.id))
    .join_from(control_edition, c, c.c.id == control_edition.c.control_id)
    .where(control_edition.c.end_device_id == bindparam("device_id"), _LISTED)
    .correlate(None)
    .scalar_subquery()
    .label("edited")
)


def _of(which: ColumnElement[bool]) -> Select[Any]:
    return select(*_TURNS, _AHEAD, _EDITED).where(which, _LISTED)


_OF_GROUP = _of(c.c.device_group_id == bindparam("group_id"))
_OF_DEVICE = _of(
    c.c.device_group_id.in_(select(member.c.device_group_id).where(member.c.end_device_id == bindparam("device_id")))
)


async def next_turn(db: Connection, device_id: int, group_id: int | None, seen: Seen) -> int | None:
    """When the programs of a device, or one of them, read differently by the clock alone; None: never."""
    given = {"now": seen.now, "listed_s": seen.listed_after_end_s, "device_id": device_id}
    if group_id is None:
        row = await db.one(_OF_DEVICE, **given)
    else:
        row = await db.one(_OF_GROUP, group_id=group_id, **given)
    assert row is not None  # it counts
    if row.is_ahead or row.edited:
        return seen.now + 1
    return min((when for when in row[: len(_TURNS)] if when is not None), default=None)
