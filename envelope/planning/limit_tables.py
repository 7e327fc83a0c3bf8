"""Limits of a year as tables: 8,760 hours, 576 and 288 values by month and hour, and 24 by hour; rounded down."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envelope.planning.year import Year, longest_run
from gridmodel.arrays import Index, Real

MONTHS, HOURS = 12, 24


class Tables(NamedTuple):
    """Limits in W, all rounded down."""

    hourly_w: Real
    """(H,) of each hour of the days studied"""
    minimum_day_w: Real
    peak_day_w: Real
    """(12, 24) of each month's day with the least, and with the most energy drawn; NaN for months not studied"""
    by_month_w: Real
    """(12, 24) least of a month's days at each hour"""
    by_hour_w: Real
    """(24,) least of all days at each hour"""
    least_w: float
    """least of all hours"""


def tables_of(year: Year, limit_w: Real, round_w: float) -> Tables:
    """The tables of (T,) W; an hour has the least of its steps."""
    hourly = np.floor(hourly_least(year, limit_w) / round_w + 1e-9) * round_w
    days = hourly.reshape(-1, HOURS)
    month = year.month[:: year.per_day]
    drawn = year.load_w.sum(axis=1).reshape(year.days, -1).sum(axis=1)
    shape = (MONTHS, HOURS)
    least, minimum, peak = (np.full(shape, np.nan) for _ in range(3))
    for m in np.unique(month).tolist():
        own = np.flatnonzero(month == m)
        least[m] = days[own].min(axis=0)
        minimum[m], peak[m] = days[own[drawn[own].argmin()]], days[own[drawn[own].argmax()]]
    return Tables(hourly, minimum, peak, least, days.min(axis=0), float(days.min()))


def hourly_least(year: Year, values: Real) -> Real:
    """(H,) least of each hour's steps, of (T,); a step longer than an hour counts for all its hours."""
    if year.step_s > 3600:
        return np.repeat(values, year.step_s // 3600)
    return np.asarray(values.reshape(-1, 3600 // year.step_s).min(axis=1))


def hour_of_step(year: Year) -> Index:
    """(T,) position of each step's hour among those of the days studied."""
    return np.arange(len(year.load_w)) * year.step_s // 3600


def at_steps(year: Year, tables: Tables) -> dict[str, Real]:
    """(T,) W that each kind of limit permits at every step, by name, the most flexible first."""
    by_hour = tables.by_hour_w[year.hour]
    return {
        "8,760 hourly limits": tables.hourly_w[hour_of_step(year)],
        "288 values (12 × 24)": tables.by_month_w[year.month, year.hour],
        "24 values": by_hour,
        "one value": np.full(len(by_hour), tables.least_w),
    }


class Curtailed(NamedTuple):
    """Energy of a year that limits take."""

    p10_kwh: float
    p50_kwh: float
    p90_kwh: float
    p50_percent: float
    """of what is available"""
    hours: float
    """a year in which something is curtailed"""
    longest_h: float


def curtailed_of(year: Year, available_w: Real, taken_w: Real, *, years: int = 500, seed: int = 1) -> Curtailed:
    """Curtailed energy over years that are drawn from the days studied, month by month.

    available_w, taken_w: (T,) W that the plant could feed and that limits take.
    """
    per_day = year.per_day
    taken, available = (one.reshape(-1, per_day).sum(axis=1) * year.hours / 1e3 for one in (taken_w, available_w))
    month, rng = year.month[::per_day], np.random.default_rng(seed)
    sums = np.zeros((2, years))
    for m in range(MONTHS):
        own = np.flatnonzero(month == m)
        # A month that was not studied is like the days that were.
        own = own if len(own) else np.arange(len(month))
        length = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[m]
        drawn = rng.choice(own, (years, length))
        sums += taken[drawn].sum(axis=1), available[drawn].sum(axis=1)
    over = taken_w > 1.0
    p10, p50, p90 = np.quantile(sums[0], (0.1, 0.5, 0.9))
    share = 100.0 * float(np.median(sums[0] / np.maximum(sums[1], 1e-9)))
    scale = 365.0 / year.days
    return Curtailed(
        round(float(p10), 1),
        round(float(p50), 1),
        round(float(p90), 1),
        round(share, 3),
        round(float(over.sum()) * year.hours * scale, 1),
        longest_run(over) * year.hours,
    )
