"""How much of a time is measured: per place, and per day over all places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridmodel.arrays import Real, Whole
from gridmodel.meter_data.overlaps import without_overlaps
from gridmodel.meter_data.reading import Window, fetch
from gridmodel.meter_data.series_index import KnownSeries, known_series
from gridmodel.meter_data.store import DAY_S, Kind, MeasurementStore

SERIES_AT_ONCE = 2_000


@dataclass(frozen=True, eq=False)
class Coverage:
    """Share of each day that is measured at each place. D days, C places."""

    kind: Kind
    places: tuple[str, ...]
    day: Whole
    """(D,) begin of each UTC day, epoch seconds"""
    share: Real
    """(D, C) 0 to 1, of the least known quantity of a place"""
    doubtful: Real
    """(D, C) share of the values that are no plain measurements"""


def coverage(
    store: MeasurementStore,
    kind: Kind,
    since: int,
    until: int,
    *,
    places: Sequence[str] | None = None,
    as_of: int | None = None,
) -> Coverage:
    """The coverage of each UTC day, of the first and the last one as far as they lie in [since, until)."""
    first = since - since % DAY_S
    days = max(-(-(until - first) // DAY_S), 1)
    series = known_series(store, kind, places)
    named = tuple(dict.fromkeys(places if places is not None else (one.series.place for one in series)))
    column = {name: k for k, name in enumerate(named)}
    seconds = np.full((days, len(named)), np.inf)
    values, doubtful = np.zeros(seconds.shape), np.zeros(seconds.shape)
    window = Window(first, first + days * DAY_S, DAY_S, as_of)
    for at in range(0, len(series), SERIES_AT_ONCE):
        part = series[at : at + SERIES_AT_ONCE]
        own, count, bad = _of_days(store, kind, part, window)
        for quantity_column, one in enumerate(part):
            c = column[one.series.place]
            seconds[:, c] = np.minimum(seconds[:, c], own[:, quantity_column])
            values[:, c] += count[:, quantity_column]
            doubtful[:, c] += bad[:, quantity_column]
    day = first + DAY_S * np.arange(days, dtype=np.int64)
    length = np.minimum(day + DAY_S, until) - np.maximum(day, since)
    share = np.where(np.isfinite(seconds), seconds / np.maximum(length, 1)[:, None], 0.0)
    return Coverage(kind, named, day, np.minimum(share, 1.0), doubtful / np.maximum(values, 1.0))


def _of_days(store: MeasurementStore, kind: Kind, series: list[KnownSeries], window: Window) -> tuple[Real, Real, Real]:
    """(D, S) seconds measured, number of values, and number of doubtful ones, by the day in which each began."""
    rows = without_overlaps(fetch(store, kind, series, window))
    shape = window.steps, len(series)
    day = np.clip((rows["start"] - window.since) // window.step_s, 0, window.steps - 1)
    at = day * shape[1] + rows["code"]
    size = shape[0] * shape[1]
    seconds, count, bad = (
        np.bincount(at, weights, minlength=size).astype(np.float64).reshape(shape)
        for weights in (rows["duration"], None, rows["quality"] > 0)
    )
    return seconds, count, bad
