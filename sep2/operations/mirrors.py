"""Metering mirrors and their readings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sep2.errors import BadValue, Forbidden, NotFound, SepError
from sep2.operations.judging_again import note_readings, note_sign
from sep2.rules.metering import ReadingSign, Said, Span, check_span, numbered, spans
from sep2.store import mirrors
from sep2.store.connection import Connection

SMALLEST, LARGEST = -(2**47), 2**47
"""Bounds of a reading's value, Int48 as the schema has it."""
MOST_SERIES = 256
MOST_MIRRORS = 100_000
NOT_SAID = -1
"""The consumptionBlock or touTier of a reading that has none."""
LOCAL_IDS = 2**16
"""A localID has two octets. Readings that were posted by themselves are numbered from here on, beside those of sets."""


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


class UnknownMirror(NotFound):
    """There is no mirror of that number or name, and none whose mRID begins so."""


class NotYourDevice(Forbidden):
    """deviceLFDI is not a device of this client."""


class UnknownSeries(BadValue):
    """A MirrorMeterReading that is new needs its ReadingType."""


class Poster(NamedTuple):
    """The client that posts, and on what terms."""

    client_id: int
    post_rate_s: int
    """how often it posts, as the server asks; what comes in later than that is late"""
    server_wide: bool = False
    """its mRIDs must differ from those of all other clients"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReading:
    """One raw value; without a time of its own it has its set's, and outside a set that of this moment."""

    span: Span | None
    local_id: int | None = None
    """with its `octets`, if it is a HexBinary"""
    block: int | None = None
    tier: int | None = None
    value: int | None
    quality: int | None = None

    @property
    def kind(self) -> tuple[int, int]:
        """Its consumptionBlock and touTier."""
        return NOT_SAID if self.block is None else self.block, NOT_SAID if self.tier is None else self.tier


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSet:
    """A MirrorReadingSet; one with the same mRID and start is said anew, and what it held stays."""

    mrid: str
    description: str = ""
    version: int | None = None
    span: Span
    readings: Sequence[NewReading]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSeries:
    """A MirrorMeterReading; `reading_type` is None where the client repeats none."""

    mrid: str
    description: str = ""
    version: int | None = None
    last_update: int | None = None
    next_update: int | None = None
    reading_type: bytes | None = None
    interval_s: int = 0
    """intervalLength of the ReadingType; 0 is not said"""
    uom: int = 0
    multiplier: int = 0
    flow_direction: int = 0
    phase: int = 0
    data_qualifier: int = 0
    reading: NewReading | None = None
    sets: Sequence[NewSet] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMirror:
    """A MirrorUsagePoint as its creator says it; the rate of posting is the server's."""

    poster: Poster
    end_device_id: int | None
    mrid: str
    description: str
    version: int | None
    role_flags: int
    service_kind: int
    status: int
    most: int = MOST_MIRRORS
    """MirrorUsagePoints that this client may have."""
    series: Sequence[NewSeries]


async def put_mirror(db: Connection, new: NewMirror, now: int) -> tuple[int, bool]:
    """The id of the mirror, and whether it is new (rules a3, a4: a known mRID of this EndDevice is overwritten)."""
    if new.end_device_id is None:
        raise NotYourDevice
    known = await mirrors.by_mrid(db, new.end_device_id, new.mrid)
    if known is None:
        await _check_new(db, new)
    point_id = await mirrors.put(
        db,
        client_id=new.poster.client_id,
        end_device_id=new.end_device_id,
        mrid=new.mrid,
        description=new.description,
        version=new.version,
        role_flags=new.role_flags,
        service_kind=new.service_kind,
        status=new.status,
        post_rate=new.poster.post_rate_s,
        changed=now,
    )
    await put_series(db, new.poster, point_id, new.series, now=now)
    return point_id, known is None


async def _check_new(db: Connection, new: NewMirror) -> None:
    if await mirrors.count_of(db, new.poster.client_id) >= new.most:
        raise TooManyMirrors(f"{new.most}")
    if new.poster.server_wide and await mirrors.of_another_client(db, new.poster.client_id, new.mrid):
        raise BadMirror(f"mRID: the MirrorUsagePoint {new.mrid} is another client's")


class _Known(NamedTuple):
    """A series that is stored."""

    id: int
    interval_s: int


async def put_series(db: Connection, poster: Poster, point_id: int, several: Sequence[NewSeries], *, now: int) -> bool:
    """Store series and their readings (rules h1 to h3); whether any series is new."""
    known = {row.mrid: _Known(row.id, row.interval_s) for row in await mirrors.series(db, point_id)}
    before = len(known)
    rows: list[dict[str, Any]] = []
    meeting: set[int] = set()
    # In one order for everybody, so that no two wait for each other.
    for one in sorted(several, key=lambda one: one.mrid):
        stored = known.get(one.mrid)
        interval_s = one.interval_s if one.reading_type is not None or stored is None else stored.interval_s
        laid = _laid(one, interval_s, now)
        starts = [span.start for part in laid for span in part.spans]
        latest = {"latest_start": max(starts)} if starts else {}
        series_id = await _put_one(db, poster, point_id, one, stored=stored, more=latest)
        known[one.mrid] = _Known(series_id, interval_s)
        if len(known) > MOST_SERIES:
            raise TooManySeries(f"{MOST_SERIES}")
        for part in laid:
            rows += await _rows(db, series_id, part, now=now, meeting=meeting)
    await mirrors.put_readings(db, rows, meeting)
    measured = [Span(row["start"], row["duration"]) for row in rows]
    await note_readings(db, point_id, measured, post_rate_s=poster.post_rate_s, now=now)
    return len(known) > before


async def _put_one(
    db: Connection, poster: Poster, point_id: int, one: NewSeries, *, stored: _Known | None, more: dict[str, int]
) -> int:
    """The id of a series, once it is stored; what a client leaves out stays as it was."""
    said: dict[str, Any] = {"last_update": one.last_update, "next_update": one.next_update, "version": one.version}
    said = {name: value for name, value in said.items() if value is not None} | more
    if one.description:
        said["description"] = one.description
    if one.reading_type is not None:
        said |= {name: getattr(one, name) for name in _TYPE_COLUMNS}
    elif stored is None:
        raise UnknownSeries(f"mRID: {one.mrid}")
    if stored is not None:
        if said:
            await mirrors.update_series(db, stored.id, **said)
        return stored.id
    if poster.server_wide and await mirrors.series_of_another_client(db, poster.client_id, one.mrid):
        raise BadMirror(f"mRID: the MirrorMeterReading {one.mrid} is another client's")
    return await mirrors.put_series(db, mirror_usage_point_id=point_id, mrid=one.mrid, **said)


_TYPE_COLUMNS = ("reading_type", "interval_s", "uom", "multiplier", "flow_direction", "phase", "data_qualifier")


class _Part(NamedTuple):
    """The readings of a set, or the one that stands by itself, each with its time."""

    of_set: NewSet | None
    readings: Sequence[NewReading]
    spans: Sequence[Span]


def _laid(one: NewSeries, interval_s: int, now: int) -> list[_Part]:
    """The readings of a series with their times, each of them plausible; where one time is said twice the last counts.

    interval_s: what the ReadingType says of readings without a timePeriod.
    """
    parts = [] if one.reading is None else [_Part(None, [one.reading], [one.reading.span or Span(now, 0)])]
    for group in one.sets:
        check_span("MirrorReadingSet.timePeriod", group.span, now)
        said = [Said(r.span, None if r.local_id is None else int(r.local_id), *r.kind) for r in group.readings]
        parts.append(_Part(group, group.readings, spans(group.span, interval_s, said)))
    for part in parts:
        for reading, span in zip(part.readings, part.spans, strict=True):
            check_span("Reading.timePeriod", span, now)
            if reading.value is not None and not SMALLEST <= reading.value <= LARGEST:
                raise BadMirror(f"value: {reading.value} is outside {SMALLEST}..{LARGEST}")
    return parts


async def _rows(db: Connection, series_id: int, part: _Part, *, now: int, meeting: set[int]) -> list[dict[str, Any]]:
    """The rows of some readings, once their set is stored; one that meets others is added to `meeting`."""
    readings, group = part.readings, part.of_set
    local_ids = [None if one.local_id is None else int(one.local_id) for one in readings]
    set_id = 0
    if group is not None:
        said = {"mrid": group.mrid, "description": group.description, "version": group.version}
        of_set = said | group.span._asdict() | {"mirror_meter_reading_id": series_id, "received": now}
        stored = await mirrors.put_set(db, [span.start for span in part.spans] or [group.span.start], **of_set)
        set_id = stored.id
        if stored.meets_others:
            meeting.add(set_id)
    elif local_ids[0] is not None:
        local_ids = [LOCAL_IDS + local_ids[0]]
    else:
        local_ids = [LOCAL_IDS if readings[0].span else await _moment(db, series_id, readings[0], now)]
    keys = [(span, one.kind) for span, one in zip(part.spans, readings, strict=True)]
    return [
        {
            "mirror_meter_reading_id": series_id,
            **span._asdict(),
            "local_id": number,
            "local_id_octets": None if one.local_id is None else getattr(one.local_id, "octets", 2),
            "consumption_block": one.kind[0],
            "tou_tier": one.kind[1],
            "reading_set_id": set_id,
            "value": one.value,
            "quality": one.quality,
            "received": now,
        }
        for one, span, number in zip(readings, part.spans, numbered(keys, local_ids), strict=True)
    ]


async def _moment(db: Connection, series_id: int, reading: NewReading, now: int) -> int:
    """The number of a reading without a time: that of an equal one of this second, else one that is free."""
    there = await mirrors.moments(db, series_id, now)
    same = [row.local_id for row in there if (row.value, row.quality) == (reading.value, reading.quality)]
    return same[0] if same else max((row.local_id + 1 for row in there), default=LOCAL_IDS)


async def delete_mirror(db: Connection, point_id: int) -> None:
    """Forget a mirror with all its readings."""
    await mirrors.remove(db, point_id)


async def set_reading_sign(db: Connection, mirror_id: int, sign: ReadingSign) -> None:
    """What commissioning has found of a usage point's sign; what it posts is the same as before."""
    if not await mirrors.update_one(db, mirror_id, reading_sign=sign):
        raise UnknownMirror(str(mirror_id))
    await note_sign(db, mirror_id)
