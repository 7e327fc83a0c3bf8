"""Features of a forecast: earlier values at equal times, as far as they had arrived, calendar, scale and weather."""

from __future__ import annotations

import warnings
from functools import cached_property

import numpy as np

from envelope.forecast.history import History
from gridmodel.arrays import Floating, Index, Mask, Real, Whole
from gridmodel.meter_data.store import DAY_S

WEEKS, DAYS = 4, 7
"""earlier weeks and days at equal times that are averaged"""


class Lags:
    """Earlier values for O origins, H steps ahead and C connections, W; NaN where none had arrived by the origin.

    Each is calculated when it is asked for.
    """

    def __init__(self, history: History, origin: Index, *, single: bool = False) -> None:
        self.history, self.origin, self.per_day = history, origin, history.question.per_day
        self.values: Floating = history.net_w.astype(np.float32) if single else history.net_w
        self.target = origin[:, None] + np.arange(history.question.steps)
        self.last_known = origin[:, None] - history.delay - 1

    def _daily(self, number: int) -> Real:
        """The value at the same time, so many days before the last day that is known."""
        back = -(-(self.target - self.last_known) // self.per_day)
        return _at(self.values, self.target - (back + number) * self.per_day)

    def _weekly(self, number: int) -> Real:
        back = -(-(self.target - self.last_known) // (7 * self.per_day))
        return _at(self.values, self.target - 7 * (back + number) * self.per_day)

    @cached_property
    def last(self) -> Real:
        """The last day at the same time."""
        return self._daily(0)

    @cached_property
    def week(self) -> Real:
        """The last week at the same time of the week."""
        return self._weekly(0)

    @cached_property
    def days(self) -> Real:
        """Mean of the last seven days at the same time."""
        return _mean([self._daily(k) for k in range(DAYS)])

    @cached_property
    def weeks(self) -> Real:
        """Mean of the last four weeks at the same time of the week."""
        return _mean([self._weekly(k) for k in range(WEEKS)])

    @cached_property
    def like(self) -> Real:
        """Mean of the last five days of the same type (working day or weekend) at the same time."""
        return _like(self.history, self.values, (self.target, self.last_known))

    @cached_property
    def shift(self) -> Real:
        """(O, 1, C) mean of the last day less that of the weeks before at the same times."""
        before = self.last_known - np.arange(self.per_day)
        ago = [_at(self.values, before - 7 * k * self.per_day) for k in range(1, WEEKS + 1)]
        return _mean(_rows(_at(self.values, before) - _mean(ago)))[:, None, :]


def _rows(values: Real) -> list[Real]:
    """The steps of (O, H, C) one by one."""
    return [values[:, k] for k in range(values.shape[1])]


def _at(values: Floating, position: Index) -> Real:
    """(O, H, C) values at these positions, NaN before the first."""
    inside = (position >= 0) & (position < len(values))
    found: Real = np.asarray(values[np.where(inside, position, 0)])
    found[~inside] = np.nan
    return found


def _mean(several: list[Real]) -> Real:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a time of which nothing is known
        return np.asarray(np.nanmean(several, axis=0))


def _like(history: History, values: Floating, where: tuple[Index, Index], count: int = 5) -> Real:
    """Mean of the last days of the type that the target's day has."""
    q = history.question
    target, last_known = where
    is_weekend = weekend(history, target)
    total: Real = np.zeros((*target.shape, values.shape[1]), dtype=values.dtype)
    found = np.zeros_like(total)
    for k in range(1, 22):
        position = target - k * q.per_day
        usable = (position <= last_known) & (weekend(history, position) == is_weekend)
        value = _at(values, position)
        taken = usable[..., None] & np.isfinite(value) & (found < count)
        total += np.where(taken, value, 0.0)
        found += taken
    return np.where(found > 0, total / np.maximum(found, 1), np.nan)


def times(history: History, position: Index) -> Whole:
    """Epoch seconds of positions in the history."""
    return np.asarray(history.question.at + (position - len(history.net_w)) * history.question.step_s)


def weekend(history: History, position: Index) -> Mask:
    """Whether positions are on a Saturday or Sunday, UTC."""
    return np.asarray((times(history, position) // DAY_S + 3) % 7 >= 5)


def filled(values: Real, *others: Real) -> Real:
    """(O, H, C) values, with the first of the others that is known where they are not, at last zero."""
    for other in others:
        values = np.where(np.isfinite(values), values, other)
    return np.nan_to_num(values)
