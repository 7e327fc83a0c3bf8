"""The plan that the engine's rounds work from, and the same day as if it were known before."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from envelope.demo.criteria import limits_of
from envelope.demo.day import STEP_S, Day
from envelope.demo.history import Past
from envelope.demo.scenario import Scenario
from envelope.problem import Problem, Scenarios, steps_from
from envelope.problem.default_policy import with_default_policy
from envelope.problem.feeder_files import EUROPEAN_LV
from envelope.problem.plan_file import Rolling
from envelope.problem.scenarios import of_day
from gridmodel.model.devices import CHARGER, DEVICE, SITE
from sep2.wire import Profile

Number = TypeVar("Number", bound=np.generic)

INTERVAL_S = 1800
PER_INTERVAL = INTERVAL_S // STEP_S
ROUND_S = 3600
"""Interval of the limits that the server's rounds publish: a day of them are as many controls as a client holds."""
ROLLING = Rolling(paths=20, spread=1.25, devices_apart=True)
"""How the plan goes on by itself: means of twenty past days do not show the peaks within an interval, nor the most of a
day that is none of them. What was bought is newer than the history."""


HYSTERESIS_W = 100
"""A limit that could rise by no more than this in a later round stays as it is."""


def rolls(scenario: Scenario) -> bool:
    """Return whether limits come from rolling rounds; for csip clients they are those of a day that is known."""
    return scenario.profile is not Profile.CSIP


def rolling_plan(scenario: Scenario) -> Problem:
    """Return the plan of a utility that does not know the day: the devices' capacity, and the day before as base load.

    Rounds put their forecast in place of that day.
    """
    stated, day = problem(scenario, ROUND_S), scenario.day
    before = Past(day, scenario.seed).before(1)
    load_w = _parts(before.net_w, ROUND_S).mean(axis=1)
    factor = np.divide(stated.base_load_var.sum(), np.maximum(stated.base_load_w, 0.0).sum())
    head_v = None if before.head_v is None else _parts(before.head_v, ROUND_S).mean(axis=1)
    return with_default_policy(
        replace(
            stated,
            scenarios=None,
            base_load_w=load_w,
            base_load_var=factor * np.maximum(load_w, 0.0),
            source_v=head_v,
        )
    )


def means_problem(scenario: Scenario) -> Problem:
    """Return the day as it came, in means of the rounds' intervals."""
    day = scenario.day
    load, solar_w, source_v = (
        None if one is None else _parts(one, ROUND_S).mean(axis=1)
        for one in (-day.base_va, day.base_solar_w, day.source_v)
    )
    assert load is not None
    means = of_day(load.real, load.imag, moments=1, solar_w=solar_w, source_v=source_v)
    return replace(problem(scenario, ROUND_S), scenarios=means)


def problem(scenario: Scenario, interval_s: int = INTERVAL_S) -> Problem:
    """Return the problem of a day that is known, in half-hours by default; its scenarios are the day's own moments.

    It knows the clear sky but not the clouds over new solar, and when a charger may be used but not when a car arrives.
    """
    day = scenario.day
    path = scenarios_of(day, interval_s)
    stated = Problem(
        reduced=scenario.reduced,
        step_start=steps_from(day.start, interval_s, len(day.base_va) * STEP_S // interval_s),
        step_s=interval_s,
        base_load_w=path.mean_w,
        base_load_var=path.mean_var,
        scenarios=path,
        flex_gen_w=_parts(day.pv_ceiling_w, interval_s).max(axis=1),
        flex_load_w=_parts(day.charging_w, interval_s).max(axis=1),
        source_v=path.mean_source_v,
        limits=limits_of(scenario.reduced),
        # No limit bounds a home's own demand: it is for its inverter, at the meter, and for its charger alone; with
        # profile csip each device holds limits of its own power.
        control_point=tuple(_control_point(scenario.profile) if is_so else SITE for is_so in day.flexible),
    )
    return with_default_policy(stated)


def _control_point(profile: Profile) -> str:
    return DEVICE if profile is Profile.CSIP else CHARGER


def scenarios_of(day: Day, interval_s: int = INTERVAL_S) -> Scenarios:
    """Return the day's households, earlier solar and head voltage as one joint path, a moment every five minutes."""
    load = -day.base_va
    moments = interval_s // STEP_S
    found = of_day(load.real, load.imag, moments=moments, solar_w=day.base_solar_w, source_v=day.source_v)
    return replace(found, bands=True)


def feeder_name(scenario: Scenario) -> str:
    """Return the feeder's name in a plan."""
    return EUROPEAN_LV if scenario.folder is None else str(scenario.folder.resolve())


def _parts(fine: NDArray[Number], interval_s: int) -> NDArray[Number]:
    """Return a day in steps as (intervals, steps of each, C)."""
    return fine.reshape(-1, interval_s // STEP_S, *fine.shape[1:])
