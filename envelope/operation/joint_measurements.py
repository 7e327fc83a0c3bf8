"""Measurements of the store and of clients' mirrors in one view, with the settings that devices report."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from envelope.operation.measurements import HEAD, Measured, Quantity, from_mirrors
from gridmodel.meter_data import quantities
from gridmodel.meter_data.overlaps import without_overlaps
from gridmodel.meter_data.reading import Window, fetch, hold
from gridmodel.meter_data.scada import HEAD as HEAD_ELEMENT
from gridmodel.meter_data.series_index import KnownSeries, known_series
from gridmodel.meter_data.store import Kind, MeasurementStore
from sep2.operations import reported
from sep2.settings import Settings
from sep2.store import connections, devices, documents
from sep2.store.connection import Connection
from sep2.store.opening import open_database

Stored = quantities.Quantity
SIGNS = {Stored.IMPORT: 1.0, Stored.EXPORT: -1.0, Stored.NET: 1.0}
TAKEN = (*SIGNS, Stored.VOLTAGE, Stored.CURRENT)
USABLE = (quantities.Quality.MEASURED, quantities.Quality.ESTIMATED, quantities.Quality.SUBSTITUTED)


class ReportedSettings(NamedTuple):
    """The settings that a device at a connection reports."""

    connection_id: str
    lfdi: str
    settings: dict[str, Any]
    """DERSettings, quantities in SI units; empty where it reported none"""


@dataclass(frozen=True)
class JointMeasurements:
    """Measurements of both sources, as `Assumptions` and forecasts read them."""

    store: MeasurementStore
    feeder: str = ""
    """its name: SCADA's element `head NAME` is the head of this feeder, `head` that of any"""

    async def __call__(self, db: Connection, names: Sequence[str], since: int, until: int) -> list[Measured]:
        """Return what meters, SCADA and mirrors measured at these connections and at the feeder, import positive."""
        mirrored = await from_mirrors(db, names, since, until)
        return [*mirrored, *await asyncio.to_thread(self.stored, names, since, until)]

    def stored(self, names: Sequence[str], since: int, until: int, as_of: int | None = None) -> list[Measured]:
        """Return the store's part: meters of these connections, and all SCADA points."""
        if not self.store.exists or until <= since:
            return []
        window = Window(since, until, until - since, as_of)
        found = []
        for kind, places in ((Kind.AMI, names), (Kind.SCADA, None)):
            series = known_series(self.store, kind, places, TAKEN)
            if series:
                found += _measured(series, fetch(self.store, kind, series, window), kind)
        heads = {HEAD_ELEMENT, f"{HEAD_ELEMENT} {self.feeder}".lower()}
        return [one._replace(place=HEAD) if one.place.lower() in heads else one for one in found]


@dataclass(frozen=True)
class ServerMeasurements:
    """The database of a server, read from outside its process."""

    settings: Settings

    async def live(self, place: str, since: int, until: int) -> tuple[list[Measured], list[ReportedSettings]]:
        """Return what clients mirrored of a connection in a time, and the settings of its devices."""
        database = await open_database(self.settings.database.url)
        try:
            async with database.read() as db:
                return await from_mirrors(db, [place], since, until), await reported_settings(db, [place])
        finally:
            await database.close()

    async def unknown(self, names: Sequence[str]) -> list[str]:
        """Return the names that no connection of the server has."""
        database = await open_database(self.settings.database.url)
        try:
            async with database.read() as db:
                known = await connections.known(db, names)
            return [name for name in names if name not in known]
        finally:
            await database.close()


async def reported_settings(db: Connection, names: Sequence[str]) -> list[ReportedSettings]:
    """Return the DERSettings of the devices at these connections."""
    found = []
    for row in await devices.at_connections(db, names):
        body = await documents.body(db, row.id, "DERSettings")
        said = {} if body is None else reported.said("DERSettings", body)
        found.append(ReportedSettings(row.connection_name, row.lfdi, said))
    return found


def _measured(series: list[KnownSeries], rows: dict[str, Any], kind: Kind) -> list[Measured]:
    """Return rows of a store as measurements; suspect and forecast ones are left out."""
    if kind is Kind.SCADA:
        hold(rows)
    rows = without_overlaps(rows)
    usable = np.isin(rows["quality"], USABLE)
    power: dict[tuple[str, int, int], dict[int, float]] = {}
    directed = {one.series.place for one in series if one.series.quantity == Stored.IMPORT}
    registers: dict[str, set[int]] = {}
    found = []
    for code, start, duration, value in zip(
        *(rows[name][usable].tolist() for name in ("code", "start", "duration", "value")), strict=True
    ):
        one = series[code].series
        if one.quantity not in SIGNS:
            quantity = Quantity.VOLTAGE if one.quantity == Stored.VOLTAGE else Quantity.CURRENT
            found.append(Measured(_place(one.place, one.phase, quantity), quantity, start, duration, value))
        elif one.quantity != Stored.NET or one.place not in directed:
            registers.setdefault(one.place, set()).add(code)
            power.setdefault((one.place, start, duration), {})[code] = SIGNS[Stored(one.quantity)] * value
    for (place, start, duration), parts in power.items():
        # One register alone is no net power of a meter that has several.
        if len(parts) == len(registers[place]):
            found.append(
                Measured(_place(place, "", Quantity.POWER), Quantity.POWER, start, duration, sum(parts.values()))
            )
    return found


def _place(element: str, phase: str, quantity: Quantity) -> str:
    """Return the name of an element among measurements: a current is of one phase."""
    return f"{element}, phase {phase}" if quantity is Quantity.CURRENT and phase else element
