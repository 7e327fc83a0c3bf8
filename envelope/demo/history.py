"""The sixty days before the demonstration's day: what meters, the feeder's head and a weather service have told.

Nobody had bought anything then, so that a meter's net import is what no limit bounds. Each value has the time at which
it arrived: meters are read a day late, so that on its day the engine does not know how the day before ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envelope.demo import households, solar
from envelope.demo.day import STEP_S, STEPS, Day, ceiling_over, hours
from gridmodel.arrays import Complex, Real, Whole
from gridmodel.meter_data import series_index
from gridmodel.meter_data.quantities import Quantity
from gridmodel.meter_data.scada import HEAD
from gridmodel.meter_data.staging import Series, Staging, Values
from gridmodel.meter_data.store import Kind, MeasurementStore

DAYS = 60
METER_S = 1800
"""Interval of the meters' means, s."""
LATE_S = 86_400
"""A mean arrives so long after its interval."""
DAY_S = STEPS * STEP_S
ISSUED_S = 3600
"""The weather of a day is forecast so long before it begins."""
FORECAST_ERROR = 0.15
"""Standard deviation of the forecast of a day's sun, as a part of it."""
HAZE, HAZE_WEIGHTS = (1.0, 0.75, 0.35), (0.4, 0.4, 0.2)
"""Parts of the sun that get through on clear, hazy and overcast days, beside clouds."""
SHIFT, SIZE, HEAD_PU = 12, 0.1, 0.002
"""Most steps of five minutes by which a measured profile moves, and spreads of its size and of the head voltage."""
SUN_W_M2 = 1000.0


class PastDay(NamedTuple):
    """One day in steps of five minutes from 08:00."""

    net_w: Real
    """(T, C) net import."""
    sun: Real | None
    """(T,) output of earlier solar per unit of its highest; None: there is none."""
    head_v: Complex | None
    """(T, 3)"""


@dataclass(frozen=True)
class Past:
    """Days before a day, made from its own: the same homes, other weather and other habits."""

    day: Day
    seed: int
    """Of the homes and the days; the demonstration's."""

    def before(self, days: int) -> PastDay:
        """Return the day so many days before."""
        rng = np.random.default_rng([self.seed, 7, days])
        day = self.day
        if day.base_solar_w is None or not day.base_solar_w.any():
            return PastDay(self._demand(rng, np.zeros(day.base_va.shape)), None, self._head(rng))
        measured = day.base_solar_w.sum(axis=1)
        sun = ceiling_over(measured / measured.max())
        sun = sun * solar.cloud_factor(rng, STEPS) * rng.choice(HAZE, p=HAZE_WEIGHTS)
        size_w = day.base_solar_w.sum(axis=0) * measured.max() / measured.sum()
        return PastDay(self._demand(rng, np.outer(sun, size_w)), sun, self._head(rng))

    def _demand(self, rng: np.random.Generator, solar_w: Real) -> Real:
        """(T, C) W of the homes less their solar: households simulated anew, or measured profiles moved and scaled."""
        day, count = self.day, len(self.day.connection_ids)
        if day.base_solar_w is None:
            again = np.random.default_rng([self.seed, 1])
            return households.demand_va(again, count, hours(), rng).real - solar_w
        drawn = day.base_solar_w - day.base_va.real
        moved = np.array([np.roll(drawn[:, k], by) for k, by in enumerate(rng.integers(-SHIFT, SHIFT + 1, count))]).T
        return np.asarray(moved * rng.lognormal(-0.5 * SIZE**2, SIZE, count) - solar_w)

    def _head(self, rng: np.random.Generator) -> Complex | None:
        if self.day.source_v is None:
            return None
        return np.asarray(
            np.roll(self.day.source_v, rng.integers(-SHIFT, SHIFT + 1), axis=0) * (1 + rng.normal(0.0, HEAD_PU))
        )


def fill(store: MeasurementStore, day: Day, seed: int, days: int = DAYS) -> None:
    """Write so many days before a day into a store, with the weather and its forecasts until a day after it."""
    past = [Past(day, seed).before(number) for number in range(days, 0, -1)]
    since = day.start - days * DAY_S
    start, end = _times(since, days)
    net_w = _means(np.concatenate([one.net_w for one in past]))
    meters = {Series(name, "", Quantity.NET, ""): net_w[:, k] for k, name in enumerate(day.connection_ids)}
    _put(store, Kind.AMI, [_block(meters, start, end + LATE_S)])
    heads = [np.abs(one.head_v) for one in past if one.head_v is not None]
    if heads:
        head_v = _means(np.concatenate(heads))
        phases = {Series(HEAD, "", Quantity.VOLTAGE, phase): head_v[:, k] for k, phase in enumerate("abc")}
        _put(store, Kind.SCADA, [_block(phases, start, end + LATE_S)])
    suns = [one.sun for one in past if one.sun is not None]
    if suns and day.base_solar_w is not None:
        measured = day.base_solar_w.sum(axis=1)
        sun = _means(np.concatenate([*suns, measured / measured.max()])[:, None])[:, 0]
        _put(store, Kind.WEATHER, _weather(SUN_W_M2 * sun, since, seed))


def _weather(ghi: Real, since: int, seed: int) -> list[Values]:
    """Return irradiance as measured, and as it was forecast before each day for that day and the next.

    ghi: W/m2 of each interval of the past days and, last, of the day itself, which is forecast and not yet measured.
    """
    site = Series("site", "", Quantity.IRRADIANCE, "")
    by_day = ghi.reshape(-1, DAY_S // METER_S)
    # The day after the last one is taken for one like it.
    following = np.concatenate([by_day[1:], by_day[-1:]])
    start, end = _times(since, len(by_day) - 1)
    found = [_block({site: by_day[:-1].reshape(-1)}, start, end)]
    rng = np.random.default_rng([seed, 8])
    for number, days in enumerate(np.stack([by_day, following], axis=1)):
        said = days * np.maximum(rng.normal(1.0, FORECAST_ERROR, 2), 0.0)[:, None]
        begin = since + number * DAY_S
        found.append(_block({site: said.reshape(-1)}, _times(begin, 2)[0], np.array(begin - ISSUED_S)))
    return found


def _times(since: int, days: int) -> tuple[Whole, Whole]:
    """Return when each interval of so many days begins and ends, epoch seconds."""
    start = since + METER_S * np.arange(days * DAY_S // METER_S, dtype=np.int64)
    return start, start + METER_S


def _means(fine: Real) -> Real:
    """(T, N) means of the meters' intervals, of (K, N) values of five minutes."""
    return np.asarray(fine.reshape(-1, METER_S // STEP_S, fine.shape[1]).mean(axis=1))


def _block(columns: Mapping[Series, Real], start: Whole, arrived: Whole) -> Values:
    """Return series that share their intervals. start, arrived: (T,) epoch seconds, or one time of arrival for all."""
    count, names = len(start), tuple(columns)
    return Values(
        names,
        np.repeat(np.arange(len(names)), count),
        np.tile(start, len(names)),
        np.full(count * len(names), METER_S),
        np.concatenate(list(columns.values())),
        np.zeros(count * len(names), np.uint8),
        np.tile(np.broadcast_to(arrived, (count,)), len(names)),
    )


def _put(store: MeasurementStore, kind: Kind, blocks: Sequence[Values]) -> None:
    with Staging(store, kind) as staging, store.writing():
        for block in blocks:
            staging.add(block, 0)
        series_index.widen(store, kind, staging.spans)
        staging.write("demo")
