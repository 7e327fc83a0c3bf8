"""Power through a transformer with a meter of its own, beside the sum of its connections' meters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from sep2.operations import readings
from sep2.operations.diagrams import WATT
from sep2.operations.territory import UnknownPlace
from sep2.rest.route import Request, Route
from sep2.rest.types import Asked
from sep2.rules.roles import VIEWER
from sep2.store import territory
from sep2.store.listing_readings import Of

if TYPE_CHECKING:
    from sep2.settings import Settings

STEP_S = 1800
LATE_S = 1800
"""Meters have posted what they measured so long after its interval."""
MOST_BUCKETS = 100_000
EXPLAINED = (-0.02, 0.12)
"""Share of the energy that meters of connections may leave open: losses, and their errors (assumed)."""


class BalanceQuery(Asked, frozen=True, kw_only=True):
    """The place, by its name."""

    place: Annotated[str, Meta(max_length=200)]


class Balance(Struct, frozen=True, kw_only=True):
    """The latest half-hour of which readings are due; powers are means, import positive."""

    place: str
    since: int
    until: int
    connections: int
    """at the place and below it"""
    metered: int
    """those whose meters cover all of the half-hour"""
    connections_w: float | None
    """the sum of these; null: none"""
    own_w: float | None
    """what the place's own meter says; null: it has none, or nothing of that time"""
    missing_percent: float | None
    """part of `own_w` that is not at the connections; null where not all of them are metered"""
    is_plausible: bool | None
    """whether losses explain that; null: nothing can be said"""


async def show_balance(rq: Request, asked: BalanceQuery) -> Balance:
    """Power through a transformer by its own meter, and by the meters of its connections."""
    place = await territory.shown(rq.db, asked.place)
    if place is None:
        raise UnknownPlace(asked.place[:60])
    until = (rq.now - LATE_S) // STEP_S * STEP_S
    span = until - STEP_S, until
    of = Of(place_id=place.id, uoms=(WATT,), site_only=True)
    means, _ = await readings.means(rq.db, of, span, STEP_S, limit=MOST_BUCKETS)
    # A meter says all phases in one series, or each in one of its own.
    sums: dict[str, float] = {}
    for one in means:
        if one.bucket.covered_s >= STEP_S:
            name = one.series.connection_name
            sums[name] = sums.get(name, 0.0) + one.bucket.mean
    connections = await territory.connections_below(rq.db, place.id)
    own_w = await asyncio.to_thread(_own_w, rq.state.settings, place.name, span)
    total_w = sum(sums.values()) if sums else None
    share = None
    if own_w and total_w is not None and len(sums) == connections:
        share = (own_w - total_w) / abs(own_w)
    return Balance(
        place=place.name,
        since=span[0],
        until=until,
        connections=connections,
        metered=len(sums),
        connections_w=total_w,
        own_w=own_w,
        missing_percent=None if share is None else round(100 * share, 1),
        is_plausible=None if share is None else EXPLAINED[0] <= share <= EXPLAINED[1],
    )


def _own_w(settings: Settings, name: str, span: tuple[int, int]) -> float | None:
    """Return the net import of a place's own meter, W; None: it is not known."""
    from gridmodel.meter_data.reading import Window, net_import_w
    from gridmodel.meter_data.store import Kind, MeasurementStore

    store = MeasurementStore(settings.measurements.folder)
    if not store.exists:
        return None
    window = Window(*span, STEP_S)
    for kind, place in ((Kind.AMI, name), (Kind.SCADA, f"transformer {name}"), (Kind.SCADA, name)):
        found = net_import_w(store, [place], window, kind=kind)
        if found.known.all():
            return float(found.value[0, 0])
    return None


TABLE = (Route("GET", "/x/envelope/balance", show_balance, VIEWER),)
