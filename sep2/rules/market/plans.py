"""An aggregator's plan: what may be wrong with one, all of it at once, and what a deliverable has to say to it.

Injection is positive, W, means over [start, start + step).
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sep2.rules.market.clocks import day_bounds, midnight
from sep2.rules.market.deliverables import Deliverable
from sep2.rules.market.faults import Fault
from sep2.rules.told_times import told

STEPS_S = (300, 900, 1800, 3600)
MOST_VALUES = 20_000
MOST_FAULTS = 100
FARTHEST_S = 400 * 86_400
"""How far ahead a plan may be."""
MEMBER_LEFT = "member_left"
OVERRIDDEN = "override"
"""Why a step is beyond a limit that only an override sets; the plan counts in the network's limits all the same."""
UNREAD = -(2**62)
"""A start that could not be read, which was said where it was read."""


class Series(NamedTuple):
    """What is planned at one node: for each start the least, the planned and the most power (W)."""

    node: str
    starts: Sequence[int]
    low_w: Sequence[float]
    plan_w: Sequence[float]
    high_w: Sequence[float]


class Presence(NamedTuple):
    """A node of an aggregation: how much its members can inject and draw (W), and when the last one leaves it."""

    max_w: float
    min_w: float
    until: int | None = None


def faults(
    series: Sequence[Series], step_s: int, nodes: Mapping[str, Presence], *, zone: ZoneInfo, now: int
) -> list[Fault]:
    """All that keeps a plan from being taken, at most 100; empty if it can be.

    Steps are 5, 15, 30 or 60 minutes, aligned to the market's local midnight, sorted, without gaps and in the future;
    low <= plan <= high; each within what the node's members can do.
    """
    found: list[Fault] = []
    if step_s not in STEPS_S:
        found.append(Fault("step_s", "step", str(step_s), "300, 900, 1800 or 3600"))
    if not series:
        found.append(Fault("nodes", "empty", "0", "at least one node"))
    many = sum(len(one.starts) for one in series)
    if many > MOST_VALUES:
        found.append(Fault("nodes", "too_many_values", str(many), f"at most {MOST_VALUES}"))
        return found
    for one in series:
        presence = nodes.get(one.node)
        if presence is None:
            found.append(Fault(f"nodes.{one.node}", "unknown_node", one.node, "a node of the aggregation's members"))
        found += _faults_of_times(one, step_s, zone, now)
        found += _faults_of_values(one, presence)
        if len(found) >= MOST_FAULTS:
            break
    return found[:MOST_FAULTS]


def day_length(starts: Sequence[int], step_s: int, zone: ZoneInfo, day: date | None = None) -> Fault | None:
    """What is wrong with a plan of one local day: it has 23, 24 or 25 hours of steps (None if nothing is).

    day: which one; None: that of the first start.
    """
    if not starts or step_s not in STEPS_S:
        return None
    begin, end = day_bounds(local_day(starts[0], zone) if day is None else day, zone)
    needed = (end - begin) // step_s
    if starts[0] == begin and len(starts) == needed and starts[-1] + step_s == end:
        return None
    return Fault("starts", "day_length", str(len(starts)), str(needed))


class Answer(StrEnum):
    """What a verdict says of one step."""

    OK = "ok"
    LIMIT = "limit"
    CANNOT_TELL = "cannot_tell"


class Verdict(NamedTuple):
    """Of one step at one node: whether its band fits, and if not what would."""

    node: str
    start: int
    state: Answer
    min_w: float | None = None
    max_w: float | None = None
    binding: str = ""
    cause: str = ""


def deliverable_w(members: Sequence[tuple[int, float, float, float]]) -> float:
    """What members can do together: the sum of (share ppm) x the least of limit, reach and agreement, each in W."""
    return sum(ppm / 1_000_000 * min(limit_w, reach_w, agreed_w) for ppm, limit_w, reach_w, agreed_w in members)


def verdicts(series: Series, step_s: int, known: Sequence[Deliverable], until: int | None = None) -> list[Verdict]:
    """One verdict per step; `until` is when the node's last member leaves. Known ones of a node do not overlap.

    Boxes hold in any combination: a band inside the deliverable needs no power flow, whoever else plans.
    """
    spans = sorted((one for one in known if one.node == series.node), key=lambda one: one.start)
    starts, ends = [one.start for one in spans], [one.end for one in spans]
    found = []
    for start, low, high in zip(series.starts, series.low_w, series.high_w, strict=True):
        step = _Step(series.node, start, start + step_s, low, high)
        there = spans[bisect_right(ends, start) : bisect_left(starts, step.end)]
        found.append(_verdict(step, there, until))
    return found


def state_of(found: Sequence[Verdict]) -> Verdict:
    """The verdict of a whole plan, which its worst step has.

    The first step beyond a limit of the network, else the first that is not known, else the first that only an override
    keeps it from, else ok.
    """
    for state, is_overridden in ((Answer.LIMIT, False), (Answer.CANNOT_TELL, False), (Answer.LIMIT, True)):
        first = next((one for one in found if one.state is state and (one.cause == OVERRIDDEN) is is_overridden), None)
        if first is not None:
            return first
    return Verdict("", 0, Answer.OK) if found else Verdict("", 0, Answer.CANNOT_TELL, cause="empty")


def reach_of_band(low_w: float, high_w: float, gen_w: float, load_w: float, *, credit: float) -> tuple[float, float]:
    """(most injection, most draw) in W that a member is counted with, whose band is believed by `credit` in 0..1.

    A band takes away from reach and never adds to it.
    """
    most = gen_w - credit * max(0.0, gen_w - max(high_w, 0.0))
    least = load_w - credit * max(0.0, load_w + min(low_w, 0.0))
    return most, least


class _Step(NamedTuple):
    node: str
    start: int
    end: int
    low_w: float
    high_w: float


def _verdict(step: _Step, there: Sequence[Deliverable], until: int | None) -> Verdict:
    node, start, end = step.node, step.start, step.end
    if until is not None and end > until:
        return Verdict(node, start, Answer.CANNOT_TELL, cause=MEMBER_LEFT)
    if sum(min(one.end, end) - max(one.start, start) for one in there) < end - start:
        return Verdict(node, start, Answer.CANNOT_TELL, cause="no_deliverable")
    unknown = next((one.cause for one in there if one.cause), "")
    if unknown:
        return Verdict(node, start, Answer.CANNOT_TELL, cause=unknown)
    top = min(there, key=lambda one: one.max_w)
    bottom = max(there, key=lambda one: one.min_w)
    if bottom.min_w <= step.low_w and step.high_w <= top.max_w:
        return Verdict(node, start, Answer.OK, bottom.min_w, top.max_w)
    binding = top.binding_max if step.high_w > top.max_w else bottom.binding_min
    cause = OVERRIDDEN if _fits_without_overrides(step, there) else ""
    return Verdict(node, start, Answer.LIMIT, bottom.min_w, top.max_w, binding, cause)


def _fits_without_overrides(step: _Step, there: Sequence[Deliverable]) -> bool:
    free = [one.without_overrides_w or (one.min_w, one.max_w) for one in there]
    return max(low for low, _ in free) <= step.low_w and step.high_w <= min(high for _, high in free)


def _faults_of_times(one: Series, step_s: int, zone: ZoneInfo, now: int) -> list[Fault]:
    path = f"nodes.{one.node}.starts"
    if UNREAD in one.starts:
        return []
    found = [
        Fault(f"{path}[{at + 1}]", "unsorted" if later < earlier else "overlap", told(later), told(earlier + step_s))
        if later < earlier + step_s
        else Fault(f"{path}[{at + 1}]", "gap", told(later), told(earlier + step_s))
        for at, (earlier, later) in enumerate(pairwise(one.starts))
        if later != earlier + step_s
    ]
    if not one.starts:
        return [Fault(path, "empty", "0", "at least one step")]
    past = [(at, start) for at, start in enumerate(one.starts) if start < now]
    found += [Fault(f"{path}[{at}]", "past", told(start), f"from {told(now)} on") for at, start in past[:1]]
    far = [(at, start) for at, start in enumerate(one.starts) if start > now + FARTHEST_S]
    latest = told(now + FARTHEST_S)
    found += [Fault(f"{path}[{at}]", "too_far", told(start), f"until {latest}") for at, start in far[:1]]
    if step_s in STEPS_S and not far:
        ahead = [(at, start) for at, start in enumerate(one.starts) if start >= now]
        off = [(at, start) for at, start in ahead if not _aligned(start, step_s, zone)]
        found += [Fault(f"{path}[{at}]", "unaligned", told(s), f"whole steps of {step_s} s") for at, s in off[:1]]
    return found


def _faults_of_values(one: Series, presence: Presence | None) -> list[Fault]:
    path = f"nodes.{one.node}"
    lengths = {len(one.starts), len(one.low_w), len(one.plan_w), len(one.high_w)}
    if len(lengths) > 1:
        return [Fault(path, "lengths", ", ".join(map(str, sorted(lengths))), "as many values as starts")]
    found: list[Fault] = []
    for at, (low, plan, high) in enumerate(zip(one.low_w, one.plan_w, one.high_w, strict=True)):
        wrong = next((value for value in (low, plan, high) if not math.isfinite(value)), None)
        if wrong is not None:
            found.append(Fault(f"{path}[{at}]", "not_a_number", str(wrong), "a number of W"))
        elif not low <= plan <= high:
            found.append(Fault(f"{path}[{at}]", "band", f"{low:g}, {plan:g}, {high:g}", "low <= plan <= high"))
        elif presence is not None and (high > presence.max_w or low < -presence.min_w):
            bound = f"{-presence.min_w:g} to {presence.max_w:g} W"
            found.append(Fault(f"{path}[{at}]", "beyond_members", f"{high if high > presence.max_w else low:g}", bound))
    return found


def _aligned(start: int, step_s: int, zone: ZoneInfo) -> bool:
    return (start - midnight(local_day(start, zone), zone)) % step_s == 0


def local_day(at: int, zone: ZoneInfo) -> date:
    """The local day of a moment."""
    return datetime.fromtimestamp(at, zone).date()
