"""Chargers and other loads that nobody can tell a limit of what they draw."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select

from sep2.rules.reach import CSIP, LOADS
from sep2.store.connection import Connection
from sep2.store.tables import client, connection, end_device

IS_UNCONTROLLED: ColumnElement[bool] = and_(
    client.c.profile == CSIP,
    end_device.c.device_category.is_not(None),
    end_device.c.load_control_w.is_(None),
    end_device.c.device_category.op("&")(LOADS) != 0,
)
"""Of devices and their clients: it says that it is a load, and neither its profile nor load control bounds that."""
_THERE = (end_device.c.enabled, client.c.enabled, client.c.removed.is_(None), IS_UNCONTROLLED)


async def count(db: Connection) -> int:
    """How many there are."""
    query = select(func.count().label("n")).join_from(client, end_device, end_device.c.client_id == client.c.id)
    row = await db.one(query.where(*_THERE))
    return row.n if row else 0


async def some(db: Connection, most: int) -> Sequence[Row[Any]]:
    """The first of them: lfdi, name, and the id of its connection."""
    columns = end_device.c.lfdi, end_device.c.name, connection.c.connection_id.label("connection_name")
    query = select(*columns).join_from(client, end_device, end_device.c.client_id == client.c.id)
    query = query.outerjoin(connection, connection.c.id == end_device.c.connection_id).where(*_THERE)
    return await db.all(query.order_by(end_device.c.id).limit(most))
