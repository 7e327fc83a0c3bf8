"""Metering mirrors: usage points, their series, and readings."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.page import Found, select_page
from sep2.store.tables import end_device, mirror_meter_reading, mirror_usage_point, reading

p, s, r = mirror_usage_point, mirror_meter_reading, reading


async def of_client(db: Connection, client_id: int, page: Page) -> Found[Row[Any]]:
    """The usage points that a client created, by mRID descending, each with the LFDI it mirrors."""
    query = select(p, end_device.c.lfdi).join_from(p, end_device).where(p.c.client_id == client_id)
    return await select_page(db, query.order_by(p.c.mrid.desc()), page)


async def one(db: Connection, client_id: int, point_id: int) -> Row[Any] | None:
    """A usage point by its id, if the client created it."""
    query = select(p, end_device.c.lfdi).join_from(p, end_device)
    return await db.one(query.where(p.c.id == point_id, p.c.client_id == client_id))


async def by_mrid(db: Connection, client_id: int, mrid: str) -> Row[Any] | None:
    """A usage point by its mRID, if the client created it."""
    return await db.one(select(p).where(p.c.mrid == mrid, p.c.client_id == client_id))


async def count_of(db: Connection, client_id: int) -> int:
    """How many usage points a client created."""
    row = await db.one(select(func.count().label("n")).where(p.c.client_id == client_id))
    return row.n if row else 0


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new usage point."""
    return await db.add(insert(p).values(columns))


async def update_one(db: Connection, point_id: int, **columns: Any) -> int:
    """Change columns of a usage point; how many were found: one or none."""
    return (await db.run(update(p).where(p.c.id == point_id).values(columns))).rowcount


async def series(db: Connection, point_id: int) -> Sequence[Row[Any]]:
    """The series of a usage point."""
    return await db.all(select(s).where(s.c.mirror_usage_point_id == point_id))


async def series_owner(db: Connection, mrid: str) -> Row[Any] | None:
    """Which client and usage point a series with that mRID belongs to."""
    query = select(s.c.id, s.c.mirror_usage_point_id, p.c.client_id, p.c.end_device_id).join_from(s, p)
    return await db.one(query.where(s.c.mrid == mrid))


async def add_series(db: Connection, **columns: Any) -> int:
    """The id of a new series."""
    return await db.add(insert(s).values(columns))


async def update_series(db: Connection, series_id: int, **columns: Any) -> None:
    """Change columns of a series."""
    await db.run(update(s).where(s.c.id == series_id).values(columns))


_KEY = ("mirror_meter_reading_id", "start", "duration", "local_id")
_FORGET = delete(r).where(*(r.c[name] == bindparam(f"of_{name}") for name in _KEY))


async def put_readings(db: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Store readings; the last one said of a series, period and localID stands."""
    latest = {tuple(row[name] for name in _KEY): row for row in rows}
    if latest:
        await db.run(_FORGET, [{f"of_{name}": row[name] for name in _KEY} for row in latest.values()])
        await db.run(insert(r), list(latest.values()))


async def remove(db: Connection, point_id: int) -> None:
    """Forget a usage point with its series and readings."""
    of_point = select(s.c.id).where(s.c.mirror_usage_point_id == point_id)
    await db.run_long(delete(r).where(r.c.mirror_meter_reading_id.in_(of_point)))
    await db.run(delete(s).where(s.c.mirror_usage_point_id == point_id))
    await db.run(delete(p).where(p.c.id == point_id))
