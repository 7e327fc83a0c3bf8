"""What the engine is told of the day: each half-hour's band of household demand, and how far devices can reach."""

from __future__ import annotations

import numpy as np

from envelope.demo.day import STEP_S, Day
from envelope.demo.street import Street
from envelope.problem import Problem, steps_from
from envelope.problem.plan_file import EUROPEAN_LV
from gridmodel.arrays import Complex, Real

INTERVAL_S = 1800
PER_INTERVAL = INTERVAL_S // STEP_S
BASE_Z = 2.0
"""Standard deviations of the homes' joint demand that the network keeps clear of, where no limit bounds it."""


def problem(street: Street) -> Problem:
    """The day in half-hours, as a forecast that knows the homes' demand to within its band of each half-hour.

    It knows the clear sky but not the clouds, and when a charger may be used but not when a car comes.
    """
    day = street.day
    load = -day.base_va
    intervals = len(load) // PER_INTERVAL
    charging_w = _halves(day.charging_w).max(axis=1)
    # A limit bounds the demand of a home that could charge; what others draw counts with its spread.
    unbounded_w = np.where(charging_w > 0.0, 0.0, _halves(load.real).std(axis=1))
    return Problem(
        reduced=street.reduced,
        step_start=steps_from(day.start, INTERVAL_S, intervals),
        step_s=INTERVAL_S,
        base_load_w=_halves(load.real).mean(axis=1),
        base_load_var=_halves(load.imag).mean(axis=1),
        base_load_lo_w=_halves(load.real).min(axis=1),
        base_load_hi_w=_halves(load.real).max(axis=1),
        base_sigma_w=unbounded_w,
        base_z=BASE_Z,
        flex_gen_w=_halves(day.pv_ceiling_w).max(axis=1),
        flex_load_w=charging_w,
        source_v=_source(day),
    )


def feeder_name(street: Street) -> str:
    """How a plan names the feeder."""
    return EUROPEAN_LV if street.folder is None else str(street.folder.resolve())


def _halves(fine: Real) -> Real:
    """(intervals, steps of each, C) of a day in steps."""
    return fine.reshape(-1, PER_INTERVAL, *fine.shape[1:])


def _source(day: Day) -> Complex | None:
    """Each half-hour's mean voltage behind the feeder, where it is known."""
    if day.source_v is None:
        return None
    return np.asarray(day.source_v.reshape(-1, PER_INTERVAL, 3).mean(axis=1), dtype=complex)
