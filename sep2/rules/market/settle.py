"""After the fact: what was lost to limits and why, and how much of what was instructed was delivered (W, Wh)."""

from collections.abc import Sequence
from typing import NamedTuple


class Lost(NamedTuple):
    """Energy of one interval in Wh: lost to an override, to the envelope, and to the resource itself."""

    override_wh: float
    envelope_wh: float
    own_shortfall_wh: float


class Run(NamedTuple):
    """One interval of a resource, all in W of injection."""

    instructed_w: float
    available_w: float
    agreed_w: float
    envelope_w: float
    """the envelope's limit"""
    limit_w: float
    """the limit in force: with an override at most the envelope's"""
    measured_w: float


def lost(run: Run, seconds: int) -> Lost:
    """What an interval lost. What flowed in spite of a limit was not lost."""
    hours = seconds / 3600
    want = min(run.instructed_w, run.available_w, run.agreed_w)
    limit = min(run.limit_w, run.envelope_w)
    return Lost(
        override_wh=max(0.0, min(want, run.envelope_w) - max(limit, run.measured_w)) * hours,
        envelope_wh=max(0.0, want - max(run.envelope_w, run.measured_w)) * hours,
        own_shortfall_wh=max(0.0, min(want, limit) - run.measured_w) * hours,
    )


class Recovery(NamedTuple):
    """Gross energy lost by a storage, what of it was sold later, and the difference (Wh)."""

    gross_wh: float
    recovered_wh: float
    net_wh: float


def recovery(lost_wh: float, sold_later_wh: float) -> Recovery:
    """What remains lost of a storage that sold energy beyond its plan within the profile's time."""
    recovered = min(lost_wh, max(0.0, sold_later_wh))
    return Recovery(lost_wh, recovered, lost_wh - recovered)


class Delivery(NamedTuple):
    """How much of what was instructed was delivered, over the intervals that were measured."""

    share: float | None
    overshoot_wh: float
    missing: int


def delivered(instructed_w: Sequence[float], measured_w: Sequence[float | None], seconds: int) -> Delivery:
    """Sum of the lesser of measured and instructed over the sum instructed; unmeasured intervals are counted apart."""
    known = [(asked, got) for asked, got in zip(instructed_w, measured_w, strict=True) if got is not None and asked > 0]
    asked_w = sum(asked for asked, _ in known)
    share = sum(min(max(got, 0.0), asked) for asked, got in known) / asked_w if asked_w else None
    over_wh = sum(max(0.0, got - asked) for asked, got in known) * seconds / 3600
    return Delivery(share, over_wh, sum(got is None for got in measured_w))


def apportioned(total_wh: int, parts_wh: Sequence[float]) -> list[int]:
    """Whole Wh of the parts that sum to the total exactly (largest remainder)."""
    floors = [int(part // 1) for part in parts_wh]
    missing = total_wh - sum(floors)
    by_remainder = sorted(range(len(parts_wh)), key=lambda at: (floors[at] - parts_wh[at], at))
    for at in by_remainder[: max(0, missing)]:
        floors[at] += 1
    return floors
