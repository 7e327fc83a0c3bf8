"""What clients may still hold of an earlier run, and the rest of a horizon that has begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envelope.operation import seen
from envelope.operation.publish import SOURCE
from envelope.problem import Problem
from sep2.operations.controls import limits_of
from sep2.store import connections, controls, defaults
from sep2.store.connection import Connection

Array = NDArray[np.float64]
NO_BASE = seen.Band(0, 0)
BY_STEP = ("step_start", "rating_factor", "transformer_factor", "low_pu", "high_pu", "part")
"""fields whose arrays of one dimension are per step; those of other names are per connection"""


def from_step(problem: Problem, first: int) -> Problem:
    """The same problem without the steps before `first`."""
    cut: Problem = _cut(problem, problem.steps, first)
    return cut


def _cut(value: Any, steps: int, first: int, name: str = "") -> Any:
    """A value without its first steps; (T,) arrays are known by name, larger ones by their shape."""
    if isinstance(value, np.ndarray):
        if value.ndim == 3 and value.shape[1] == steps:
            return value[:, first:]
        by_step = value.ndim == 2 or name in BY_STEP
        return value[first:] if by_step and value.ndim and len(value) == steps else value
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return tuple(_cut(one, steps, first) for one in value)
    if not is_dataclass(value) or isinstance(value, type) or name == "reduced":
        return value
    mine = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
    new = {key: _cut(one, steps, first, key) for key, one in mine.items()}
    return replace(value, **{key: one for key, one in new.items() if one is not mine[key]})


async def in_force(
    db: Connection,
    names: Sequence[str],
    now: int,
    *,
    adoption_s: int = 0,
    source: str = SOURCE,
    bands: Mapping[str, seen.Band] | None = None,
) -> tuple[Array, Array]:
    """(C,) and (C,) loosest import and export limit that a client may hold from now until it has adopted new ones.

    One that has not heard of them yet goes on with what it has: also with what begins meanwhile. 0: nothing was said.
    bands: of the base load meanwhile, for what limits of load and generation come to at the connection; else none.
    """
    found = np.zeros((2, len(names)))
    for column, name in enumerate(names):
        known = await connections.by_name(db, name)
        if known is None:
            continue
        standing = await controls.standing(db, known.device_group_id, now)
        rows = [row for row in standing if row.source == source and row.earliest_start <= now + adoption_s]
        default = await defaults.of_group(db, known.device_group_id)
        for limits in [limits_of(row) for row in [*rows, *([default] if default is not None else [])]]:
            net = seen.net_of(limits, (bands or {}).get(name, NO_BASE))
            for side, value in enumerate(net[:2]):
                found[side, column] = max(found[side, column], float(value or 0))
    return found[0], found[1]
