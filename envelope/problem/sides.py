"""Export or import of a problem, as one set of fields."""

from __future__ import annotations

from typing import NamedTuple

from envelope.problem.policies import Direction
from gridmodel.arrays import Mask, Real


class ProblemSide(NamedTuple):
    """Export or import of a problem. Watts, positive in the direction; T steps, C connections."""

    direction: Direction
    flex_w: Real
    """(T, C) most that controllable generation can feed, or controllable load draw"""
    capacity_w: Real
    """(T, C) most net power that can be reached; negative where the base load points the other way by more"""
    beside_w: Real
    """(T, C) net power that comes with a limit without being counted in it: the base load at a charger, else 0"""
    unavoidable_w: Real
    """(T, C) limit below which a connection could not serve, or not get rid of, its base load"""
    firm_w: Real
    """(C,) contract minimum"""
    default_w: Real | None
    """(C,) default that is already set; None: the schedule computes one"""
    in_force_w: Real | None
    """(C,) limits that clients may still hold as the first step begins"""
    contract_w: Real | None
    """(C,) denominator of fairness where shares refer to contracts"""
    favour: Real | None
    """(C,) or (T, C) weight of each connection's share: to make up for the past, and of the hour"""
    ceiling_w: Real | None
    """(T, C) most that the policy lets a limit be; None: all that fits"""
    floor_w: Real | None
    """(T, C) limits that were verified together before; None: there are none"""
    controlled: Mask
    """(C,) whether the direction can be limited"""

    @property
    def flexible(self) -> Mask:
        """(T, C) whether there is controllable power."""
        return self.flex_w > 0.0
