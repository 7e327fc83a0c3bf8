"""What was mirrored, as usage points: series, sets of readings and readings, for the client that posted them.

A set is not stored: it is the readings that were posted with one mRID. It is known by its first second, so that sets
which begin together are read as one.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Subquery, bindparam, exists, func, select

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.page import Found, select_page
from sep2.store.tables import end_device, mirror_meter_reading, mirror_usage_point, reading


class Series(NamedTuple):
    """A series by its id, as its client names it; sets of it from before `since` are passed over."""

    client_id: int
    point_id: int
    series_id: int
    since: int


p, s, r = mirror_usage_point, mirror_meter_reading, reading

_CLIENT: Any = bindparam("client_id")
_POINT: Any = bindparam("point_id")
_SERIES: Any = bindparam("series_id")
_SINCE: Any = bindparam("since")
_FIRST: Any = bindparam("first")
_OWN = select(s.c.id).join_from(s, p).where(p.c.client_id == _CLIENT, p.c.id == _POINT)


def _posted(*conditions: ColumnElement[bool]) -> Subquery:
    """The sets as they were posted, each with its first and last second and how many readings it has."""
    first, last = func.min(r.c.start).label("first"), func.max(r.c.start + r.c.duration).label("last")
    columns = (r.c.mirror_meter_reading_id.label("series_id"), r.c.set_mrid, first, last, func.count().label("n"))
    query = select(*columns).where(r.c.mirror_meter_reading_id.in_(_OWN), r.c.set_mrid != "", r.c.start >= _SINCE)
    return query.where(*conditions).group_by(r.c.mirror_meter_reading_id, r.c.set_mrid).subquery()


def _sets(posted: Subquery) -> Subquery:
    """The sets as they are read: those that begin together are one."""
    last, n = func.max(posted.c.last).label("last"), func.sum(posted.c.n).label("all_readings")
    columns = (posted.c.series_id, posted.c.first, last, func.max(posted.c.set_mrid).label("mrid"), n)
    return select(*columns).group_by(posted.c.series_id, posted.c.first).subquery()


_ALL_SERIES = select(func.count()).where(s.c.mirror_usage_point_id == p.c.id).scalar_subquery().label("all_series")
_POINTS = select(p, end_device.c.lfdi, _ALL_SERIES).join_from(p, end_device).where(p.c.client_id == _CLIENT)
_POINTS_IN_ORDER = _POINTS.order_by(p.c.mrid.desc())
_ONE_POINT = _POINTS.where(p.c.id == _POINT)

_ALL_SETS = _sets(_posted())
_COUNTS = select(_ALL_SETS.c.series_id, func.count().label("all_sets")).group_by(_ALL_SETS.c.series_id).subquery()
_ANY = exists().where(r.c.mirror_meter_reading_id == s.c.id)
_OF_POINT = (
    select(s, func.coalesce(_COUNTS.c.all_sets, 0).label("all_sets"), _ANY.label("has_reading"))
    .join_from(s, _COUNTS, _COUNTS.c.series_id == s.c.id, isouter=True)
    .where(s.c.id.in_(_OWN))
)
_OF_POINT_IN_ORDER = _OF_POINT.order_by(s.c.mrid.desc())
_ONE_SERIES = _OF_POINT.where(s.c.id == _SERIES)

_POSTED = _posted(r.c.mirror_meter_reading_id == _SERIES)
_SETS = _sets(_POSTED)
_SETS_IN_ORDER = select(_SETS).order_by(_SETS.c.first.desc(), _SETS.c.mrid.desc())
_ONE_SET = select(_SETS).where(_SETS.c.first == _FIRST)
_READINGS = select(r).where(
    r.c.mirror_meter_reading_id == _SERIES,
    r.c.start >= _SINCE,
    r.c.set_mrid.in_(select(_POSTED.c.set_mrid).where(_POSTED.c.first == _FIRST)),
)
_READINGS_IN_ORDER = _READINGS.order_by(r.c.local_id, r.c.start, r.c.duration)
_LATEST = (
    select(r)
    .where(r.c.mirror_meter_reading_id == _SERIES, r.c.mirror_meter_reading_id.in_(_OWN))
    .order_by(r.c.start.desc(), r.c.duration, r.c.local_id.desc())
    .limit(1)
)


async def points(db: Connection, client_id: int, page: Page) -> Found[Row[Any]]:
    """The usage points of a client, by mRID descending, each with how many series it has."""
    return await select_page(db, _POINTS_IN_ORDER, page, client_id=client_id)


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
    """The sets of a series, latest first."""
    return await select_page(db, _SETS_IN_ORDER, page, **which._asdict())


async def one_set(db: Connection, which: Series, first: int) -> Row[Any] | None:
    """The set of a series that begins then."""
    return await db.one(_ONE_SET, first=first, **which._asdict())


async def of_set(db: Connection, which: Series, first: int, page: Page) -> Found[Row[Any]]:
    """The readings of a set, by localID."""
    return await select_page(db, _READINGS_IN_ORDER, page, first=first, **which._asdict())


async def latest(db: Connection, which: Series) -> Row[Any] | None:
    """The reading of a series that began last."""
    return await db.one(_LATEST, client_id=which.client_id, point_id=which.point_id, series_id=which.series_id)
