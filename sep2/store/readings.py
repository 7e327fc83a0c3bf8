"""What was mirrored, as usage points: series, sets of readings and readings, for the client that posted them."""

from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, exists, func, select, text

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.mirrors import IN_LISTS, OF_CLIENT
from sep2.store.page import Found, select_page
from sep2.store.tables import end_device, mirror_meter_reading, mirror_usage_point, reading, reading_set


class Series(NamedTuple):
    """A series by its id, as its client names it; sets of it that came in before `since` are passed over."""

    client_id: int
    point_id: int
    series_id: int
    since: int


p, s, g, r = mirror_usage_point, mirror_meter_reading, reading_set, reading

_CLIENT: Any = bindparam("client_id")
_POINT: Any = bindparam("point_id")
_SERIES: Any = bindparam("series_id")
_SINCE: Any = bindparam("since")
_SET: Any = bindparam("set_id")
_OWN = select(s.c.id).join_from(s, p).where(p.c.client_id == _CLIENT, p.c.id == _POINT)

_ALL_SERIES = select(func.count()).where(s.c.mirror_usage_point_id == p.c.id).scalar_subquery().label("all_series")
_POINTS = select(p, end_device.c.lfdi, _ALL_SERIES).join_from(p, end_device).where(p.c.client_id == _CLIENT)
_POINTS_IN_ORDER = _POINTS.order_by(*IN_LISTS)
_ONE_POINT = _POINTS.where(p.c.id == _POINT)

_ALL_SETS = select(func.count()).where(g.c.mirror_meter_reading_id == s.c.id, g.c.received >= _SINCE).scalar_subquery()
_ANY = exists().where(r.c.mirror_meter_reading_id == s.c.id)
_OF_POINT = select(s, _ALL_SETS.label("all_sets"), _ANY.label("has_reading")).where(s.c.id.in_(_OWN))
_OF_POINT_IN_ORDER = _OF_POINT.order_by(s.c.mrid.desc())
_ONE_SERIES = _OF_POINT.where(s.c.id == _SERIES)

_IN_SET = (r.c.reading_set_id == g.c.id, text("reading.reading_set_id <> 0"))  # what its index holds
_ALL_READINGS = select(func.count()).where(*_IN_SET).scalar_subquery().label("all_readings")
_OF_SERIES = g.c.mirror_meter_reading_id == _SERIES, g.c.mirror_meter_reading_id.in_(_OWN), g.c.received >= _SINCE
_SETS = select(g, _ALL_READINGS).where(*_OF_SERIES)
_SETS_IN_ORDER = _SETS.order_by(g.c.start.desc(), g.c.mrid.desc())
_ONE_SET = _SETS.where(g.c.id == _SET)
_READINGS_IN_ORDER = (
    select(r)
    .join_from(g, r, r.c.reading_set_id == g.c.id)
    .where(*_OF_SERIES, g.c.id == _SET, text("reading.reading_set_id <> 0"))
    .order_by(r.c.local_id, r.c.consumption_block, r.c.tou_tier, r.c.start, r.c.duration)
)
_OWN_READINGS = select(r).where(r.c.mirror_meter_reading_id == _SERIES, r.c.mirror_meter_reading_id.in_(_OWN))
_CAME_IN_LAST = (
    _OWN_READINGS.join(s, s.c.id == r.c.mirror_meter_reading_id)
    .where(r.c.start == s.c.latest_start)
    .order_by(r.c.received.desc(), r.c.duration, r.c.local_id.desc())
    .limit(1)
)
_BEGAN_LAST = _OWN_READINGS.order_by(r.c.start.desc(), r.c.duration, r.c.local_id.desc()).limit(1)


async def points(db: Connection, client_id: int, page: Page) -> Found[Row[Any]]:
    """The usage points of a client, by mRID descending, each with how many series it has."""
    return await select_page(db, _POINTS_IN_ORDER, page, counting=OF_CLIENT, client_id=client_id)


async def point(db: Connection, client_id: int, point_id: int) -> Row[Any] | None:
    """One usage point of a client."""
    return await db.one(_ONE_POINT, client_id=client_id, point_id=point_id)


async def of_point(db: Connection, client_id: int, point_id: int, page: Page, *, since: int) -> Found[Row[Any]]:
    """The series of a usage point, by mRID descending, each with how many sets it has, and whether any reading."""
    return await select_page(db, _OF_POINT_IN_ORDER, page, client_id=client_id, point_id=point_id, since=since)


async def series(db: Connection, which: Series) -> Row[Any] | None:
    """One series of a usage point."""
    return await db.one(_ONE_SERIES, **which._asdict())


async def sets(db: Connection, which: Series, page: Page) -> Found[Row[Any]]:
    """The sets of a series, latest first, each with how many readings it has."""
    return await select_page(db, _SETS_IN_ORDER, page, **which._asdict())


async def one_set(db: Connection, which: Series, set_id: int) -> Row[Any] | None:
    """One set of a series."""
    return await db.one(_ONE_SET, set_id=set_id, **which._asdict())


async def of_set(db: Connection, which: Series, set_id: int, page: Page) -> Found[Row[Any]]:
    """The readings of a set, by localID, consumptionBlock and touTier."""
    return await select_page(db, _READINGS_IN_ORDER, page, set_id=set_id, **which._asdict())


async def latest(db: Connection, which: Series) -> Row[Any] | None:
    """The reading of a series that came in last; of one post, that which began last."""
    named = {"client_id": which.client_id, "point_id": which.point_id, "series_id": which.series_id}
    return await db.one(_CAME_IN_LAST, **named) or await db.one(_BEGAN_LAST, **named)
