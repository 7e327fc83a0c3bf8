"""What is forgotten once it is old enough."""

from typing import Any

from sqlalchemy import Delete, bindparam, delete, select

from sep2.store.connection import Connection
from sep2.store.tables import control, reading, response

AT_ONCE = 5000
"""Rows in one transaction, so that nobody waits long for the database."""

_OLD_CONTROLS = select(control.c.id).where(control.c.latest_end < bindparam("before")).limit(AT_ONCE)
_KEPT = select(response.c.control_id).where(response.c.control_id == control.c.id).exists()


def _some(table: Any, key: Any, old: Any) -> Delete:
    return delete(table).where(key.in_(select(key).where(old).limit(AT_ONCE)))


_RESPONSES = _some(response, response.c.id, response.c.received < bindparam("before"))
_CONTROLS = delete(control).where(control.c.id.in_(_OLD_CONTROLS.where(~_KEPT)))
_READINGS = delete(reading).where(reading.c.received < bindparam("before"))


async def forget(db: Connection, *, responses: int, controls: int, readings: int) -> int:
    """Delete what is from before these times, a part at a time; how many went. A control outlives its responses."""
    gone = 0
    for statement, before in ((_RESPONSES, responses), (_CONTROLS, controls), (_READINGS, readings)):
        gone += (await db.run(statement, {"before": before})).rowcount
    return gone
