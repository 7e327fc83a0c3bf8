"""Who a certificate is, and which device it may act for: one statement, asked anew with every request."""

from typing import Any

from sqlalchemy import Row, bindparam, func, select

from sep2.store import devices
from sep2.store.connection import Connection
from sep2.store.identities import ACTS, client_with
from sep2.store.tables import client, client_identity, end_device, member

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
    *devices.REPORTED,
    end_device.c.load_control_w,
    end_device.c.device_category,
    end_device.c.fsa_mrid,
    end_device.c.enabled,
    end_device.c.connection_id,
    end_device.c.claimed_connection,
)

_WHOSE = client.c.id == client_with(bindparam("lfdi"))
_CALLER = select(*_CLIENT).where(_WHOSE, client.c.enabled)
_ACTING_FOR = (
    select(*_CLIENT, *_DEVICE)
    .join_from(client, end_device, end_device.c.client_id == client.c.id)
    .where(_WHOSE, client.c.enabled, end_device.c.id == bindparam("edev"))
)
_ACTING_IN = _ACTING_FOR.join(member, member.c.end_device_id == end_device.c.id).where(
    member.c.device_group_id == bindparam("group")
)
# A client that is itself an EndDevice may name it by any of its certificates.
_BY_OTHER = (
    select(client.c.lfdi)
    .join_from(client, client_identity, client_identity.c.client_id == client.c.id)
    .where(client_identity.c.lfdi == bindparam("lfdi"), ACTS, client.c.id == bindparam("client"))
    .scalar_subquery()
)
_MANAGES = select(end_device.c.id).where(
    end_device.c.lfdi == func.coalesce(_BY_OTHER, bindparam("lfdi")),
    end_device.c.client_id == bindparam("client"),
    end_device.c.enabled,
)


async def caller(db: Connection, lfdi: str) -> Row[Any] | None:
    """The authorised client that has this LFDI."""
    return await db.known(_CALLER, lfdi=lfdi)


async def acting_for(db: Connection, lfdi: str, edev: int) -> Row[Any] | None:
    """The client, and the device it acts for, if it may."""
    return await db.known(_ACTING_FOR, lfdi=lfdi, edev=edev)


async def acting_in(db: Connection, lfdi: str, edev: int, *, group: int) -> Row[Any] | None:
    """The client and its device, if that device is a member of the group."""
    return await db.known(_ACTING_IN, lfdi=lfdi, edev=edev, group=group)


async def manages(db: Connection, client_id: int, lfdi: str) -> int | None:
    """The EndDevice with this LFDI, if the client may act for it."""
    found = await db.known(_MANAGES, client=client_id, lfdi=lfdi)
    return found.id if found else None
