"""What the network lets members of an aggregation do together, from the limits that were published to each of them.

At each step it is the sum, over members, of the least of four: the published limit of the member's flexible power, what
it can reach, its agreement, and what overrides leave it then. Nameplates only bound what one of several devices at a
connection can use of that.
Power is W, means over [start, end); injection is positive in `max_w`, negative in `min_w`.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

WHOLE_PPM = 1_000_000


class RunSteps(NamedTuple):
    """The steps of a published run, and the constraints that bind in it, by name."""

    run_id: str
    step_s: int
    starts: Sequence[int]
    names: Sequence[str]
    cause: str = ""
    """why nothing can be said from it now, though its limits hold"""

    def covering(self, start: int, end: int) -> tuple[int, int] | None:
        """The steps, as [first, last), that [start, end) lies in; None where it does not lie in them wholly."""
        first = _last_at_or_before(self.starts, start)
        if first < 0 or not len(self.starts):
            return None
        last = first
        while last < len(self.starts) and self.starts[last] < end:
            if last > first and self.starts[last] != self.starts[last - 1] + self.step_s:
                return None
            last += 1
        is_covered = self.starts[first] <= start and end <= self.starts[last - 1] + self.step_s
        return (first, last) if is_covered else None


class Side(NamedTuple):
    """One direction of a connection's flexible power in the steps of a run: W, and positions in the run's names."""

    limit_w: Sequence[int]
    reach_w: Sequence[int]
    binding: Sequence[int]
    firm_w: int = 0
    """what the contract grants whatever else is so"""

    def tightest(self, first: int, last: int) -> int:
        """The step of [first, last) in which it can do least."""
        if last - first == 1:
            return first
        return min(range(first, last), key=lambda at: min(self.limit_w[at], self.reach_w[at]))


class Published(NamedTuple):
    """What a run says of a connection."""

    run: RunSteps
    gen: Side
    load: Side
    cause: str = ""
    """why the run leaves it out"""


class Rating(NamedTuple):
    """What one DER may and can do in one direction: its agreement, its rating, and the ratings at its connection, W."""

    agreed_w: int
    rated_w: int
    all_rated_w: int

    def part(self, watts: int) -> int:
        """The DER's part of what a connection has, by ratings; never more than its own."""
        if self.all_rated_w <= watts or not self.all_rated_w:
            return min(self.rated_w, watts)
        return watts * self.rated_w // self.all_rated_w


class Hold(NamedTuple):
    """An override in [start, end): at most so much injection and draw, W, where it bounds them."""

    name: str
    start: int
    end: int
    inject_w: int | None
    draw_w: int | None
    of_connection: bool = True
    """whether it bounds the connection, of which the DER has a part, and not the DER's own device"""

    def most(self, way: int, rating: Rating) -> int | None:
        """What it leaves a DER, W; way: 0 injection, 1 draw. None: it does not bound that."""
        watts = (self.inject_w, self.draw_w)[way]
        if watts is None:
            return None
        return rating.part(watts) if self.of_connection else min(rating.rated_w, watts)


class Share(NamedTuple):
    """A member of an aggregation in [start, end), and what was published where it is."""

    der: str
    ppm: int
    gen: Rating
    load: Rating
    start: int
    end: int | None
    published: Published | None
    cause: str = ""
    """why nothing was"""
    overrides: Sequence[Hold] = ()
    """overrides that it is under"""

    def held_to(self, way: int, span: tuple[int, int]) -> tuple[int, str] | None:
        """The least that overrides leave it in a part of a time (W), and which one does; None: none bounds it."""
        rating = (self.gen, self.load)[way]
        held = [one for one in self.overrides if one.start < span[1] and span[0] < one.end]
        left = [(watts, one.name) for one in held if (watts := one.most(way, rating)) is not None]
        return min(left, default=None)

    def holds(self, start: int, end: int) -> bool:
        """Whether it is a member in all of this time."""
        return self.start <= start and (self.end is None or end <= self.end)

    @property
    def unknown(self) -> str:
        """Why nothing can be said of it; empty: something can."""
        found = self.published
        return self.cause or "not_published" if found is None else found.cause or found.run.cause


class Deliverable(NamedTuple):
    """What the network lets members do at a node from `start` until `end` (W), and what binds."""

    node: str
    start: int
    end: int
    min_w: float
    max_w: float
    binding_min: str = ""
    binding_max: str = ""
    cause: str = ""
    """Why it is not known; then nothing is said of min and max."""
    firm_min_w: float = 0
    firm_max_w: float = 0
    """what contracts grant of it whatever else is so"""
    envelope_min_w: float = 0
    envelope_max_w: float = 0
    """what members' published limits alone let them do"""
    without_overrides_w: tuple[float, float] | None = None
    """least and most without the overrides that hold then; None: none of them takes anything away"""


BEYOND = "beyond_horizon"
NOBODY = "no_member"


def deliverables(node: str, shares: Sequence[Share], spans: Sequence[tuple[int, int]]) -> list[Deliverable]:
    """One for each span, of the members that hold in it."""
    sums = [_Sums() for _ in spans]
    steps: dict[int, list[tuple[int, int] | None]] = {}
    for share in shares:
        there = [n for n, span in enumerate(spans) if share.holds(*span)]
        if share.unknown or share.published is None:
            for n in there:
                sums[n].miss(share.unknown)
            continue
        run = share.published.run
        found = steps.setdefault(id(run), [run.covering(*span) for span in spans])
        for n in there:
            sums[n].add(share, share.published, found[n], spans[n])
    return [one.as_deliverable(node, *span) for one, span in zip(sums, spans, strict=True)]


class _Sums:
    """Of one span, in W times ppm."""

    def __init__(self) -> None:
        self.members = 0
        self.cause = ""
        self.most = [0, 0]
        self.free = [0, 0]
        """the same without overrides"""
        self.firm = [0, 0]
        self.envelope = [0, 0]
        self.lost: tuple[dict[str, int], dict[str, int]] = ({}, {})

    def miss(self, cause: str) -> None:
        self.members += 1
        self.cause = self.cause or cause

    def add(self, share: Share, published: Published, steps: tuple[int, int] | None, span: tuple[int, int]) -> None:
        if steps is None:
            self.miss(BEYOND)
            return
        self.members += 1
        for way, (side, rating) in enumerate(((published.gen, share.gen), (published.load, share.load))):
            tightest = side.tightest(*steps)
            could_w = min(rating.part(side.reach_w[tightest]), rating.agreed_w)
            limit_w = rating.part(side.limit_w[tightest])
            free_w = can_w = min(limit_w, could_w)
            binding = published.run.names[side.binding[tightest]] if can_w < could_w else ""
            held = share.held_to(way, span)
            if held is not None and held[0] < can_w:
                can_w, binding = held
            self.envelope[way] += share.ppm * limit_w
            self.most[way] += share.ppm * can_w
            self.free[way] += share.ppm * free_w
            self.firm[way] += share.ppm * min(rating.part(side.firm_w), could_w, *(held or ())[:1])
            if binding:
                lost = self.lost[way]
                lost[binding] = lost.get(binding, 0) + share.ppm * (could_w - can_w)

    def as_deliverable(self, node: str, start: int, end: int) -> Deliverable:
        if self.cause or not self.members:
            return Deliverable(node, start, end, 0, 0, cause=self.cause or NOBODY)
        (up, down), (firm_up, firm_down), (most_up, most_down), (free_up, free_down) = (
            [watts // WHOLE_PPM for watts in both] for both in (self.most, self.firm, self.envelope, self.free)
        )
        binding_max, binding_min = map(_greatest, self.lost)
        return Deliverable(
            node,
            start,
            end,
            -down,
            up,
            binding_min,
            binding_max,
            firm_min_w=-firm_down,
            firm_max_w=firm_up,
            envelope_min_w=-most_down,
            envelope_max_w=most_up,
            without_overrides_w=None if (free_up, free_down) == (up, down) else (-free_down, free_up),
        )


def merged(found: Sequence[Deliverable]) -> list[Deliverable]:
    """The same with equal neighbours as one."""
    rows: list[Deliverable] = []
    for one in found:
        if rows and rows[-1].end == one.start and rows[-1]._replace(start=0, end=0) == one._replace(start=0, end=0):
            rows[-1] = rows[-1]._replace(end=one.end)
        else:
            rows.append(one)
    return rows


def _greatest(lost: Mapping[str, int]) -> str:
    return max(sorted(lost), key=lost.__getitem__, default="")


def _last_at_or_before(starts: Sequence[int], at: int) -> int:
    return bisect_right(starts, at) - 1
