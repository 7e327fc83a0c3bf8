"""Whether limits were kept: what was allowed in an interval, what was measured in it, and the sums of the verdicts.

A client is held to a new limit once it must have learned of it and had time to ramp; until then the looser of the old
and the new limit bounds it. What was not measured, or can not be relied on, is unknown and never counts as kept.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import islice, pairwise, takewhile
from typing import NamedTuple

from sep2.rules.authority import Holding, Stretch
from sep2.rules.limit_steps import Bounds, Step
from sep2.rules.readings import Metered, apart

GRID_S = 300
"""Limits are judged over intervals of five minutes, or of the meter's own length where that is longer."""
NEEDED_SHARE = 0.8
"""Of an interval that must have been measured."""
BINDING_SHARE = 0.8
"""Of what is allowed: a limit binds an interval in which more was measured."""
LATE_S = 600
"""A limit that is kept again so soon after it had to be adopted was kept late; afterwards it is broken."""
DISPUTED_SHARE, DISPUTED_W = 0.05, 100.0
"""By how much two meters of one place may differ: the larger of both."""
NEVER = -(2**62)
Z = 1.96
"""Of a confidence of 95 %."""


class Direction(StrEnum):
    """What a limit bounds; import and export at the connection, generation and load at the device."""

    IMPORT = "import"
    EXPORT = "export"
    GENERATION = "generation"
    LOAD = "load"

    @property
    def at_site(self) -> bool:
        """Whether the meter of the whole connection shows it."""
        return self in (Direction.IMPORT, Direction.EXPORT)

    @property
    def sign(self) -> int:
        """What an import-positive mean is multiplied by."""
        return 1 if self in (Direction.IMPORT, Direction.LOAD) else -1


PERCENT = "opModMaxLimW"
"""The one mode that is a share of the device's rating, in hundredths of a percent."""
MODES = {
    Direction.IMPORT: ("opModImpLimW",),
    Direction.EXPORT: ("opModExpLimW",),
    Direction.GENERATION: ("opModGenLimW", PERCENT),
    Direction.LOAD: ("opModLoadLimW",),
}


class State(StrEnum):
    """The verdict on one interval."""

    OK = "ok"
    LATE = "late"
    BREACH = "breach"
    OPTED_OUT = "opted_out"
    """the customer had said no; it counts as not kept"""
    UNKNOWN = "unknown"
    EXEMPT = "exempt"
    """nothing is to be kept: no limit, or none that the device can carry"""


class Facts(NamedTuple):
    """What is known of a control beside its limits: times in epoch seconds."""

    learned: int
    """when its client must know of it: issued and one poll, or delivered"""
    latest_start: int
    ramp_s: float | None = None
    """None: the device ramps by its default gradient"""
    cancelled: int | None = None
    """when it was withdrawn, and its client knows of that so long afterwards:"""
    tells_s: int = 0


def steps(
    stretches: Sequence[Stretch],
    direction: Direction,
    facts: Mapping[int, Facts],
    *,
    default_learned: int = NEVER,
    rating_w: float | None = None,
    gradient_w_per_s: float | None = None,
) -> list[Step]:
    """The limits of one direction over the stretches of what is in force.

    facts: by the mRID of each control as a number. default_learned: when the default as it is now must be known; what
    it was before is not on record, so nothing bounds the time before it was changed. gradient_w_per_s: of the default.
    """
    found: list[Step] = []
    before: Holding | None = None
    for stretch in stretches:
        held = {mode: stretch.modes[mode] for mode in MODES[direction] if mode in stretch.modes}
        watts, holding = _tightest(held, rating_w)
        control = None if holding is None else holding.control
        if found and (found[-1].watts, found[-1].control) == (watts, control):
            continue
        adopted = _adopted(stretch.start, holding, before, facts, default_learned=default_learned)
        known = None if control is None else facts.get(control)
        ramp_s = _ramp_s(known, found[-1].watts if found else None, watts, gradient_w_per_s)
        found.append(Step(stretch.start, watts, adopted + math.ceil(ramp_s), control))
        before = holding
    return found


def _tightest(held: Mapping[str, Holding], rating_w: float | None) -> tuple[float | None, Holding | None]:
    """The tightest limit among modes in watts, and what holds it."""
    found: list[tuple[float, Holding]] = []
    for mode, holding in held.items():
        if mode != PERCENT:
            found.append((float(holding.value), holding))
        elif rating_w is not None:
            found.append((rating_w * holding.value / 10_000, holding))
    return min(found, key=lambda one: one[0]) if found else (None, None)


def _adopted(
    start: int, holding: Holding | None, before: Holding | None, facts: Mapping[int, Facts], *, default_learned: int
) -> int:
    """From when on a limit must be held, without its ramp."""
    known = None if holding is None or holding.control is None else facts.get(holding.control)
    learned = default_learned if known is None else known.learned
    adopted = max(start if known is None else max(start, known.latest_start), learned)
    ended = None if before is None or before.control is None else facts.get(before.control)
    if ended is not None and ended.cancelled is not None and abs(ended.cancelled - start) <= 1:
        adopted = max(adopted, ended.cancelled + ended.tells_s)
    return adopted


def _ramp_s(known: Facts | None, old_w: float | None, new_w: float | None, gradient_w_per_s: float | None) -> float:
    """How long a device may take from one limit to another: as its control says, else by the default gradient."""
    if known is not None and known.ramp_s is not None:
        return known.ramp_s
    if not gradient_w_per_s or old_w is None or new_w is None:
        return 0.0
    return abs(new_w - old_w) / gradient_w_per_s


def adopted_from(start: int, issued: int, adoption_s: int, ramp_s: int = 0) -> int:
    """From when on a limit must be held that begins at `start`, was issued then and takes so long to be known."""
    return max(start, issued + adoption_s) + ramp_s


class Meter(NamedTuple):
    """A meter of the right place: whether its sign is proven, and its means, import positive."""

    proven: bool
    readings: Sequence[Metered]

    def by_interval(self, starts: range, length: int) -> list[list[Metered]]:
        """The readings that reach into each of these intervals of one length."""
        found: list[list[Metered]] = [[] for _ in starts]
        for one in self.readings:
            first = (one.start - starts.start) // starts.step
            last = (one.end - 1 - starts.start) // starts.step
            for n in range(max(0, first - (length - 1) // starts.step), min(last, len(found) - 1) + 1):
                found[n].append(one)
        return found


class Measured(NamedTuple):
    """The mean over an interval in watts, import positive, the seconds it covers, and why it can not be relied on."""

    watts: float | None
    covered_s: int
    flaw: str = ""


def measured(meters: Iterable[Meter], start: int, end: int) -> Measured:
    """What the meters of one place show for an interval; nothing is filled in where they show nothing."""
    proven, unproven = [], False
    for meter in meters:
        one = mean(meter.readings, start, end)
        if one.watts is not None and meter.proven:
            proven.append(one)
        unproven |= one.watts is not None and not meter.proven
    if not proven:
        return Measured(None, 0, "unproven" if unproven else "unmeasured")
    best = max(proven, key=lambda one: one.covered_s)
    needed_s = NEEDED_SHARE * (end - start)
    whole = [one.watts for one in proven if one.covered_s >= needed_s and one.watts is not None]
    if whole and max(whole) - min(whole) > max(DISPUTED_SHARE * max(map(abs, whole)), DISPUTED_W):
        return best._replace(flaw="disputed")
    return best if best.covered_s >= needed_s else best._replace(flaw="unmeasured")


def mean(readings: Iterable[Metered], start: int, end: int) -> Measured:
    """The time-weighted mean of readings over an interval, and the seconds that they cover."""
    total, covered_s = 0.0, 0
    for one in apart(one for one in readings if one.duration and one.start < end and one.end > start):
        seconds = min(one.end, end) - max(one.start, start)
        if seconds > 0:
            total += one.value * seconds
            covered_s += seconds
    return Measured(total / covered_s if covered_s else None, covered_s)


class Interval(NamedTuple):
    """An interval to be judged: what was measured, in the direction of the limit, and what is known beside it."""

    start: int
    duration_s: int
    measured: Measured
    exempt: str = ""
    """why nothing is to be kept, beside the lack of a limit"""
    opted_out: bool = False

    @property
    def end(self) -> int:
        """When it is over."""
        return self.start + self.duration_s


class Judged(NamedTuple):
    """The verdict on an interval; power in watts in the direction of the limit."""

    start: int
    duration_s: int
    state: State
    allowed_w: float | None
    measured_w: float | None
    covered_s: int
    reason: str = ""
    binding: bool = False
    breach_wh: float = 0.0
    control: int | None = None


def judge(limits: Sequence[Step], intervals: Sequence[Interval], tolerance_w: float) -> list[Judged]:
    """The verdict on each interval, given in the order of their starts."""
    bounds = Bounds(limits)
    first = [_judge(bounds, one, tolerance_w) for one in intervals]
    return [
        one._replace(state=State.LATE)
        if one.state is State.BREACH and _kept_soon_after(limits, one, islice(first, n + 1, None))
        else one
        for n, one in enumerate(first)
    ]


def _judge(bounds: Bounds, one: Interval, tolerance_w: float) -> Judged:
    allowed = bounds.allowed_w(one.start, one.end)
    seen = one.measured
    said = Judged(one.start, one.duration_s, State.EXEMPT, allowed, seen.watts, seen.covered_s)
    if allowed is None or one.exempt:
        return said._replace(reason=one.exempt or "no_limit")
    last = bounds.before(one.end)
    said = said._replace(control=None if last is None else last.control)
    known = seen.watts is not None and not seen.flaw
    beyond_w = seen.watts - allowed if known and seen.watts is not None else 0.0
    wh = max(0.0, beyond_w) * seen.covered_s / 3600
    if one.opted_out:
        return said._replace(state=State.OPTED_OUT, breach_wh=wh)
    if not known or seen.watts is None:
        return said._replace(state=State.UNKNOWN, reason=seen.flaw or "unmeasured")
    binding = seen.watts > BINDING_SHARE * allowed
    if beyond_w <= tolerance_w:
        return said._replace(state=State.OK, binding=binding)
    return said._replace(state=State.BREACH, binding=binding, breach_wh=wh)


def _kept_soon_after(limits: Sequence[Step], one: Judged, later: Iterable[Judged]) -> bool:
    """Whether the limit was tightened before, and kept again soon after it had to be adopted."""
    tightened = last_tightening(limits, one.start + one.duration_s)
    if tightened is None:
        return False
    soon = takewhile(lambda other: other.start <= tightened.adopted + LATE_S, later)
    return any(other.state is State.OK for other in soon)


def last_tightening(limits: Sequence[Step], before: int) -> Step | None:
    """The last step before a time that is tighter than the one it follows."""
    found = None
    for old, new in pairwise(limits):
        if new.start < before and (old.watts is None or (new.watts is not None and new.watts < old.watts)):
            found = new if new.watts is not None else found
    return found


class Sums(NamedTuple):
    """Seconds by verdict, of which limited: ok, late, breach, opted out and unknown; and the energy beyond limits."""

    ok_s: int = 0
    late_s: int = 0
    breach_s: int = 0
    opted_out_s: int = 0
    unknown_s: int = 0
    binding_s: int = 0
    """of those known, with a limit that binds"""
    binding_ok_s: int = 0
    breach_wh: float = 0.0

    @property
    def limited_s(self) -> int:
        """Seconds with something to be kept."""
        return self.known_s + self.unknown_s

    @property
    def known_s(self) -> int:
        """Seconds of which it is known whether the limit was kept."""
        return self.ok_s + self.late_s + self.breach_s + self.opted_out_s

    @property
    def obedience(self) -> float | None:
        """The share of the known seconds in which the limit was kept; None where nothing is known."""
        return self.ok_s / self.known_s if self.known_s else None

    @property
    def coverage(self) -> float | None:
        """The share of the limited seconds that are known; None without a limit."""
        return self.known_s / self.limited_s if self.limited_s else None

    @property
    def binding_bound(self) -> float | None:
        """The share of binding intervals that were kept, at least so much with a confidence of 95 % (Wilson)."""
        return wilson_lower(self.binding_ok_s // GRID_S, self.binding_s // GRID_S)

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        seconds = (one + more for one, more in zip(self[:-1], other[:-1], strict=True))
        return Sums(*map(int, seconds))._replace(breach_wh=self.breach_wh + other.breach_wh)


_FIELDS = {
    State.OK: "ok_s",
    State.LATE: "late_s",
    State.BREACH: "breach_s",
    State.OPTED_OUT: "opted_out_s",
    State.UNKNOWN: "unknown_s",
}


def sums(several: Iterable[Judged]) -> Sums:
    """The sums of verdicts; what is exempt counts nowhere."""
    found = dict.fromkeys(Sums._fields, 0)
    wh = 0.0
    for one in several:
        if one.state is State.EXEMPT:
            continue
        found[_FIELDS[one.state]] += one.duration_s
        wh += one.breach_wh
        if one.binding:
            found["binding_s"] += one.duration_s
            found["binding_ok_s"] += one.duration_s if one.state is State.OK else 0
    del found["breach_wh"]
    return Sums(**found, breach_wh=wh)


def wilson_lower(kept: int, count: int) -> float | None:
    """The lower bound of Wilson's score interval (95 %) for a share `kept` of `count`; None of nothing."""
    if count == 0:
        return None
    share, z2 = kept / count, Z * Z
    middle = share + z2 / (2 * count)
    spread = Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return max(0.0, (middle - spread) / (1 + z2 / count))
