"""How much there is of everything, for those who watch the server."""

from typing import Any

from sqlalchemy import Row, ScalarSelect, func, select

from sep2.store.connection import Connection
from sep2.store.operator_tables import operator_session
from sep2.store.tables import client, control, delivery, end_device, outbox, subscription

MEANINGS = {
    "clients": "Clients that may connect.",
    "devices": "EndDevices.",
    "controls": "Controls that hold or are to come.",
    "subscriptions": "Subscriptions of clients.",
    "outbox_changes": "Changes that are not yet turned into notifications.",
    "deliveries_waiting": "Notifications that wait.",
    "deliveries_dead": "Notifications that were given up.",
    "delivery_oldest_seconds": "How long the oldest notification waits.",
    "operator_sessions": "Browsers that are signed in.",
}


def _count(condition: Any) -> ScalarSelect[int]:
    return select(func.count()).where(condition).scalar_subquery()


async def everything(db: Connection, now: int) -> Row[Any]:
    """A column for each of the MEANINGS."""
    waits = delivery.c.dead.is_(False)
    oldest = select(func.coalesce(now - func.min(delivery.c.since), 0)).where(waits).scalar_subquery()
    row = await db.one(
        select(
            _count(client.c.enabled).label("clients"),
            _count(end_device.c.enabled).label("devices"),
            _count((control.c.latest_end > now) & control.c.cancelled.is_(None)).label("controls"),
            select(func.count()).select_from(subscription).scalar_subquery().label("subscriptions"),
            _count(outbox.c.set_aside.is_(False)).label("outbox_changes"),
            _count(waits).label("deliveries_waiting"),
            _count(delivery.c.dead).label("deliveries_dead"),
            oldest.label("delivery_oldest_seconds"),
            select(func.count()).select_from(operator_session).scalar_subquery().label("operator_sessions"),
        )
    )
    assert row is not None
    return row
