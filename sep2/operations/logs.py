"""Events that devices report."""

from typing import Any

from sep2.operations.der_events import take_log_event
from sep2.store import logs, outbox
from sep2.store.connection import Connection


async def log(db: Connection, device_id: int, *, now: int, most: int, **columns: Any) -> tuple[int, bool]:
    """The id of the event, and whether it was not known before; of more than `most` the oldest are dropped."""
    known = await logs.same(db, device_id, columns)
    if known is not None:
        return known, False
    event_id = await logs.add(db, end_device_id=device_id, received=now, **columns)
    await logs.drop_oldest(db, device_id, keep=most)
    await take_log_event(
        db,
        device_id,
        function_set=columns["function_set"],
        profile_id=columns["profile_id"],
        code=columns["log_event_code"],
        now=now,
    )
    await outbox.changed(db, "LogEventList", edev=device_id)
    return event_id, True
