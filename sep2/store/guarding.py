"""Members of a group that a control may not bound as it likes: protected connections, and controllable loads."""

from typing import Any

from sqlalchemy import Row, select

from sep2.store.connection import Connection
from sep2.store.tables import connection, end_device, member

MOST = 5


async def protected_in(db: Connection, group_id: int) -> list[str]:
    """The ids of the first protected connections in a group."""
    query = (
        select(connection.c.connection_id)
        .distinct()
        .join_from(member, end_device, end_device.c.id == member.c.end_device_id)
        .join(connection, connection.c.id == end_device.c.connection_id)
        .where(member.c.device_group_id == group_id, connection.c.protected != "none")
        .order_by(connection.c.connection_id)
    )
    return [row.connection_id for row in await db.all(query.limit(MOST))]


async def least_above(db: Connection, group_id: int, watts: int) -> Row[Any] | None:
    """The first device of a group to which a rule guarantees more than so many watts."""
    query = (
        select(end_device.c.lfdi, end_device.c.least_load_w)
        .join_from(member, end_device, end_device.c.id == member.c.end_device_id)
        .where(member.c.device_group_id == group_id, end_device.c.least_load_w > watts)
    )
    return await db.one(query.order_by(end_device.c.id).limit(1))
