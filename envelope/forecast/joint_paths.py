"""Joint paths of net import: the expected value, plus errors that the same model made on past days.

An error is taken of a whole day and of all connections at once, so that the paths keep what homes have in common with
each other, with the hours before and with the sun. Sums over transformers and feeders are sums of paths, never of
quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from envelope.forecast.history import History
from envelope.forecast.learned import LearnedModel, learn
from envelope.forecast.models import BASELINES, Forecaster, Model
from envelope.forecast.scores import QUANTILES, pinball
from envelope.forecast.solar import expected_irradiance, solar_size_w
from envelope.problem import Scenarios
from gridmodel.arrays import Index, Real, Whole
from gridmodel.errors import GridError

PATHS = 40
FEWEST_PATHS = 7
SEED = 20_260_530


@dataclass(frozen=True, eq=False)
class Forecast:
    """K joint paths over H steps at C connections."""

    made_at: int
    """epoch seconds; nothing that arrived later was seen"""
    places: tuple[str, ...]
    start: Whole
    """(H,) epoch seconds"""
    step_s: int
    model: Model
    expected_w: Real
    """(H, C) net import"""
    path_w: Real
    """(K, H, C) net import"""
    solar_w: Real | None
    """(K, H, C) solar generation within it, produced positive; None where it can not be told"""
    said: tuple[str, ...] = ()
    """what the model lacked, as sentences"""

    def scenarios(self, connections: Sequence[str], *, power_factor: float = 1.0) -> Scenarios:
        """The paths in the form that a problem takes, for these connections in this order, with one moment per step.

        power_factor: lagging, of what is drawn without solar: measurements of active power alone do not tell it.
        """
        column = {name: c for c, name in enumerate(self.places)}
        if missing := [name for name in connections if name not in column]:
            raise GridError(f"connections: {missing[0]} is not in this forecast of {len(self.places)} connections")
        if not 0.0 < power_factor <= 1.0:
            raise GridError(f"power_factor: {power_factor:g} is not above 0 and at most 1")
        chosen = [column[name] for name in connections]
        net = self.path_w[:, :, None, chosen]
        solar = None if self.solar_w is None else self.solar_w[:, :, None, chosen]
        drawn = np.maximum(net if solar is None else net + solar, 0.0)
        return Scenarios(net, drawn * np.tan(np.arccos(power_factor)), solar)

    def quantiles(self, levels: Sequence[float]) -> Real:
        """(Q, H, C) quantiles of net import, W."""
        return quantiles(self.path_w, levels)

    def summed(self, groups: Sequence[str]) -> Forecast:
        """The paths of sums over groups of connections, such as transformers; "" stands for no group."""
        if len(groups) != len(self.places):
            raise GridError(f"groups: {len(groups)}; there are {len(self.places)} connections")
        names = tuple(dict.fromkeys(name for name in groups if name))
        of = np.array([[float(name == group) for group in names] for name in groups]).reshape(len(groups), len(names))
        solar = None if self.solar_w is None else self.solar_w @ of
        return replace(self, places=names, expected_w=self.expected_w @ of, path_w=self.path_w @ of, solar_w=solar)


def quantiles(path_w: Real, levels: Sequence[float]) -> Real:
    """(Q, …) quantiles over the first axis; so that a band of 90 % holds 90 % of what comes, also with few paths."""
    return np.asarray(np.quantile(path_w, levels, axis=0, method="weibull"))


def forecast(
    history: History, model: Model = Model.AUTO, *, paths: int = PATHS, learned: LearnedModel | None = None
) -> Forecast:
    """The forecast of a history. learned: a model that was learnt before; without one it is learnt now."""
    return forecast_by_each(history, [model], paths=paths, learned=learned)[model]


def forecast_by_each(
    history: History, models: Sequence[Model], *, paths: int = PATHS, learned: LearnedModel | None = None
) -> dict[Model, Forecast]:
    """The forecasts of a history by these models, of which one may be `auto`; each model's errors are taken once."""
    if Model.OWN in models:
        raise GridError("model: own forecasts are taken from files, not made")
    past = past_origins(history, paths)
    if len(past) < FEWEST_PATHS:
        raise GridError(f"{len(past)} past days are wholly known; {FEWEST_PATHS} are needed for paths")
    candidates, said = _candidates(history, models, paths, learned)
    errors = {name: _errors(history, past, candidate) for name, candidate in candidates.items()}
    now = np.array([len(history.net_w)], dtype=np.intp)
    solar, q = _solar(history, past, now), history.question
    start = q.at + q.step_s * np.arange(q.steps, dtype=np.int64)

    def by(one: Model) -> Forecast:
        expected = candidates[one](history, now)[0]
        path_w = expected + _filled(errors[one])
        return Forecast(q.at, history.places, start, q.step_s, one, expected, path_w, solar, said)

    best = min(errors, key=lambda name: _loss(errors[name])) if Model.AUTO in models else Model.AUTO
    made = {one: by(one) for one in dict.fromkeys(best if one is Model.AUTO else one for one in models)}
    return {one: made[best if one is Model.AUTO else one] for one in models}


def _candidates(
    history: History, models: Sequence[Model], paths: int, learned: LearnedModel | None
) -> tuple[dict[Model, Forecaster], tuple[str, ...]]:
    """Models to take errors of, all for `auto`, and what is missing, as sentences."""
    said = list(history.said)
    found: dict[Model, Forecaster] = {}
    for one in [*BASELINES, Model.LEARNED] if Model.AUTO in models else models:
        if one is not Model.LEARNED:
            found[one] = BASELINES[one]
            continue
        try:
            found[one] = learned or learn(history, origins_to_learn(history, paths))
        except GridError as wrong:
            if Model.LEARNED in models:
                raise
            said.append(str(wrong))
    return found, tuple(said)


def past_origins(history: History, paths: int) -> Index:
    """The last origins of which all that was to be forecast has arrived."""
    whole = history.origin + history.question.steps <= len(history.net_w) - history.delay
    enough = history.origin >= history.delay + 7 * history.question.per_day
    return np.asarray(history.origin[whole & enough][-paths:], dtype=np.intp)


def origins_to_learn(history: History, paths: int = PATHS) -> Index:
    """Origins before those whose errors make the paths, so that these are errors of days that were not learnt."""
    past = past_origins(history, paths)
    if not len(past):
        raise GridError("no past day is wholly known")
    enough = history.origin >= history.delay + 7 * history.question.per_day
    before = history.origin + history.question.steps <= past[0]
    return np.asarray(history.origin[enough & before], dtype=np.intp)


def _errors(history: History, past: Index, candidate: Forecaster) -> Real:
    """(K, H, C) what came less what was expected, W; NaN in gaps."""
    came = history.net_w[past[:, None] + np.arange(history.question.steps)]
    return np.asarray(came - candidate(history, past))


def _filled(errors: Real) -> Real:
    """The same, where an error is not known that of another day at the same time; zero where there is none."""
    found = errors.copy()
    rng = np.random.default_rng(SEED)
    for _ in range(8):
        gaps = ~np.isfinite(found)
        if not gaps.any():
            break
        other = errors[rng.permutation(len(errors))]
        found[gaps] = other[gaps]
    return np.nan_to_num(found)


def _loss(errors: Real) -> float:
    """Mean pinball loss of each day by the errors of the others."""
    halves = errors[0::2], errors[1::2]
    losses = []
    for one, other in (halves, halves[::-1]):
        band = quantiles(_filled(other), QUANTILES)
        losses.append(np.nanmean(pinball(one, band[:, None], QUANTILES)))
    return float(np.mean(losses))


def _solar(history: History, past: Index, now: Index) -> Real | None:
    """(K, H, C) solar generation on each path: the irradiance to expect, with its error on that path's day."""
    expected = expected_irradiance(history, np.append(past, now))
    if history.measured_irradiance is None or expected is None:
        return None
    came = history.measured_irradiance[past[:, None] + np.arange(history.question.steps)]
    sun = np.maximum(expected[-1] + np.nan_to_num(came - expected[:-1]), 0.0)
    return np.asarray(sun[..., None] / 1000.0 * solar_size_w(history))
