"""What the utility can prove of a period: what it asked of each connection, what came back, what was measured."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.tables import (
    connection,
    control,
    device_group,
    end_device,
    mirror_meter_reading,
    mirror_usage_point,
    reading,
    response,
)

_SAID = tuple(
    reading.c[name]
    for name in (
        "mirror_meter_reading_id",
        "start",
        "duration",
        "consumption_block",
        "tou_tier",
        "reading_set_id",
        "value",
        "received",
    )
)


async def asked(db: Connection, source: str) -> Sequence[Row[Any]]:
    """Every control that a source has issued to a connection, in the order it was issued."""
    query = (
        select(
            control.c.id,
            control.c.created,
            control.c.start,
            control.c.duration,
            control.c.import_limit_w,
            control.c.export_limit_w,
            control.c.successor_start,
            control.c.cancelled,
            connection.c.connection_id,
        )
        .select_from(control)
        .join(device_group, device_group.c.id == control.c.device_group_id)
        .join(connection, connection.c.id == device_group.c.connection_id)
    )
    return await db.all(query.where(control.c.source == source).order_by(control.c.id))


async def answered(db: Connection, source: str) -> Sequence[Row[Any]]:
    """Every response to such a control: which, from whose connection, what, and by the client's own clock when."""
    query = (
        select(response.c.control_id, response.c.status, response.c.created, connection.c.connection_id)
        .select_from(response)
        .join(control, control.c.id == response.c.control_id)
        .join(end_device, end_device.c.id == response.c.end_device_id)
        .join(connection, connection.c.id == end_device.c.connection_id)
    )
    return await db.all(query.where(control.c.source == source).order_by(response.c.id))


async def measured(db: Connection, since: int, until: int) -> Sequence[Row[Any]]:
    """Every reading of a connection that began in the period: what of, from when, for how long, and its raw value."""
    query = (
        select(
            connection.c.connection_id,
            mirror_meter_reading.c.uom,
            mirror_meter_reading.c.multiplier,
            mirror_meter_reading.c.flow_direction,
            *_SAID,
        )
        .select_from(reading)
        .join(mirror_meter_reading, mirror_meter_reading.c.id == reading.c.mirror_meter_reading_id)
        .join(mirror_usage_point, mirror_usage_point.c.id == mirror_meter_reading.c.mirror_usage_point_id)
        .join(end_device, end_device.c.id == mirror_usage_point.c.end_device_id)
        .join(connection, connection.c.id == end_device.c.connection_id)
    )
    within = reading.c.start >= since, reading.c.start < until, reading.c.value.is_not(None)
    return _said_last(await db.all(query.where(*within).order_by(reading.c.start, connection.c.connection_id)))


async def mirrored(db: Connection, connection_ids: Sequence[str], since: int, until: int) -> Sequence[Row[Any]]:
    """Every reading of some connections that began in the period, with what is known of its series and its mirror."""
    series = (
        select(
            mirror_meter_reading.c.id,
            mirror_meter_reading.c.mirror_usage_point_id,
            mirror_meter_reading.c.uom,
            mirror_meter_reading.c.multiplier,
            mirror_meter_reading.c.flow_direction,
            mirror_meter_reading.c.phase,
            mirror_meter_reading.c.data_qualifier,
            mirror_usage_point.c.role_flags,
            mirror_usage_point.c.reading_sign,
            connection.c.connection_id,
        )
        .select_from(mirror_meter_reading)
        .join(mirror_usage_point, mirror_usage_point.c.id == mirror_meter_reading.c.mirror_usage_point_id)
        .join(end_device, end_device.c.id == mirror_usage_point.c.end_device_id)
        .join(connection, connection.c.id == end_device.c.connection_id)
        .where(among(connection.c.connection_id, connection_ids))
        .subquery()
    )
    # Joined on the first column of the readings' key, of which their start is the second.
    query = select(series, *_SAID).join_from(series, reading, reading.c.mirror_meter_reading_id == series.c.id)
    within = reading.c.start >= since, reading.c.start < until, reading.c.value.is_not(None)
    return _said_last(await db.all(query.where(*within).order_by(reading.c.start, series.c.connection_id)))


async def newest(db: Connection, connection_ids: Sequence[str], now: int) -> Sequence[Row[Any]]:
    """The newest reading of each series of some connections that has begun: whose, its start and its duration, s."""
    own = reading.c.mirror_meter_reading_id == mirror_meter_reading.c.id
    latest = (
        select(func.max(reading.c.start))
        .where(own, reading.c.start <= now, reading.c.value.is_not(None))
        .correlate(mirror_meter_reading)
        .scalar_subquery()
    )
    query = (
        select(connection.c.connection_id, reading.c.start, reading.c.duration)
        .select_from(connection)
        .join(end_device, end_device.c.connection_id == connection.c.id)
        .join(mirror_usage_point, mirror_usage_point.c.end_device_id == end_device.c.id)
        .join(mirror_meter_reading, mirror_meter_reading.c.mirror_usage_point_id == mirror_usage_point.c.id)
        .join(reading, own & (reading.c.start == latest))
        .where(among(connection.c.connection_id, connection_ids))
    )
    return await db.all(query)


def _said_last(rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """The readings without those that came in anew of the same time, by themselves after their set or the other way."""
    if not any(row.reading_set_id for row in rows):
        return rows
    last: dict[Any, tuple[int, int]] = {}
    for row in rows:
        last[_time(row)] = max(last.get(_time(row), (0, 0)), (row.received, row.reading_set_id))
    return [row for row in rows if row.reading_set_id == last[_time(row)][1]]


def _time(row: Row[Any]) -> tuple[int, ...]:
    return row.mirror_meter_reading_id, row.start, row.duration, row.consumption_block, row.tou_tier


async def limited(db: Connection, source: str, now: int) -> Sequence[str]:
    """The connections for which a source has said anything that is not over."""
    query = (
        select(connection.c.connection_id)
        .distinct()
        .join_from(control, device_group, device_group.c.id == control.c.device_group_id)
        .join(connection, connection.c.id == device_group.c.connection_id)
        .where(control.c.source == source, control.c.latest_end > now)
    )
    return [row.connection_id for row in await db.all(query.order_by(connection.c.connection_id))]
