"""What an aggregation's plan leaves each member, and how far that narrows what the member is counted with.

A node's band is split over its members by what each could do, as it was published last. Power is W of injection, means
over a step; reach is how much a member's share can inject and draw.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sep2.rules.market.deliverables import WHOLE_PPM, Rating, Share
from sep2.rules.market.plans import Series, reach_of_band

BASES = ("dispatch", "award", "bid", "forecast")
"""Of two plans for the same time, that on the basis which is named first counts."""


class Band(NamedTuple):
    """The least and the most injection that one step of a plan leaves a member's share (W)."""

    low_w: float
    high_w: float


class MemberBand(NamedTuple):
    """What one version of a plan leaves a member, step by step; a step in which it is no member has no band."""

    plan_version_id: int
    starts: Sequence[int]
    step_s: int
    bands: Sequence[Band | None]
    waives_firm: bool = False
    """whether contract minimums give way to the band"""

    def over(self, start: int, end: int) -> Band | None:
        """The widest band that holds in a part of [start, end); None where no band covers all of it."""
        at = bisect_right(self.starts, start) - 1
        if at < 0:
            return None
        low, high = float("inf"), float("-inf")
        while start < end:
            if at >= len(self.starts) or not self.starts[at] <= start < self.starts[at] + self.step_s:
                return None
            band = self.bands[at]
            if band is None:
                return None
            low, high = min(low, band.low_w), max(high, band.high_w)
            start, at = self.starts[at] + self.step_s, at + 1
        return Band(low, high)


def of_bases(plans: Sequence[tuple[str, int]]) -> list[int]:
    """Positions of plans, each a basis and a number, in the order in which they count: the first that says anything."""
    return sorted(range(len(plans)), key=lambda n: (BASES.index(plans[n][0]), -plans[n][1]))


def split(series: Series, step_s: int, shares: Sequence[Share]) -> list[list[Band | None]]:
    """The band of each member in each step of a node's series: in proportion to what the members there can do."""
    found: list[list[Band | None]] = [[] for _ in shares]
    for start, low, high in zip(series.starts, series.low_w, series.high_w, strict=True):
        span = start, start + step_s
        reach = [_reach(share, *span) if share.holds(*span) else None for share in shares]
        sums = [sum(one[way] for one in reach if one is not None) for way in (0, 1)]
        for of, one in zip(found, reach, strict=True):
            of.append(None if one is None else Band(_part(low, one, sums), _part(high, one, sums)))
    return found


def _part(watts: float, reach: tuple[float, float], sums: Sequence[float]) -> float:
    way = 0 if watts >= 0 else 1
    return watts * reach[way] / sums[way] if sums[way] else 0.0


def _reach(share: Share, start: int, end: int) -> tuple[float, float]:
    """What the member's share can inject and draw: as published, or by ratings where nothing is."""
    sides = (share.gen, share.load)
    if share.unknown or share.published is None or (steps := share.published.run.covering(start, end)) is None:
        able = [rating.rated_w for rating in sides]
    else:
        published = (share.published.gen, share.published.load)
        able = [rating.part(side.reach_w[side.tightest(*steps)]) for rating, side in zip(sides, published, strict=True)]
    gen, load = (min(watts, rating.agreed_w) * share.ppm / WHOLE_PPM for watts, rating in zip(able, sides, strict=True))
    return gen, load


class Member(NamedTuple):
    """A member with an accepted plan: where it is, its ratings, its share, its bands, and how far they are believed."""

    der: str
    connection: str
    gen: Rating
    load: Rating
    ppm: int
    bands: Sequence[MemberBand]
    """the first one that covers a time counts"""
    credit: float

    def band(self, start: int, end: int) -> tuple[Band, bool] | None:
        """The band in [start, end), and whether contract minimums give way to it; None: there is none."""
        for one in self.bands:
            if (found := one.over(start, end)) is not None:
                return found, one.waives_firm
        return None

    def taken_w(self, band: Band, gen_w: float, load_w: float) -> tuple[float, float]:
        """By how much the band takes from what its connection can inject and draw (W)."""
        part = self.ppm / WHOLE_PPM
        gen, load = self.gen.part(int(gen_w)) * part, self.load.part(int(load_w)) * part
        most, least = reach_of_band(band.low_w, band.high_w, gen, load, credit=self.credit)
        return gen - most, load - least


class Kept(NamedTuple):
    """A tested interval: by how much the band was left, as a part of reach, and whether within tolerance."""

    excess_part: float
    kept: bool


def kept(band: Band, measured_w: float, reach_w: tuple[float, float], tolerance_w: Callable[[float], float]) -> Kept:
    """How a measured mean stands to a band; reach: most injection and most draw.

    tolerance_w: what is allowed beyond a band, by the reach in that direction (W).
    """
    above, below = measured_w - band.high_w, band.low_w - measured_w
    excess, reach = (above, reach_w[0]) if above >= below else (below, reach_w[1])
    if excess <= tolerance_w(reach):
        return Kept(0.0, kept=True)
    return Kept(excess / reach if reach else 1.0, kept=False)
