"""Models of the expected net import: what is hard to beat first, then one that learns over all connections."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import numpy as np

from envelope.forecast.earlier_values import Lags, filled
from envelope.forecast.history import History
from envelope.forecast.solar import expected_irradiance, solar_size_w
from gridmodel.arrays import Index, Real

KEPT_SHIFT = 0.4
"""part of the recent difference from usual that goes on"""


class Model(StrEnum):
    """A way to forecast."""

    AUTO = "auto"
    """the one with the least pinball loss over the past weeks"""
    PERSISTENCE = "persistence"
    """the last day that is known"""
    SIMILAR_DAY = "similar-day"
    """mean of the last five working days or weekend days"""
    HOUR_OF_WEEK = "hour-of-week"
    """mean of the last four weeks at the same time of the week, with part of the recent difference"""
    CLEAR_SKY = "clear-sky"
    """the same of the load without solar, less solar by the irradiance that is expected"""
    LEARNED = "learned"
    """gradient boosting, one model for all connections"""
    OWN = "own"
    """the utility's, taken from a file"""


MADE_HERE = tuple(one for one in Model if one not in (Model.AUTO, Model.OWN))
"""models by which forecasts are made here"""


class Forecaster(Protocol):
    """Expected values for origins of a history."""

    def __call__(self, history: History, origin: Index) -> Real:
        """(O, H, C) net import, W."""
        ...


def persistence(history: History, origin: Index) -> Real:
    """The last day that is known, at the same time."""
    found = Lags(history, origin)
    return filled(found.last, found.days, found.weeks, history.scale[0])


def similar_day(history: History, origin: Index) -> Real:
    """Mean of the last days of the same type."""
    found = Lags(history, origin)
    return filled(found.like, found.days, found.weeks, history.scale[0])


def hour_of_week(history: History, origin: Index) -> Real:
    """Mean of the last weeks at the same time of the week, with part of the last day's difference from it."""
    return usual(Lags(history, origin), history.scale[0])


def usual(found: Lags, mean: Real) -> Real:
    """(O, H, C) usual value at the time of the week with the recent difference."""
    return filled(found.weeks, found.like, found.days, mean) + KEPT_SHIFT * np.nan_to_num(found.shift)


def clear_sky(history: History, origin: Index) -> Real:
    """The usual load without solar, less the solar that is expected; without weather the usual value."""
    size, sun = solar_size_w(history), expected_irradiance(history, origin)
    if history.measured_irradiance is None or sun is None:
        return hour_of_week(history, origin)
    measured = np.nan_to_num(history.measured_irradiance)[:, None] / 1000.0
    load = History(history.question, history.places, history.net_w + measured * size, history.delay, history.origin)
    return hour_of_week(load, origin) - sun[..., None] / 1000.0 * size


BASELINES: dict[Model, Forecaster] = {
    Model.PERSISTENCE: persistence,
    Model.SIMILAR_DAY: similar_day,
    Model.HOUR_OF_WEEK: hour_of_week,
    Model.CLEAR_SKY: clear_sky,
}
