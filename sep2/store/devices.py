"""EndDevices."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, ScalarSelect, Table, and_, bindparam, delete, func, insert, select, update

from sep2.rules.authority import Role
from sep2.store import tables, tables_served
from sep2.store.connection import Connection
from sep2.store.customers import kept_firm
from sep2.store.many import among
from sep2.store.naming import keyed
from sep2.store.tables import client, connection, device_group, end_device, member

REPORTED = tuple(end_device.c[name] for name in ("set_max_w", "nameplate_w", "agreed_max_w", "agreed_nameplate_w"))
"""What decides the rating that a device's percentages are of, see `rules.ratings`."""


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new EndDevice."""
    return await db.add(insert(end_device).values(keyed(columns)))


async def one(db: Connection, device_id: int) -> Row[Any] | None:
    """An EndDevice by its id."""
    return await db.one(select(end_device).where(end_device.c.id == device_id))


_LFDI = select(end_device.c.lfdi).where(end_device.c.id == bindparam("device_id"))


async def lfdi_of(db: Connection, device_id: int) -> str | None:
    """The LFDI of an EndDevice."""
    found = await db.known(_LFDI, device_id=device_id)
    return found.lfdi if found else None


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
    """The devices at some connections, first come first: whose they are, whether they may be told, and their own group.

    Columns: connection_name, id, lfdi, holds_net_limit, set_max_w, nameplate_w, least_load_w,
    load_control_w, device_category, profile, protected, client_name, client_kind, enabled, own_group_id. Nobody is
    told flexible limits at a connection that is kept firm.
    """
    query = (
        select(
            connection.c.connection_id.label("connection_name"),
            end_device.c.id,
            end_device.c.lfdi,
            end_device.c.holds_net_limit,
            end_device.c.set_max_w,
            end_device.c.nameplate_w,
            end_device.c.least_load_w,
            end_device.c.load_control_w,
            end_device.c.device_category,
            client.c.profile,
            connection.c.protected,
            client.c.name.label("client_name"),
            client.c.kind.label("client_kind"),
            and_(end_device.c.enabled, client.c.enabled, ~kept_firm(connection.c.id)).label("enabled"),
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


WITH_COUNTS = select(
    end_device,
    _count(member).label("groups"),
    _count(tables.log_event).label("events"),
    _count(tables.subscription).label("subscriptions"),
)
"""An EndDevice with the lengths of the lists it links to."""
_ONE_SEEN = WITH_COUNTS.where(end_device.c.id == bindparam("device_id"))


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
    .distinct()
    .join(member, member.c.end_device_id == end_device.c.id)
    .join(client, client.c.id == end_device.c.client_id)
    .where(among(member.c.device_group_id, bindparam("groups")))
    .order_by(end_device.c.id)
)
_OF_PROFILE = _MEMBERS.where(client.c.profile == bindparam("profile"))


async def members(db: Connection, group_id: int) -> Sequence[Row[Any]]:
    """The devices of a group: id, lfdi, client_id, client_lfdi, profile, load_control_w, what each reported."""
    return await db.all(_MEMBERS, groups=[group_id])


async def members_of(db: Connection, groups: Sequence[int], *, profile: str) -> Sequence[Row[Any]]:
    """The same of the devices of some groups whose clients have a profile."""
    return await db.all(_OF_PROFILE, groups=list(groups), profile=profile)


_KIND = (
    client.c.lfdi.label("client_lfdi"),
    client.c.profile,
    end_device.c.modes_supported,
    end_device.c.doe_modes_supported,
    end_device.c.load_control_w,
)
_IN_GROUPS = among(member.c.device_group_id, bindparam("groups"))
_KINDS = (
    select(*_KIND)
    .distinct()
    .join_from(member, end_device, end_device.c.id == member.c.end_device_id)
    .join(client, client.c.id == end_device.c.client_id)
    .where(_IN_GROUPS)
    .order_by(client.c.lfdi)
)
_OF_KIND = (
    select(end_device.c.lfdi)
    .distinct()
    .join_from(member, end_device, end_device.c.id == member.c.end_device_id)
    .join(client, client.c.id == end_device.c.client_id)
    .where(_IN_GROUPS, *(column.is_not_distinct_from(bindparam(f"its_{column.name}")) for column in _KIND[1:]))
    .where(client.c.lfdi == bindparam("its_client_lfdi"))
    .order_by(end_device.c.lfdi)
)


async def kinds_of_members(db: Connection, groups: Sequence[int]) -> Sequence[Row[Any]]:
    """What differs among the devices of some groups in what they can carry.

    Columns: client_lfdi, profile, modes_supported, doe_modes_supported and load_control_w.
    """
    return await db.all(_KINDS, groups=list(groups))


async def members_of_kind(db: Connection, groups: Sequence[int], kind: Row[Any]) -> list[str]:
    """The LFDIs of the devices of some groups that are of one of those kinds."""
    said = {f"its_{name}": value for name, value in kind._mapping.items()}
    return [row.lfdi for row in await db.all(_OF_KIND, groups=list(groups), **said)]


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
