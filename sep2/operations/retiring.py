"""Programs in which nothing is said any more; what was said can still be looked up."""

from typing import Any

from sep2.operations import controls as issued
from sep2.operations.resuming import alive
from sep2.rules.told_times import told
from sep2.store import controls
from sep2.store import groups as stored_groups
from sep2.store.connection import Connection


async def retire(db: Connection, group: Any, now: int) -> None:
    """Nothing is said in a program any more; what was can still be looked up."""
    parts = [row for row in await controls.standing(db, group.id, now) if alive(row, now)]
    if parts:
        await issued.withdraw(db, parts, now, reason="removed")
    name = f"{group.name}, until {told(now)} ({group.id})"
    await stored_groups.update_one(db, group.id, connection_id=None, end_device_id=None, name=name, removed=now)
