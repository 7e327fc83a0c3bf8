"""A schedule becomes DERControls: per connection only what changed, over a default that was counted as if in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from envelope.operation import defaulting, seen
from envelope.operation.edges import lead_of, published
from envelope.schedule import EnvelopeSchedule
from sep2.errors import NotFound
from sep2.operations.controls import MOST_AHEAD, intervals_of, issue_schedule
from sep2.operations.defaults import set_default
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged
from sep2.store import connections, controls
from sep2.store.connection import Connection

SOURCE = "envelope"
Watts = NDArray[np.int64]
FINENESS = (16, 12, 8, 6, 4, 3, 2, 1)


class NoSuchConnection(NotFound):
    """No such connection is registered."""


@dataclass(frozen=True)
class Published:
    """What came of publishing: counts over all connections."""

    connections: int = 0
    created: int = 0
    kept: int = 0
    superseded: int = 0
    defaults: int = 0
    missing: tuple[str, ...] = ()
    """connections of the schedule that are not registered"""
    findings: tuple[str, ...] = ()
    """what a person should know of it, such as defaults that are looser than what was published"""


@dataclass
class Tally:
    """What came of publishing so far."""

    connections: int = 0
    created: int = 0
    kept: int = 0
    superseded: int = 0
    defaults: int = 0
    missing: list[str] = field(default_factory=list)

    def published(self, findings: Sequence[str] = ()) -> Published:
        """The sum of it."""
        counts = self.connections, self.created, self.kept, self.superseded, self.defaults
        return Published(*counts, tuple(self.missing), tuple(findings))


@dataclass(frozen=True)
class Terms:
    """How limits are published, whatever they are."""

    horizon_events: int = MOST_AHEAD
    hysteresis_w: int = 0
    randomize_relaxing_s: int = 0


async def publish(
    db: Connection,
    schedule: EnvelopeSchedule,
    now: int,
    *,
    horizon_events: int = MOST_AHEAD,
    hysteresis_w: int = 0,
    randomize_relaxing_s: int = 0,
    defaults: bool = True,
    settle_rest: bool = False,
    again: bool = False,
    steps_ahead: int = 1,
) -> Published:
    """Issue what differs from what stands, for every connection that is registered; the caller's transaction holds it.

    hysteresis_w: a standing control that is inside the new limits and no more than this below them is left alone.
    randomize_relaxing_s: a control that only loosens what precedes it may begin up to so much later, at random.
    defaults: whether the schedule's DefaultDERControl is set too.
    settle_rest: whether what stands beyond the schedule's end gives way to the default; otherwise it is left.
    again: whether the schedule was published before, so that a looser default found now is somebody else's.
    steps_ahead: for how many steps a client may go on with a limit, where nothing is published early.
    """
    terms = Terms(horizon_events, hysteresis_w, randomize_relaxing_s)
    loose = await _loose(db, schedule, now) if again else set()
    tally = Tally()
    for column, name in enumerate(schedule.connection_id):
        known = await connections.by_name(db, name)
        if known is None:
            tally.missing.append(name)
            continue
        tally.connections += 1
        if defaults:
            tally.defaults += await set_default(db, known.device_group_id, _floor(schedule, column), now=now)
        wanted = ahead(schedule, column, now, most=horizon_events, steps_ahead=steps_ahead)
        if hysteresis_w or settle_rest:
            standing = intervals_of(await controls.standing(db, known.device_group_id, now), SOURCE)
            if not seen.is_device(schedule, column):
                wanted = calmed(wanted, standing, Least(schedule, column), hysteresis_w)
            wanted = merged([*wanted, *(_rest(schedule, column, standing, now) if settle_rest else ())])
        await issue(db, known.device_group_id, wanted, now, terms=terms, tally=tally)
    loose |= await _loose(db, schedule, now) | set(defaulting.looser(schedule, {}, now, counted=False))
    return tally.published(defaulting.finding([name for name in schedule.connection_id if name in loose]))


async def issue(
    db: Connection, group_id: int, wanted: Sequence[Interval], now: int, *, terms: Terms, tally: Tally
) -> None:
    """Have one connection's limits follow `wanted`."""
    issued = await issue_schedule(
        db,
        group_id,
        wanted,
        now,
        source=SOURCE,
        most_ahead=terms.horizon_events,
        randomize_relaxing_s=terms.randomize_relaxing_s,
    )
    tally.created += len(issued.created)
    tally.kept += len(issued.kept)
    tally.superseded += len(issued.superseded)


def ahead(
    schedule: EnvelopeSchedule, column: int, now: int, *, most: int = MOST_AHEAD, steps_ahead: int = 1
) -> list[Interval]:
    """A connection's limits from `now` on: neighbours merged, at most `most`, the tail coarsened by the minimum."""
    first = int(np.searchsorted(schedule.step_start, now - schedule.step_s, side="right"))
    lead = lead_of(schedule, column, first, steps_ahead)
    count = len(lead.starts)
    found: list[Interval] = []
    for fineness in (count + 1, *FINENESS):
        spans = [lead.span(*block) for block in _blocks(first, count, fineness)]
        found = [interval for interval in published(spans, schedule.early_s) if interval.end > now]
        if len(found) <= most:
            break
    if seen.is_device(schedule, column):
        found = [interval._replace(limits=seen.told(interval.limits)) for interval in found]
    return found[:most]


def _blocks(first: int, count: int, fineness: int) -> list[tuple[int, int]]:
    """Ranges of steps ahead: single ones at first, then longer ones, none longer than its distance over `fineness`.

    Lengths are powers of two and starts their multiples in the schedule, so that as time passes a block is only ever
    split, never shifted.
    """
    blocks, at = [], 0
    while at < count:
        length = 1
        while (first + at) % (2 * length) == 0 and 2 * length <= at // fineness and at + 2 * length <= count:
            length *= 2
        blocks.append((at, at + length))
        at += length
    return blocks


async def _loose(db: Connection, schedule: EnvelopeSchedule, now: int) -> set[str]:
    """The connections that the defaults in effect would let go too far."""
    return set(defaulting.looser(schedule, await defaulting.in_effect(db, schedule.connection_id), now))


def _floor(schedule: EnvelopeSchedule, column: int) -> Limits:
    """A connection's default."""
    if seen.is_device(schedule, column):
        return seen.default_of(schedule, column)
    return Limits(int(schedule.default_import_w[column]), int(schedule.default_export_w[column]))


def _rest(schedule: EnvelopeSchedule, column: int, standing: Sequence[Interval], now: int) -> list[Interval]:
    """A connection's default, over what stands beyond the schedule's end."""
    end = max(int(schedule.step_start[-1]) + schedule.step_s, now)
    last = max((interval.end for interval in standing), default=end)
    return [Interval(end, last, _floor(schedule, column))] if last > end else []


class Least:
    """What one connection's limit is never below, over any time of a schedule."""

    def __init__(self, schedule: EnvelopeSchedule, column: int) -> None:
        self._start, self._step_s = schedule.step_start, schedule.step_s
        sides = (
            (schedule.import_least_w, schedule.firm_import_w),
            (schedule.export_least_w, schedule.firm_export_w),
        )
        steps = len(self._start)
        table = [np.full(steps, firm[column]) if least is None else least[:, column] for least, firm in sides]
        self._least: Watts = np.stack(table, axis=1)

    def during(self, interval: Interval) -> tuple[int, int]:
        """The most of it during an interval."""
        touched = (self._start < interval.end) & (self._start + self._step_s > interval.start)
        most = self._least[touched].max(axis=0, initial=0)
        return int(most[0]), int(most[1])


def calmed(wanted: Sequence[Interval], standing: Sequence[Interval], least: Least, hysteresis_w: int) -> list[Interval]:
    """Wanted limits, but with what stands where that is hardly tighter, so that only a relaxing ever waits."""
    return merged(want._replace(limits=_nearest(want, standing, least, hysteresis_w)) for want in wanted)


def _nearest(want: Interval, standing: Sequence[Interval], least: Least, hysteresis_w: int) -> Limits:
    for old in standing:
        if old.start <= want.start and old.end >= want.end:
            sides = zip(old.limits[:2], want.limits[:2], least.during(want), strict=True)
            if all(_is_near(before, now, needed, hysteresis_w) for before, now, needed in sides):
                return old.limits
    return want.limits


def _is_near(before: int | None, now: int | None, needed: int, hysteresis_w: int) -> bool:
    """Whether a limit may stay: it is hardly tighter than the wanted one, never looser, and not below the least."""
    if before is None or now is None:
        return before == now
    return max(now - hysteresis_w, min(needed, now)) <= before <= now
