"""Who a certificate is, and which device it may act for: one statement, asked anew with every request."""

from typing import Any

from sqlalchemy import Row, Select, select

from sep2.store.connection import Connection
from sep2.store.tables import client, end_device, member

_CLIENT = (
    client.c.id.label("client"),
    client.c.lfdi.label("client_lfdi"),
    client.c.kind,
    client.c.profile,
    client.c.registration,
    client.c.receiver_hosts,
)
_DEVICE = (
    end_device.c.id.label("edev"),
    end_device.c.lfdi,
    end_device.c.set_max_w,
    end_device.c.fsa_mrid,
    end_device.c.connection_id,
)


async def caller(db: Connection, lfdi: str) -> Row[Any] | None:
    """The authorised client that has this LFDI."""
    return await db.one(select(*_CLIENT).where(client.c.lfdi == lfdi, client.c.enabled))


async def acting_for(db: Connection, lfdi: str, edev: int) -> Row[Any] | None:
    """The client, and the device it acts for, if it may."""
    return await db.one(_acting(lfdi, edev))


async def acting_in(db: Connection, lfdi: str, edev: int, *, group: int) -> Row[Any] | None:
    """The client and its device, if that device is a member of the group."""
    joined = _acting(lfdi, edev).join(member, member.c.end_device_id == end_device.c.id)
    return await db.one(joined.where(member.c.device_group_id == group))


def _acting(lfdi: str, edev: int) -> Select[Any]:
    query = select(*_CLIENT, *_DEVICE).join_from(client, end_device, end_device.c.client_id == client.c.id)
    return query.where(client.c.lfdi == lfdi, client.c.enabled, end_device.c.id == edev)


async def manages(db: Connection, client_id: int, lfdi: str) -> int | None:
    """The EndDevice with this LFDI, if the client may act for it."""
    found = await db.one(select(end_device.c.id).where(end_device.c.lfdi == lfdi, end_device.c.client_id == client_id))
    return found.id if found else None
