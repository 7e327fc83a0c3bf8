"""What clients sent and when: readings, documents, LogEvents, responses, last contact."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Row

from sep2.admin import customers, find
from sep2.admin import types as t
from sep2.errors import BadValue
from sep2.operations import readings
from sep2.operations.readings import Cursor
from sep2.operations.reported import said
from sep2.rest.route import Request, listed, page
from sep2.rules import cursor
from sep2.rules.metering import ReadingSign
from sep2.rules.readings import DER, NAMES, QUANTITIES, SITE, phase_of, quantity_of
from sep2.rules.told_times import told
from sep2.store import listing_reports, seen
from sep2.store.listing_readings import Key, Of
from sep2.store.listing_reports import Whose

DAY_S = 86_400
RATINGS, STATES = ("DERCapability", "DERSettings"), ("DERStatus", "DERAvailability", "LoadShedAvailability")


class UnknownQuantity(BadValue):
    """Nothing of that name is metered."""


class BadPeriod(BadValue):
    """A period ends after it begins."""


async def list_readings(rq: Request, asked: t.ReadingQuery) -> t.Readings:
    """Readings of a time, raw or as means over buckets, series by series; gaps stay gaps."""
    until = rq.now if asked.until is None else asked.until
    since = until - DAY_S if asked.since is None else asked.since
    if since >= until:
        raise BadPeriod(f"from: {told(since)} is not before {told(until)}")
    of, after = await _of(rq, asked, asked.quantity), _cursor(asked.after)
    if asked.connection is not None:
        place = await find.connection(rq.db, asked.connection)
        since = await customers.since_of(rq, place.id, since, earlier=asked.earlier)
    if since >= until:
        return t.Readings(items=[], next=None)
    if asked.resolution is None:
        raw, following = await readings.raw(rq.db, of, (since, until), after=after, limit=asked.limit)
        return t.Readings(items=[_raw(one) for one in raw], next=_next(following))
    means, following = await readings.means(rq.db, of, (since, until), asked.resolution, after=after, limit=asked.limit)
    return t.Readings(items=[_mean(one) for one in means], next=_next(following))


async def list_latest_readings(rq: Request, asked: t.LatestQuery) -> t.Readings:
    """The reading of each series that came in last; series that have none yet, too."""
    of, after = await _of(rq, asked, asked.quantity), _cursor(asked.after)
    rows = await readings.latest(rq.db, of, after=after.series, limit=asked.limit)
    more = Cursor(rows[-1].series_id) if len(rows) == asked.limit else None
    return t.Readings(items=[_latest(row) for row in rows], next=_next(more))


async def list_ratings(rq: Request, asked: t.DocumentQuery) -> t.Listed[t.Document]:
    """What devices are rated for and set to: DERCapability and DERSettings."""
    return await _documents(rq, asked, RATINGS)


async def list_device_status(rq: Request, asked: t.DocumentQuery) -> t.Listed[t.Document]:
    """What devices are doing and could add or do without: DERStatus, DERAvailability and LoadShedAvailability."""
    return await _documents(rq, asked, STATES)


async def list_log_events(rq: Request, asked: t.Listing) -> t.Listed[t.LogEvent]:
    """Events that devices reported, the latest first by their own time."""
    found = await listing_reports.log_events(rq.db, await _whose(rq, asked), page(asked))
    items = [
        t.LogEvent(
            id=row.id,
            **_names(row),
            created=row.created,
            received=row.received,
            function_set=row.function_set,
            code=row.log_event_code,
            event=row.log_event_id,
            pen=row.log_event_pen,
            profile=row.profile_id,
            details=row.details,
            extended_data=row.extended_data,
        )
        for row in found.rows
    ]
    return listed(found, items)


async def list_responses(rq: Request, asked: t.ResponseQuery) -> t.Listed[t.ResponseSaid]:
    """What devices answered to controls, the latest first."""
    control = None if asked.control is None else (await find.control(rq.db, asked.control)).id
    statuses = None if asked.status is None else [asked.status]
    found = await listing_reports.responses(
        rq.db, await _whose(rq, asked), page(asked), control_id=control, statuses=statuses
    )
    items = [
        t.ResponseSaid(
            id=row.id,
            **_names(row),
            control=row.mrid,
            group=row.group_name,
            source=row.source,
            status=row.status,
            created=row.created,
            received=row.received,
        )
        for row in found.rows
    ]
    return listed(found, items)


async def list_contacts(rq: Request, asked: t.ContactQuery) -> t.Listed[t.ClientContact]:
    """When clients were last heard of, from where and how; those never heard of first."""
    client = None if asked.client is None else (await find.client(rq.db, asked.client)).id
    found = await seen.clients(rq.db, page(asked), client_id=client)
    latest = await seen.latest_of(rq.db, [row.id for row in found.rows])
    return listed(found, [_contact(row, latest.get(row.id)) for row in found.rows])


def _contact(row: Row[Any], where: Row[Any] | None) -> t.ClientContact:
    """When a client was heard of, and what was noted of its latest connection."""
    of_connection: dict[str, Any] = {name: "" if where is None else getattr(where, name) for name in seen.SAID}
    return t.ClientContact(
        client=row.name,
        **_heard(row),
        refusals=row.refusals or 0,
        skew_s=None if where is None else where.skew_s,
        **of_connection,
    )


async def list_device_contacts(rq: Request, asked: t.ContactQuery) -> t.Listed[t.DeviceContact]:
    """When devices were last asked about, posted for and answered for; those never heard of first."""
    client = None if asked.client is None else (await find.client(rq.db, asked.client)).id
    found = await seen.devices(rq.db, page(asked), client_id=client)
    return listed(found, [t.DeviceContact(**_names(row), **_heard(row)) for row in found.rows])


async def _documents(rq: Request, asked: t.DocumentQuery, kinds: Sequence[str]) -> t.Listed[t.Document]:
    whose = await _whose(rq, asked)
    look = listing_reports.editions if asked.history else listing_reports.documents
    found = await look(rq.db, whose, kinds, page(asked))
    items = [
        t.Document(**_names(row), kind=row.kind, written=row.at, says=said(row.kind, bytes(row.body)))
        for row in found.rows
    ]
    return listed(found, items)


async def _numbers(rq: Request, asked: t.Whose | t.Listing) -> dict[str, Any]:
    """The numbers of what is named."""
    return {
        "connection_id": None if asked.connection is None else (await find.connection(rq.db, asked.connection)).id,
        "device_id": None if asked.device is None else (await find.device(rq.db, asked.device)).id,
        "client_id": None if asked.client is None else (await find.client(rq.db, asked.client)).id,
        "group_id": None if asked.group is None else (await find.group(rq.db, asked.group)).id,
        "place_id": None if asked.place is None else (await find.place(rq.db, asked.place)).id,
    }


async def _whose(rq: Request, asked: t.Listing) -> Whose:
    return Whose(**await _numbers(rq, asked), since=asked.since, until=asked.until)


async def _of(rq: Request, asked: t.Whose, quantity: str | None) -> Of:
    uoms = None if quantity is None else [uom for uom, known in QUANTITIES.items() if known.name == quantity]
    if uoms == []:
        raise UnknownQuantity(f"quantity: {quantity!r} is none of {', '.join(NAMES)}")
    return Of(**await _numbers(rq, asked), uoms=uoms)


def _cursor(after: str | None) -> Cursor:
    if after is None:
        return Cursor()
    numbers = cursor.decode(after)
    if len(numbers) not in (1, 1 + len(Key._fields)) or not all(isinstance(one, int) for one in numbers):
        raise cursor.BadCursor(after[:40])
    series, *key = (int(one) for one in numbers)
    return Cursor(series, Key(*key) if key else None)


def _next(following: Cursor | None) -> str | None:
    return None if following is None else cursor.encode((following.series, *(following.key or ())))


def _names(row: Row[Any]) -> dict[str, Any]:
    return {"connection": row.connection_name, "device": row.lfdi, "client": row.client_name}


def _heard(row: Row[Any]) -> dict[str, Any]:
    times = {name: getattr(row, name) for name in seen.LAST}
    return times | {name: getattr(row, name) or 0 for name in seen.COUNTS}


def _role(flags: int) -> Literal["site", "der", "other"]:
    return "site" if flags & SITE else "der" if flags & DER else "other"


def _of_series(series: Row[Any]) -> dict[str, Any]:
    quantity = quantity_of(series.uom)
    return {
        **_names(series),
        "meter": series.mirror_id,
        "role": _role(series.role_flags),
        "quantity": quantity.name,
        "unit": quantity.unit,
        "phase": phase_of(series.phase),
        "sign": ReadingSign(series.reading_sign),
    }


def _raw(one: readings.Said) -> t.Reading:
    return t.Reading(
        **_of_series(one.series),
        start=one.key.start,
        duration_s=one.key.duration,
        value=one.value,
        quality=one.quality,
        received=one.received,
    )


def _mean(one: readings.Mean) -> t.Reading:
    bucket = one.bucket
    return t.Reading(
        **_of_series(one.series),
        start=bucket.start,
        duration_s=bucket.duration,
        value=bucket.mean,
        least=bucket.least,
        most=bucket.most,
        covered_s=bucket.covered_s,
    )


def _latest(row: Row[Any]) -> t.Reading:
    return t.Reading(
        **_of_series(row),
        start=row.start,
        duration_s=row.duration,
        value=readings.signed(row, row.value),
        quality=row.quality,
        received=row.received,
    )
