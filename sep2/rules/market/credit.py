"""How far a plan's band is believed, and how much of a promise is firm: both from what was kept."""

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

from sep2.rules.market.profile import CreditRules, FirmRules

DAY_S = 86_400


class KeptDay(NamedTuple):
    """A day on which bands were in force: intervals in which enough was measured, and how many of them kept theirs."""

    day: int
    """when it began, epoch seconds"""
    tested: int
    kept: int
    worst: float
    """the greatest excess, as a part of reach"""


def target_credit(days: Sequence[KeptDay], rules: CreditRules, today: int) -> float:
    """What the credit may rise to, 0 to 1, from the days of the window whose last one begins at `today`.

    One excess above `hard_breach_part` of reach makes it 0 for `hard_days`.
    """
    aged = [(round((today - one.day) / DAY_S), one) for one in days]
    window = [(age, one) for age, one in aged if 0 <= age < rules.window_days]
    if any(one.worst > rules.hard_breach_part and age < rules.hard_days for age, one in window):
        return 0.0
    tested = sum(one.tested for _, one in window)
    if tested < max(1, rules.min_intervals):
        return 0.0
    kept = sum(one.kept for _, one in window) / tested
    return min(1.0, max(0.0, (kept - rules.q0) / (1 - rules.q0)))


def next_credit(before: float, target: float, days: float, rules: CreditRules) -> float:
    """Credit after `days`: it falls at once and rises slowly."""
    return target if target <= before else min(target, before + rules.rise_per_day * days)


class Firm(NamedTuple):
    """What is firm of a promise: a ratio 0 to 1, or None with how many events are still needed."""

    ratio: float | None
    events: int
    needed: int
    rank: int
    """which of the events, the smallest is 1, the ratio is that of; 0: none"""


def firm_ratio(ratios: Sequence[float], rules: FirmRules) -> Firm:
    """The ratio of delivered to ordered that `1 - quantile` of events reach, with the profile's confidence.

    It is the k-th smallest of the latest events, k the largest with P(Bin(n, quantile) < k) <= 1 - confidence, a
    distribution-free lower bound of the quantile (order statistics).
    """
    latest = sorted(min(1.0, max(0.0, ratio)) for ratio in ratios[-rules.window_events :])
    rank = _rank(len(latest), rules.quantile, 1 - rules.confidence)
    needed = len(latest)
    while _rank(needed, rules.quantile, 1 - rules.confidence) == 0:
        needed += 1
    return Firm(latest[rank - 1] if rank else None, len(latest), needed, rank)


def _rank(events: int, quantile: float, risk: float) -> int:
    rank, below = 0, 0.0
    while rank < events:
        below += comb(events, rank) * quantile**rank * (1 - quantile) ** (events - rank)
        if below > risk:
            break
        rank += 1
    return rank
