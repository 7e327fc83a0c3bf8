"""A schedule becomes DERControls: per connection only what changed, over a default that was counted as if in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from envelope.operation import default_check, handover, net_to_device
from envelope.operation.clients import Clients, Sharing, clients_at, see_devices_only
from envelope.operation.lead_time import lead_of, published
from envelope.schedule import EnvelopeSchedule
from gridmodel.arrays import Watts
from sep2.operations.controls import MOST_AHEAD, intervals_of, issue_schedule
from sep2.operations.defaults import set_default
from sep2.operations.room import left
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged
from sep2.store import connections, controls
from sep2.store.connection import Connection

SOURCE = "envelope"
FINENESS = (16, 12, 8, 6, 4, 3, 2, 1)


@dataclass(frozen=True)
class Published:
    """What came of publishing: counts over all connections."""

    connections: int = 0
    created: int = 0
    kept: int = 0
    superseded: int = 0
    defaults: int = 0
    parts: int = 0
    """devices that were told a part of their connection's limits"""
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
    parts: int = 0
    missing: list[str] = field(default_factory=list)

    def published(self, findings: Sequence[str] = ()) -> Published:
        """The sum of it."""
        counts = self.connections, self.created, self.kept, self.superseded, self.defaults, self.parts
        return Published(*counts, tuple(self.missing), tuple(findings))


@dataclass(frozen=True)
class Terms:
    """How limits are published, whatever they are."""

    horizon_events: int = MOST_AHEAD
    hysteresis_w: int = 0
    randomize_relaxing_s: int = 0
    defaults: bool = True
    settle_rest: bool = False
    steps_ahead: int = 1
    adoption_s: int = 0
    sharing: Sharing = field(default_factory=Sharing)


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
    adoption_s: int = 0,
    sharing: Sharing | None = None,
) -> Published:
    """Issue what differs from what stands, for every connection that is registered; the caller's transaction holds it.

    hysteresis_w: a standing control that is inside the new limits and no more than this below them is left alone.
    randomize_relaxing_s: a control that only loosens what precedes it may begin up to so much later, at random.
    defaults: whether the schedule's DefaultDERControl is set too.
    settle_rest: whether what stands beyond the schedule's end gives way to the default; otherwise it is left.
    again: whether the schedule was published before, so that a looser default found now is somebody else's.
    steps_ahead: for how many steps a client may go on with a limit, where nothing is published early.
    adoption_s: for how long after `now` a device may hold a part of its connection's limits that has changed hands.
    sharing: how several devices behind one connection share its limits.
    """
    shares = Sharing() if sharing is None else sharing
    ways = defaults, settle_rest, steps_ahead, adoption_s, shares
    terms = Terms(horizon_events, hysteresis_w, randomize_relaxing_s, *ways)
    await db.in_turn()
    loose = await _loose(db, schedule, now) if again else set()
    tally, at = Tally(), await clients_at(db, schedule.connection_id)
    for column, name in enumerate(schedule.connection_id):
        known = await connections.by_name(db, name)
        if known is None:
            tally.missing.append(name)
            continue
        tally.connections += 1
        await _tell(db, Telling(schedule, column, known, at.get(name, ()), now, terms), tally)
    loose |= await _loose(db, schedule, now) | set(default_check.looser(schedule, {}, now, counted=False))
    return tally.published(default_check.finding([name for name in schedule.connection_id if name in loose]))


class Telling(NamedTuple):
    """One connection of a schedule, and whom it is told to."""

    schedule: EnvelopeSchedule
    column: int
    known: Any
    clients: Clients
    now: int
    terms: Terms

    @property
    def of_device(self) -> bool:
        """Whether nobody there keeps net limits."""
        return net_to_device.is_device(self.schedule, self.column) or see_devices_only(self.clients)

    def ahead(self, *, most: int, of_device: bool) -> list[Interval]:
        """The connection's limits from now on, in so many intervals; of_device: of load and generation."""
        steps_ahead = self.terms.steps_ahead
        return ahead(self.schedule, self.column, self.now, most=most, steps_ahead=steps_ahead, of_device=of_device)

    def part(self, limits: Limits, line: handover.Line) -> Limits:
        """What of the connection's limits of load and generation one group is told."""
        return limits if line.part is None else self.terms.sharing.parts(limits, self.clients)[line.part]


class Said(NamedTuple):
    """What one group is to be told, and what it was."""

    line: handover.Line
    wanted: list[Interval]
    floor: Limits
    standing: list[Interval]
    """asked for only where something depends on it"""
    room: int
    """how many controls of ours its devices may hold ahead"""


async def _tell(db: Connection, telling: Telling, tally: Tally) -> None:
    """Have the controls and defaults of one connection, and of each device with a part of it, follow the schedule."""
    own, *others = await handover.lines(db, telling.known, telling.clients, telling.now, of_device=telling.of_device)
    several = [await _said(db, telling, own, of_device=telling.of_device)]
    several += [await _said(db, telling, line, of_device=True) for line in others]
    parted = handover.parted([own, *others])
    tally.parts += len(parted)
    mine = [said for said in several if said.line in parted]
    rest = [said for said in several if said.line not in parted]
    for said in [*rest, *await _eased(db, telling, mine)]:
        await _follow(db, telling, said, is_net=said.line is own and not telling.of_device, tally=tally)


async def _said(db: Connection, telling: Telling, line: handover.Line, *, of_device: bool) -> Said:
    """What one group is to be told of the connection's limits, whole or in part."""
    most, floor = telling.terms.horizon_events, _floor(telling.schedule, telling.column, of_device=of_device)
    whole = telling.ahead(most=most, of_device=of_device)
    room = await left(db, line.group_id, whole, telling.now, most=most)
    if len(whole) > room:
        whole = telling.ahead(most=room, of_device=of_device)
    wanted = [interval._replace(limits=telling.part(interval.limits, line)) for interval in whole]
    standing: list[Interval] = []
    if line.part is not None or telling.terms.hysteresis_w or telling.terms.settle_rest:
        standing = intervals_of(await controls.standing(db, line.group_id, telling.now), SOURCE)
    return Said(line, wanted, telling.part(floor, line), standing, room)


async def _eased(db: Connection, telling: Telling, several: Sequence[Said]) -> list[Said]:
    """Parts of one whole, none of them growing before those that shrink must have been taken up."""
    now, adoption_s = telling.now, telling.terms.adoption_s
    was = [await handover.floor_of(db, said.line.group_id, said.floor) for said in several]
    floors = handover.floors(was, now, adoption_s)
    wanted = [said.wanted for said in several]
    if any(said.standing for said in several):
        wanted = [
            handover.eased(said.wanted, said.standing, floor.was, now + adoption_s)
            for said, floor in zip(several, was, strict=True)
        ]
    both = zip(several, wanted, floors, strict=True)
    return [said._replace(wanted=intervals, floor=floor) for said, intervals, floor in both]


async def _follow(db: Connection, telling: Telling, said: Said, *, is_net: bool, tally: Tally) -> None:
    """Have one group's controls and default say what they are to."""
    terms, now = telling.terms, telling.now
    if terms.defaults:
        tally.defaults += await set_default(db, said.line.group_id, said.floor, now=now)
    wanted = said.wanted
    if is_net and (terms.hysteresis_w or terms.settle_rest):
        wanted = calmed(wanted, said.standing, Least(telling.schedule, telling.column), terms.hysteresis_w)
    if terms.settle_rest:
        wanted = [*wanted, *_rest(telling.schedule, said.floor, said.standing, now)]
    wanted = merged(wanted)[: max(said.room, 1)]
    await issue(db, said.line.group_id, wanted, now, terms=replace(terms, horizon_events=said.room), tally=tally)


async def issue(
    db: Connection, group_id: int, wanted: Sequence[Interval], now: int, *, terms: Terms, tally: Tally
) -> None:
    """Have one connection's limits follow `wanted`; what operators have sent stays, and is published around."""
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
    schedule: EnvelopeSchedule,
    column: int,
    now: int,
    *,
    most: int = MOST_AHEAD,
    steps_ahead: int = 1,
    of_device: bool | None = None,
) -> list[Interval]:
    """A connection's limits from `now` on: neighbours merged, at most `most`, the tail coarsened by the minimum.

    of_device: limits of load and generation; None: where the schedule says that only a device is seen.
    """
    if of_device is None:
        of_device = net_to_device.is_device(schedule, column)
    first = int(np.searchsorted(schedule.step_start, now - schedule.step_s, side="right"))
    lead = lead_of(schedule, column, first, steps_ahead, of_device=of_device)
    count = len(lead.starts)
    found: list[Interval] = []
    for fineness in (count + 1, *FINENESS):
        spans = [lead.span(*block) for block in _blocks(first, count, fineness)]
        found = [interval for interval in published(spans, schedule.early_s) if interval.end > now]
        if len(found) <= most:
            break
    if of_device:
        found = [interval._replace(limits=net_to_device.told(interval.limits)) for interval in found]
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
    return set(default_check.looser(schedule, await default_check.in_effect(db, schedule), now))


def _floor(schedule: EnvelopeSchedule, column: int, *, of_device: bool) -> Limits:
    """A connection's default."""
    if of_device:
        return net_to_device.default_of(schedule, column)
    return Limits(int(schedule.default_import_w[column]), int(schedule.default_export_w[column]))


def _rest(schedule: EnvelopeSchedule, floor: Limits, standing: Sequence[Interval], now: int) -> list[Interval]:
    """A default, over what stands beyond the schedule's end."""
    end = max(int(schedule.step_start[-1]) + schedule.step_s, now)
    last = max((interval.end for interval in standing), default=end)
    return [Interval(end, last, floor)] if last > end else []


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
