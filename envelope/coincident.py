"""Coincident limits: one common level at which all export together, or all import together; nothing in between."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from envelope import rows
from envelope.allocate import Allocation
from envelope.box import Base, Case, Fit
from envelope.watched import COARSE_V, FINE_V, Values

if TYPE_CHECKING:
    from envelope.problem import Problem

Array = NDArray[np.float64]
LEVELS = 13
"""halvings of the common level: 1 W of 8 kW"""
NEAR_V, NEAR_LOAD = 1.0, 0.95
"""what is this near to its limit is kept as a reason"""


def cases(base: Base, problem: Problem) -> list[Case]:
    """The two levels by bisection in the AC power flow, all steps at once."""
    return [
        Case(_found(base, problem, up=True), up=True, down=False),
        Case(_found(base, problem, up=False), up=False, down=True),
    ]


def _found(base: Base, problem: Problem, *, up: bool) -> Fit:
    """One direction's level, with the rows near their limit as the reasons."""
    room, start, sign = (base.room_up_w, base.hi_w, 1.0) if up else (base.room_down_w, base.lo_w, -1.0)
    reference = base.reference_up_w if up else base.reference_down_w
    unit = np.ones_like(room) if problem.allocation is Allocation.EQUAL else reference
    good, bad = np.zeros(len(room)), (room / unit).max(axis=1, initial=0.0)
    whole = _inside(_values(base, start + sign * _grown(bad, unit, room)), problem, base)
    good[whole] = bad[whole]
    for _ in range(LEVELS):
        middle = 0.5 * (good + bad)
        inside = _inside(_values(base, start + sign * _grown(middle, unit, room), tol_v=COARSE_V), problem, base)
        good, bad = np.where(inside, middle, good), np.where(inside, bad, middle)
    ends = start + sign * _grown(good, unit, room)
    return _reasons(base, problem, ends, up=up)


def _reasons(base: Base, problem: Problem, ends: Array, *, up: bool) -> Fit:
    """The box of one direction with its nearly full rows, measured where all stand at their end."""
    from envelope.engine import at_rest, sensitivities

    limits, feeder, steps = problem.limits, base.feeder, problem.steps
    final, rest = _values(base, ends), at_rest(base)
    permitted = limits.permitted_a(steps, feeder, margin=1.0)
    wanted = rows.Wanted(
        np.any(np.maximum(final.v_v, rest.v_v) > limits.v_max_v - NEAR_V, axis=0),
        np.any(np.minimum(final.v_v, rest.v_v) < limits.v_min_v + NEAR_V, axis=0),
        np.any(np.maximum(np.abs(final.i_a), np.abs(rest.i_a)) > NEAR_LOAD * permitted, axis=0),
    )
    built = rows.build(feeder, *sensitivities(base), wanted=wanted)
    limit, aim = (built.limit(feeder, limits, steps, margin=margin) for margin in (0.0, 1.0))
    before, after = built.value(rest), built.value(final)
    nothing = np.zeros_like(ends)
    case = replace(base, lo_w=base.p_w, room_down_w=nothing) if up else replace(base, hi_w=base.p_w, room_up_w=nothing)
    hi, lo = (ends, base.p_w) if up else (base.p_w, ends)
    away = np.ascontiguousarray(case.away(lo, hi)[:, case.ends.place])
    tables = [table.astype(np.float32) for table in (limit, aim, before)]
    found = Fit(feeder, case, built, away, *tables)
    found.breached, found.known_rise = before > aim, found.rise
    found.turns, found.solves = LEVELS, steps * (LEVELS + 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        found.gain = np.where(found.rise > 0.0, (after - before) / found.rise, 0.0).astype(np.float32)
    return found


def _grown(level: Array, unit: Array, room: Array) -> Array:
    """(T, C) W beyond what is granted, at one common level per step."""
    return np.asarray(np.minimum(level[:, None] * unit, room))


def _values(base: Base, p_w: Array, *, tol_v: float = FINE_V) -> Values:
    """(T, ...) with every connection at `p_w`."""
    q = base.q_var - base.tan_phi * np.maximum(p_w - base.p_w, 0.0)
    return base.feeder.values(base.feeder.spread(p_w), base.feeder.spread(q), base.source_v, tol_v=tol_v)


def _inside(found: Values, problem: Problem, base: Base) -> NDArray[np.bool_]:
    """(T,) whether every voltage and current keeps its limit, less the margins."""
    limits = problem.limits
    permitted = limits.permitted_a(problem.steps, base.feeder, margin=1.0)
    low, high = limits.v_min_v + limits.margin_v, limits.v_max_v - limits.margin_v
    voltages = (found.v_v >= low) & (found.v_v <= high)
    return np.asarray(voltages.all(axis=1) & (np.abs(found.i_a) <= permitted).all(axis=1))
