"""Who and what alarms are about, by the identifiers in their subjects."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, select

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.tables import client, connection, control, device_group, end_device

_DEVICE = (
    end_device.c.lfdi,
    end_device.c.name,
    connection.c.connection_id.label("connection_name"),
    client.c.name.label("client_name"),
)


async def clients(db: Connection, lfdis: Collection[str]) -> Sequence[Row[Any]]:
    """Clients by their LFDIs: lfdi and name."""
    return await db.all(select(client.c.lfdi, client.c.name).where(among(client.c.lfdi, lfdis)))


async def named_clients(db: Connection, names: Collection[str]) -> set[str]:
    """Those of some names that clients have."""
    query = select(client.c.name).where(among(client.c.name, names), client.c.removed.is_(None))
    return {row.name for row in await db.all(query)}


async def devices(db: Connection, lfdis: Collection[str]) -> Sequence[Row[Any]]:
    """Devices by their LFDIs: lfdi, name, connection_name and client_name."""
    query = select(*_DEVICE).join_from(end_device, client).outerjoin(connection)
    return await db.all(query.where(among(end_device.c.lfdi, lfdis)))


async def connections(db: Connection, names: Collection[str]) -> Sequence[Row[Any]]:
    """Connections by their ids: connection_name, and client_name of the device that holds the limits there, if any."""
    query = select(connection.c.connection_id.label("connection_name"), client.c.name.label("client_name"))
    query = query.outerjoin_from(
        connection, end_device, (end_device.c.connection_id == connection.c.id) & end_device.c.holds_net_limit
    ).outerjoin(client, client.c.id == end_device.c.client_id)
    return await db.all(query.where(among(connection.c.connection_id, names)))


async def controls(db: Connection, mrids: Collection[str]) -> Sequence[Row[Any]]:
    """Controls by their mRIDs: mrid, start, description and group_name."""
    query = select(control.c.mrid, control.c.start, control.c.description, device_group.c.name.label("group_name"))
    return await db.all(query.join_from(control, device_group).where(among(control.c.mrid, mrids)))
