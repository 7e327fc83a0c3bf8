"""The learned model: gradient boosting (LightGBM) over all connections, on values relative to each one's scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from envelope.forecast.earlier_values import Lags, filled, times, weekend
from envelope.forecast.history import History
from envelope.forecast.solar import clear_sky_irradiance, expected_irradiance, solar_size_w
from gridmodel.arrays import Index, Real, Single
from gridmodel.errors import GridError
from gridmodel.meter_data.store import DAY_S

MOST_ROWS = 100_000
"""that it learns from, drawn at random"""
ROUNDS = 200
SEED = 20_260_529
SETTINGS = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": SEED,
    "num_threads": 1,
    "verbosity": -1,
    "deterministic": True,
}


@dataclass(frozen=True, eq=False)
class LearnedModel:
    """A model that was learnt from the origins of a history, and forecasts any other."""

    booster: Any
    until: int
    """epoch seconds of the last value that it has seen"""

    def __call__(self, history: History, origin: Index) -> Real:
        """(O, H, C) net import, W."""
        mean, spread = history.scale
        found = np.empty((len(origin), history.question.steps, len(history.places)))
        for k in range(len(origin)):
            rows = features(history, origin[k : k + 1])
            found[k] = self.booster.predict(rows).reshape(found.shape[1:])
        return found * spread + mean


def learn(history: History, origin: Index) -> LearnedModel:
    """Learn from what these origins knew and what came after them, as far as that had arrived."""
    try:
        import lightgbm
    except ModuleNotFoundError:
        raise GridError("the learned model needs LightGBM: pip install 'sep2[forecast]'") from None

    q = history.question
    mean, spread = history.scale
    rng = np.random.default_rng(SEED)
    share = min(1.0, MOST_ROWS / max(len(origin) * q.steps * len(history.places), 1))
    rows, wanted, last = [], [], 0
    for one in origin:
        position = int(one) + np.arange(q.steps)
        usable = position < len(history.net_w) - history.delay
        value = np.full((q.steps, len(history.places)), np.nan)
        value[usable] = history.net_w[position[usable]]
        target = ((value - mean) / spread).reshape(-1)
        chosen = np.isfinite(target) & (rng.random(len(target)) < share)
        rows.append(features(history, np.array([one]))[chosen])
        wanted.append(target[chosen])
        last = max(last, int(position[usable].max(initial=0)))
    x, y = np.concatenate(rows), np.concatenate(wanted)
    if len(y) < 1000:
        raise GridError(f"{len(y)} values to learn from; 1000 are needed")
    booster = lightgbm.train(SETTINGS, lightgbm.Dataset(x, y), num_boost_round=ROUNDS)
    return LearnedModel(booster, int(times(history, np.array([last + 1]))[0]))


def features(history: History, origin: Index) -> Single:
    """(O * H * C, F) features: earlier values over each connection's scale, calendar, weather."""
    found, (mean, spread) = Lags(history, origin, single=True), history.scale
    shape = found.last.shape
    position = origin[:, None] + np.arange(history.question.steps)
    at = times(history, position)
    angle = 2 * np.pi * (at % DAY_S) / DAY_S
    year = 2 * np.pi * (at % (365.25 * DAY_S)) / (365.25 * DAY_S)
    calendar = [np.sin(angle), np.cos(angle), weekend(history, position), at // DAY_S % 7, np.cos(year)]
    per_step = [np.asarray(one, dtype=np.float32) for one in (*calendar, *_sky(history, origin, position))]
    own = [(one - mean) / spread for one in _earlier(found, mean)] + [np.broadcast_to(found.shift / spread, shape)]
    size = solar_size_w(history) / spread
    columns = own + [np.broadcast_to(one[..., None], shape) for one in per_step]
    columns += [np.broadcast_to(one, shape) for one in (size, np.log(spread))]
    if (sun := expected_irradiance(history, origin)) is not None:
        columns.append(sun[..., None] / 1000.0 * size)
    return np.stack([np.asarray(one, dtype=np.float32).reshape(-1) for one in columns], axis=1)


def _earlier(found: Lags, mean: Real) -> list[Real]:
    return [
        filled(found.last, found.days, mean),
        filled(found.week, found.weeks, found.days, mean),
        filled(found.days, found.weeks, mean),
        filled(found.weeks, found.days, mean),
        filled(found.like, found.days, mean),
    ]


def _sky(history: History, origin: Index, position: Index) -> list[Real]:
    """(O, H) weather to expect, and of the last day."""
    found = []
    if (sun := expected_irradiance(history, origin)) is not None:
        found.append(sun / 1000.0)
    if history.temperature is not None:
        found.append(np.nan_to_num(history.temperature[np.searchsorted(history.origin, origin)], nan=20.0))
    if history.question.location is not None:
        found.append(clear_sky_irradiance(history, position) / 1000.0)
    return found
