"""Metering mirrors (2030.5 10.11): a client posts what it measures; only its creator sees and feeds a mirror."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import BadRequest
from sep2.functions.request import Made, Request, found
from sep2.operations.mirrors import (
    NewMirror,
    NewReading,
    NewSeries,
    NewSet,
    Poster,
    delete_mirror,
    put_mirror,
    put_series,
)
from sep2.rules.metering import Span
from sep2.store import access, mirrors

PROFILE = w.Profile.CSIP_AUS_1_3


async def list_mirrors(rq: Request) -> w.MirrorUsagePointList:
    """The mirrors that the caller created."""
    if rq.caller.client is None:
        return w.MirrorUsagePointList(all=0, results=0)
    page = await mirrors.of_client(rq.db, rq.client, rq.page)
    items = [_view(row, rq) for row in page.rows]
    return w.MirrorUsagePointList(all=page.total, results=len(items), MirrorUsagePoint=items)


async def one_mirror(rq: Request) -> w.MirrorUsagePoint:
    """First-level elements only, without the series (rule c)."""
    return _view(found(await mirrors.one(rq.db, rq.client, rq.ids.mup)), rq)


async def post_mirror(rq: Request, body: w.MirrorUsagePoint) -> Made:
    """Create a mirror, or take over what is said anew of a known one."""
    mirror = await _checked(rq, body)
    point_id, new = await put_mirror(rq.db, mirror, rq.now)
    return Made(rq.href("MirrorUsagePoint", mup=point_id), new, mirror.end_device_id)


async def replace_mirror(rq: Request, body: w.MirrorUsagePoint) -> None:
    """Replace what is said of a mirror."""
    row = found(await mirrors.one(rq.db, rq.client, rq.ids.mup))
    if str(body.mRID) != row.mrid:
        raise BadRequest(f"mRID: {body.mRID} is not {row.mrid}")
    if rq.meant(str(body.deviceLFDI)) != row.lfdi:
        raise BadRequest(f"deviceLFDI: {body.deviceLFDI} is not {row.lfdi}; post the mirror of another device anew")
    await put_mirror(rq.db, await _checked(rq, body), rq.now)


async def remove_mirror(rq: Request) -> None:
    """Forget a mirror with all its readings."""
    found(await mirrors.one(rq.db, rq.client, rq.ids.mup))
    await delete_mirror(rq.db, rq.ids.mup)


async def post_readings(rq: Request, body: w.MirrorMeterReading | w.MirrorMeterReadingList) -> Made:
    """Store readings; the Location is the mirror's."""
    row = found(await mirrors.one(rq.db, rq.client, rq.ids.mup))
    several = body.MirrorMeterReading if isinstance(body, w.MirrorMeterReadingList) else [body]
    new = await put_series(rq.db, _poster(rq), rq.ids.mup, _series(several), now=rq.now)
    return Made(rq.href("MirrorUsagePoint"), new, row.end_device_id)


async def _checked(rq: Request, body: w.MirrorUsagePoint) -> NewMirror:
    return NewMirror(
        poster=_poster(rq),
        end_device_id=await access.manages(rq.db, rq.client, str(body.deviceLFDI)),
        mrid=str(body.mRID),
        description=body.description or "",
        version=body.version,
        role_flags=int(body.roleFlags),
        service_kind=int(body.serviceCategoryKind),
        status=body.status,
        most=rq.house.settings.limits.mirrors,
        series=_series(body.MirrorMeterReading),
    )


def _poster(rq: Request) -> Poster:
    utility = rq.house.settings.utility
    return Poster(rq.client, utility.post_rate, server_wide=utility.identifiers == "server-wide")


def _series(several: Sequence[w.MirrorMeterReading]) -> list[NewSeries]:
    return [
        NewSeries(
            mrid=str(one.mRID),
            description=one.description or "",
            version=one.version,
            last_update=one.lastUpdateTime,
            next_update=one.nextUpdateTime,
            reading_type=None if one.ReadingType is None else w.encode(one.ReadingType, PROFILE),
            uom=_number(one.ReadingType, "uom"),
            multiplier=_number(one.ReadingType, "powerOfTenMultiplier"),
            flow_direction=_number(one.ReadingType, "flowDirection"),
            phase=_number(one.ReadingType, "phase"),
            data_qualifier=_number(one.ReadingType, "dataQualifier"),
            interval_s=_number(one.ReadingType, "intervalLength"),
            reading=None if one.Reading is None else _reading(one.Reading),
            sets=[_set(group) for group in one.MirrorReadingSet],
        )
        for one in several
    ]


def _number(said: w.ReadingType | None, name: str) -> int:
    return int(getattr(said, name, None) or 0)


def _set(group: w.MirrorReadingSet) -> NewSet:
    return NewSet(
        mrid=str(group.mRID),
        description=group.description or "",
        version=group.version,
        span=Span(group.timePeriod.start, group.timePeriod.duration),
        readings=[_reading(reading) for reading in group.Reading],
    )


def _reading(reading: w.Reading) -> NewReading:
    period = reading.timePeriod
    return NewReading(
        span=Span(period.start, period.duration) if period else None,
        local_id=reading.localID,
        block=None if reading.consumptionBlock is None else int(reading.consumptionBlock),
        tier=None if reading.touTier is None else int(reading.touTier),
        value=reading.value,
        quality=None if reading.qualityFlags is None else int(reading.qualityFlags),
    )


def _view(row: Row[Any], rq: Request) -> w.MirrorUsagePoint:
    return w.MirrorUsagePoint(
        href=rq.href("MirrorUsagePoint", mup=row.id),
        mRID=w.HexBinary(row.mrid),
        description=row.description or None,
        version=row.version,
        roleFlags=w.HexBinary(row.role_flags, 2),
        serviceCategoryKind=row.service_kind,
        status=row.status,
        deviceLFDI=w.HexBinary(rq.lfdi(row.lfdi)),
        postRate=row.post_rate,
    )
