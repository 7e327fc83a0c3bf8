"""What the utility's own systems are told of groups, connections and what is measured there."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, select

from sep2.rules.authority import Role
from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.tables import (
    client,
    connection,
    control,
    default_control,
    device_group,
    end_device,
    mirror_meter_reading,
    mirror_usage_point,
    reading,
)

WATTS, SITE = 38, 0x02
"""The unit of power, and the role flag of a meter at the connection point (2030.5 RoleFlagsType bit 1)."""
_GROUP = (
    select(device_group.c.name, connection.c.connection_id.label("connection_name"))
    .outerjoin(connection, connection.c.id == device_group.c.connection_id)
    .where(device_group.c.id == bindparam("group_id"))
)
_AHEAD = (
    select(control)
    .where(control.c.device_group_id == bindparam("group_id"), control.c.latest_end > bindparam("now"))
    .where(control.c.cancelled.is_(None), control.c.successor_created.is_(None))
    .order_by(control.c.start, control.c.id)
    .limit(bindparam("most"))
)
_DEFAULT = select(default_control).where(default_control.c.device_group_id == bindparam("group_id"))


async def group(db: Connection, group_id: int) -> Row[Any] | None:
    """A group's name and the connection that it is of."""
    return await db.one(_GROUP, group_id=group_id)


async def ahead(db: Connection, group_id: int, now: int, most: int) -> Sequence[Row[Any]]:
    """The controls of a group that are neither over, nor cancelled, nor replaced, earliest first."""
    return await db.all(_AHEAD, group_id=group_id, now=now, most=most)


async def default_of(db: Connection, group_id: int) -> Row[Any] | None:
    """A group's own default."""
    return await db.one(_DEFAULT, group_id=group_id)


async def connections(db: Connection, page: Keyset) -> Following:
    """Connections by their id, each with the device that holds its limits, if one does."""
    own = and_(device_group.c.connection_id == connection.c.id, device_group.c.role == Role.CONNECTION)
    holder = and_(end_device.c.connection_id == connection.c.id, end_device.c.holds_net_limit)
    query = (
        select(
            connection.c.id,
            connection.c.connection_id,
            connection.c.firm_import_w,
            connection.c.firm_export_w,
            end_device.c.id.label("device_id"),
            end_device.c.lfdi,
            end_device.c.modes_supported,
            end_device.c.doe_modes_supported,
            end_device.c.load_control_w,
            client.c.profile,
        )
        .join(device_group, own)
        .outerjoin(end_device, holder)
        .outerjoin(client, client.c.id == end_device.c.client_id)
    )
    return await select_following(db, query.order_by(connection.c.connection_id), page)


async def latest_power(db: Connection, connection_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The latest power that the site meters of connections have posted.

    Columns: connection, multiplier, flow_direction, reading_sign, value, start, duration, received; oldest first.
    """
    series, point = mirror_meter_reading, mirror_usage_point
    latest = and_(reading.c.mirror_meter_reading_id == series.c.id, reading.c.start == series.c.latest_start)
    query = (
        select(
            end_device.c.connection_id.label("connection"),
            series.c.multiplier,
            series.c.flow_direction,
            point.c.reading_sign,
            reading.c.value,
            reading.c.start,
            reading.c.duration,
            reading.c.received,
        )
        .join_from(series, point, series.c.mirror_usage_point_id == point.c.id)
        .join(end_device, end_device.c.id == point.c.end_device_id)
        .join(reading, latest)
        .where(among(end_device.c.connection_id, connection_ids), series.c.uom == WATTS)
        .where(point.c.role_flags.op("&")(SITE) != 0, reading.c.value.is_not(None))
    )
    return await db.all(query.order_by(reading.c.start, reading.c.duration))
