"""Some of a problem's steps: the rest of a horizon that has begun, or the steps of a day in another order."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from envelope.field_rules import BadProblem
from envelope.problem.problem import Problem
from envelope.problem.steps import steps_from
from gridmodel.arrays import Index

DAY_S = 86_400
BY_STEP = (
    *("step_start", "rating_factor", "transformer_factor", "low_pu", "high_pu", "part"),
    *("ceiling_import_w", "ceiling_export_w", "weight_import", "weight_export"),
)
"""Fields whose arrays of one dimension are per step; those of other names are per connection."""
Chosen = slice | Index


def from_step(problem: Problem, first: int) -> Problem:
    """Return the same problem without the steps before `first`."""
    cut: Problem = _chosen_of(problem, problem.steps, slice(first, None))
    return cut


def refuse_part_of_day(problem: Problem) -> None:
    """Refuse a problem whose steps are not whole days in a row, so that no day can be repeated from it."""
    steps, per_day = problem.steps, DAY_S // problem.step_s
    if DAY_S % problem.step_s or steps % per_day or np.any(np.diff(problem.step_start) != problem.step_s):
        raise BadProblem(
            f"step_start: {steps} steps of {problem.step_s} s are no whole days; a rolling plan repeats whole days"
        )


def rolled_to(problem: Problem, start: int) -> Problem:
    """Return a problem of as many steps from `start` on, each as the problem has that time of the day.

    The problem has whole days in a row. start: epoch seconds at which a step begins.
    """
    refuse_part_of_day(problem)
    first = (start - int(problem.step_start[0])) // problem.step_s
    at = (first + np.arange(problem.steps, dtype=np.intp)) % problem.steps
    values = {
        f.name: _chosen_of(getattr(problem, f.name), problem.steps, at, f.name) for f in fields(problem) if f.init
    }
    return replace(problem, **(values | {"step_start": steps_from(start, problem.step_s, problem.steps)}))


def _chosen_of(value: Any, steps: int, chosen: Chosen, name: str = "") -> Any:
    """Return a value for some of its steps; (T,) arrays are known by name, larger ones by their shape."""
    if isinstance(value, np.ndarray):
        if value.ndim >= 3 and value.shape[1] == steps:
            return value[:, chosen]
        by_step = value.ndim == 2 or name in BY_STEP
        return value[chosen] if by_step and value.ndim and len(value) == steps else value
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return tuple(_chosen_of(one, steps, chosen) for one in value)
    if not is_dataclass(value) or isinstance(value, type) or name == "reduced":
        return value
    mine = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
    new = {key: _chosen_of(one, steps, chosen, key) for key, one in mine.items()}
    return replace(value, **{key: one for key, one in new.items() if one is not mine[key]})
