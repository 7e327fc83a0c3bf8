"""Metering (2030.5 10.4): what a client has mirrored, to be read back as usage points; nobody sees another's."""

from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import NotFound
from sep2.functions.mup import PROFILE
from sep2.functions.request import Request, found
from sep2.operations.mirrors import LOCAL_IDS, NOT_SAID
from sep2.rules.paging import Page
from sep2.store import readings
from sep2.store.page import Found

IS_MIRROR = 0x01
"""The bit of roleFlags that says where the readings come from."""
READ_BACK_S = 86_400
"""Sets that came in during the last day are listed: for a client to see that they arrived. The utility looks further
back."""


async def list_points(rq: Request) -> w.UsagePointList:
    """The caller's usage points."""
    if rq.caller.client is None:
        return w.UsagePointList(all=0, results=0)
    page = await readings.points(rq.db, rq.client, rq.page)
    items = [_point(row, rq) for row in page.rows]
    return w.UsagePointList(all=page.total, results=len(items), UsagePoint=items)


async def one_point(rq: Request) -> w.UsagePoint:
    """One usage point."""
    return _point(found(await readings.point(rq.db, rq.client, rq.ids.upt)), rq)


async def list_series(rq: Request) -> w.MeterReadingList:
    """The series of a usage point."""
    page = await readings.of_point(rq.db, rq.client, rq.ids.upt, rq.page, since=_since(rq))
    if page.total == 0:
        found(await readings.point(rq.db, rq.client, rq.ids.upt))
    items = [_series(row, rq) for row in page.rows]
    return w.MeterReadingList(all=page.total, results=len(items), MeterReading=items)


async def one_series(rq: Request) -> w.MeterReading:
    """One series."""
    return _series(await _own_series(rq), rq)


async def reading_type(rq: Request) -> w.ReadingType:
    """What the values of a series mean, as its client said it."""
    said = w.decode((await _own_series(rq)).reading_type, w.ReadingType, profile=PROFILE)
    assert isinstance(said, w.ReadingType)
    return said


async def latest(rq: Request) -> w.Reading:
    """The reading of a series that came in last."""
    return _reading(found(await readings.latest(rq.db, _named(rq))))


async def list_sets(rq: Request) -> w.ReadingSetList:
    """The sets of a series, latest first."""
    page = await readings.sets(rq.db, _named(rq), rq.page)
    if page.total == 0:
        await _own_series(rq)
    items = [_set(row, rq) for row in page.rows]
    return w.ReadingSetList(all=page.total, results=len(items), ReadingSet=items)


async def one_set(rq: Request) -> w.ReadingSet:
    """One set."""
    return _set(found(await readings.one_set(rq.db, _named(rq), rq.ids.rs)), rq)


async def list_readings(rq: Request) -> w.ReadingList:
    """The readings of a set, in the order of their localID; each is known by its place there."""
    page = await _of_set(rq, rq.page)
    items = [_reading(row, rq.href("Reading", r=rq.page.start + n)) for n, row in enumerate(page.rows, 1)]
    return w.ReadingList(all=page.total, results=len(items), Reading=items)


async def one_reading(rq: Request) -> w.Reading:
    """One reading, by its place in its set."""
    if rq.ids.r == 0:
        raise NotFound
    page = await _of_set(rq, Page(rq.ids.r - 1, 1))
    return _reading(found(page.rows[0] if page.rows else None))


def _since(rq: Request) -> int:
    return max(0, rq.now - READ_BACK_S)


def _named(rq: Request) -> readings.Series:
    return readings.Series(rq.client, rq.ids.upt, rq.ids.mr, _since(rq))


async def _own_series(rq: Request) -> Row[Any]:
    return found(await readings.series(rq.db, _named(rq)))


async def _of_set(rq: Request, page: Page) -> Found[Row[Any]]:
    some = await readings.of_set(rq.db, _named(rq), rq.ids.rs, page)
    if some.total == 0:
        found(await readings.one_set(rq.db, _named(rq), rq.ids.rs))
    return some


def _point(row: Row[Any], rq: Request) -> w.UsagePoint:
    return w.UsagePoint(
        href=rq.href("UsagePoint", upt=row.id),
        mRID=w.HexBinary(row.mrid),
        description=row.description or None,
        version=row.version,
        roleFlags=w.HexBinary(row.role_flags | IS_MIRROR, 2),
        serviceCategoryKind=row.service_kind,
        status=row.status,
        deviceLFDI=w.HexBinary(rq.lfdi(row.lfdi)),
        MeterReadingListLink=rq.list_link(w.MeterReadingListLink, "MeterReadingList", row.all_series, upt=row.id),
    )


def _series(row: Row[Any], rq: Request) -> w.MeterReading:
    return w.MeterReading(
        href=rq.href("MeterReading", mr=row.id),
        mRID=w.HexBinary(row.mrid),
        description=row.description or None,
        version=row.version,
        ReadingLink=rq.link(w.ReadingLink, "LatestReading", mr=row.id) if row.has_reading else None,
        ReadingSetListLink=rq.list_link(w.ReadingSetListLink, "ReadingSetList", row.all_sets, mr=row.id),
        ReadingTypeLink=rq.link(w.ReadingTypeLink, "ReadingType", mr=row.id),
    )


def _set(row: Row[Any], rq: Request) -> w.ReadingSet:
    return w.ReadingSet(
        href=rq.href("ReadingSet", rs=row.id),
        mRID=w.HexBinary(row.mrid),
        description=row.description or None,
        version=row.version,
        timePeriod=w.DateTimeInterval(duration=row.duration, start=row.start),
        ReadingListLink=rq.list_link(w.ReadingListLink, "ReadingList", row.all_readings, rs=row.id),
    )


def _reading(row: Row[Any], href: str | None = None) -> w.Reading:
    return w.Reading(
        href=href,
        consumptionBlock=_said(row.consumption_block),
        qualityFlags=None if row.quality is None else w.HexBinary(row.quality, 2),
        timePeriod=w.DateTimeInterval(duration=row.duration, start=row.start),
        touTier=_said(row.tou_tier),
        value=row.value,
        localID=None if row.local_id_octets is None else w.HexBinary(row.local_id % LOCAL_IDS, row.local_id_octets),
    )


def _said(number: int) -> int | None:
    return None if number == NOT_SAID else number
