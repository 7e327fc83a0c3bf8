"""Years of stored measurements against the map: phases, transformers, energy balance, unknown generation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from gridmodel.arrays import Complex, Mask, Real, Whole
from gridmodel.errors import GridError
from gridmodel.estimates import Estimate, of_meters
from gridmodel.meter_data.quantities import Quantity
from gridmodel.meter_data.reading import Window, net_import_var, net_import_w, read
from gridmodel.meter_data.readings import FEWEST_INTERVALS, LOSS_SHARE, Readings, check_meters, upstream
from gridmodel.meter_data.series_index import KnownSeries, known_series
from gridmodel.meter_data.store import DAY_S, Kind, MeasurementStore
from gridmodel.model.feeder import Feeder
from gridmodel.model.findings import Finding
from gridmodel.model.network import Network

WEEK_S = 7 * DAY_S
MOST_WEEKS = 26
"""that are looked at, evenly spread over the time that is measured"""
STEP_S = 1800
EXPORTED_W = 200.0
"""mean export of an interval above which there is generation"""
OVER_SIZE = 1.2
"""export over registered generation, above which there is more than is registered"""
FEWEST_EXPORTS = 4
CONFIDENT = 0.95
HIDDEN_W = 300.0
"""at 1000 W/m2, below which a dependence on the sun is not called generation"""


@dataclass(frozen=True, eq=False)
class StoredReadings:
    """Readings of a feeder's customers over the weeks that are looked at, a gap between weeks that do not follow."""

    start: Whole
    """(T,) epoch seconds; 0 in the gaps between weeks"""
    readings: Readings
    irradiance: Real
    """(T,) W/m2 of the first site of the weather, NaN where it is not known"""


def check_store(folder: Path, feeder: Feeder, warn: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Findings of all that is stored about the customers of a feeder; `warn` is told before what takes long."""
    store = MeasurementStore(folder)
    try:
        warn(_expected(store, feeder.network).warning)
        found = stored_readings(store, feeder.network)
        findings = check_meters(feeder.network, found.readings)
    except GridError as wrong:
        return [Finding("error", "unusable", str(folder), "readings", str(wrong))]
    first, last = found.start[found.start > 0][[0, -1]]
    weeks = f"{int((found.start > 0).sum() * STEP_S // WEEK_S)} weeks between {_day(first)} and {_day(last)}"
    said = Finding("note", "looked_at", feeder.name, "interval_start", f"{weeks} were looked at, in half-hours")
    return [said, *findings, *_balance_by_month(feeder.network, found), *generation(feeder, found)]


def stored_readings(store: MeasurementStore, network: Network) -> StoredReadings:
    """Voltages and powers of a network's connections and transformers, week by week; GridError where there are none."""
    names = network.connections.id
    transformers = [
        i for i, kind in zip(network.branches.id, network.branches.kind, strict=True) if kind == "transformer"
    ]
    series = known_series(store, Kind.AMI, names)
    if not series:
        raise GridError(f"{store.folder} has no meter readings of the connections of {network.name}")
    parts = [_week(store, network, (week, transformers)) for week in _weeks(series)]
    if sum(len(part.start) for part in parts) < FEWEST_INTERVALS:
        raise GridError(f"{store.folder} has fewer than {FEWEST_INTERVALS} intervals of this feeder")
    return _joined(parts, transformers)


def _expected(store: MeasurementStore, network: Network) -> Estimate:
    """Of a look at all that is stored about the customers of a network."""
    series = known_series(store, Kind.AMI, network.connections.id)
    intervals = sum(window.steps for window in _weeks(series)) if series else 0
    measured = {one.series.place for one in series if one.series.quantity == Quantity.VOLTAGE}
    return of_meters(intervals, len(measured), network.branches.kind.count("transformer"))


def _weeks(series: list[KnownSeries]) -> list[Window]:
    """Weeks, or the one shorter time, that are looked at."""
    first = min(one.first for one in series) // DAY_S * DAY_S
    until = -(-max(one.until for one in series) // DAY_S) * DAY_S
    if until - first <= WEEK_S:
        return [Window(first, until, STEP_S)]
    count = (until - first) // WEEK_S
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_WEEKS)).round().astype(int))
    return [Window(first + int(k) * WEEK_S, first + int(k + 1) * WEEK_S, STEP_S) for k in chosen]


def _week(store: MeasurementStore, network: Network, what: tuple[Window, list[str]]) -> StoredReadings:
    window, transformers = what
    names = network.connections.id
    v = read(store, names, Quantity.VOLTAGE, window).value
    var = net_import_var(store, names, window).value
    s_va: Complex = -(net_import_w(store, names, window).value + 1j * np.nan_to_num(var))
    through = {}
    for name in transformers:
        own = net_import_w(store, [name], window).value[:, 0]
        if not np.isfinite(own).any():
            own = net_import_w(store, [f"transformer {name}"], window, kind=Kind.SCADA).value[:, 0]
        through[name] = -own
    sites = [one.series.place for one in known_series(store, Kind.WEATHER, None, [Quantity.IRRADIANCE])]
    sun = read(store, sites[:1], Quantity.IRRADIANCE, window, kind=Kind.WEATHER).value
    irradiance = sun[:, 0] if sites else np.full(window.steps, np.nan)
    return StoredReadings(window.start, Readings(v, s_va, through), irradiance)


def _joined(parts: list[StoredReadings], transformers: list[str]) -> StoredReadings:
    """Weeks one after the other, with an interval of gaps between those that do not follow each other."""
    start, v, s, sun = [], [], [], []
    through: dict[str, list[Real]] = {name: [] for name in transformers}
    width = parts[0].readings.v.shape[1]
    for k, part in enumerate(parts):
        if k and part.start[0] != parts[k - 1].start[-1] + STEP_S:
            start.append(np.zeros(1, dtype=np.int64))
            v.append(np.full((1, width), np.nan))
            s.append(np.full((1, width), complex(np.nan, np.nan)))
            sun.append(np.full(1, np.nan))
            for several in through.values():
                several.append(np.full(1, np.nan))
        start.append(part.start)
        v.append(part.readings.v)
        s.append(part.readings.s_va)
        sun.append(part.irradiance)
        for name, several in through.items():
            several.append(part.readings.transformer_w[name])
    joined = {name: np.concatenate(several) for name, several in through.items()}
    metered = {name: power for name, power in joined.items() if np.isfinite(power).any()}
    return StoredReadings(
        np.concatenate(start), Readings(np.concatenate(v), np.concatenate(s), metered), np.concatenate(sun)
    )


def _balance_by_month(network: Network, found: StoredReadings) -> Iterator[Finding]:
    """The month from which on a transformer's energy does not agree with its customers', where it did before."""
    behind = np.array(upstream(network))
    month = np.array([f"{datetime.fromtimestamp(int(at), UTC):%Y-%m}" if at else "" for at in found.start])
    for transformer, measured in found.readings.transformer_w.items():
        own = found.readings.s_va[:, behind == transformer].real
        complete = np.isfinite(measured) & np.isfinite(own).all(axis=1)
        shares = [(name, _missing(own, measured, complete & (month == name))) for name in sorted(set(month) - {""})]
        known = [(name, share) for name, share in shares if np.isfinite(share)]
        wrong = [not LOSS_SHARE[0] <= share <= LOSS_SHARE[1] for _, share in known]
        if any(wrong) and not all(wrong) and all(wrong[wrong.index(True) :]):
            name, share = known[wrong.index(True)]
            detail = f"since {name} {share:.1%} of its energy is not at its customers' meters; before it was"
            yield Finding("warning", "energy_balance_changed", f"transformer {transformer}", "import_wh", detail)


def _missing(own: Real, measured: Real, at: Mask) -> float:
    """Share of a transformer's energy that its customers' meters do not have."""
    through = float(np.abs(measured[at]).sum())
    return float((own[at].sum(axis=1) - measured[at]).sum()) / through if through > 0 else math.nan


def generation(feeder: Feeder, found: StoredReadings) -> Iterator[Finding]:
    """Generation that nobody registered: seen as export, or in how the load follows the sun."""
    registered = dict(zip(feeder.network.connections.id, feeder.pv_va.astype(float).tolist(), strict=True))
    for device in feeder.devices:
        registered[device.connection_id] = max(registered.get(device.connection_id, 0.0), device.max_gen_w)
    for c, name in enumerate(feeder.network.connections.id):
        exported = found.readings.s_va[:, c].real
        most = max(EXPORTED_W, OVER_SIZE * registered[name])
        over = np.flatnonzero(exported > most)
        if len(over) >= FEWEST_EXPORTS:
            has = f"{registered[name]:.0f} VA are registered" if registered[name] else "no generation is registered"
            detail = (
                f"exports up to {exported[over].max():.0f} W, above {most:.0f} W in {len(over)} half-hours "
                f"since {_day(found.start[over[0]])}; {has}"
            )
            yield Finding("warning", "unregistered_generation", f"connection {name}", "export_wh", detail)
        elif not registered[name] and (hidden := _hidden(found, exported)):
            size_w, confidence = hidden
            detail = f"its load falls with the sun by {size_w:.0f} W at 1000 W/m2 (confidence {confidence:.0%})"
            yield Finding("note", "likely_generation", f"connection {name}", "import_wh", detail)


def _hidden(found: StoredReadings, exported: Real) -> tuple[float, float] | None:
    """Generation at 1000 W/m2, W, that a load's dependence on the sun shows at equal hours, and its confidence."""
    usable = np.isfinite(exported) & (found.irradiance > 0)
    if int(usable.sum()) < 10 * FEWEST_INTERVALS:
        return None
    hour = found.start[usable] % DAY_S // 3600
    # At equal hours of the day, habits are the same and the sun is not.
    power, sun = _less_hourly_mean(exported[usable], hour), _less_hourly_mean(found.irradiance[usable], hour)
    if power.std() == 0 or sun.std() == 0:
        return None
    correlation = float(np.corrcoef(power, sun)[0, 1])
    size_w = 1000.0 * float(power @ sun) / float(sun @ sun)
    # Half-hours of one spell of weather are not independent: eight count as one.
    z = math.atanh(min(max(correlation, -0.999999), 0.999999)) * math.sqrt(max(len(power) / 8 - 3, 1))
    confidence = 0.5 * math.erfc(-z / math.sqrt(2))
    return (size_w, confidence) if size_w > HIDDEN_W and confidence > CONFIDENT else None


def _less_hourly_mean(values: Real, hour: Whole) -> Real:
    count = np.bincount(hour, minlength=24)
    mean = np.bincount(hour, values, minlength=24) / np.maximum(count, 1)
    return np.asarray(values - mean[hour])


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%d}"
