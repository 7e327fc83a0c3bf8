"""A utility's own forecast: a function that an installed package names as an entry point."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import numpy as np

from envelope.forecast.history import History
from envelope.forecast.joint_paths import Forecast
from gridmodel.errors import GridError

GROUP = "sep2.forecasts"
"""Entry-point group of functions of a `History` that return a `Forecast` of the same connections and steps."""


def own_forecast() -> Callable[[History], Forecast] | None:
    """Return the utility's function, the first by name; None: none is installed. It raises nothing but GridError."""
    found = sorted(entry_points(group=GROUP), key=lambda one: one.name)
    return _guarded(found[0]) if found else None


def _guarded(point: EntryPoint) -> Callable[[History], Forecast]:
    def made(history: History) -> Forecast:
        try:
            found = point.load()(history)
        except Exception as wrong:  # another's code may fail in any way, and rounds go on
            raise GridError(f"own forecast {point.name}: {type(wrong).__name__}: {wrong}"[:300]) from wrong
        if problem := _problem(found, history):
            raise GridError(f"own forecast {point.name}: {problem}")
        return _of_question(found, history)

    return made


def _problem(found: object, history: History) -> str:
    """Return what is wrong with what a function has returned; empty: nothing."""
    q = history.question
    if not isinstance(found, Forecast):
        return f"returned {type(found).__name__}, and no Forecast"
    missing = [name for name in history.places if name not in set(found.places)]
    if missing:
        return f"places: {missing[0]} is missing, one of {len(missing)}"
    steps = q.at + q.step_s * np.arange(q.steps)
    if found.step_s != q.step_s or not set(steps.tolist()) <= set(np.asarray(found.start).tolist()):
        return f"start: not each of the {q.steps} steps of {q.step_s} s from {q.at} on is there"
    shape = (len(found.start), len(found.places))
    for name, value in (("expected_w", found.expected_w), ("path_w", found.path_w), ("solar_w", found.solar_w)):
        if value is not None and (np.shape(value)[-2:] != shape or not np.isfinite(value).all()):
            return f"{name}: is not finite, or not of {shape[0]} steps and {shape[1]} places"
    return "" if np.ndim(found.path_w) == 3 and len(found.path_w) else "path_w: there is no path"


def _of_question(found: Forecast, history: History) -> Forecast:
    """Return the steps that were asked for."""
    q = history.question
    first = int(np.searchsorted(found.start, q.at))
    steps = slice(first, first + q.steps)
    solar = None if found.solar_w is None else found.solar_w[:, steps]
    return Forecast(
        q.at,
        found.places,
        found.start[steps],
        q.step_s,
        found.model,
        found.expected_w[steps],
        found.path_w[:, steps],
        solar,
        found.said,
    )
