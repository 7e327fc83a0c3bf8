"""The default forecast over LV28's homes in a generated year, and over simbench's profiles where it is installed.

SEP2_TRIAL_DAYS tests more or fewer days of each season.
"""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from envelope.forecast.backtesting import Backtest, backtest
from envelope.forecast.history import Question
from envelope.forecast.models import Model
from envelope.forecast.scores import Score
from gridmodel.meter_data.store import MeasurementStore
from tests.independent import years
from tests.independent.years import DAY_S, SINCE, Year
from tests.trials.figures import record_row

FACTS = os.environ.get("SEP2_FACTS")
DAYS = int(os.environ.get("SEP2_TRIAL_DAYS", "28"))
MODELS = (Model.PERSISTENCE, Model.SIMILAR_DAY, Model.AUTO)
LAST = {"LV28, summer": 60, "LV28, winter": 220, "simbench": 200}
"""last day of the year that is forecast"""
RATED = 0.99
"""share of the half-hours in which a transformer is within its rating"""
SAID = (
    f"One forecast a day at 20:00 for 28 hours, over {DAYS} days, from what had arrived by then: meters six hours "
    "after each day, so that yesterday is not known. LV28: its 114 homes in a generated year with seasons, spells of "
    "weather that are forecast with errors, weekends, holidays, journeys and noise; seven groups of sixteen homes as "
    "if each had a transformer of its own. Simbench: its profiles of 2016, 48 connections behind four transformers, "
    "without weather. Pinball loss of the default against persistence and similar day; share of values inside the "
    "band of 90 %, and in the 5 % of half-hours of which the most was forecast; with a rating that 1 % of the "
    "half-hours exceed: hours beyond it, share of them foretold at least 4 h ahead (by a tenth of the paths), false "
    "alarms per transformer and month."
)


def year_of(name: str) -> Year:
    if name.startswith("LV28"):
        if FACTS is None:
            pytest.skip("the measured feeder needs SEP2_FACTS")
        return years.lv28(Path(FACTS, "data", "lv28"))
    found = find_spec("simbench")
    if found is None or found.origin is None:
        pytest.skip("simbench is not installed")
    return years.simbench(Path(found.origin).parent / "networks" / "1-complete_data-mixed-all-0-sw")


def ratings(year: Year) -> dict[str, float]:
    """By group, and of all by an empty name."""
    found = {"": np.abs(year.net_w.sum(axis=1))}
    for name in dict.fromkeys(year.groups):
        found[name] = np.abs(year.net_w[:, [one == name for one in year.groups]].sum(axis=1))
    return {name: float(np.quantile(load, RATED)) for name, load in found.items()}


def said(scores: Sequence[Score], level: str) -> str:
    last, like, ours = (next(one for one in scores if (one.level, one.model) == (level, model)) for model in MODELS)
    found = f"{ours.pinball_w:.0f} W ({last.pinball_w:.0f}, {like.pinball_w:.0f}); {ours.coverage_90:.1%} inside"
    found = f"{found}, {ours.coverage_90_highest:.1%} in the highest"
    return found if ours.over is None else f"{found}; {ours.over.sentence(level).partition(': ')[2].rstrip('.')}"


@pytest.mark.parametrize("name", list(LAST))
def test_the_default_beats_persistence_and_similar_day_and_its_band_holds(name: str, tmp_path: Path) -> None:
    year, store = year_of(name), MeasurementStore(tmp_path / "measurements")
    years.fill(store, year)
    question = Question(SINCE + LAST[name] * DAY_S + 20 * 3600, horizon_s=28 * 3600)
    scores = backtest(store, year.names, Backtest(question, DAYS, MODELS, year.groups, ratings(year)))
    levels = dict.fromkeys(one.level for one in scores)
    among = [f"{each}: {level}" for each in LAST for level in levels]
    for level in levels:
        record_row("Forecasts", SAID, (f"{name}: {level}", said(scores, level)), among)
    for level in levels:
        last, like, ours = (next(one for one in scores if (one.level, one.model) == (level, model)) for model in MODELS)
        assert ours.pinball_w < min(last.pinball_w, like.pinball_w)
        assert 0.85 < ours.coverage_90 < 0.95
