"""Measurements and weather as they were known when a forecast is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gridmodel.arrays import Index, Real
from gridmodel.errors import GridError
from gridmodel.meter_data.quantities import Quantity
from gridmodel.meter_data.reading import Window, net_import_w, read
from gridmodel.meter_data.series_index import known_series
from gridmodel.meter_data.store import DAY_S, Kind, MeasurementStore

DAYS = 91
"""of measurements that are looked at"""
FEWEST_DAYS = 21
KNOWN_SHARE = 0.5
"""share of the connections that are known in the last step that counts as known"""
LATEST_DELAY_S = 14 * DAY_S


@dataclass(frozen=True)
class Question:
    """A forecast to make: at a time, for the steps from then on."""

    at: int
    """epoch seconds, a multiple of the step"""
    horizon_s: int = 2 * DAY_S
    step_s: int = 1800
    days: int = DAYS
    location: tuple[float, float] | None = None
    """latitude and longitude, degrees: for the clear sky"""

    def __post_init__(self) -> None:
        if DAY_S % self.step_s or self.step_s < 300:
            raise GridError(f"step_s: {self.step_s} does not divide a day into steps of 300 s or more")
        if self.horizon_s % self.step_s or not self.step_s <= self.horizon_s <= 7 * DAY_S:
            raise GridError(f"horizon_s: {self.horizon_s} is no whole number of steps up to seven days")
        if self.at % self.step_s:
            raise GridError(f"at: {self.at} is not the begin of a step of {self.step_s} s")

    @property
    def steps(self) -> int:
        """H, steps of the horizon."""
        return self.horizon_s // self.step_s

    @property
    def per_day(self) -> int:
        """Steps of a day."""
        return DAY_S // self.step_s


@dataclass(frozen=True, eq=False)
class History:
    """Measurements of T steps before the question's time, and weather for the origins of past forecasts and this one.

    An origin is a time at which a forecast was, or could have been, made: D of them, a day apart, the last is `at`.
    """

    question: Question
    places: tuple[str, ...]
    net_w: Real
    """(T, C) net import, NaN in gaps and where it had not arrived"""
    delay: int
    """steps before `at` of which nothing had arrived"""
    origin: Index
    """(D,) position in T of each origin; that of the last is T"""
    irradiance: Real | None = None
    """(D, H) global horizontal irradiance, W/m2, as forecast at each origin; None: no weather"""
    temperature: Real | None = None
    """(D, H) C, the same"""
    measured_irradiance: Real | None = None
    """(T,) W/m2, NaN in gaps"""
    said: tuple[str, ...] = ()
    """what was missing, as sentences"""

    @cached_property
    def scale(self) -> tuple[Real, Real]:
        """(C,) mean and standard deviation of what is known, W; the latter at least 50 W."""
        known = np.isfinite(self.net_w)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, self.net_w, 0.0).sum(axis=0) / count
        square = np.where(known, (self.net_w - mean) ** 2, 0.0).sum(axis=0) / count
        return mean, np.maximum(np.sqrt(square), 50.0)


IssuedWeather = dict[tuple[int, Quantity], Real]
"""weather as forecast at a time, read once where many questions ask for it"""


def read_history(
    store: MeasurementStore, places: Sequence[str], question: Question, *, weather: IssuedWeather | None = None
) -> History:
    """The history of these connections; GridError where it is too short."""
    since = question.at - question.days * DAY_S
    window = Window(since, question.at, question.step_s, question.at)
    net = net_import_w(store, places, window).value
    known = np.flatnonzero(np.isfinite(net).mean(axis=1) >= KNOWN_SHARE)
    days = np.isfinite(net).any(axis=1).sum() / question.per_day
    if days < FEWEST_DAYS:
        raise GridError(f"{days:.1f} days are known of {len(places)} connections; {FEWEST_DAYS} are needed")
    delay = len(net) - 1 - int(known[-1]) if len(known) else len(net)
    if delay * question.step_s > LATEST_DELAY_S:
        raise GridError(f"the last values are {delay * question.step_s // DAY_S} days old: nothing follows from them")
    origin = np.arange(len(net) % question.per_day, len(net) + 1, question.per_day, dtype=np.intp)
    found, said = _weather(store, question, origin, {} if weather is None else weather)
    return History(question, tuple(places), net, delay, origin, **found, said=said)


def _weather(
    store: MeasurementStore, question: Question, origin: Index, issued: IssuedWeather
) -> tuple[dict[str, Real], tuple[str, ...]]:
    """Weather of the first site that has irradiance, or any: as forecast at each origin."""
    series = known_series(store, Kind.WEATHER)
    sites = [one.series.place for one in series if one.series.quantity == Quantity.IRRADIANCE]
    sites = sites or [one.series.place for one in series]
    if not sites:
        return {}, ("no weather is stored: cloud and temperature are not known to the forecast",)
    found: dict[str, Real] = {}
    past = Window(question.at - question.days * DAY_S, question.at, question.step_s, question.at)
    measured = read(store, sites[:1], Quantity.IRRADIANCE, past, kind=Kind.WEATHER).value[:, 0]
    if np.isfinite(measured).any():
        found["measured_irradiance"] = measured
    for name, quantity in (("irradiance", Quantity.IRRADIANCE), ("temperature", Quantity.TEMPERATURE)):
        rows = []
        for position in origin:
            at = past.since + int(position) * question.step_s
            if (at, quantity) not in issued:
                window = Window(at, at + question.horizon_s, question.step_s, at)
                issued[at, quantity] = read(store, sites[:1], quantity, window, kind=Kind.WEATHER).value[:, 0]
            rows.append(issued[at, quantity])
        if np.isfinite(rows[-1]).mean() > KNOWN_SHARE:
            found[name] = np.array(rows)
    missing = [name for name in ("irradiance", "temperature") if name not in found]
    said = f"no forecast of {' and '.join(missing)} had been issued for the horizon" if missing else ""
    return found, (said,) if said else ()
