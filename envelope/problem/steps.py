"""Steps of a horizon, and positions and values of connections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envelope.field_rules import BadProblem
from gridmodel.arrays import Index, Real


def zeros_or(value: Real | None, count: int) -> Real:
    """`value` or (count,) zeros."""
    return np.zeros(count) if value is None else np.broadcast_to(np.asarray(value, dtype=float), (count,))


def steps_from(start: int, step_s: int, steps: int) -> NDArray[np.int64]:
    """(T,) start times of equal steps."""
    return start + step_s * np.arange(steps, dtype=np.int64)


def select(names: Sequence[str], wanted: Sequence[str]) -> Index:
    """Positions of `wanted` in `names`; refuses one that is not there."""
    position = {name: k for k, name in enumerate(names)}
    missing = [name for name in wanted if name not in position]
    if missing:
        raise BadProblem(f"no connection {missing[0]!r} in the network")
    return np.array([position[name] for name in wanted], dtype=np.intp)
