"""Coincident limits: one common level at which all export together, or all import together; nothing in between."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from envelope import rows
from envelope.allocate import Allocation
from envelope.box import Base, Case, Fit

if TYPE_CHECKING:
    from envelope.problem import Problem

Array = NDArray[np.float64]
LEVELS = 13
"""halvings of the common level: 1 W of 8 kW"""


def cases(base: Base, problem: Problem) -> list[Case]:
    """The two levels by bisection in the AC power flow, all steps at once."""
    from envelope.engine import sensitivities

    feeder = base.feeder
    built = rows.build(feeder, *sensitivities(base), wanted=rows.everything(feeder))
    return [
        Case(_bisect(base, problem, built, up=True), up=True, down=False),
        Case(_bisect(base, problem, built, up=False), up=False, down=True),
    ]


def _bisect(base: Base, problem: Problem, built: rows.Rows, *, up: bool) -> Fit:
    feeder = base.feeder
    room = base.room_up_w if up else base.room_down_w
    unit = np.ones_like(room) if problem.allocation is Allocation.EQUAL else (
        base.reference_up_w if up else base.reference_down_w
    )  # fmt: skip
    start = base.hi_w if up else base.lo_w
    sign = 1.0 if up else -1.0
    limit = built.limit(feeder, problem.limits, problem.steps, margin=0.0)
    aim = built.limit(feeder, problem.limits, problem.steps, margin=1.0)
    at_rest = _values(built, base, base.p_w)
    good, bad = np.zeros(len(room)), (room / unit).max(axis=1, initial=0.0)
    ends = start + sign * _grown(bad, unit, room)
    fits = (_values(built, base, ends) <= aim).all(axis=1)
    good[fits] = bad[fits]
    solves = 2 * len(room)
    for _ in range(LEVELS):
        middle = 0.5 * (good + bad)
        inside = (_values(built, base, start + sign * _grown(middle, unit, room)) <= aim).all(axis=1)
        good, bad = np.where(inside, middle, good), np.where(inside, bad, middle)
        solves += len(room)
    ends = start + sign * _grown(good, unit, room)
    final = _values(built, base, ends)
    case = replace(base, lo_w=base.p_w, room_down_w=np.zeros_like(room)) if up else replace(base, hi_w=base.p_w)
    hi, lo = (ends, base.p_w) if up else (base.p_w, ends)
    found = Fit(feeder, case, built, limit, aim, at_rest, np.ones_like(limit), lo, hi, at_rest > aim, turns=LEVELS,
                solves=solves)  # fmt: skip
    rise = found.rise(lo, hi)
    with np.errstate(divide="ignore", invalid="ignore"):
        found.gain = np.where(rise > 0.0, (final - at_rest) / rise, 0.0)
    return found


def _grown(level: Array, unit: Array, room: Array) -> Array:
    """(T, C) W beyond what is granted, at one common level per step."""
    return np.asarray(np.minimum(level[:, None] * unit, room))


def _values(built: rows.Rows, base: Base, p_w: Array) -> Array:
    """(T, R) with every connection at `p_w`."""
    q = base.q_var - base.tan_phi * np.maximum(p_w - base.p_w, 0.0)
    feeder = base.feeder
    return built.value(feeder.values(feeder.spread(p_w), feeder.spread(q), base.source_v))
