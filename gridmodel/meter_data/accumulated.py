"""Energies between two reads of a register, which are of no interval: NEM13."""

from __future__ import annotations

from typing import NamedTuple

from gridmodel.meter_data.quantities import ENERGY_OF, HOUR_S, Quality, Quantity
from gridmodel.meter_data.reading import Window, fetch
from gridmodel.meter_data.series_index import known_series
from gridmodel.meter_data.store import Kind, MeasurementStore


class Energy(NamedTuple):
    """What a register counted between two reads."""

    register: str
    quantity: str
    """import_wh, export_wh, import_varh, export_varh"""
    since: int
    """epoch seconds of the previous read"""
    until: int
    """of the current one"""
    value: float
    """Wh or varh"""
    quality: str


def energies(store: MeasurementStore, place: str, window: Window) -> list[Energy]:
    """The energies of a place whose time touches a window, by register and time, as they were known then."""
    series = known_series(store, Kind.ACCUMULATED, [place])
    if not series:
        return []
    rows = fetch(store, Kind.ACCUMULATED, series, window)
    columns = [rows[name].tolist() for name in ("code", "start", "duration", "value", "quality")]
    found = []
    for code, start, duration, watts, quality in zip(*columns, strict=True):
        one = series[code].series
        name = ENERGY_OF[Quantity(one.quantity)]
        value = round(watts * duration / HOUR_S, 6)
        found.append(Energy(one.register, name, start, start + duration, value, Quality(quality).name.lower()))
    return sorted(found)
