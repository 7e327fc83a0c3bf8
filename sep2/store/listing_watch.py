"""What operators look up to see whether all is well: subscriptions and what waits for them, the audit log."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, Table, case, func, select

from sep2.rules.cursor import Keyset
from sep2.rules.names import key_of
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.listing_register import MOST_CANDIDATES
from sep2.store.operator_tables import audit, audit_detail
from sep2.store.tables import (
    client,
    delivery,
    end_device,
    mirror_meter_reading,
    mirror_usage_point,
    outbox,
    reading,
    receiver,
    subscription,
)


async def subscriptions(
    db: Connection, page: Keyset, *, client_id: int | None = None, dead: bool | None = None
) -> Following:
    """Subscriptions, each with the notification that waits for it; `dead` asks for those that have one so marked."""
    query = select(
        subscription,
        client.c.name.label("client_name"),
        delivery.c.since,
        delivery.c.attempts,
        case((receiver.c.rests_until > delivery.c.due, receiver.c.rests_until), else_=delivery.c.due).label("due"),
        delivery.c.dead,
        delivery.c.error,
    )
    query = query.join_from(subscription, client).join(receiver, receiver.c.id == subscription.c.receiver_id)
    query = query.outerjoin(delivery, delivery.c.subscription_id == subscription.c.id)
    if client_id is not None:
        query = query.where(subscription.c.client_id == client_id)
    if dead is not None:
        query = query.where(delivery.c.dead.is_(dead))
    return await select_following(db, query.order_by(subscription.c.id), page)


async def entries(
    db: Connection, page: Keyset, *, operator: str | None = None, subject: str | None = None
) -> Following:
    """The audit log, newest first; `detail` is NULL where it was erased. subject: the beginning of one."""
    query = select(audit, audit_detail.c.detail).outerjoin(audit_detail, audit_detail.c.audit_id == audit.c.id)
    if operator is not None:
        query = query.where(audit.c.operator == operator)
    if subject is not None:
        query = query.where(audit.c.subject.startswith(subject, autoescape=True))
    return await select_following(db, query.order_by(audit.c.id.desc()), page)


async def unseen_changes(db: Connection) -> int:
    """How many changes the notifier has not seen yet."""
    row = await db.one(select(func.count().label("n")).where(outbox.c.set_aside.is_(False)))
    return row.n if row else 0


def _of_mirror(what: ColumnElement[Any], *joined: Table) -> ScalarSelect[Any]:
    series = mirror_meter_reading
    query = select(what).select_from(series)
    for table in joined:
        query = query.join(table)
    return query.where(series.c.mirror_usage_point_id == mirror_usage_point.c.id).scalar_subquery()


async def mirrors(db: Connection, page: Keyset, *, device_id: int | None = None) -> Following:
    """MirrorUsagePoints with their client, their device, how many series they have and when they last heard."""
    query = _mirrors()
    if device_id is not None:
        query = query.where(mirror_usage_point.c.end_device_id == device_id)
    return await select_following(db, query.order_by(mirror_usage_point.c.id.desc()), page)


async def mirror(db: Connection, mirror_id: int) -> Row[Any] | None:
    """One MirrorUsagePoint in the same form, by its number."""
    return await db.one(_mirrors().where(mirror_usage_point.c.id == mirror_id))


async def mirror_named(db: Connection, name: str) -> Row[Any] | None:
    """The MirrorUsagePoint that operators call so."""
    return await db.one(_mirrors().where(mirror_usage_point.c.name_key == key_of(name)))


async def mirrors_like(db: Connection, start: str) -> Sequence[Row[Any]]:
    """The first MirrorUsagePoints whose mRID begins so; clients choose them, and two may choose the same."""
    found = _mirrors().where(mirror_usage_point.c.mrid.startswith(start.upper(), autoescape=True))
    return await db.all(found.order_by(mirror_usage_point.c.mrid).limit(MOST_CANDIDATES))


def _mirrors() -> Select[Any]:
    query = select(
        mirror_usage_point,
        client.c.name.label("client_name"),
        end_device.c.lfdi,
        _of_mirror(func.count()).label("series"),
        _of_mirror(func.max(reading.c.received), reading).label("latest"),
    )
    return query.join_from(mirror_usage_point, client).join(
        end_device, end_device.c.id == mirror_usage_point.c.end_device_id
    )
