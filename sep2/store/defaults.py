"""DefaultDERControls: every group has one from its creation on."""

from typing import Any

from sqlalchemy import Row, insert, select, update

from sep2.store.connection import Connection
from sep2.store.tables import default_control as d


async def add(db: Connection, group_id: int, mrid: str, now: int) -> None:
    """An empty default for a new group."""
    await db.run(insert(d).values(device_group_id=group_id, mrid=mrid, changed=now))


async def of_group(db: Connection, group_id: int) -> Row[Any] | None:
    """The default of a group."""
    return await db.one(select(d).where(d.c.device_group_id == group_id))


async def set_one(db: Connection, group_id: int, **columns: Any) -> None:
    """Change a default in place; its mRID stays and its version goes up."""
    await db.run(update(d).where(d.c.device_group_id == group_id).values(version=d.c.version + 1, **columns))
