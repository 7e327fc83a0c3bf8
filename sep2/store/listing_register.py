"""What operators look up of clients, devices, connections and groups; each page comes with the names it needs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, ScalarSelect, Select, bindparam, func, select

from sep2.rules.authority import COMMANDS, Role
from sep2.rules.cursor import Keyset
from sep2.rules.names import key_of
from sep2.store.connection import Connection
from sep2.store.defaults import PLACE
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.prefix import begins
from sep2.store.tables import client, connection, default_control, der_document, device_group, end_device, member, place
from sep2.store.territory import below
from sep2.store.uncontrolled import IS_UNCONTROLLED

MOST_CANDIDATES = 10
"""Enough to tell that the beginning of an LFDI is not unique, and what it may mean."""
NET_LIMIT_HOLDER = (end_device.c.connection_id == connection.c.id) & end_device.c.holds_net_limit


async def clients(db: Connection, page: Keyset) -> Following:
    """Clients by name, each with how many devices it acts for."""
    return await select_following(db, _clients().order_by(client.c.name, client.c.id), page)


async def clients_like(db: Connection, start: str) -> Sequence[Row[Any]]:
    """The first clients whose LFDI begins so."""
    return await _like(db, _clients(), client.c.lfdi, start)


async def client_named(db: Connection, name: str) -> Row[Any] | None:
    """The client of that name."""
    return await db.one(_clients().where(client.c.name_key == key_of(name)))


def _clients() -> Select[Any]:
    query = select(client, _count(end_device.c.client_id == client.c.id).label("devices"))
    return query.where(client.c.removed.is_(None))


async def _like(db: Connection, query: Select[Any], column: Any, start: str) -> Sequence[Row[Any]]:
    found = query.where(begins(column, start.upper()))
    return await db.all(found.order_by(column).limit(MOST_CANDIDATES))


async def devices(
    db: Connection,
    page: Keyset,
    *,
    client_id: int | None = None,
    group_id: int | None = None,
    connection_id: int | None = None,
    uncontrolled: bool = False,
) -> Following:
    """Devices in the order of their registration, of one client, group or connection if so asked.

    uncontrolled: only loads that can be told no limit of what they draw.
    """
    query = _devices()
    if uncontrolled:
        query = query.where(IS_UNCONTROLLED)
    if connection_id is not None:
        query = query.where(end_device.c.connection_id == connection_id)
    if client_id is not None:
        query = query.where(end_device.c.client_id == client_id)
    if group_id is not None:
        query = query.join(member, member.c.end_device_id == end_device.c.id)
        query = query.where(member.c.device_group_id == group_id)
    return await select_following(db, query.order_by(end_device.c.id), page)


async def devices_like(db: Connection, start: str) -> Sequence[Row[Any]]:
    """The first devices whose LFDI begins so."""
    return await _like(db, _devices(), end_device.c.lfdi, start)


async def device_named(db: Connection, name: str) -> Row[Any] | None:
    """The device of that name."""
    return await db.one(_devices().where(end_device.c.name_key == key_of(name)))


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
    # Without the sum, the index on `removed` would be taken: from all clients to their devices.
    query = query.where((client.c.removed + 0).is_(None))
    own = (device_group.c.end_device_id == end_device.c.id) & (device_group.c.role == Role.DEVICE)
    return query.outerjoin(device_group, own)


async def connections(db: Connection, page: Keyset, *, place_id: int | None = None) -> Following:
    """Connections by their id, of one place if so asked, each with its own group and the holder of its limits."""
    query = _connections()
    if place_id is not None:
        query = query.where(connection.c.place_id.in_(select(below(place_id).c.id)))
    return await select_following(db, query.order_by(connection.c.connection_id), page)


async def connection_named(db: Connection, connection_id: str) -> Row[Any] | None:
    """One connection in the same form, by its id, or by one that differs in case only."""
    exact = await db.one(_connections().where(connection.c.connection_id == connection_id))
    return exact or await db.one(_connections().where(connection.c.name_key == key_of(connection_id)))


def _connections() -> Select[Any]:
    query = select(
        connection,
        device_group.c.name.label("group_name"),
        end_device.c.lfdi.label("device_lfdi"),
        place.c.name.label("place_name"),
    )
    own = (device_group.c.connection_id == connection.c.id) & (device_group.c.role == Role.CONNECTION)
    query = query.join_from(connection, device_group, own)
    query = query.outerjoin(place, place.c.id == connection.c.place_id)
    return query.outerjoin(end_device, NET_LIMIT_HOLDER)


async def groups(db: Connection, page: Keyset, *, every: bool = False) -> Following:
    """Groups, the most important first, each with how many devices it has; every: also operators' of one place."""
    query = _groups() if every else _groups().where(~among(device_group.c.role, COMMANDS))
    return await select_following(db, query.order_by(device_group.c.primacy, device_group.c.name), page)


async def group_named(db: Connection, name: str) -> Row[Any] | None:
    """One group in the same form."""
    return await db.one(_groups().where(device_group.c.name_key == key_of(name)))


async def groups_like(db: Connection, start: str) -> Sequence[Row[Any]]:
    """The first groups whose DERProgram has an mRID that begins so."""
    return await _like(db, _groups(), device_group.c.program_mrid, start)


def _groups() -> Select[Any]:
    members = select(func.count()).where(member.c.device_group_id == device_group.c.id).scalar_subquery()
    query = select(device_group, members.label("devices"), connection.c.connection_id.label("connection_name"))
    query = query.outerjoin(connection, connection.c.id == device_group.c.connection_id)
    return query.where(device_group.c.removed.is_(None))


async def defaults_over(db: Connection, device_id: int) -> Sequence[Row[Any]]:
    """The groups of a device with their defaults, the most important first, each with where the device is."""
    return await db.all(_OVER_DEVICE, device_id=device_id)


async def defaults_over_each(db: Connection, device_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """The same of several devices, by their ids."""
    found: dict[int, list[Row[Any]]] = {}
    for row in await db.all(_OVER_DEVICES, devices=list(device_ids)) if device_ids else ():
        found.setdefault(row.device, []).append(row)
    return found


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
_OVER_ANY = (
    _WITH_DEFAULTS.join(member, _IN_GROUP)
    .join(end_device, end_device.c.id == member.c.end_device_id)
    .outerjoin(connection, connection.c.id == end_device.c.connection_id)
    .add_columns(*PLACE, end_device.c.id.label("device"))
)
_OVER_DEVICE = _OVER_ANY.where(end_device.c.id == bindparam("device_id"))
_OVER_DEVICES = _OVER_ANY.where(among(end_device.c.id, bindparam("devices")))


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
    clients_ = _count(client.c.enabled & client.c.removed.is_(None))
    devices_ = _count(end_device.c.enabled)
    row = await db.one(select(clients_.label("clients"), devices_.label("devices")))
    return (row.clients, row.devices) if row else (0, 0)


def _count(condition: Any) -> ScalarSelect[int]:
    return select(func.count()).where(condition).scalar_subquery()
