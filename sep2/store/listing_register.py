"""What operators look up of clients, devices, connections and groups; each page comes with the names it needs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, ScalarSelect, Select, bindparam, func, select

from sep2.rules.authority import OPERATORS, Role
from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.defaults import PLACE
from sep2.store.many import among
from sep2.store.page import Found, select_page
from sep2.store.tables import client, connection, default_control, der_document, device_group, end_device, member

NET_LIMIT_HOLDER = (end_device.c.connection_id == connection.c.id) & end_device.c.holds_net_limit


async def clients(db: Connection, page: Page) -> Found[Row[Any]]:
    """Clients by name, each with how many devices it acts for."""
    return await select_page(db, _clients().order_by(client.c.name, client.c.id), page)


async def clients_named(db: Connection, name: str) -> Sequence[Row[Any]]:
    """The clients that have this name, or this LFDI."""
    return await db.all(_clients().where((client.c.name == name) | (client.c.lfdi == name.upper())))


def _clients() -> Select[Any]:
    return select(client, _count(end_device.c.client_id == client.c.id).label("devices"))


async def devices(
    db: Connection, page: Page, *, client_id: int | None = None, group_id: int | None = None
) -> Found[Row[Any]]:
    """Devices in the order of their registration, of one client or one group if so asked."""
    query = _devices()
    if client_id is not None:
        query = query.where(end_device.c.client_id == client_id)
    if group_id is not None:
        query = query.join(member, member.c.end_device_id == end_device.c.id)
        query = query.where(member.c.device_group_id == group_id)
    return await select_page(db, query.order_by(end_device.c.id), page)


async def devices_like(db: Connection, start: str) -> Sequence[Row[Any]]:
    """At most two devices whose LFDI begins so: enough to tell whether the beginning is unique."""
    return await db.all(_devices().where(end_device.c.lfdi.startswith(start, autoescape=True)).limit(2))


def _devices() -> Select[Any]:
    query = select(
        end_device,
        client.c.name.label("client_name"),
        client.c.lfdi.label("client_lfdi"),
        client.c.profile,
        client.c.registration.label("client_registration"),
        connection.c.connection_id.label("connection_name"),
        connection.c.firm_import_w,
        connection.c.firm_export_w,
        device_group.c.name.label("own_group"),
    )
    query = query.join_from(end_device, client).outerjoin(connection, connection.c.id == end_device.c.connection_id)
    own = (device_group.c.end_device_id == end_device.c.id) & (device_group.c.role == Role.DEVICE)
    return query.outerjoin(device_group, own)


async def connections(db: Connection, page: Page) -> Found[Row[Any]]:
    """Connections by their id, each with its own group and the device that holds its limits."""
    return await select_page(db, _connections().order_by(connection.c.connection_id), page)


async def connection_named(db: Connection, connection_id: str) -> Row[Any] | None:
    """One connection in the same form."""
    return await db.one(_connections().where(connection.c.connection_id == connection_id))


def _connections() -> Select[Any]:
    query = select(connection, device_group.c.name.label("group_name"), end_device.c.lfdi.label("device_lfdi"))
    own = (device_group.c.connection_id == connection.c.id) & (device_group.c.role == Role.CONNECTION)
    query = query.join_from(connection, device_group, own)
    return query.outerjoin(end_device, NET_LIMIT_HOLDER)


async def groups(db: Connection, page: Page, *, every: bool = False) -> Found[Row[Any]]:
    """Groups, the most important first, each with how many devices it has; every: also operators' of one place."""
    query = _groups() if every else _groups().where(~among(device_group.c.role, OPERATORS))
    return await select_page(db, query.order_by(device_group.c.primacy, device_group.c.name), page)


async def group_named(db: Connection, name: str) -> Row[Any] | None:
    """One group in the same form."""
    return await db.one(_groups().where(device_group.c.name == name))


def _groups() -> Select[Any]:
    members = select(func.count()).where(member.c.device_group_id == device_group.c.id).scalar_subquery()
    query = select(device_group, members.label("devices"), connection.c.connection_id.label("connection_name"))
    return query.outerjoin(connection, connection.c.id == device_group.c.connection_id)


async def defaults_over(db: Connection, device_id: int) -> Sequence[Row[Any]]:
    """The groups of a device with their defaults, the most important first, each with where the device is."""
    return await db.all(_OVER_DEVICE, device_id=device_id)


async def defaults_at(db: Connection, *, connection_id: int | None) -> Sequence[Row[Any]]:
    """The programs of a connection with their defaults, the most important first."""
    return await db.all(_WITH_DEFAULTS.where(device_group.c.connection_id == connection_id))


_IN_GROUP = member.c.device_group_id == device_group.c.id
_WITH_DEFAULTS = (
    select(
        device_group.c.id,
        device_group.c.name,
        device_group.c.primacy,
        device_group.c.role,
        device_group.c.program_mrid,
        default_control,
    )
    .join(default_control, default_control.c.device_group_id == device_group.c.id)
    .order_by(device_group.c.primacy, device_group.c.program_mrid.desc())
)
_OVER_DEVICE = (
    _WITH_DEFAULTS.join(member, _IN_GROUP)
    .join(end_device, end_device.c.id == member.c.end_device_id)
    .outerjoin(connection, connection.c.id == end_device.c.connection_id)
    .add_columns(*PLACE)
    .where(end_device.c.id == bindparam("device_id"))
)


async def group_names(db: Connection, device_id: int) -> list[str]:
    """The names of a device's groups, the most important first."""
    query = select(device_group.c.name).join(member, member.c.device_group_id == device_group.c.id)
    ordered = query.order_by(device_group.c.primacy, device_group.c.program_mrid.desc())
    return [row.name for row in await db.all(ordered.where(member.c.end_device_id == device_id))]


async def documents_of(db: Connection, device_id: int) -> dict[str, int]:
    """When a device last wrote each of its documents."""
    query = select(der_document.c.kind, der_document.c.changed).where(der_document.c.end_device_id == device_id)
    return {row.kind: row.changed for row in await db.all(query.order_by(der_document.c.kind))}


async def totals(db: Connection) -> tuple[int, int]:
    """How many clients and devices there are."""
    clients_, devices_ = _count(client.c.enabled), _count(end_device.c.enabled)
    row = await db.one(select(clients_.label("clients"), devices_.label("devices")))
    return (row.clients, row.devices) if row else (0, 0)


def _count(condition: Any) -> ScalarSelect[int]:
    return select(func.count()).where(condition).scalar_subquery()
