"""Schedules of limits: groups are told what differs from what stands, many groups in a few statements."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sep2.operations.alarms import warn_of_inexpressible
from sep2.operations.controls import (
    MOST_AHEAD,
    Issued,
    all_limits,
    ids_of,
    joined,
    said_already,
)
from sep2.operations.groups import UnknownGroup, refuse_net_limits
from sep2.operations.issuing import LONGEST_RANDOM_S, NewControl, check_new, limits_of
from sep2.operations.resuming import (
    Around,
    Plan,
    Writing,
    Written,
    alive,
    around_each,
    resume,
    say_again,
    write_each,
)
from sep2.rules import events, timeline
from sep2.rules.limits import MODES, Limits
from sep2.store import controls, groups, rivals
from sep2.store.connection import Connection
from sep2.store.controls import Control

__all__ = ["Wanted", "intervals_of", "issue_schedules", "keep_others_in_place", "near"]


class Wanted(NamedTuple):
    """What a group's limits are to follow from now on."""

    group_id: int
    intervals: Sequence[timeline.Interval]
    most_ahead: int = MOST_AHEAD
    """From how many intervals on neighbours that say the same are issued anew as one."""
    reason_of: Callable[[int, int], str] | None = None
    """Why a limit from one time until another is what it is."""

    @property
    def until(self) -> int:
        """The end of the last interval; 0 where there is none."""
        return max((interval.end for interval in self.intervals), default=0)


async def issue_schedules(
    db: Connection,
    several: Sequence[Wanted],
    now: int,
    *,
    source: str,
    randomize_relaxing_s: int = 0,
    known: Mapping[int, Around] | None = None,
) -> list[Issued]:
    """Have the limits of groups follow what is wanted from now on, by issuing only what differs from what stands.

    What stands beyond what is wanted is left: a schedule that says less withdraws nothing. What others have said in a
    group is never replaced. randomize_relaxing_s: a control that only loosens what precedes it may begin up to so much
    later, at random. known: what `near` has found of these groups in this transaction, where nothing was issued since.
    """
    await db.in_turn()
    found = dict(known or {})
    unknown = [one.group_id for one in several if one.group_id not in found]
    found |= await near(db, unknown, now, max((max(one.until, now) for one in several), default=now))
    issuing = _Issuing(db, now, source, found)
    for place, wanted in enumerate(several):
        around_it = await issuing.current(wanted)
        if new := _differing(around_it, wanted, now, source=source, late_s=randomize_relaxing_s):
            issuing.pending.append(_Pending(place, around_it, new))
    await issuing.write()
    return [issuing.done.get(place, Issued()) for place in range(len(several))]


async def near(db: Connection, group_ids: Sequence[int], now: int, until: int) -> dict[int, Around]:
    """What stands around some groups, by their ids; nobody else decides on them before this transaction ends."""
    if not group_ids:
        return {}
    rows = await groups.locked_each(db, group_ids)
    if missing := set(group_ids) - {row.id for row in rows}:
        raise UnknownGroup(str(min(missing)))
    return await around_each(db, rows, now, until)


class _Pending(NamedTuple):
    """The controls that one group is to be issued, which nothing else that is pending touches."""

    place: int
    near: Around
    new: Sequence[NewControl]


@dataclass
class _Issuing:
    """Groups that share no device are written together; where they share one, one after the other."""

    db: Connection
    now: int
    source: str
    known: dict[int, Around]
    pending: list[_Pending] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)
    """Programs in which something was written since `known` was read."""
    done: dict[int, Issued] = field(default_factory=dict)
    """By the place of what was wanted."""

    async def current(self, wanted: Wanted) -> Around:
        """What stands around a group once all that is pending and touches it is written."""
        known = self.known[wanted.group_id]
        if known.programs & {one.near.group_id for one in self.pending}:
            await self.write()
        return await self._renewed(known, wanted.until)

    async def _renewed(self, known: Around, until: int) -> Around:
        if not known.programs & self.changed:
            return known
        return (await near(self.db, [known.group_id], self.now, max(until, self.now)))[known.group_id]

    async def write(self) -> None:
        """Write what is pending."""
        several, self.pending = self.pending, []
        said = [said_already(one.new, one.near, self.now) for one in several]
        apart = [[[control for control, row in parts if row is None] for parts in each] for each in said]
        fresh = [[control for parts in each for control in parts] for each in apart]
        plans = [
            Plan(one.near.group_id, [Writing(control, self.source, control.reason) for control in new], one.near.own)
            for one, new in zip(several, fresh, strict=True)
            if new
        ]
        written = iter(await write_each(self.db, plans, self.now) if plans else ())
        own = {plan.group_id for plan in plans}
        for one, parts, each, new in zip(several, apart, said, fresh, strict=True):
            kept = tuple(row.id for told in each for _, row in told if row is not None)
            if not new:
                self.done[one.place] = Issued(kept=kept)
                continue
            of_it = await joined(self.db, next(written), [len(told) for told in parts])
            self.done[one.place] = await self._resumed(one, of_it, kept)
        self.changed |= own
        await self._warn(several, fresh)

    async def _resumed(self, one: _Pending, written: Written, kept: tuple[int, ...]) -> Issued:
        """What came of one group's controls, once what others are to hold around them is issued anew."""
        own = one.near.own
        current = await self._renewed(one.near, max(control.latest_end for control in one.new))
        again = await resume(self.db, current, self.now, rows=[*own, *written.rows])
        self.changed |= again.keys()
        superseded = written.superseded + (again[current.group_id].superseded if current.group_id in again else ())
        ended = tuple(dict.fromkeys(number for number in superseded if number not in written.created))
        late_s = max(current.late_s(control) for control in one.new)
        return Issued(written.created, kept, ended, ids_of(again), late_s)

    async def _warn(self, several: Sequence[_Pending], fresh: Sequence[Sequence[NewControl]]) -> None:
        """Tell operators which devices can not carry the limits, all groups with limits of the same kinds at once."""
        alike: dict[frozenset[str], list[int]] = defaultdict(list)
        limits: dict[frozenset[str], Limits] = {}
        for one, new in zip(several, fresh, strict=True):
            if new:
                said = all_limits(new)
                alike[said.modes()].append(one.near.group_id)
                limits.setdefault(said.modes(), said)
        for modes, group_ids in alike.items():
            await warn_of_inexpressible(self.db, group_ids, limits[modes], self.now)


def _differing(around_it: Around, wanted: Wanted, now: int, *, source: str, late_s: int) -> list[NewControl]:
    """The controls by which a group's limits become what is wanted; none where they are already."""
    standing = [row for row in around_it.own if alive(row, now)]
    live = intervals_of(standing, source)
    intervals = timeline.around(wanted.intervals, [_taken(row) for row in standing if row.source != source])
    cuts = _cuts(around_it, intervals)
    pieces = timeline.to_issue(live, intervals, now, cuts)
    if timeline.count_after(live, pieces) > wanted.most_ahead:
        # Neighbours that say the same but were issued apart are issued anew as one.
        apart = timeline.fragments(live, intervals, now, cuts)
        pieces = timeline.to_issue([old for old in live if old not in apart], intervals, now, cuts)
    new = [_begun_late(piece, [*pieces, *live], now, late_s) for piece in pieces]
    if wanted.reason_of is not None:
        new = [replace(one, reason=wanted.reason_of(one.start, one.latest_end)) for one in new]
    check_new(new, now)
    refuse_net_limits(around_it.group, [control.limits for control in new])
    return new


async def keep_others_in_place(db: Connection, groups_: Sequence[int], now: int) -> tuple[int, ...]:
    """Have what others say outrank what was just published in these groups, where their programs have one primacy.

    At one primacy the later control counts (2030.5 10.2.3), so that each publication would overrule what people have
    said in another program, and they what is published next. They are issued anew; the ids of what was.
    """
    found = await rivals.rivals(db, groups_, now) if groups_ else []
    if not found:
        return ()
    after = await controls.latest_created_of(db, groups_, now)
    return ids_of(await say_again(db, found, now, after=after))


def _cuts(around_it: Around, wanted: Iterable[timeline.Interval]) -> set[int]:
    if not around_it.has_stronger:
        return set()
    spans = timeline.merged([interval._replace(limits=Limits()) for interval in sorted(wanted)])
    modes = frozenset[str]().union(*(interval.limits.modes() for interval in wanted))
    said = Limits(*(0 if mode in modes else None for mode in MODES))
    asked = [NewControl(start=one.start, duration=one.end - one.start, limits=said) for one in spans]
    return {cut for one in asked for cut in around_it.cuts(one)}


def _taken(row: Control) -> timeline.Taken:
    end = row.latest_end if row.successor_start is None else min(row.latest_end, row.successor_start)
    return timeline.Taken(row.earliest_start, end, limits_of(row).modes())


def intervals_of(standing: Sequence[Control], source: str) -> list[timeline.Interval]:
    """What a source has said so far: each control to the latest second at which a client may still hold it."""
    found = []
    for row in standing:
        held = events.held(row, row.latest_end, superseded_at_once=True) if row.source == source else None
        if held is not None:
            # One that may begin later, at random, begins at its start for what is compared with it.
            found.append(timeline.Interval(row.start, held[1], limits_of(row)))
    return found


def _begun_late(piece: timeline.Interval, others: Sequence[timeline.Interval], now: int, most_s: int) -> NewControl:
    """A control for an interval; it ends before the next one begins, however late a client has begun it."""
    late_s = 0
    if most_s and piece.start > now and timeline.relaxes(piece, others):
        late_s = min(most_s, LONGEST_RANDOM_S, (piece.end - piece.start) // 2)
    return NewControl(
        start=piece.start,
        duration=piece.end - piece.start - late_s,
        limits=piece.limits,
        randomize_start=late_s or None,
    )
