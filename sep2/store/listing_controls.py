"""What operators look up of controls: by the beginning of an mRID, and whom they reached."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, or_, select

from sep2.rules.authority import Role
from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.listing_register import MOST_CANDIDATES
from sep2.store.many import among
from sep2.store.prefix import begins
from sep2.store.tables import client, connection, control, device_group, end_device, member


async def like(db: Connection, start: str) -> Sequence[Row[Any]]:
    """The first controls whose mRID begins so."""
    found = _named().where(begins(control.c.mrid, start))
    return await db.all(found.order_by(control.c.mrid).limit(MOST_CANDIDATES))


async def all_of(db: Connection, page: Keyset, *, group_id: int | None = None, live_at: int | None = None) -> Following:
    """Controls with the name of their group, earliest first; those that are not over by when they end."""
    query = _named().order_by(control.c.start, control.c.created.desc(), control.c.mrid.desc())
    if group_id is not None:
        query = query.where(control.c.device_group_id == group_id)
    if live_at is not None:
        # In the order of their ends, which an index has from this time on; of many, nobody sorts all.
        query = _named().order_by(control.c.latest_end, control.c.id)
        query = query.where(control.c.latest_end > live_at)
        if group_id is not None:
            query = query.where(control.c.device_group_id == group_id)
    return await select_following(db, query, page)


async def latest(db: Connection) -> Row[Any] | None:
    """The control that was made last."""
    return await db.one(_named().order_by(control.c.id.desc()).limit(1))


def _named() -> Select[Any]:
    return select(control, device_group.c.name.label("group_name")).join_from(control, device_group)


async def mrids(db: Connection, ids: Sequence[int]) -> list[str]:
    """The mRIDs of these controls, earliest first."""
    query = select(control.c.mrid).where(among(control.c.id, ids)).order_by(control.c.start, control.c.id)
    return [row.mrid for row in await db.all(query)]


async def over(db: Connection, group_id: int, start: int, end: int) -> Sequence[Row[Any]]:
    """What stands between two times above a group, for each of its devices, the most important first.

    Columns: those of the control, lfdi, connection_name, group_name and role.
    """
    here, beside, own = member.alias(), member.alias(), device_group.alias()
    query = (
        select(
            control,
            end_device.c.lfdi,
            connection.c.connection_id.label("connection_name"),
            device_group.c.name.label("group_name"),
            device_group.c.role,
        )
        .join_from(here, own, own.c.id == here.c.device_group_id)
        .join(beside, beside.c.end_device_id == here.c.end_device_id)
        .join(device_group, device_group.c.id == beside.c.device_group_id)
        .join(control, control.c.device_group_id == device_group.c.id)
        .join(end_device, end_device.c.id == here.c.end_device_id)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
        .where(here.c.device_group_id == group_id, device_group.c.primacy < own.c.primacy)
        .where(control.c.earliest_start < end, control.c.latest_end > start, control.c.cancelled.is_(None))
        .where(or_(control.c.successor_start.is_(None), control.c.successor_start > start))
    )
    return await db.all(query.order_by(end_device.c.id, device_group.c.primacy, control.c.latest_end.desc()))


async def any_group_above(db: Connection, primacy: int) -> bool:
    """Whether operators have made a group that counts more than a primacy."""
    query = select(device_group.c.id).where(device_group.c.role == Role.GROUP, device_group.c.primacy < primacy)
    return await db.one(query.limit(1)) is not None


async def reached(db: Connection, control_id: int) -> Sequence[Row[Any]]:
    """The devices a control is for, each with its client and its connection."""
    query = (
        select(
            end_device.c.id,
            end_device.c.lfdi,
            client.c.name.label("client_name"),
            client.c.profile,
            end_device.c.load_control_w,
            connection.c.connection_id.label("connection_name"),
        )
        .select_from(control)
        .join(member, member.c.device_group_id == control.c.device_group_id)
        .join(end_device, end_device.c.id == member.c.end_device_id)
        .join(client, client.c.id == end_device.c.client_id)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
    )
    # Who came when it was over is owed no answer, although it may still have seen it listed.
    query = query.where(control.c.id == control_id, member.c.since < control.c.latest_end)
    return await db.all(query.order_by(end_device.c.id))


async def live_total(db: Connection, now: int) -> int:
    """How many controls hold or are still to come."""
    query = select(func.count().label("n")).where(control.c.latest_end > now, control.c.cancelled.is_(None))
    row = await db.one(query)
    return row.n if row else 0
