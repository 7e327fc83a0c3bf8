"""Commissioning of connections: what was opened, tested, proven and passed."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, Select, and_, exists, func, insert, literal, select, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.seen_tables import device_seen
from sep2.store.site_tables import commissioning as t
from sep2.store.tables import client, connection, end_device
from sep2.store.tables import mirror_meter_reading as series
from sep2.store.tables import mirror_usage_point as mirror
from sep2.store.upsert import upsert

SIGNED = (38, 72)
"""UomType of W and Wh."""
_FIELDS = [column.name for column in t.c if column.name != "connection_id"]
_PUT = upsert(t, ["connection_id"], _FIELDS)


def is_open(connection_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a connection is being commissioned and has not passed yet."""
    return exists().where(t.c.connection_id == connection_id, t.c.passed.is_(None))


async def put(db: Connection, connection_id: int, opened: int, opened_by: str) -> None:
    """Begin the commissioning of a connection, anew where it had been commissioned before."""
    empty: Mapping[str, Any] = {"override_id": None, "phases": "", "phases_how": "", "phases_by": ""}
    ended = {"passed": None, "passed_by": "", "note": ""}
    row = {"connection_id": connection_id, "opened": opened, "opened_by": opened_by, **empty, **ended}
    await db.run(_PUT, [row])


async def last_connection(db: Connection) -> int:
    """The number of the connection that was added last; 0 where there is none."""
    row = await db.one(select(func.max(connection.c.id).label("last")))
    return (row.last or 0) if row else 0


async def put_new(db: Connection, last: int, opened: int, opened_by: str) -> None:
    """Begin that of every connection that was added after one of that number."""
    new = select(connection.c.id, literal(opened, BigInteger), literal(opened_by)).where(connection.c.id > last)
    await db.run(insert(t).from_select(["connection_id", "opened", "opened_by"], new))


async def change(db: Connection, connection_id: int, **columns: Any) -> None:
    """Note more of a commissioning."""
    await db.run(update(t).where(t.c.connection_id == connection_id).values(columns))


def _all() -> Select[Any]:
    return select(t, connection.c.connection_id.label("name")).join_from(t, connection)


async def one(db: Connection, connection_id: int) -> Row[Any] | None:
    """The commissioning of a connection, with its `name`."""
    return await db.one(_all().where(t.c.connection_id == connection_id))


async def listed(db: Connection, page: Keyset, *, every: bool = False) -> Following:
    """Those that have not passed, or all, by the connection's id."""
    query = _all() if every else _all().where(t.c.passed.is_(None))
    return await select_following(db, query.order_by(connection.c.connection_id), page)


async def devices(db: Connection, connection_id: int) -> Row[Any]:
    """Of the devices at a connection: how many may connect, and when any of them was heard of last."""
    count = func.count(end_device.c.id.distinct()).label("devices")
    query = select(count, func.max(device_seen.c.last_request).label("heard"))
    query = query.select_from(end_device).join(client, client.c.id == end_device.c.client_id)
    query = query.outerjoin(device_seen, device_seen.c.end_device_id == end_device.c.id)
    may = and_(end_device.c.enabled, client.c.enabled, client.c.removed.is_(None))
    row = await db.one(query.where(end_device.c.connection_id == connection_id, may))
    assert row is not None
    return row


async def signs(db: Connection, connection_id: int) -> list[str]:
    """How each meter of power or energy of a connection counts: unproven, as-posted or reversed."""
    of_power = exists().where(series.c.mirror_usage_point_id == mirror.c.id, series.c.uom.in_(SIGNED))
    query = select(mirror.c.reading_sign).join(end_device, end_device.c.id == mirror.c.end_device_id)
    rows = await db.all(query.where(end_device.c.connection_id == connection_id, of_power).order_by(mirror.c.id))
    return [row.reading_sign for row in rows]
