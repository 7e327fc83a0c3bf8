"""Least limits that a region's rule guarantees to controllable loads, as the engine keeps to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from envelope.problem import Policy, Problem
from envelope.problem.steps import zeros_or
from envelope.schedule.device_limits import parts
from gridmodel.arrays import Real
from gridmodel.model.devices import DEVICE


def with_least_loads(problem: Problem, least_w: Sequence[int]) -> Problem:
    """Return the problem with these limits granted in any case, as a contract's are; the same object without any.

    Where only devices are seen, their limit is what the connection may draw beyond its base load.
    """
    if not any(least_w):
        return problem
    least = np.asarray(least_w, dtype=float)
    of_device = np.array([point == DEVICE for point in problem.control_points])
    base = np.maximum(problem.load_hi_w.max(axis=0), 0.0)
    wanted = np.where(least > 0.0, least + np.where(of_device, base, 0.0), 0.0)
    firm = zeros_or(problem.firm_import_w, len(least))
    return replace(problem, firm_import_w=np.maximum(firm, wanted))


def parts_of_load(watts: int, size: Real, least_w: Real, policy: Policy) -> list[int]:
    """Return each device's part of a limit of load, W: what a rule guarantees it first, then by policy.

    Where the limit does not cover what is guaranteed, each has its part of that.
    """
    total = float(least_w.sum())
    if not total:
        return [int(one) for one in parts(np.array([watts]), size, policy)[0]]
    if watts <= total:
        return [int(watts * one // total) for one in least_w]
    rest = parts(np.array([watts - int(total)]), np.maximum(size - least_w, 0.0), policy)[0]
    return [int(one + more) for one, more in zip(least_w, rest, strict=True)]
