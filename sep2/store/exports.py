"""The register as it is exported: whole lists in an order that stays."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select

from sep2.rules.cursor import Keyset
from sep2.store import territory
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.tables import client, connection, end_device, place


async def clients(db: Connection, page: Keyset) -> Following:
    """Clients by name."""
    return await select_following(
        db, select(client).where(client.c.removed.is_(None)).order_by(client.c.name_key), page
    )


async def connections(db: Connection, page: Keyset) -> Following:
    """Connections by id, each with the name of its place."""
    query = select(connection, place.c.name.label("place_name"))
    query = query.outerjoin(place, place.c.id == connection.c.place_id).where(connection.c.name_key.is_not(None))
    return await select_following(db, query.order_by(connection.c.connection_id), page)


async def devices(db: Connection, page: Keyset) -> Following:
    """Devices that obey, by LFDI, each with its client and its connection; not those that are their own client."""
    columns: tuple[Any, ...] = (client.c.name.label("client_name"), connection.c.connection_id.label("connection_name"))
    query = select(end_device, *columns).join_from(end_device, client, client.c.id == end_device.c.client_id)
    query = query.outerjoin(connection, connection.c.id == end_device.c.connection_id)
    query = query.where(client.c.removed.is_(None), client.c.lfdi != end_device.c.lfdi)
    return await select_following(db, query.order_by(end_device.c.lfdi), page)


LISTS: dict[str, Callable[[Connection, Keyset], Awaitable[Following]]] = {
    "clients": clients,
    "places": territory.listed,
    "connections": connections,
    "devices": devices,
}
