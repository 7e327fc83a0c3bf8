"""Forecast of a rolling plan's base load, made anew from the stored measurements as they arrive."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from envelope.forecast.forecast_file import load, load_more, save
from envelope.forecast.history import History, Question, read_history
from envelope.forecast.joint_paths import Forecast, forecast, origins_to_learn, past_origins
from envelope.forecast.learned import LearnedModel, learn
from envelope.forecast.models import Model
from envelope.forecast.own_function import own_forecast
from envelope.operation.forecast_drift import drift_of
from envelope.problem.plan_file import Rolling
from gridmodel.arrays import Complex
from gridmodel.errors import FileError, GridError
from gridmodel.meter_data.head_voltage import head_voltage
from gridmodel.meter_data.quantities import Quantity
from gridmodel.meter_data.reading import NET, Window
from gridmodel.meter_data.scada import HEAD
from gridmodel.meter_data.series_index import known_series, path_of
from gridmodel.meter_data.store import DAY_S, Kind, MeasurementStore

log = logging.getLogger(__name__)
FILE = "envelope-forecast.npz"
"""The latest forecast, beside the plan."""
CHOOSE_S = DAY_S
"""Time after which the model is chosen and learnt anew, as the day-ahead round does."""
LEAST_HEAD = 0.5
"""Part of the past steps in which the head voltage must be known for the paths to have it."""
HORIZON_S = 2 * DAY_S


class LoadForecast(NamedTuple):
    """Joint paths for the steps of a rolling plan; or why there are none."""

    made: Forecast | None
    head_v: Complex | None = None
    """(K, H, 3) V: head voltage on each path's past day; None: not known"""
    missing: str = ""
    """Why there is no forecast; empty: there is one."""
    delay_s: int = 0
    """How old the last known values were as it was made."""
    drift: str = ""
    """How far what came lay outside of the forecast before; empty: it did not."""
    own_failed: str = ""
    """Why the utility's own forecast is not used; empty: it is, or there is none."""


class Maker:
    """Makes the forecast of some connections; the same one until measurements arrive or its model is a day old.

    A process that begins anew goes on with the forecast in the file, so that a restart changes no limit.
    """

    def __init__(self, store: MeasurementStore, file: Path, feeder: str = "") -> None:
        """file: where the latest forecast is written. feeder: its head is SCADA's `head NAME`."""
        self.store, self.file, self.feeder = store, file, feeder
        self._turn = Lock()
        self._chosen: tuple[int, Model, LearnedModel | None] | None = None
        self._made: tuple[str, LoadForecast] | None = None

    def paths(self, names: Sequence[str], start: int, span: tuple[int, int], rolling: Rolling) -> LoadForecast:
        """Return the forecast for the steps from `start` on.

        span: their number and their length, s. What is missing is said in place of a forecast, never raised.
        """
        with self._turn:
            return self._paths(names, start, span, rolling)

    def _paths(self, names: Sequence[str], start: int, span: tuple[int, int], rolling: Rolling) -> LoadForecast:
        steps, step_s = span
        key = repr((_stamp(self.store), tuple(names), step_s, rolling))
        known = self._made or _from_file(self.file)
        if known is not None and known[0] == key and _covers(known[1].made, start, steps):
            self._made = known
            return known[1]
        try:
            made = self._forecast(names, Question(start, max(HORIZON_S, steps * step_s), step_s), rolling)
            _to_file(self.file, key, made)
            # As the file has it, so that it is the same after a restart.
            self._made = _from_file(self.file) or (key, made)
        except (GridError, ArithmeticError, ValueError) as wrong:
            self._made = key, LoadForecast(None, missing=str(wrong))
        return self._made[1]

    def _forecast(self, names: Sequence[str], question: Question, rolling: Rolling) -> LoadForecast:
        question = Question(question.at, question.horizon_s, question.step_s, location=rolling.location)
        if not self.store.exists:
            raise GridError("nothing is measured yet")
        series = known_series(self.store, Kind.AMI, names, tuple(NET))
        measured = list(dict.fromkeys(one.series.place for one in series))
        if not measured:
            raise GridError("no power of any of its connections is measured")
        history = read_history(self.store, measured, question)
        (made, failed), drift = self._own_or_ours(history, rolling), drift_of(latest(self.file), history)
        delay_s = history.delay * question.step_s
        head_v = self._head(history, len(made.path_w))
        return LoadForecast(made, head_v, delay_s=delay_s, drift=drift, own_failed=failed)

    def _own_or_ours(self, history: History, rolling: Rolling) -> tuple[Forecast, str]:
        """Return the forecast of the utility's function; where there is none, or why it failed, ours."""
        own = own_forecast()
        if own is None:
            return self._made_by(history, rolling), ""
        try:
            return own(history), ""
        except GridError as wrong:
            log.warning("%s", wrong, exc_info=wrong.__cause__)
            return self._made_by(history, rolling), str(wrong)

    def _made_by(self, history: History, rolling: Rolling) -> Forecast:
        """Return the forecast by the model that was chosen within the past day; else choose and learn anew."""
        at = history.question.at
        if self._chosen is None or not 0 <= at - self._chosen[0] < CHOOSE_S or self._lacks(history):
            made = forecast(history, paths=rolling.paths)
            learned = learn(history, origins_to_learn(history, rolling.paths)) if made.model is Model.LEARNED else None
            self._chosen = at, made.model, learned
            return made
        _, model, learned = self._chosen
        return forecast(history, model, paths=rolling.paths, learned=learned)

    def _lacks(self, history: History) -> bool:
        """Whether the model that was learnt is one of other connections."""
        return self._made is None or self._made[1].made is None or self._made[1].made.places != history.places

    def _head(self, history: History, paths: int) -> Complex | None:
        """(K, H, 3) head voltage on the days that the paths' errors are of."""
        element = head_element(self.store, self.feeder)
        if element is None:
            return None
        question = history.question
        since = question.at - question.days * DAY_S
        window = Window(since, question.at, question.step_s, question.at)
        measured_v = head_voltage(self.store, window, element=element).v
        past = past_origins(history, paths)
        at = past[:, None] + np.arange(question.steps)
        known = np.asarray(np.isfinite(measured_v).all(axis=1))
        if len(past) != paths or known[at].mean() < LEAST_HEAD:
            return None
        middle = measured_v[known].mean(axis=0)
        return np.asarray(np.where(known[:, None], measured_v, middle)[at])


@lru_cache(maxsize=64)
def maker_of(store: MeasurementStore, file: Path, feeder: str) -> Maker:
    """Return the one maker of a feeder's forecasts in this process: rounds and evaluations work from the same."""
    return Maker(store, file, feeder)


def head_element(store: MeasurementStore, feeder: str) -> str | None:
    """Return the SCADA element that measures the voltage at the feeder's head; None: none does."""
    wanted = {HEAD, f"{HEAD} {feeder}".lower()}
    series = known_series(store, Kind.SCADA, None, (Quantity.VOLTAGE,)) if store.exists else []
    found = sorted((one.series.place for one in series if one.series.place.lower() in wanted), key=len, reverse=True)
    return found[0] if found else None


def _to_file(file: Path, key: str, found: LoadForecast) -> None:
    """Write a forecast with all that rounds need of it. key: what it was made of."""
    assert found.made is not None
    said = {"key": key, "delay_s": found.delay_s, "drift": found.drift, "own_failed": found.own_failed}
    more = {"rounds": np.array(json.dumps(said))}
    save(found.made, file, more if found.head_v is None else more | {"head_v": found.head_v})


def _from_file(file: Path) -> tuple[str, LoadForecast] | None:
    """Return the forecast of a file, with what it was made of; None: there is none that rounds have made."""
    made, more = latest(file), load_more(file)
    if made is None or "rounds" not in more:
        return None
    said = json.loads(str(more["rounds"]))
    return said.pop("key"), LoadForecast(made, more.get("head_v"), **said)


def latest(file: Path) -> Forecast | None:
    """Return the forecast that was made last; None: there is none."""
    try:
        return load(file)
    except FileError:
        return None


def _covers(made: Forecast | None, start: int, steps: int) -> bool:
    return made is not None and made.start[0] <= start and start + steps * made.step_s <= made.start[-1] + made.step_s


def _stamp(store: MeasurementStore) -> tuple[int, ...]:
    """Return a value that differs once measurements or weather have arrived."""
    found = []
    for kind in (Kind.AMI, Kind.WEATHER):
        path = path_of(store, kind)
        # The list of series is written before the values: the folder of their day tells when those are there.
        days = [store.day_folder(kind, day) for day in store.days(kind)]
        found.append(max((one.stat().st_mtime_ns for one in (path, *days) if one.exists()), default=0))
    return tuple(found)
