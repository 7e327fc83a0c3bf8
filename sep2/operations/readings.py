"""Readings for operators: raw or as means over buckets of time, in SI units, import positive."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.rules.metering import ReadingSign
from sep2.rules.readings import Bucket, Metered, buckets, exact, factor
from sep2.store import listing_readings
from sep2.store.connection import Connection
from sep2.store.listing_readings import BEFORE_ALL, Key, Of

AT_ONCE = 1000
"""Readings, or series, in one statement."""
MOST_SERIES = 2000
"""Series that one page looks through at most, where few of them have readings in the time."""


class Said(NamedTuple):
    """A reading and its series; `value` in the unit of its quantity, None where the client posted none."""

    series: Row[Any]
    key: Key
    value: float | None
    quality: int | None
    received: int


class Mean(NamedTuple):
    """What a series was on average in a bucket of time."""

    series: Row[Any]
    bucket: Bucket


class Cursor(NamedTuple):
    """Where a page begins: after the reading of a series with that key; a bucket's key is its start alone."""

    series: int = 0
    key: Key | None = None


FIRST = Cursor()


def signed(series: Row[Any], value: int | None) -> float | None:
    """A raw value of a series in SI units, import positive."""
    if value is None:
        return None
    sign = ReadingSign(series.reading_sign)
    return exact(value, series.multiplier) * factor(series.uom, series.flow_direction, sign)


async def raw(
    db: Connection, of: Of, span: tuple[int, int], *, after: Cursor = FIRST, limit: int = AT_ONCE
) -> tuple[list[Said], Cursor | None]:
    """Readings that touch a time, series by series, and where the next page begins; None: there are no more."""
    found: list[Said] = []
    async for series, key in _series(db, of, after):
        if series is None:
            return found, Cursor(key.series)
        rows = await listing_readings.between(
            db, series.series_id, span, after=key.key or BEFORE_ALL, limit=limit - len(found) + 1
        )
        found.extend(
            Said(series, _key(row), signed(series, row.value), row.quality, row.received)
            for row in rows[: limit - len(found)]
        )
        if len(rows) > 0 and len(found) == limit:
            return found, Cursor(series.series_id, found[-1].key)
    return found, None


async def means(
    db: Connection, of: Of, span: tuple[int, int], resolution_s: int, *, after: Cursor = FIRST, limit: int = AT_ONCE
) -> tuple[list[Mean], Cursor | None]:
    """Means over buckets that begin at multiples of the resolution, and where the next page begins."""
    since, until = span
    found: list[Mean] = []
    async for series, key in _series(db, of, after):
        if series is None:
            return found, Cursor(key.series)
        begin = since if key.key is None else max(since, key.key.start + resolution_s)
        # No more time than the page may hold buckets: a year by the minute is read in parts.
        end = min(until, (begin // resolution_s + limit - len(found)) * resolution_s)
        found += [Mean(series, one) for one in buckets(await _metered(db, series, (begin, end)), resolution_s)]
        if end < until:
            last = (end - 1) // resolution_s * resolution_s
            return found, Cursor(series.series_id, BEFORE_ALL._replace(start=last))
    return found, None


async def _metered(db: Connection, series: Row[Any], span: tuple[int, int]) -> list[Metered]:
    """The readings of a series in a time, cut to it."""
    since, until = span
    found: list[Metered] = []
    after = BEFORE_ALL
    while True:
        rows = await listing_readings.between(db, series.series_id, span, after=after, limit=AT_ONCE)
        for row in rows:
            value = signed(series, row.value)
            start, end = max(since, row.start), min(until, row.start + row.duration)
            if value is not None and (row.duration == 0 or end > start):
                found.append(Metered(start, max(0, end - start), value))
        if len(rows) < AT_ONCE:
            return found
        after = _key(rows[-1])


async def _series(db: Connection, of: Of, after: Cursor) -> AsyncIterator[tuple[Row[Any] | None, Cursor]]:
    """Series from a place on, each with where to begin in it; None after as many as one page looks through."""
    last = after.series - 1 if after.key is not None else after.series
    looked = 0
    while rows := await listing_readings.series(db, of, after=last, limit=AT_ONCE):
        for row in rows:
            if looked == MOST_SERIES:
                yield None, Cursor(last)
                return
            looked += 1
            last = row.series_id
            yield row, after if after.key is not None and row.series_id == after.series else Cursor(row.series_id)


def _key(row: Row[Any]) -> Key:
    return Key(row.start, row.duration, row.local_id, row.consumption_block, row.tou_tier)


async def latest(db: Connection, of: Of, *, after: int = 0, limit: int = AT_ONCE) -> Sequence[Row[Any]]:
    """Series, each with its latest reading, from the one after a number on."""
    return await listing_readings.latest(db, of, after=after, limit=limit)
