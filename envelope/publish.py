"""A schedule becomes DERControls: per connection only what changed, over a default that was counted as if in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envelope.schedule import EnvelopeSchedule
from sep2.errors import NotFound
from sep2.operations.controls import MOST_AHEAD, issue_schedule, limits_of
from sep2.operations.defaults import set_default
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged
from sep2.store import connections, controls, groups
from sep2.store.connection import Connection

SOURCE = "envelope"
Watts = NDArray[np.int64]


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


async def publish(
    db: Connection,
    schedule: EnvelopeSchedule,
    now: int,
    *,
    horizon_events: int = MOST_AHEAD,
    hysteresis_w: int = 0,
    defaults: bool = True,
) -> Published:
    """Issue what differs from what stands, for every connection that is registered; the caller's transaction holds it.

    hysteresis_w: a standing control that is inside the new limits and no more than this below them is left alone.
    defaults: whether the schedule's DefaultDERControl is set too.
    """
    missing: list[str] = []
    created = kept = superseded = changed = count = 0
    for column, name in enumerate(schedule.connection_id):
        known = await connections.by_name(db, name)
        group = await groups.of_connection(db, known.id) if known is not None else None
        if group is None:
            missing.append(name)
            continue
        count += 1
        if defaults:
            floor = Limits(int(schedule.default_import_w[column]), int(schedule.default_export_w[column]))
            changed += await set_default(db, group.id, floor, now=now)
        wanted = ahead(schedule, column, now, most=horizon_events)
        if hysteresis_w:
            wanted = await _calmed(db, group.id, wanted, now=now, hysteresis_w=hysteresis_w)
        issued = await issue_schedule(db, group.id, wanted, now, source=SOURCE, most_ahead=horizon_events)
        created, kept = created + len(issued.created), kept + len(issued.kept)
        superseded += len(issued.superseded)
    return Published(count, created, kept, superseded, changed, tuple(missing))


def ahead(schedule: EnvelopeSchedule, column: int, now: int, *, most: int = MOST_AHEAD) -> list[Interval]:
    """A connection's limits from `now` on: neighbours merged, at most `most`, the tail coarsened by the minimum."""
    first = int(np.searchsorted(schedule.step_start, now - schedule.step_s, side="right"))
    limits = np.stack([schedule.import_limit_w[first:, column], schedule.export_limit_w[first:, column]], axis=1)
    starts = [int(at) for at in schedule.step_start[first:]]
    found: list[Interval] = []
    for fineness in (len(starts) + 1, 16, 12, 8, 6, 4, 3, 2, 1):
        found = merged(_interval(schedule, starts, limits, block) for block in _blocks(first, len(starts), fineness))
        if len(found) <= most:
            break
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


def _interval(schedule: EnvelopeSchedule, starts: Sequence[int], limits: Watts, block: tuple[int, int]) -> Interval:
    """The tightest limits of some neighbouring steps, for all of their time."""
    low = limits[block[0] : block[1]].min(axis=0)
    end = starts[block[1] - 1] + schedule.step_s
    return Interval(starts[block[0]], end, Limits(int(low[0]), int(low[1])))


async def _calmed(
    db: Connection, group_id: int, wanted: Sequence[Interval], *, now: int, hysteresis_w: int
) -> list[Interval]:
    """Wanted limits, but with what stands where that is inside them and hardly tighter."""
    standing = [
        Interval(row.start, row.start + row.duration, limits_of(row))
        for row in await controls.standing(db, group_id, now)
        if row.source == SOURCE and row.successor_created is None
    ]
    return merged(want._replace(limits=_nearest(want, standing, hysteresis_w)) for want in wanted)


def _nearest(want: Interval, standing: Sequence[Interval], hysteresis_w: int) -> Limits:
    for old in standing:
        if old.start <= want.start and old.end >= want.end:
            pairs = list(zip(old.limits[:2], want.limits[:2], strict=True))
            if all(a is not None and b is not None and b - hysteresis_w <= a <= b for a, b in pairs):
                return old.limits
    return want.limits
