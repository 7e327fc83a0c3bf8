"""How an override's watts are spread over members, like for like, and what that costs their plans.

Power is W, energy Wh. All members get the same part of what they can reach; whose contract grants more keeps that, and
the others share the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from sep2.rules.market.shares import WHOLE_PPM

HOUR_S = 3600


class Spread(NamedTuple):
    """What each may do of it, W; the part of its reach that everybody gets; and who keeps more, by position."""

    watts: tuple[int, ...]
    fraction_ppm: int
    kept: tuple[int, ...]


class Excess(NamedTuple):
    """More is granted by contracts than is left, W."""

    granted_w: int


def spread(total_w: int, reach_w: Sequence[int], granted_w: Sequence[int]) -> Spread | Excess:
    """Share out at most `total_w`; granted: by the contract of each, of which no more counts than its reach."""
    floors = [min(floor, reach) for floor, reach in zip(granted_w, reach_w, strict=True)]
    if total_w >= sum(reach_w):
        return Spread(tuple(reach_w), WHOLE_PPM, ())
    if total_w < sum(floors):
        return Excess(sum(floors))
    kept: set[int] = set()
    while True:
        rest = total_w - sum(floors[n] for n in kept)
        free = sum(reach for n, reach in enumerate(reach_w) if n not in kept)
        short = {n for n, reach in enumerate(reach_w) if n not in kept and floors[n] * free > rest * reach}
        if not short:
            break
        kept |= short
    watts = [floors[n] if n in kept else rest * reach // free if free else 0 for n, reach in enumerate(reach_w)]
    return Spread(tuple(watts), rest * WHOLE_PPM // free if free else 0, tuple(sorted(kept)))


class PlannedPower(NamedTuple):
    """What a member plans in [start, end): W of injection."""

    der: str
    start: int
    end: int
    plan_w: float


class Curtailment(NamedTuple):
    """What a member may do in [start, end), at most so much injection and draw, W; None: not bounded."""

    der: str
    start: int
    end: int
    inject_w: int | None
    draw_w: int | None


def lost_wh(
    plans: Iterable[PlannedPower], before: Sequence[Curtailment], after: Sequence[Curtailment]
) -> dict[str, int]:
    """The planned energy of each DER that an override makes impossible: what limits allowed before is what counts."""
    lost: dict[str, float] = {}
    of_before, of_after = by_der(before), by_der(after)
    for plan in plans:
        curtailments = of_after.get(plan.der, ())
        edges = {plan.start, plan.end}
        for one in (*curtailments, *of_before.get(plan.der, ())):
            edges |= {edge for edge in (one.start, one.end) if plan.start < edge < plan.end}
        times = sorted(edges)
        for start, end in pairwise(times):
            could = _within(plan.plan_w, of_before.get(plan.der, ()), start)
            may = _within(could, curtailments, start)
            lost[plan.der] = lost.get(plan.der, 0.0) + abs(could - may) * (end - start) / HOUR_S
    return {der: round(energy) for der, energy in lost.items() if round(energy)}


def by_der(curtailments: Iterable[Curtailment]) -> Mapping[str, list[Curtailment]]:
    """What each DER may do, by its name."""
    found: dict[str, list[Curtailment]] = {}
    for one in curtailments:
        found.setdefault(one.der, []).append(one)
    return found


def _within(watts: float, curtailments: Iterable[Curtailment], at: int) -> float:
    """Power after every bound that holds at a moment."""
    for one in curtailments:
        if one.start <= at < one.end:
            watts = watts if one.inject_w is None else min(watts, one.inject_w)
            watts = watts if one.draw_w is None else max(watts, -one.draw_w)
    return watts


class DerEffect(Struct, frozen=True, kw_only=True):
    """What one DER might do before, and may do with the override at its tightest, W; None: not bounded."""

    der: str
    connection: str
    export_before_w: int | None
    export_after_w: int | None
    import_before_w: int | None
    import_after_w: int | None
    kept_by_contract: bool
    lost_wh: int
    """planned energy that it makes impossible"""


class PlanRef(Struct, frozen=True, kw_only=True):
    """A version of a plan that the override touches."""

    plan: int
    name: str
    version: int
    basis: str


class Effect(Struct, frozen=True, kw_only=True):
    """What an override does to an aggregation, and whether all that are alike get the same."""

    fraction_ppm: dict[str, int]
    """by limit: the part of what it can reach that each member may do"""
    ders: list[DerEffect]
    not_reached: list[str]
    """members without a device: only their aggregator can have them follow"""
    plans: list[PlanRef]
    lost_wh: int
    alike: int | None
    """DERs at the binding element that are not covered; null: it is no place of the network"""
    like_for_like: bool
