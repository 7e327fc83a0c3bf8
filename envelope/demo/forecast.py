"""The engine's forecast of the day: the homes' demand as a joint path, and the devices' capacity."""

from __future__ import annotations

from dataclasses import replace

from envelope.demo.criteria import limits_of
from envelope.demo.day import STEP_S, Day
from envelope.demo.scenario import Scenario
from envelope.problem import Problem, Scenarios, steps_from
from envelope.problem.default_policy import with_default_policy
from envelope.problem.feeder_files import EUROPEAN_LV
from envelope.problem.scenarios import of_day
from gridmodel.arrays import Real
from gridmodel.model.devices import CHARGER, DEVICE, SITE
from sep2.wire import Profile

INTERVAL_S = 1800
PER_INTERVAL = INTERVAL_S // STEP_S


def problem(scenario: Scenario) -> Problem:
    """Return the problem of the day in half-hours; its scenarios are the day's own moments.

    It knows the clear sky but not the clouds over new solar, and when a charger may be used but not when a car arrives.
    """
    day = scenario.day
    path = scenarios_of(day)
    stated = Problem(
        reduced=scenario.reduced,
        step_start=steps_from(day.start, INTERVAL_S, len(day.base_va) // PER_INTERVAL),
        step_s=INTERVAL_S,
        base_load_w=path.mean_w,
        base_load_var=path.mean_var,
        scenarios=path,
        flex_gen_w=_halves(day.pv_ceiling_w).max(axis=1),
        flex_load_w=_halves(day.charging_w).max(axis=1),
        source_v=path.mean_source_v,
        limits=limits_of(scenario.reduced),
        # No limit bounds a home's own demand: it is for its inverter, at the meter, and for its charger alone; with
        # profile csip each device holds limits of its own power.
        control_point=tuple(_control_point(scenario.profile) if is_so else SITE for is_so in day.flexible),
    )
    return with_default_policy(stated)


def _control_point(profile: Profile) -> str:
    return DEVICE if profile is Profile.CSIP else CHARGER


def scenarios_of(day: Day) -> Scenarios:
    """Return the day's households, earlier solar and head voltage as one joint path, a moment every five minutes."""
    load = -day.base_va
    found = of_day(load.real, load.imag, moments=PER_INTERVAL, solar_w=day.base_solar_w, source_v=day.source_v)
    return replace(found, bands=True)


def feeder_name(scenario: Scenario) -> str:
    """Return the feeder's name in a plan."""
    return EUROPEAN_LV if scenario.folder is None else str(scenario.folder.resolve())


def _halves(fine: Real) -> Real:
    """Return a day in steps as (intervals, steps of each, C)."""
    return fine.reshape(-1, PER_INTERVAL, *fine.shape[1:])
