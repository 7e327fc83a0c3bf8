"""DefaultDERControls: every group has one from its creation on."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.tables import client, connection, device_group, end_device, member
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


async def at_connections(db: Connection, connection_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Of each device at some connections the defaults of all programs that it is in, strongest first.

    Columns: connection_id, device, profile, holds_net_limit, and the limits.
    """
    limits = (d.c.import_limit_w, d.c.export_limit_w, d.c.gen_limit_w, d.c.load_limit_w)
    device = end_device.c.id.label("device"), client.c.profile, end_device.c.holds_net_limit
    query = (
        select(connection.c.connection_id, *device, *limits)
        .join_from(connection, end_device, end_device.c.connection_id == connection.c.id)
        .join(client, client.c.id == end_device.c.client_id)
        .join(member, member.c.end_device_id == end_device.c.id)
        .join(device_group, device_group.c.id == member.c.device_group_id)
        .join(d, d.c.device_group_id == device_group.c.id)
        .where(among(connection.c.connection_id, connection_ids))
    )
    return await db.all(query.order_by(device_group.c.primacy, device_group.c.program_mrid.desc()))
