"""What the engine of a file says when the file's own elements are at given injections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gridmodel.arrays import Mask, Real

Injections = Mapping[str, complex]
"""VA into the network by the name that an element has in its file: "load.h1", or a table and a row, "load.3" """


@dataclass(frozen=True, slots=True, eq=False)
class OwnSolution:
    """What a file's own engine finds in S scenarios."""

    voltage_names: tuple[str, ...]
    """(N,) bus and node or phase, in the engine's own words"""
    v_v: Real
    """(S, N) V phase-to-neutral; NaN where not converged"""
    nominal_v: Real
    """(N,) V, the engine's own base"""
    loading_names: tuple[str, ...]
    """(B,) element and end or winding"""
    loading: Real
    """(S, B) greatest phase current over the rating of that end"""
    converged: Mask
    """(S,)"""


class OwnFile(Protocol):
    """A file in the engine that it was made for."""

    elements: tuple[str, ...]
    """names of all elements that can be set"""

    def solve(self, cases: Sequence[Injections], head: Sequence[float] | None = None) -> OwnSolution:
        """Scenarios of injections; elements that a case leaves out take nothing.

        head: per case, the voltages of all sources over those in the file.
        """
        ...
