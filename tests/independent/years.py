"""Years of meters for backtests: homes of LV28 with seasons, habits, holidays, weather and noise; simbench's profiles.

Each year is in a store as it would have arrived: meters six hours after each day, weather as measured and as it was
forecast on the evening before for two days.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gridmodel.arrays import Real
from gridmodel.meter_data.store import Kind, MeasurementStore
from tests.envelope.homes_history import put

DAY_S, STEP_S, PER_DAY = 86_400, 1800, 48
SINCE = 1_735_689_600
"""2025-01-01 00:00, taken as local solar time"""
LATE_S = 6 * 3600
ISSUED_S = 6 * 3600
"""the weather of a day and the next is forecast so long before it begins"""
HOLIDAYS = (0, 26, 108, 111, 115, 160, 308, 358, 359, 364)
"""days of the year that are lived like Sundays, which no model is told of"""
LATITUDE_DEG = -37.8


class Year(NamedTuple):
    """Meters of a year."""

    names: tuple[str, ...]
    net_w: Real
    """(T, C)"""
    groups: tuple[str, ...]
    """transformer of each"""
    ghi: Real | None = None
    temp_c: Real | None = None
    """(T,)"""


def lv28(folder: Path, days: int = 365, seed: int = 28) -> Year:
    """LV28's 114 homes over a year: their measured day's shape and solar, each day lived anew.

    Behind its one transformer stand seven groups of homes that follow each other, as if each had a small one.
    """
    with (folder / "demand_kw.csv").open() as file:
        names, *rows = csv.reader(file)
    measured = 1e3 * np.array(rows, dtype=float)[:, 1:]
    sizes = {row["customer"]: 1e3 * float(row["pv_kva"]) for row in csv.DictReader((folder / "customers.csv").open())}
    rng, count, steps = np.random.default_rng(seed), len(names) - 1, days * PER_DAY
    hour, day = np.arange(steps) % PER_DAY / 2, np.arange(steps) // PER_DAY
    temp_c, ghi = weather(rng, days)
    own = _smooth(measured.reshape(PER_DAY, 6, count).mean(axis=1))
    typical = own.mean(axis=1, keepdims=True)
    shape = 0.5 * own + 0.5 * typical * own.mean(axis=0) / typical.mean()
    late = np.isin((day + 2) % 7, (5, 6)) | np.isin(day % 365, HOLIDAYS)
    at = np.where(late, (np.arange(steps) - 3) % PER_DAY, np.arange(steps) % PER_DAY)
    load = shape[at] * np.where(late, 1.1, 1.0)[:, None]
    load = load * _by_day(rng.lognormal(-0.02, 0.2, (days, count)))
    away = rng.random((days // 7 + 1, count)) < 0.03
    load = np.where(np.repeat(away, 7 * PER_DAY, axis=0)[:steps], 0.25 * load, load)
    load = load * rng.gamma(3.0, 1 / 3, (steps, count)) * (1 + _slow(rng, steps, 0.06))[:, None]
    awake = 0.25 + 0.75 * ((hour >= 7) & (hour < 23)) * np.where((hour >= 16) | late, 1.0, 0.5)
    felt = _felt(temp_c)
    cools, heats = (rng.uniform(60.0, 160.0, count) * (rng.random(count) < part) for part in (0.6, 0.5))
    degrees = np.maximum(felt - 23.0, 0.0)[:, None] * cools + np.maximum(15.0 - felt, 0.0)[:, None] * heats
    load += degrees * awake[:, None] * rng.gamma(4.0, 0.25, (steps, count))
    kw = np.array([sizes[name] for name in names[1:]])
    solar = 0.85 * ghi[:, None] / 1e3 * kw * rng.uniform(0.95, 1.05, (steps, count))
    groups = tuple(f"T{k * 7 // count + 1}" for k in range(count))
    return Year(tuple(names[1:]), load - solar, groups, ghi, temp_c)


def weather(rng: np.random.Generator, days: int) -> tuple[Real, Real]:
    """(T,) temperature in C and irradiance in W/m2 of a southern year: hot and cold spells, cloudy days and hours."""
    steps = days * PER_DAY
    day, hour = np.arange(days), np.arange(steps) % PER_DAY / 2
    spell = np.zeros(days)
    for k in range(1, days):
        spell[k] = 0.65 * spell[k - 1] + rng.normal(0.0, 3.0)
    mean = 15.5 + 6.0 * np.cos(2 * np.pi * (day - 20) / 365) + spell
    temp_c = np.repeat(mean, PER_DAY) + 5.0 * np.cos(2 * np.pi * (hour - 15.5) / 24) + _slow(rng, steps, 0.5)
    declination = -23.45 * np.cos(2 * np.pi * (day + 10) / 365)
    tilt, angle = np.radians(LATITUDE_DEG), np.radians(15.0 * (hour + 0.25 - 12.0))
    sun = np.repeat(np.radians(declination), PER_DAY)
    height = np.sin(tilt) * np.sin(sun) + np.cos(tilt) * np.cos(sun) * np.cos(angle)
    clear = 1098.0 * np.maximum(height, 0.0) * np.exp(-0.057 / np.maximum(height, 0.02))
    cloud = np.clip(np.repeat(rng.beta(2.5, 1.0, days), PER_DAY) + _slow(rng, steps, 0.12), 0.08, 1.0)
    return temp_c, clear * cloud


def simbench(folder: Path) -> Year:
    """Simbench's load profiles of 2016 in half-hours, of 1 to 6 kW, behind transformers of twelve; solar on a third.

    Profiles are few, so that several connections share one at other sizes; no weather is shipped with them.
    """
    with (folder / "LoadProfile.csv").open() as file:
        names, *rows = csv.reader(file, delimiter=";")
    kept = [k for k, name in enumerate(names) if name.endswith("_pload") and name[:2] in ("H0", "G0", "G1", "G3", "L0")]
    load = _halves(np.array([[row[k] for k in kept] for row in rows], dtype=float))
    with (folder / "RESProfile.csv").open() as file:
        names, *rows = csv.reader(file, delimiter=";")
    sun = _halves(np.array([[row[k] for k, name in enumerate(names) if name.startswith("PV")] for row in rows], float))
    rng, count = np.random.default_rng(2016), 48
    net = load[:, np.arange(count) % load.shape[1]] * rng.uniform(1e3, 6e3, count)
    size = np.where(rng.random(count) < 1 / 3, rng.uniform(2e3, 6e3, count), 0.0)
    net = net - sun[:, np.arange(count) % sun.shape[1]] * size
    return Year(tuple(f"c{k:02}" for k in range(count)), net, tuple(f"T{k // 12 + 1}" for k in range(count)))


def fill(store: MeasurementStore, year: Year, seed: int = 1) -> None:
    """Write a year into a store."""
    rng, steps = np.random.default_rng(seed), len(year.net_w)
    step = np.arange(steps)
    arrived = SINCE + (step // PER_DAY + 1) * DAY_S + LATE_S
    put(store, Kind.AMI, _columns(year.names, year.net_w), arrived, start=SINCE, step_s=STEP_S)
    if year.ghi is None or year.temp_c is None:
        return
    measured = {("site", "ghi_w_m2"): year.ghi, ("site", "temp_c"): year.temp_c}
    put(store, Kind.WEATHER, measured, SINCE + (step + 1) * STEP_S, start=SINCE, step_s=STEP_S)
    days = steps // PER_DAY
    for ahead, (sun_part, degrees) in enumerate(((0.12, 0.9), (0.18, 1.4))):
        sun = year.ghi * _by_day(rng.normal(1.0, sun_part, (days, 1)))[:, 0]
        warm = year.temp_c + _by_day(rng.normal(0.0, degrees, (days, 1)))[:, 0]
        later = slice(ahead * PER_DAY, None)
        issued = SINCE + (step[later] // PER_DAY - ahead) * DAY_S - ISSUED_S
        said = {("site", "ghi_w_m2"): np.maximum(sun, 0.0)[later], ("site", "temp_c"): warm[later]}
        put(store, Kind.WEATHER, said, issued, start=SINCE + ahead * DAY_S, step_s=STEP_S)


def _columns(names: tuple[str, ...], values: Real) -> dict[tuple[str, str], Real]:
    return {(name, "net_w"): values[:, k] for k, name in enumerate(names)}


def _halves(quarters: Real) -> Real:
    """Half-hours of a leap year's quarters; whole days."""
    whole = quarters[: len(quarters) // 96 * 96]
    return whole.reshape(-1, 2, whole.shape[1]).mean(axis=1)


def _by_day(values: Real) -> Real:
    return np.repeat(values, PER_DAY, axis=0)


def _smooth(values: Real, width: int = 5) -> Real:
    """The mean over neighbouring steps of a day."""
    return np.mean([np.roll(values, k - width // 2, axis=0) for k in range(width)], axis=0)


def _slow(rng: np.random.Generator, steps: int, spread: float) -> Real:
    """(T,) noise that lasts for some hours."""
    noise = np.repeat(rng.normal(0.0, spread, steps // 6 + 1), 6)[:steps]
    return np.convolve(noise, np.ones(6) / 6, mode="same")


def _felt(temp_c: Real) -> Real:
    """The temperature that a building has: half of that of the last twelve hours."""
    total = np.cumsum(np.concatenate([np.full(24, temp_c[0]), temp_c]))
    mean = (total[24:] - total[:-24]) / 24
    return 0.5 * temp_c + 0.5 * mean
