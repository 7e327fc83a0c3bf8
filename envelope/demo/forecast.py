"""The engine's forecast of the day: each half-hour's band of household demand, and the devices' capacity."""

from __future__ import annotations

import numpy as np

from envelope.demo.criteria import limits_of
from envelope.demo.day import STEP_S, Day
from envelope.demo.scenario import Scenario
from envelope.problem import Problem, steps_from
from envelope.problem.default_policy import with_default_policy
from envelope.problem.plan_file import EUROPEAN_LV
from gridmodel.arrays import Complex, Real
from gridmodel.model.devices import CHARGER, SITE

INTERVAL_S = 1800
PER_INTERVAL = INTERVAL_S // STEP_S
BASE_Z = 2.0
"""Standard deviations of the homes' joint demand for which constraints keep a margin."""


def problem(scenario: Scenario) -> Problem:
    """Return the problem of the day in half-hours; the forecast knows each home's demand to within its band.

    It knows the clear sky but not the clouds, and when a charger may be used but not when a car arrives.
    """
    day = scenario.day
    load = -day.base_va
    intervals = len(load) // PER_INTERVAL
    charging_w = _halves(day.charging_w).max(axis=1)
    stated = Problem(
        reduced=scenario.reduced,
        step_start=steps_from(day.start, INTERVAL_S, intervals),
        step_s=INTERVAL_S,
        base_load_w=_halves(load.real).mean(axis=1),
        base_load_var=_halves(load.imag).mean(axis=1),
        base_load_lo_w=_halves(load.real).min(axis=1),
        base_load_hi_w=_halves(load.real).max(axis=1),
        base_sigma_w=_halves(load.real).std(axis=1),
        base_z=BASE_Z,
        flex_gen_w=_halves(day.pv_ceiling_w).max(axis=1),
        flex_load_w=charging_w,
        source_v=_source(day),
        limits=limits_of(scenario.reduced),
        # No limit bounds a home's own demand: it is for its inverter, at the meter, and for its charger alone.
        control_point=tuple(CHARGER if is_so else SITE for is_so in day.flexible),
    )
    return with_default_policy(stated)


def feeder_name(scenario: Scenario) -> str:
    """Return the feeder's name in a plan."""
    return EUROPEAN_LV if scenario.folder is None else str(scenario.folder.resolve())


def _halves(fine: Real) -> Real:
    """Return a day in steps as (intervals, steps of each, C)."""
    return fine.reshape(-1, PER_INTERVAL, *fine.shape[1:])


def _source(day: Day) -> Complex | None:
    """Return each half-hour's mean voltage at the head of the feeder, where it is known."""
    if day.source_v is None:
        return None
    return np.asarray(day.source_v.reshape(-1, PER_INTERVAL, 3).mean(axis=1), dtype=complex)
