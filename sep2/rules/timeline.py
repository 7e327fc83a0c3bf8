"""What has to be issued so that a published sequence of limits becomes another one.

Events are never edited: where a wanted interval differs from what a live control says, that control is replaced from
`now` or its start to its end, back to back, so that no second of it falls to the default by accident.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from sep2.rules.limits import MODES, Limits


class Interval(NamedTuple):
    """Limits that hold from `start` until `end`."""

    start: int
    end: int
    limits: Limits


class Taken(NamedTuple):
    """A time that somebody else has said something about: which limits, by their modes."""

    start: int
    end: int
    modes: frozenset[str]


def merged(intervals: Iterable[Interval], cuts: Collection[int] = ()) -> list[Interval]:
    """The same sequence with equal neighbours joined, but not across a cut."""
    joined: list[Interval] = []
    for interval in intervals:
        last = joined[-1] if joined else None
        touches = last is not None and last.end == interval.start and interval.start not in cuts
        if last is not None and touches and last.limits == interval.limits:
            joined[-1] = last._replace(end=interval.end)
        else:
            joined.append(interval)
    return joined


def parted(intervals: Iterable[Interval], cuts: Collection[int]) -> list[Interval]:
    """The same sequence with a new interval at each cut."""
    if not cuts:
        return list(intervals)
    found = []
    for interval in intervals:
        edges = [interval.start, *sorted(cut for cut in cuts if interval.start < cut < interval.end), interval.end]
        found += [interval._replace(start=one, end=other) for one, other in pairwise(edges)]
    return found


def around(wanted: Iterable[Interval], taken: Sequence[Taken]) -> list[Interval]:
    """What is wanted, less what others have said at the time."""
    if not taken:
        return merged(wanted)
    edges = {edge for one in taken for edge in (one.start, one.end)}
    found = []
    for part in parted(wanted, edges):
        gone = frozenset[str]().union(*(one.modes for one in taken if one.start <= part.start < one.end))
        sides = zip(MODES, part.limits, strict=True)
        left = Limits(*(None if mode in gone else watts for mode, watts in sides))
        if left != Limits() or part.limits == Limits():
            found.append(part._replace(limits=left))
    return merged(found)


def to_issue(
    live: Sequence[Interval], wanted: Sequence[Interval], now: int, cuts: Collection[int] = ()
) -> list[Interval]:
    """The intervals to issue over `live` (neither overlaps itself) so that `wanted` holds from `now` on.

    cuts: times at which something stronger ends: what holds afterwards must begin there.
    """
    wanted = parted(merged(_from(wanted, now)), cuts)
    said = set(_from(live, now))
    if all(want in said for want in wanted):
        return []
    changed = [
        piece for want in wanted for piece in _uncovered(want, [old for old in live if old.limits == want.limits])
    ]
    replaced = [old for old in _from(live, now) if any(_overlap(old, piece) for piece in changed)]
    kept = [old for old in live if not any(old.end == gone.end and old.limits == gone.limits for gone in replaced)]
    rest = [piece for gone in replaced for piece in _uncovered(gone, [*wanted, *kept])]
    pieces = [piece for want in wanted for piece in _uncovered(want, kept)]
    return merged(sorted([*pieces, *parted(rest, cuts)]), cuts)


def fragments(
    live: Iterable[Interval], wanted: Sequence[Interval], now: int, cuts: Collection[int] = ()
) -> list[Interval]:
    """Those of `live` that say what is wanted, but are only a part of one wanted interval."""
    joined = parted(merged(_from(wanted, now)), cuts)
    return [
        old
        for old in live
        for want in joined
        if old.limits == want.limits and old != want and want.start <= old.start and old.end <= want.end
    ]


def coarsened(intervals: Sequence[Interval], fewer: int, now: int, cuts: Collection[int] = ()) -> list[Interval]:
    """A sequence with up to so many intervals fewer: neighbours joined from the far end, with the tighter limits."""
    left = list(intervals)
    for _ in range(fewer):
        place = next((k for k in range(len(left) - 2, -1, -1) if _may_join(left[k], left[k + 1], now, cuts)), None)
        if place is None:
            break
        one, other = left[place], left[place + 1]
        left[place : place + 2] = [Interval(one.start, other.end, tighter(one.limits, other.limits))]
    return left


def tighter(one: Limits, other: Limits) -> Limits:
    """Of each limit the tighter; one that is not set bounds nothing."""
    sides = zip(one, other, strict=True)
    return Limits(*(min((watts for watts in side if watts is not None), default=None) for side in sides))


def _may_join(one: Interval, other: Interval, now: int, cuts: Collection[int]) -> bool:
    touch = one.end == other.start and one.start > now and other.start not in cuts
    return touch and one.limits.modes() == other.limits.modes()


def count_after(live: Iterable[Interval], pieces: Sequence[Interval]) -> int:
    """How many intervals stand once `pieces` were issued over `live`."""
    return len(pieces) + sum(not any(_overlap(old, piece) for piece in pieces) for old in live)


def relaxes(piece: Interval, others: Iterable[Interval]) -> bool:
    """Whether an interval loosens what holds until it starts, and tightens nothing of it."""
    before = next((other.limits for other in others if other.end == piece.start), None)
    if before is None:
        return False
    changes = [_above(new, old) for new, old in zip(piece.limits, before, strict=True)]
    return min(changes) >= 0 and max(changes) > 0


def _above(new: int | None, old: int | None) -> float:
    """How much looser a limit is than another; no limit is looser than any."""
    if new == old:
        return 0.0
    return (float("inf") if new is None else new) - (float("inf") if old is None else old)


def _from(intervals: Iterable[Interval], now: int) -> list[Interval]:
    return [i if i.start >= now else i._replace(start=now) for i in sorted(intervals) if i.end > now]


def _overlap(one: Interval, other: Interval) -> bool:
    return one.start < other.end and other.start < one.end


def _uncovered(interval: Interval, covers: Iterable[Interval]) -> list[Interval]:
    """The parts of `interval` that no cover touches."""
    left, start = [], interval.start
    for cover in sorted(cover for cover in covers if _overlap(cover, interval)):
        if cover.start > start:
            left.append(interval._replace(start=start, end=cover.start))
        start = max(start, cover.end)
    if start < interval.end:
        left.append(interval._replace(start=start))
    return left
