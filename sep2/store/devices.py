"""EndDevices."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, ScalarSelect, Table, and_, bindparam, delete, func, insert, select, update

from sep2.rules.authority import Role
from sep2.rules.paging import Page
from sep2.store import tables, tables_served
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.naming import keyed
from sep2.store.page import Found, select_page
from sep2.store.tables import client, connection, device_group, end_device, member

REPORTED = tuple(end_device.c[name] for name in ("set_max_w", "nameplate_w", "agreed_max_w", "agreed_nameplate_w"))
"""What decides the rating that a device's percentages are of, see `rules.ratings`."""


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new EndDevice."""
    return await db.add(insert(end_device).values(keyed(columns)))


async def one(db: Connection, device_id: int) -> Row[Any] | None:
    """An EndDevice by its id."""
    return await db.one(select(end_device).where(end_device.c.id == device_id))


async def by_lfdi(db: Connection, lfdi: str) -> Row[Any] | None:
    """An EndDevice by its LFDI."""
    return await db.one(select(end_device).where(end_device.c.lfdi == lfdi))


async def net_limit_holder(db: Connection, connection_id: int) -> Row[Any] | None:
    """The EndDevice that holds the import and export limits of a connection."""
    query = select(end_device).where(end_device.c.connection_id == connection_id, end_device.c.holds_net_limit)
    return await db.one(query)


async def own_group(db: Connection, device_id: int) -> Row[Any] | None:
    """The group that is a device's own, which one that holds no net limits has."""
    own = device_group.c.end_device_id == device_id, device_group.c.role == Role.DEVICE
    return await db.one(select(device_group).where(*own))


async def at_connections(db: Connection, connection_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """The devices at some connections, first come first: whose they are, whether they may connect, and their own group.

    Columns: connection_name, id, lfdi, holds_net_limit, set_max_w, least_load_w, load_control_w, profile, enabled,
    own_group_id.
    """
    query = (
        select(
            connection.c.connection_id.label("connection_name"),
            end_device.c.id,
            end_device.c.lfdi,
            end_device.c.holds_net_limit,
            end_device.c.set_max_w,
            end_device.c.least_load_w,
            end_device.c.load_control_w,
            client.c.profile,
            and_(end_device.c.enabled, client.c.enabled).label("enabled"),
            device_group.c.id.label("own_group_id"),
        )
        .join_from(connection, end_device, end_device.c.connection_id == connection.c.id)
        .join(client, client.c.id == end_device.c.client_id)
        .outerjoin(
            device_group, (device_group.c.end_device_id == end_device.c.id) & (device_group.c.role == Role.DEVICE)
        )
    )
    return await db.all(query.where(among(connection.c.connection_id, connection_ids)).order_by(end_device.c.id))


def _count(table: Table) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).where(table.c.end_device_id == end_device.c.id).scalar_subquery()


_SEEN = select(
    end_device,
    _count(member).label("groups"),
    _count(tables.log_event).label("events"),
    _count(tables.subscription).label("subscriptions"),
)


_ONE_SEEN = _SEEN.where(end_device.c.id == bindparam("device_id"))
_OWN_FIRST = (end_device.c.lfdi != bindparam("client_lfdi")).asc()
_OF_CLIENT = _SEEN.where(end_device.c.client_id == bindparam("client_id")).order_by(
    _OWN_FIRST, end_device.c.changed.desc(), end_device.c.sfdi, end_device.c.id
)
_OF_CLIENT_SINCE = _OF_CLIENT.where(end_device.c.changed > bindparam("since"))


def _of(table: Table) -> ScalarSelect[int]:
    return select(func.count()).where(table.c.client_id == bindparam("client_id")).scalar_subquery()


_OWN_ENTRY = (
    select(end_device.c.id)
    .join_from(end_device, client, client.c.id == end_device.c.client_id)
    .where(client.c.id == bindparam("client_id"), end_device.c.lfdi == client.c.lfdi)
)
_COUNTS = select(
    _of(end_device).label("devices"),
    _of(tables.mirror_usage_point).label("mirrors"),
    _OWN_ENTRY.scalar_subquery().label("own"),
)


async def seen(db: Connection, device_id: int) -> Row[Any] | None:
    """An EndDevice with the lengths of the lists it links to."""
    return await db.one(_ONE_SEEN, device_id=device_id)


async def any_of(db: Connection, client_id: int) -> bool:
    """Whether a client acts for any device."""
    return await db.one(select(end_device.c.id).where(end_device.c.client_id == client_id).limit(1)) is not None


async def count_of(db: Connection, client_id: int) -> Row[Any] | None:
    """How many devices and usage points a client has: `devices`, `mirrors`; and `own`, the EndDevice that is itself."""
    return await db.one(_COUNTS, client_id=client_id)


async def of_client(db: Connection, client_id: int, client_lfdi: str, page: Page) -> Found[Row[Any]]:
    """The devices a client may act for: its own entry first, then the latest changed first."""
    whose = {"client_id": client_id, "client_lfdi": client_lfdi}
    if page.after is None:
        return await select_page(db, _OF_CLIENT, page, **whose)
    return await select_page(db, _OF_CLIENT_SINCE, page, **whose, since=page.after)


async def update_one(db: Connection, device_id: int, **columns: Any) -> None:
    """Change columns of one EndDevice."""
    await db.run(update(end_device).where(end_device.c.id == device_id).values(columns))


_MEMBERS = (
    select(
        *(end_device.c[name] for name in ("id", "lfdi", "client_id")),
        client.c.lfdi.label("client_lfdi"),
        client.c.profile,
        end_device.c.load_control_w,
        *REPORTED,
    )
    .join(member, member.c.end_device_id == end_device.c.id)
    .join(client, client.c.id == end_device.c.client_id)
    .where(member.c.device_group_id == bindparam("group_id"))
    .order_by(end_device.c.id)
)
_MEMBERS_OF_PROFILE = _MEMBERS.where(client.c.profile == bindparam("profile"))


async def members(db: Connection, group_id: int, *, profile: str | None = None) -> Sequence[Row[Any]]:
    """The devices of a group, of clients with a profile if so asked.

    Columns: id, lfdi, client_id, client_lfdi, profile, load_control_w, what it reported.
    """
    if profile is not None:
        return await db.all(_MEMBERS_OF_PROFILE, group_id=group_id, profile=profile)
    return await db.all(_MEMBERS, group_id=group_id)


_KIND = (
    client.c.lfdi.label("client_lfdi"),
    client.c.profile,
    end_device.c.modes_supported,
    end_device.c.doe_modes_supported,
    end_device.c.load_control_w,
)
_KINDS = (
    select(*_KIND, func.count().label("devices"))
    .join_from(member, end_device, end_device.c.id == member.c.end_device_id)
    .join(client, client.c.id == end_device.c.client_id)
    .where(member.c.device_group_id == bindparam("group_id"))
    .group_by(*_KIND)
    .order_by(client.c.lfdi)
)


async def kinds_of_member(db: Connection, group_id: int) -> Sequence[Row[Any]]:
    """What differs among a group's devices in what they can carry.

    Columns: client_lfdi, profile, modes_supported, doe_modes_supported, load_control_w, and how many `devices` are so.
    """
    return await db.all(_KINDS, group_id=group_id)


async def remove(db: Connection, device_id: int) -> None:
    """Forget a device and everything it wrote."""
    await _forget_mirrors(db, device_id)
    for table in (
        member,
        tables_served.served_default,
        tables_served.control_edition,
        tables.der_document,
        tables.response,
        tables.log_event,
        tables.subscription,
    ):
        await db.run(delete(table).where(table.c.end_device_id == device_id))
    await db.run(delete(end_device).where(end_device.c.id == device_id))


async def _forget_mirrors(db: Connection, device_id: int) -> None:
    points = select(tables.mirror_usage_point.c.id).where(tables.mirror_usage_point.c.end_device_id == device_id)
    series = select(tables.mirror_meter_reading.c.id).where(
        tables.mirror_meter_reading.c.mirror_usage_point_id.in_(points)
    )
    for table in (tables.reading, tables.reading_set):
        await db.run(delete(table).where(table.c.mirror_meter_reading_id.in_(series)))
    await db.run(
        delete(tables.mirror_meter_reading).where(tables.mirror_meter_reading.c.mirror_usage_point_id.in_(points))
    )
    await db.run(delete(tables.mirror_usage_point).where(tables.mirror_usage_point.c.end_device_id == device_id))
