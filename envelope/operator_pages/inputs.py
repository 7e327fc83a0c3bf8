"""Routes of what the engine's rounds take in: live measurements, and planned switching and outages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from envelope.operation import outage_calendar
from envelope.operation.outage_calendar import Entry, entry_of
from envelope.operator_pages.bodies import FeederName, OfFeeder
from envelope.operator_pages.models import folder_of
from sep2.errors import BadRequest, NotFound
from sep2.rest.route import Request, Route
from sep2.rest.types import Asked, Done, Listed, Span, Text
from sep2.rules.roles import OPERATOR, VIEWER
from sep2.rules.told_times import told_span

if TYPE_CHECKING:
    from gridmodel.meter_data.live_values import LiveBatch

MOST = 10_000
KindName = Literal["ami", "scada", "weather"]
QualityName = Literal["measured", "estimated", "substituted", "suspect", "forecast"]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Epoch = Annotated[int, Meta(ge=0, le=1 << 40)]


class BadMeasurement(BadRequest):
    """A measurement can not be taken."""


class NoSuchEntry(NotFound):
    """The calendar has no such entry."""


class Measurement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value in SI units: a mean over its interval, or a point that holds for `duration_s`."""

    kind: KindName
    place: Name
    """a connection, a transformer that has a meter, an element of SCADA such as `head`, or a weather site"""
    quantity: str
    """such as net_w, import_w, export_w, v, a, state, ghi_w_m2"""
    start: Epoch
    duration_s: Annotated[int, Meta(ge=1, le=86_400)]
    value: float
    quality: QualityName = "measured"
    phase: Literal["", "a", "b", "c"] = ""
    register: Annotated[str, Meta(max_length=100)] = ""


class Measurements(Asked, frozen=True, kw_only=True):
    """Values that arrive together; the same again changes nothing."""

    measurements: Annotated[list[Measurement], Meta(min_length=1, max_length=MOST)]


class Taken(Struct, frozen=True, kw_only=True):
    """Number of values by what became of them."""

    new: int
    revised: int
    unchanged: int
    repeated: int
    too_old: int


class PlannedOutage(Struct, frozen=True, kw_only=True):
    """Planned switching or an outage: rounds give static limits there and then."""

    start: int
    end: int
    what: str
    """such as connection:H1, transformer:T1 or group:north; empty: the whole feeder"""
    note: str


class PlannedOutageQuery(Span, frozen=True, kw_only=True):
    """Which part of a plan's calendar."""

    feeder: FeederName = ""


class NewOutage(OfFeeder, frozen=True, kw_only=True):
    """Planned switching or an outage."""

    start: Epoch
    end: Epoch
    what: Annotated[str, Meta(max_length=200)] = ""
    note: Text


class OutageToRemove(OfFeeder, frozen=True, kw_only=True):
    """The entry with these times and this subject."""

    start: Epoch
    end: Epoch
    what: Annotated[str, Meta(max_length=200)] = ""


async def add_measurements(rq: Request, asked: Measurements) -> Taken:
    """Counts of the values; the next round sees them, and a state of a switch calls for one at once."""
    batch = await asyncio.to_thread(_batch, rq, asked)
    counts = await asyncio.to_thread(batch.compare)

    async def write() -> None:
        await asyncio.to_thread(batch.write)
        if any(one.quantity == "state" for one in asked.measurements):
            await asyncio.to_thread(announce_switching, batch.store.folder)

    # Written once the transaction is over: a large import may hold the store for long.
    rq.after.append(write)
    names = ("new", "revised", "unchanged", "repeated", "too_old")
    return Taken(**{name: getattr(counts, name) for name in names})


def _batch(rq: Request, asked: Measurements) -> LiveBatch:
    from gridmodel.errors import GridError
    from gridmodel.meter_data.live_values import LiveBatch, LiveValue
    from gridmodel.meter_data.quantities import Quality, Quantity
    from gridmodel.meter_data.staging import Series
    from gridmodel.meter_data.store import Kind, MeasurementStore

    values = []
    for number, one in enumerate(asked.measurements):
        if one.quantity not in set(Quantity):
            known = ", ".join(Quantity)
            raise BadMeasurement(f"measurements[{number}]: quantity: {one.quantity!r} is none of {known}")
        series = Series(one.place, one.register, one.quantity, one.phase)
        quality = Quality[one.quality.upper()]
        values.append(LiveValue(Kind(one.kind), series, one.start, one.duration_s, one.value, quality))
    settings = rq.state.settings
    keep_from = max(rq.now - settings.utility.retention.measurements_s, 0)
    batch = LiveBatch(MeasurementStore(settings.measurements.folder), values, rq.now, keep_from)
    try:
        batch.check()
    except GridError as wrong:
        raise BadMeasurement(str(wrong)) from None
    return batch


def announce_switching(folder: Path) -> None:
    """Have a round follow at once, as a switch may have changed its state."""
    from envelope.operation.input_ages import SWITCHED

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / SWITCHED).touch()


async def list_outages(rq: Request, asked: PlannedOutageQuery) -> Listed[PlannedOutage]:
    """Planned switching and outages, by their start."""
    found = await asyncio.to_thread(outage_calendar.read, folder_of(rq.state, asked.feeder))
    items = [_shown(one) for one in found[: asked.limit]]
    return Listed(total=len(found), items=items)


async def add_outage(rq: Request, asked: NewOutage) -> PlannedOutage:
    """The entry, which the next round obeys in advance."""
    made = entry_of(asked.start, asked.end, asked.what, asked.note)
    folder = folder_of(rq.state, asked.feeder)
    known = await asyncio.to_thread(outage_calendar.read, folder)
    kept = [one for one in known if one[:4] != made[:4]]
    rq.after.append(lambda: asyncio.to_thread(outage_calendar.write, folder, [*kept, made]))
    return _shown(made)


async def remove_outage(rq: Request, asked: OutageToRemove) -> Done:
    """The entry is gone."""
    folder = folder_of(rq.state, asked.feeder)
    known = await asyncio.to_thread(outage_calendar.read, folder)
    kept = [one for one in known if (one.start, one.end, one.what) != (asked.start, asked.end, asked.what)]
    if len(kept) == len(known):
        raise NoSuchEntry(f"{asked.what or 'the whole feeder'} {told_span(asked.start, asked.end)}")
    rq.after.append(lambda: asyncio.to_thread(outage_calendar.write, folder, kept))
    return Done(message="the entry is gone; the next round no longer obeys it")


def _shown(one: Entry) -> PlannedOutage:
    return PlannedOutage(start=one.start, end=one.end, what=one.what, note=one.note)


TABLE = (
    Route("POST", "/measurements", add_measurements, OPERATOR),
    Route("GET", "/x/envelope/outages", list_outages, VIEWER),
    Route("POST", "/x/envelope/outages", add_outage, OPERATOR),
    Route("DELETE", "/x/envelope/outages", remove_outage, OPERATOR),
)
