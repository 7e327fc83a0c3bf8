"""DefaultDERControls: every group has one from its creation on, and each member is served it with what it inherits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.tables import client, connection, device_group, end_device, member, setting
from sep2.store.tables import default_control as d
from sep2.store.tables_served import served_default as s

LAYOUT, NEWCOMERS, FLOOR = "default_layout", "newcomers_group", "default_floor"
"""Names in the table of settings: how defaults are served; the id of the group of devices that nobody has put anywhere;
and import and export limit, as JSON, of whoever has none in any default."""


async def add(db: Connection, group_id: int, mrid: str, now: int) -> None:
    """An empty default for a new group."""
    await db.run(insert(d).values(device_group_id=group_id, mrid=mrid, changed=now))


async def of_group(db: Connection, group_id: int) -> Row[Any] | None:
    """The default of a group."""
    return await db.one(select(d).where(d.c.device_group_id == group_id))


_OF_GROUPS = select(d).where(among(d.c.device_group_id, bindparam("groups")))


async def of_groups(db: Connection, group_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """The defaults of several groups, by their ids."""
    return {row.device_group_id: row for row in await db.all(_OF_GROUPS, groups=list(group_ids))}


async def set_one(db: Connection, group_id: int, **columns: Any) -> None:
    """Change a default in place; its mRID stays and its version goes up."""
    await db.run(update(d).where(d.c.device_group_id == group_id).values(version=d.c.version + 1, **columns))


async def raise_versions(db: Connection) -> None:
    """Have every default read as changed."""
    await db.run(update(d).values(version=d.c.version + 1))


_SAID = tuple(
    d.c[name]
    for name in (
        "import_limit_w",
        "export_limit_w",
        "gen_limit_w",
        "load_limit_w",
        "modes",
        "set_grad_w",
        "set_soft_grad_w",
        "enter_service",
    )
)
PLACE = (
    end_device.c.holds_net_limit,
    end_device.c.connection_id.label("place"),
    connection.c.firm_import_w,
    connection.c.firm_export_w,
)


def _over(which: ColumnElement[bool], *more: ColumnElement[Any]) -> Select[Any]:
    """The programs of devices, each device's most important first: first what their defaults say, as in `Said`."""
    query = (
        select(
            *_SAID,
            end_device.c.id.label("device"),
            device_group.c.id.label("group_id"),
            device_group.c.primacy,
            device_group.c.program_mrid,
            *PLACE,
            *more,
        )
        .select_from(member)
        .join(end_device, end_device.c.id == member.c.end_device_id)
        .join(device_group, device_group.c.id == member.c.device_group_id)
        .join(d, d.c.device_group_id == device_group.c.id)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
        .where(which)
    )
    return query.order_by(end_device.c.id, device_group.c.primacy, device_group.c.program_mrid.desc())


_MOVED = and_(s.c.device_group_id == device_group.c.id, s.c.end_device_id == end_device.c.id)
_ONE = end_device.c.id == bindparam("device_id")
_OF_DEVICE = _over(_ONE)
_SERVED = _over(
    _ONE,
    d.c.mrid,
    d.c.version,
    device_group.c.name,
    select(s.c.moved).where(_MOVED).correlate(device_group, end_device).scalar_subquery().label("moved"),
)
_NEXT_MEMBERS = (
    select(member.c.end_device_id)
    .where(member.c.device_group_id == bindparam("group_id"), member.c.end_device_id > bindparam("after"))
    .order_by(member.c.end_device_id)
    .limit(bindparam("most"))
)
_OF_MEMBERS = _over(end_device.c.id.in_(_NEXT_MEMBERS))
_NEXT_DEVICES = (select(end_device.c.id).where(end_device.c.id > bindparam("after")).order_by(end_device.c.id)).limit(
    bindparam("most")
)
_OF_DEVICES = _over(end_device.c.id.in_(_NEXT_DEVICES))
_AT_PLACES = _over(
    among(connection.c.connection_id, bindparam("names")),
    connection.c.connection_id,
    client.c.profile,
    end_device.c.load_control_w,
    end_device.c.lfdi,
).join(client, client.c.id == end_device.c.client_id)


async def of_device(db: Connection, device_id: int) -> Sequence[Row[Any]]:
    """The programs of one device, the most important first, with what their defaults say and where the device is."""
    return await db.all(_OF_DEVICE, device_id=device_id)


async def served(db: Connection, device_id: int) -> Sequence[Row[Any]]:
    """The same, with the mRID and version of each default, and by how much the version that is served differs."""
    return await db.all(_SERVED, device_id=device_id)


async def of_members(db: Connection, group_id: int, after: int, most: int) -> Sequence[Row[Any]]:
    """The same of the next members of a group, by their ids: `most` of those with an id above `after`."""
    return await db.all(_OF_MEMBERS, group_id=group_id, after=after, most=most)


async def of_devices(db: Connection, after: int, most: int) -> Sequence[Row[Any]]:
    """The same of all devices that are in a group, by their ids."""
    return await db.all(_OF_DEVICES, after=after, most=most)


async def at_connections(db: Connection, connection_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """The same of the devices at some connections, with `connection_id`, `profile` and `lfdi`."""
    return await db.all(_AT_PLACES, names=list(connection_ids))


_THESE = _over(among(end_device.c.id, bindparam("these")))


async def of_these(db: Connection, device_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The same of some devices, by their ids."""
    return await db.all(_THESE, these=list(device_ids))


_NOTED = select(setting.c.name, setting.c.value).where(among(setting.c.name, (LAYOUT, NEWCOMERS, FLOOR)))


async def noted(db: Connection) -> dict[str, str]:
    """How defaults are served, who the newcomers are and what bounds whoever has no limit, as a server has noted it."""
    if _NOTED not in db.memo:
        db.memo[_NOTED] = {row.name: row.value for row in await db.all(_NOTED)}
    return dict(db.memo[_NOTED])


_MOVE = upsert(s)
_MOVE = _MOVE.on_conflict_do_update(  # both databases read it
    index_elements=[s.c.device_group_id, s.c.end_device_id], set_={"moved": s.c.moved + _MOVE.excluded.moved}
)


async def move(db: Connection, pairs: Sequence[tuple[int, int]], by: int) -> None:
    """Change the versions of the defaults of (group, device) as the devices are served them."""
    rows = [{"device_group_id": group, "end_device_id": device, "moved": by} for group, device in pairs]
    if rows:
        await db.run(_MOVE, rows)
