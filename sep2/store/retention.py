"""What is forgotten once it is old enough."""

from typing import Any

from sqlalchemy import Delete, Table, bindparam, delete, exists, select, tuple_

from sep2.store.connection import Connection
from sep2.store.judged_tables import judged, judged_day, judged_sum
from sep2.store.seen_tables import document_history
from sep2.store.tables import control, curve, log_event, mirror_meter_reading, reading, reading_set, response

AT_ONCE = 5000
"""Rows of each kind in one transaction, so that nobody waits long for the database."""

_BEFORE: Any = bindparam("before")


def _oldest(table: Table) -> Delete:
    """The rows that came in first, as far as they are old: in the order of their ids, which is that of their times."""
    first = select(table.c.id, table.c.received).order_by(table.c.id).limit(AT_ONCE).subquery()
    return delete(table).where(table.c.id.in_(select(first.c.id).where(first.c.received < _BEFORE)))


_ANSWERED = exists().where(response.c.control_id == control.c.id)
_OVER = select(control.c.id).where(control.c.latest_end < _BEFORE, ~_ANSWERED).limit(AT_ONCE)
# Series by series, along the primary key: an index on the time would cost each reading more than the reading itself.
_KEY = list(reading.primary_key)
_OF_SERIES = select(*_KEY).join_from(mirror_meter_reading, reading).where(reading.c.start < _BEFORE).limit(AT_ONCE)

_SET_IDS = select(reading_set.c.id).join_from(mirror_meter_reading, reading_set)
_OLD_SETS = _SET_IDS.where(reading_set.c.received < _BEFORE).limit(AT_ONCE)

_RESPONSES, _LOG_EVENTS, _EDITIONS = _oldest(response), _oldest(log_event), _oldest(document_history)
_CONTROLS = delete(control).where(control.c.id.in_(_OVER))
# What linked to a curve was over when that was removed, but answers that came late may keep it.
_MAY_LINK = exists().where(
    control.c.device_group_id == curve.c.device_group_id,
    control.c.modes != "{}",
    control.c.created <= curve.c.removed,
)
_CURVES = delete(curve).where(curve.c.removed < _BEFORE, ~_MAY_LINK)
_JUDGED_KEY, _DAY_KEY = list(judged.primary_key), list(judged_day.primary_key)
_OLD_JUDGED = select(*_JUDGED_KEY).where(judged.c.start < _BEFORE).limit(AT_ONCE)
_OLD_DAYS = select(*_DAY_KEY).where(judged_day.c.day < _BEFORE).limit(AT_ONCE)
_JUDGED = delete(judged).where(tuple_(*_JUDGED_KEY).in_(_OLD_JUDGED))
_DAYS = delete(judged_day).where(tuple_(*_DAY_KEY).in_(_OLD_DAYS))
_SUMS_KEY = list(judged_sum.primary_key)
_OLD_SUMS = select(*_SUMS_KEY).where(judged_sum.c.day < _BEFORE).limit(AT_ONCE)
_SUMS = delete(judged_sum).where(tuple_(*_SUMS_KEY).in_(_OLD_SUMS))
_SETS = delete(reading_set).where(reading_set.c.id.in_(_OLD_SETS))
_READINGS = delete(reading).where(tuple_(*_KEY).in_(_OF_SERIES))


async def forget(
    db: Connection,
    *,
    responses: int,
    controls: int,
    readings: int,
    log_events: int,
    documents: int = 0,
    judged_intervals: int = 0,
    judged_days: int = 0,
) -> bool:
    """Delete what is from before these times, a part at a time; whether more may be left.

    A control outlives the responses to it, and a curve the controls that linked to it.
    """
    parts = (
        (_RESPONSES, responses),
        (_CONTROLS, controls),
        (_CURVES, controls),
        (_READINGS, readings),
        (_SETS, readings),
        (_LOG_EVENTS, log_events),
        (_EDITIONS, documents),
        (_JUDGED, judged_intervals),
        (_DAYS, judged_days),
        (_SUMS, judged_days),
    )
    gone = [(await db.run(statement, {"before": before})).rowcount for statement, before in parts]
    return max(gone) >= AT_ONCE
