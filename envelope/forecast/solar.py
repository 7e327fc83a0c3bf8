"""Solar generation within net import: its size by how the load follows the sun, and the irradiance to expect."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from envelope.forecast.earlier_values import times
from envelope.forecast.history import History
from gridmodel.arrays import Index, Real

DARK = 20.0
"""W/m2 of clear sky, below which nothing is told from the day before"""
SMALLEST_W = 300.0
"""at 1000 W/m2, below which what follows the sun is not called generation"""


@lru_cache(maxsize=2)
def solar_size_w(history: History) -> Real:
    """(C,) generation at 1000 W/m2 of each connection, W; zero where none is told or no irradiance is measured.

    At equal times of the day habits are the same and the sun is not: the slope of the one over the other.
    """
    sun = history.measured_irradiance
    if sun is None:
        return np.zeros(len(history.places))
    time = np.arange(len(sun)) % history.question.per_day
    usable = np.isfinite(sun)[:, None] & np.isfinite(history.net_w)
    x = _less_mean(np.where(usable, sun[:, None], np.nan), time, history.question.per_day)
    y = _less_mean(np.where(usable, history.net_w, np.nan), time, history.question.per_day)
    square = (x**2).sum(axis=0)
    slope = np.divide((x * y).sum(axis=0), square, out=np.zeros(len(square)), where=square > 0)
    size = -1000.0 * slope
    return np.asarray(np.where(size >= SMALLEST_W, size, 0.0))


def _less_mean(values: Real, time: Index, count: int) -> Real:
    """Values less their mean at the same time of the day, zero where they are not known."""
    found = np.zeros_like(values)
    for k in range(count):
        rows = values[time == k]
        known = np.isfinite(rows)
        mean = np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        found[time == k] = np.where(known, rows - mean, 0.0)
    return found


def expected_irradiance(history: History, origin: Index) -> Real | None:
    """(O, H) W/m2 as forecast at each origin; where it is not, the cloud of the last measured day; None without either.

    That cloud is put before the clear sky of the target's own day where the question says where it is.
    """
    position = origin[:, None] + np.arange(history.question.steps)
    measured, again = history.measured_irradiance, None
    if measured is not None:
        back = -(-(position - (origin[:, None] - history.delay - 1)) // history.question.per_day)
        at = position - back * history.question.per_day
        again = np.where(at >= 0, measured[np.clip(at, 0, len(measured) - 1)], np.nan)
        if history.question.location is not None:
            now, then = (clear_sky_irradiance(history, one) for one in (position, at))
            again = np.where(then > DARK, again * now / np.maximum(then, DARK), again)
    if history.irradiance is None:
        return None if again is None else np.nan_to_num(again)
    known = history.irradiance[np.searchsorted(history.origin, origin)]
    return np.nan_to_num(known if again is None else np.where(np.isfinite(known), known, again))


def clear_sky_irradiance(history: History, position: Index) -> Real:
    """Global horizontal irradiance of a clear sky at positions of the history, W/m2 (Haurwitz, by pvlib)."""
    import pandas as pd
    from pvlib import clearsky, solarposition

    latitude, longitude = history.question.location or (0.0, 0.0)
    at = pd.to_datetime(times(history, position).reshape(-1) + history.question.step_s // 2, unit="s", utc=True)
    zenith = solarposition.get_solarposition(at, latitude, longitude)["apparent_zenith"]
    return np.asarray(clearsky.haurwitz(zenith)["ghi"], dtype=np.float64).reshape(position.shape)
