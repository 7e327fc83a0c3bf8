"""A plan that goes on by itself: each round's horizon begins at the present step, with the latest forecast in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.forecast.history import LATEST_DELAY_S
from envelope.operation.load_forecast import LoadForecast, Maker
from envelope.problem import Problem, Scenarios
from envelope.problem.default_policy import own_band_in_the_sun
from envelope.problem.plan_file import Plan
from envelope.problem.step_ranges import DAY_S, rolled_to
from gridmodel.arrays import Real

LATE_S = 2 * DAY_S
"""Readings of a day arrive within the next day; older ones are late."""
NO_FORECAST = "no forecast"
"""Begins the sentence that says why a round works with the plan's own day."""


class Horizon(NamedTuple):
    """A round's problem, and sentences about what its base load stands on."""

    problem: Problem
    said: tuple[str, ...]
    late: str = ""
    """Why its base load is no forecast, or will soon be none; empty: meters are in time."""
    drift: str = ""
    """How far what came lay outside of the forecast before; empty: it did not."""


class RollingPlan:
    """The problems of a rolling plan; the same object while step and forecast are the same."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        self._known: tuple[Plan, int, LoadForecast, Horizon] | None = None

    def at(self, plan: Plan, now: int) -> Horizon:
        """Return the problem of the horizon that begins with the step of `now`."""
        assert plan.rolling is not None
        template = plan.problem
        start = now - (now - int(template.step_start[0])) % template.step_s
        found = self.maker.paths(template.connection_id, start, (template.steps, template.step_s), plan.rolling)
        known = self._known
        if known is not None and known[0] is plan and known[1] == start and known[2] is found:
            return known[3]
        horizon = _horizon(template, start, found, plan.rolling.spread)
        self._known = plan, start, found, horizon
        return horizon


def _horizon(template: Problem, start: int, found: LoadForecast, spread: float) -> Horizon:
    day = rolled_to(template, start)
    if found.made is None:
        why = f"{NO_FORECAST}: {found.missing}; the plan's own day is repeated"
        return Horizon(day, (why,), why)
    scenarios = _scenarios(day, found, spread)
    problem = replace(
        day,
        scenarios=scenarios,
        base_load_w=scenarios.mean_w,
        base_load_var=scenarios.mean_var,
        base_load_lo_w=None,
        base_load_hi_w=None,
        base_sigma_w=None,
        source_v=day.source_v if scenarios.source_v is None else scenarios.mean_source_v,
    )
    if problem.ceiling_import_w is not None:
        problem = replace(problem, ceiling_import_w=own_band_in_the_sun(problem))
    missing = [name for name in problem.connection_id if name not in set(found.made.places)]
    more = (f"no meter of {len(missing)} connections: they keep the plan's own day",) if missing else ()
    said = f"base load by {found.made.model}, {len(found.made.path_w)} joint paths"
    failed = (f"{found.own_failed}; ours takes its place",) if found.own_failed else ()
    late = "; ".join([*failed, *filter(None, [_late(found, start)])])
    return Horizon(problem, (said, *failed, *found.made.said, *more), late, found.drift)


def _late(found: LoadForecast, start: int) -> str:
    assert found.made is not None
    age_s = found.delay_s + start - found.made.made_at
    if age_s <= LATE_S:
        return ""
    last = f"the last readings of meters are {age_s // 3600} h old"
    return f"{last}; without any for {LATEST_DELAY_S // DAY_S} days the plan's own day is repeated"


def _scenarios(day: Problem, found: LoadForecast, spread: float) -> Scenarios:
    """Return the forecast's paths for a problem's steps and connections, in whole watts.

    Connections without a meter have the day's own base load on every path. Vars follow from the day's power factor.
    spread: factor of each path's difference from their mean.
    """
    made = found.made
    assert made is not None
    first = int(np.searchsorted(made.start, int(day.step_start[0])))
    steps = slice(first, first + day.steps)
    path_w = made.path_w[:, steps]
    mean_w = path_w.mean(axis=0)
    net_w = _columns(day.base_load_w, mean_w + spread * (path_w - mean_w), (day.connection_id, made.places))
    solar_w = None
    if made.solar_w is not None:
        solar_w = _columns(np.zeros(day.base_load_w.shape), made.solar_w[:, steps], (day.connection_id, made.places))
    drawn_w = np.maximum(net_w if solar_w is None else net_w + solar_w, 0.0)
    head_v = None if found.head_v is None else found.head_v[:, steps, None]
    load_var = np.round(drawn_w * _tangent(day))
    return Scenarios(net_w[:, :, None], load_var[:, :, None], None if solar_w is None else solar_w[:, :, None], head_v)


def _columns(day_w: Real, path_w: Real, names: tuple[Sequence[str], Sequence[str]]) -> Real:
    """(K, T, C) paths of the connections that have some, and the day's value of the others; whole watts."""
    wanted, known = names
    found = np.repeat(day_w[None], len(path_w), axis=0)
    column = {name: k for k, name in enumerate(known)}
    at = [k for k, name in enumerate(wanted) if name in column]
    found[:, :, at] = path_w[:, :, [column[wanted[k]] for k in at]]
    return np.round(found)


def _tangent(day: Problem) -> float:
    """Return vars per watt drawn, as the plan's own day has them over all connections."""
    drawn = float(np.maximum(day.base_load_w, 0.0).sum())
    return float(np.clip(day.base_load_var.sum() / drawn, 0.0, 1.0)) if drawn else 0.0
