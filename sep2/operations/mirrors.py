"""Metering mirrors and their readings."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sep2.errors import BadValue, Forbidden, NotFound, SepError
from sep2.rules.metering import ReadingSign
from sep2.store import mirrors
from sep2.store.connection import Connection

SMALLEST, LARGEST = -(2**47), 2**47
"""Bounds of a reading's value, Int48 as the schema has it."""
MOST_SERIES = 256
MOST_MIRRORS = 100_000


class BadMirror(BadValue):
    """The mirror can not be taken."""


class TooManySeries(SepError):
    """A MirrorUsagePoint has no more series than this."""

    status = 400
    reason = 2


class TooManyMirrors(SepError):
    """The client has as many MirrorUsagePoints as it may have."""

    status = 403
    reason = 2


class NoSuchMirror(NotFound):
    """No such MirrorUsagePoint exists."""


class NotYourDevice(Forbidden):
    """deviceLFDI is not a device of this client."""


class UnknownSeries(BadValue):
    """A MirrorMeterReading that is new needs its ReadingType."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReading:
    """One raw value; without a period it is the value of this moment."""

    start: int | None
    duration: int
    local_id: int
    set_mrid: str
    value: int
    quality: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSeries:
    """A MirrorMeterReading; `reading_type` is None where the client repeats none."""

    mrid: str
    description: str = ""
    version: int | None = None
    last_update: int | None = None
    next_update: int | None = None
    reading_type: bytes | None = None
    uom: int = 0
    multiplier: int = 0
    flow_direction: int = 0
    phase: int = 0
    data_qualifier: int = 0
    readings: Sequence[NewReading] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMirror:
    """A MirrorUsagePoint as its creator says it; the rate of posting is the server's."""

    client_id: int
    end_device_id: int | None
    mrid: str
    description: str
    version: int | None
    role_flags: int
    service_kind: int
    status: int
    post_rate: int
    most: int = MOST_MIRRORS
    """MirrorUsagePoints that this client may have."""
    series: Sequence[NewSeries]


async def put_mirror(db: Connection, new: NewMirror, now: int) -> tuple[int, bool]:
    """The id of the mirror, and whether it is new (rules a3, a4: a known mRID is overwritten)."""
    if new.end_device_id is None:
        raise NotYourDevice
    said = {
        "end_device_id": new.end_device_id,
        "description": new.description,
        "version": new.version,
        "role_flags": new.role_flags,
        "service_kind": new.service_kind,
        "status": new.status,
        "changed": now,
    }
    known = await mirrors.by_mrid(db, new.client_id, new.mrid)
    if known is not None:
        await mirrors.update_one(db, known.id, **said)
        await put_series(db, new.client_id, known.id, new.series, now=now)
        return known.id, False
    if await mirrors.count_of(db, new.client_id) >= new.most:
        raise TooManyMirrors(f"{new.most}")
    point_id = await mirrors.add(db, client_id=new.client_id, mrid=new.mrid, post_rate=new.post_rate, **said)
    await put_series(db, new.client_id, point_id, new.series, now=now)
    return point_id, True


async def put_series(db: Connection, client_id: int, point_id: int, several: Sequence[NewSeries], *, now: int) -> bool:
    """Store series and their readings (rules h1 to h3); whether any series is new."""
    known = {row.mrid: row.id for row in await mirrors.series(db, point_id)}
    before = len(known)
    rows = []
    # In one order for everybody, so that no two wait for each other.
    for one in sorted(several, key=lambda one: one.mrid):
        known[one.mrid] = await _put_one(db, client_id, point_id, one, known_id=known.get(one.mrid))
        rows += [_row(known[one.mrid], reading, now) for reading in one.readings]
        if len(known) > MOST_SERIES:
            raise TooManySeries(f"{MOST_SERIES}")
    await mirrors.put_readings(db, rows)
    return len(known) > before


async def delete_mirror(db: Connection, point_id: int) -> None:
    """Forget a mirror with all its readings."""
    await mirrors.remove(db, point_id)


async def _put_one(db: Connection, client_id: int, point_id: int, one: NewSeries, *, known_id: int | None) -> int:
    said = {"last_update": one.last_update, "next_update": one.next_update}
    if one.reading_type is not None:
        said |= {name: getattr(one, name) for name in _TYPE_COLUMNS}
    if known_id is not None:
        await mirrors.update_series(db, known_id, **said)
        return known_id
    owner = await mirrors.series_owner(db, one.mrid)
    if owner is not None and owner.client_id != client_id:
        raise BadMirror(f"mRID: the MirrorMeterReading {one.mrid} is another client's")
    if one.reading_type is None:
        raise UnknownSeries(f"mRID: {one.mrid}")
    return await mirrors.add_series(db, mirror_usage_point_id=point_id, mrid=one.mrid, **said)


_TYPE_COLUMNS = (
    "description",
    "version",
    "reading_type",
    "uom",
    "multiplier",
    "flow_direction",
    "phase",
    "data_qualifier",
)


def _row(series_id: int, reading: NewReading, now: int) -> dict[str, int | str | None]:
    if not SMALLEST <= reading.value <= LARGEST:
        raise BadMirror(f"value: {reading.value} is outside {SMALLEST}..{LARGEST}")
    return {
        "mirror_meter_reading_id": series_id,
        "start": now if reading.start is None else reading.start,
        "duration": reading.duration,
        "local_id": reading.local_id,
        "set_mrid": reading.set_mrid,
        "value": reading.value,
        "quality": reading.quality,
        "received": now,
    }


async def set_reading_sign(db: Connection, mirror_id: int, sign: ReadingSign) -> None:
    """What commissioning has found of a usage point's sign; what it posts is the same as before."""
    if not await mirrors.update_one(db, mirror_id, reading_sign=sign):
        raise NoSuchMirror(str(mirror_id))
