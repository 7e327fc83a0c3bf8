"""Backtest: the forecasts that would have been made, each from what had arrived by then, against what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from envelope.forecast.history import IssuedWeather, Question, read_history
from envelope.forecast.joint_paths import Forecast, forecast_by_each, origins_to_learn, quantiles
from envelope.forecast.learned import LearnedModel, learn
from envelope.forecast.models import Model, persistence
from envelope.forecast.scores import LEAD_S, QUANTILES, Compared, Over, Score, over_rating, score
from gridmodel.arrays import Real
from gridmodel.errors import GridError
from gridmodel.meter_data.reading import Window, net_import_w
from gridmodel.meter_data.store import DAY_S, MeasurementStore

LEARNT_FOR = 7
"""forecasts that are made with one learned model before it is learnt anew"""


@dataclass(frozen=True)
class Backtest:
    """Forecasts to test: one a day at the question's time of day, the last one at its time."""

    question: Question
    days: int = 28
    models: tuple[Model, ...] = (Model.PERSISTENCE, Model.SIMILAR_DAY, Model.HOUR_OF_WEEK, Model.LEARNED)
    groups: Sequence[str] = ()
    """transformer of each connection, "" for none"""
    rating_w: Mapping[str, float] = field(default_factory=dict)
    """of transformers, by name, for those hours beyond it that were foretold; of all together by an empty name"""


def backtest(
    store: MeasurementStore,
    places: Sequence[str],
    test: Backtest,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Score]:
    """Scores per level and model: what came is what is known now, what a forecast saw had arrived at its time."""
    made: dict[Model, list[Forecast]] = {model: [] for model in test.models}
    last: list[Real] = []
    learned: LearnedModel | None = None
    weather: IssuedWeather = {}
    for k in range(test.days):
        question = replace(test.question, at=test.question.at - (test.days - 1 - k) * DAY_S)
        progress(f"forecast {k + 1} of {test.days}")
        history = read_history(store, places, question, weather=weather)
        if {Model.LEARNED, Model.AUTO} & set(test.models) and k % LEARNT_FOR == 0:
            learned = learn(history, origins_to_learn(history))
        for model, one in forecast_by_each(history, test.models, learned=learned).items():
            made[model].append(one)
        last.append(persistence(history, np.array([len(history.net_w)], dtype=np.intp))[0])
    came = np.array([_came(store, places, one) for one in made[test.models[0]]])
    return _scores(test, _Made(made, came, np.array(last)), places)


@dataclass(frozen=True)
class _Made:
    """Forecasts by model, and what came and persistence: (O, H, C)."""

    forecasts: dict[Model, list[Forecast]]
    came: Real
    last: Real


def _scores(test: Backtest, made: _Made, places: Sequence[str]) -> list[Score]:
    if not np.isfinite(made.came).any():
        raise GridError("nothing is known yet of what was to be forecast")
    scores = []
    for level, of in _levels(places, test.groups):
        for model, forecasts in made.forecasts.items():
            band = np.array([quantiles(one.path_w @ of, QUANTILES) for one in forecasts])
            figures = Compared(made.came @ of, np.moveaxis(band, 1, 0), made.last @ of)
            scores.append(replace(score(level, model, figures), over=_over(test, level, forecasts, (figures.came, of))))
    return scores


def _over(test: Backtest, level: str, forecasts: Sequence[Forecast], known: tuple[Real, Real]) -> Over | None:
    """Hours beyond ratings; None at a level without any. known: what came, and the sums of the level."""
    came, of = known
    names = {"transformer": list(dict.fromkeys(name for name in test.groups if name)), "all": [""]}.get(level, [])
    if not any(name in test.rating_w for name in names):
        return None
    rating = np.array([test.rating_w.get(name, np.inf) for name in names])
    lead = LEAD_S // test.question.step_s
    until = lead + test.question.per_day
    if test.question.steps < until:
        return None
    share = np.array([(np.abs(one.path_w[:, lead:until] @ of) > rating).mean(axis=0) for one in forecasts])
    return over_rating(np.abs(came[:, lead:until]), share, rating, test.question.step_s)


def _came(store: MeasurementStore, places: Sequence[str], made: Forecast) -> Real:
    """(H, C) net import over the horizon of a forecast, as it is known now."""
    window = Window(int(made.start[0]), int(made.start[-1]) + made.step_s, made.step_s)
    return np.asarray(net_import_w(store, places, window).value)


def _levels(places: Sequence[str], groups: Sequence[str]) -> list[tuple[str, Real]]:
    """(C, G) sums of each level; with NaN a sum is not known."""
    levels = [("connection", np.eye(len(places)))]
    names = list(dict.fromkeys(name for name in groups if name))
    if names:
        levels.append(("transformer", np.array([[float(one == name) for name in names] for one in groups])))
    return [*levels, ("all", np.ones((len(places), 1)))]
