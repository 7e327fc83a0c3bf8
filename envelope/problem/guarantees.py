"""Guarantees as a table: the boxes that each one covers, their corners, allocations and random tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from envelope.problem.policies import Allocation, Direction, Guarantee
from gridmodel.arrays import Real


class GuaranteedBox(NamedTuple):
    """A box in which every combination of net injections is covered."""

    lo_w: Real
    hi_w: Real
    """(T, C) lowest and highest net injection, W"""
    directions: tuple[Direction, ...]
    """whose limits it decides; in the others it is as narrow as the guarantee allows"""


def whole(base_w: Real, lo_w: Real, hi_w: Real) -> tuple[GuaranteedBox, ...]:
    """One box for both directions: each connection anywhere between its import and its export limit."""
    return (GuaranteedBox(lo_w, hi_w, (Direction.EXPORT, Direction.IMPORT)),)


def per_direction(base_w: Real, lo_w: Real, hi_w: Real) -> tuple[GuaranteedBox, ...]:
    """One box for export and one for import, each with its other end at the base load."""
    return (
        GuaranteedBox(base_w, hi_w, (Direction.EXPORT,)),
        GuaranteedBox(lo_w, base_w, (Direction.IMPORT,)),
    )


class GuaranteeRule(NamedTuple):
    """How boxes that keep a guarantee are found and verified."""

    boxes: Callable[[Real, Real, Real], tuple[GuaranteedBox, ...]]
    """from (T, C) net injection of the base load, and the lowest and highest that clients may have, W"""
    common_level: bool = False
    """all connections stand at one common level together: the only corners are all at export, and all at import"""
    allocations: tuple[Allocation, ...] = tuple(Allocation)
    """rules by which its limits can be shared out"""
    random_corners: bool = True
    """whether random corners, points inside and a greedy search are tried too"""


GUARANTEES: Mapping[Guarantee, GuaranteeRule] = {
    Guarantee.TWO_SIDED: GuaranteeRule(whole),
    Guarantee.ONE_SIDED: GuaranteeRule(per_direction),
    # Its boxes depend on limits and sun: `problem.declared_band` has them.
    Guarantee.DECLARED_BAND: GuaranteeRule(whole),
    Guarantee.COINCIDENT: GuaranteeRule(
        per_direction,
        common_level=True,
        allocations=(Allocation.EQUAL, Allocation.PROPORTIONAL),
        random_corners=False,
    ),
}
