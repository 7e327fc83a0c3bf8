"""What would be left without what an operator removes: counts by kind, and the rows themselves."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, exists, func, select

from sep2.store.connection import Connection
from sep2.store.tables import (
    client,
    control,
    delivery,
    device_group,
    end_device,
    member,
    mirror_meter_reading,
    mirror_usage_point,
    reading,
    subscription,
)

Counts = dict[str, int]


async def _count(db: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    row = await db.one(select(func.count().label("n")).select_from(table).where(*conditions))
    return row.n if row else 0


async def of_client(db: Connection, client_id: int) -> Counts:
    """Devices that it acts for (not the entry of an aggregator itself), their mirrors, and its subscriptions."""
    return {
        "device": len(await devices_of(db, client_id)),
        "mirror": await _count(db, mirror_usage_point, mirror_usage_point.c.client_id == client_id),
        "subscription": await _count(db, subscription, subscription.c.client_id == client_id),
    }


async def devices_of(db: Connection, client_id: int) -> Sequence[int]:
    """The devices that a client acts for; an aggregator's own entry is none."""
    query = select(end_device.c.id).join_from(end_device, client, client.c.id == end_device.c.client_id)
    obeys = (client.c.kind != "aggregator") | (client.c.lfdi != end_device.c.lfdi)
    rows = await db.all(query.where(end_device.c.client_id == client_id, obeys).order_by(end_device.c.id))
    return [row.id for row in rows]


async def of_connection(db: Connection, connection_id: int, now: int) -> Counts:
    """Devices at it, and controls in its programs that are not over."""
    there = select(device_group.c.id).where(device_group.c.connection_id == connection_id)
    return {
        "device": await _count(db, end_device, end_device.c.connection_id == connection_id),
        "control": await _count(db, control, control.c.device_group_id.in_(there), *_open(now)),
    }


async def devices_at(db: Connection, connection_id: int) -> Sequence[Row[Any]]:
    """The devices at a connection: id, and whether each holds its limits."""
    query = select(end_device.c.id, end_device.c.holds_net_limit)
    return await db.all(query.where(end_device.c.connection_id == connection_id).order_by(end_device.c.id))


async def of_group(db: Connection, group_id: int, now: int) -> Counts:
    """Devices in it, and controls that are not over."""
    return {
        "device": await _count(db, member, member.c.device_group_id == group_id),
        "control": await _count(db, control, control.c.device_group_id == group_id, *_open(now)),
    }


async def of_mirror(db: Connection, mirror_id: int) -> Counts:
    """Series and readings."""
    series = select(mirror_meter_reading.c.id).where(mirror_meter_reading.c.mirror_usage_point_id == mirror_id)
    return {
        "series": await _count(db, mirror_meter_reading, mirror_meter_reading.c.mirror_usage_point_id == mirror_id),
        "reading": await _count(db, reading, reading.c.mirror_meter_reading_id.in_(series)),
    }


def _open(now: int) -> tuple[ColumnElement[bool], ...]:
    return control.c.latest_end > now, control.c.cancelled.is_(None)


_WAITING = (
    exists()
    .where(subscription.c.client_id == client.c.id, delivery.c.subscription_id == subscription.c.id)
    .where(delivery.c.dead.is_(False))
)
_TOLD = select(client.c.id, client.c.lfdi).where(client.c.removed.is_not(None), ~_WAITING).limit(50)


async def removed_and_told(db: Connection) -> Sequence[Row[Any]]:
    """Clients that were removed, and whose subscribers have been told or can not be: id and lfdi."""
    return await db.all(_TOLD)
