"""What a person should know of a problem or a schedule before it is published: a code, a colon, a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from envelope.problem import Problem

BASE, FIRM, DOUBLE = "infeasible_base", "infeasible_firm", "double_counted"
LOOSE = "default_looser"
NAMED = 5


def double_counted(problem: Problem) -> list[str]:
    """Connections whose base load already holds what their devices did."""
    mask = problem.base_includes_devices
    if mask is None or not np.any(mask):
        return []
    who = some([name for name, is_so in zip(problem.connection_id, mask, strict=True) if is_so])
    return [f"{DOUBLE}: the base load of {who} was measured with its own devices in it, whose reach is added once more"]


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def with_code(findings: Sequence[str], code: str) -> str:
    """The findings of one code, in one line; empty where there is none."""
    return "; ".join(said for said in findings if said.startswith(f"{code}:"))
