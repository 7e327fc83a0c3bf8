"""Whether a member ignores its limits: one interval far beyond one, until enough intervals were kept since.

Such a member counts as if it could not be limited, so that what it may do is kept free of others.
"""

from collections.abc import Iterable
from typing import NamedTuple

HOUR_S = 3600


class LimitedInterval(NamedTuple):
    """An interval of a member with a limit: when it began, and its excess as a part of what the member can do."""

    start: int
    excess_part: float

    @property
    def kept(self) -> bool:
        """Whether the limit was kept."""
        return self.excess_part == 0.0


class Ignoring(NamedTuple):
    """The last interval that was far beyond a limit, by how much, and how many intervals were kept since."""

    since: int
    excess_part: float
    kept: int
    counted_until: int


def excess_part(breach_wh: float, seconds: int, able_w: float) -> float:
    """The mean excess of an interval as a part of what the member can do; 1 where it can do nothing."""
    excess_w = breach_wh * HOUR_S / seconds
    return excess_w / able_w if able_w > 0 else float(excess_w > 0)


def after(before: Ignoring | None, tested: Iterable[LimitedInterval], until: int, far_part: float) -> Ignoring | None:
    """What holds of a member once a settled time until `until` is counted in; None: it has never been far beyond.

    tested: in the order of their starts. far_part: from which part of what it can do on it is far beyond. What was
    counted once is not counted again, but for one that was far beyond as it was settled anew.
    """
    found, counts_from = before, 0 if before is None else before.counted_until
    for one in tested:
        if one.excess_part > far_part and (found is None or one.start > found.since):
            found, counts_from = Ignoring(one.start, one.excess_part, 0, until), one.start
        elif found is not None and one.kept and one.start >= counts_from:
            found = found._replace(kept=found.kept + 1)
    if found is None or found == before:
        return before
    return found._replace(counted_until=max(until, found.counted_until))
