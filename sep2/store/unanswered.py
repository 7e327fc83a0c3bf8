"""Controls that people sent and that devices owe an answer to."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from sep2.store.connection import Connection
from sep2.store.override_tables import override_control
from sep2.store.tables import client, control, end_device, member, response

RECEIVED, STARTED = 1, 2
"""Response.status: the event is received, and has started."""
ASKS_RECEIVED, ASKS_COURSE = 1, 2
"""Bits of responseRequired: that it was received; how it goes on."""
NOW: BindParameter[int] = bindparam("now")
KNOWN_AFTER: BindParameter[int] = bindparam("known_after")
ENDED_AFTER: BindParameter[int] = bindparam("ended_after")


def _answered(*statuses: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        response.c.control_id == control.c.id, response.c.end_device_id == member.c.end_device_id, *statuses
    )


def _later(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((one > other, one), else_=other)


_KNOWN = _later(control.c.created, member.c.since) + KNOWN_AFTER
_BEGINS = control.c.start + _later(func.coalesce(control.c.randomize_start, 0), literal_column("0")) + 60
_STAGES = {
    "received": and_(
        control.c.response_required.op("&")(ASKS_RECEIVED) != 0, NOW >= _KNOWN, ~_answered(response.c.status > 0)
    ),
    "started": and_(
        control.c.response_required.op("&")(ASKS_COURSE) != 0,
        _later(_BEGINS, _KNOWN) <= NOW,
        ~_answered(response.c.status > RECEIVED),
    ),
    "ended": and_(
        control.c.response_required.op("&")(ASKS_COURSE) != 0,
        control.c.latest_end + ENDED_AFTER <= NOW,
        ~_answered(response.c.status > STARTED),
    ),
}
_STAGE = case(*((condition, name) for name, condition in _STAGES.items()))
_OF_OVERRIDE = override_control.c.control_id == func.coalesce(control.c.continues, control.c.id)
_UNANSWERED = (
    select(
        control.c.mrid,
        override_control.c.override_id,
        end_device.c.lfdi,
        _STAGE.label("stage"),
    )
    .join_from(control, member, member.c.device_group_id == control.c.device_group_id)
    .join(end_device, end_device.c.id == member.c.end_device_id)
    .join(client, client.c.id == end_device.c.client_id)
    .outerjoin(override_control, _OF_OVERRIDE)
    .where(
        # As the index says it that has these few controls, and none of the many of envelopes.
        control.c.source != literal_column("'envelope'"),
        control.c.latest_end > bindparam("ended_since"),
        control.c.cancelled.is_(None),
        control.c.successor_created.is_(None),
        member.c.since <= control.c.earliest_start,
        end_device.c.enabled,
        client.c.enabled,
        or_(*_STAGES.values()),
    )
    .order_by(control.c.id, end_device.c.id)
    .limit(bindparam("most"))
)


async def unanswered(
    db: Connection, now: int, *, ended_since: int, known_after_s: int, ended_after_s: int, most: int
) -> Sequence[Row[Any]]:
    """Controls that people sent, each with a device that owes it an answer: mrid, override_id, lfdi, stage.

    stage: what the device has not said, `received`, `started` or `ended`. ended_since: those that ended before are left
    out, as are those that were cancelled or superseded. known_after_s: how long after it was issued, or after a device
    came to it, that should know of a control; ended_after_s: how long after its end it should have said so.
    """
    times = {"now": now, "known_after": known_after_s, "ended_after": ended_after_s, "ended_since": ended_since}
    return await db.all(_UNANSWERED, **times, most=most)
