"""Controls: issued, superseded, cancelled; never edited."""

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sep2.errors import Conflict, NotFound
from sep2.operations import room
from sep2.operations.alarms import warn_of_inexpressible
from sep2.operations.curves import check_links
from sep2.operations.groups import NoSuchGroup, refuse_net_limits
from sep2.operations.issuing import (
    LONGEST_RANDOM_S,
    LONGEST_REASON,
    BadControl,
    NewControl,
    TooManyControls,
    check_fits,
    check_new,
    cut_at,
    limits_of,
    same,
)
from sep2.operations.resuming import Around, Ease, Writing, Written, alive, around, resume, say_again, write
from sep2.rules import events, timeline
from sep2.rules.limits import MODES, Limits
from sep2.store import controls, groups, outbox, rivals
from sep2.store.connection import Connection
from sep2.store.controls import Control

__all__ = [
    "BadControl",
    "ControlOver",
    "Issued",
    "NewControl",
    "NoSuchControl",
    "TooManyControls",
    "Withdrawn",
    "cancel_control",
    "intervals_of",
    "issue_controls",
    "issue_schedule",
    "limits_of",
    "withdraw",
]

MOST_AHEAD = 24
"""CSIP clients hold at least this many events per device; more would overflow some of them."""


class NoSuchControl(NotFound):
    """No such control exists."""


class ControlOver(Conflict):
    """The control is over, cancelled or superseded already."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What came of issuing controls: ids of new ones, of those that said the same already, and of those replaced.

    reissued: parts of others that were issued anew, so that they hold where the new ones do not. late_s: how long after
    something stronger ends the next part of a new one may begin, where it is in as many parts as there may be.
    """

    created: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    superseded: tuple[int, ...] = ()
    reissued: tuple[int, ...] = field(default=(), compare=False)
    late_s: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The ids of controls that were cancelled, and of those issued anew so that what they had replaced holds again.

    programs: those in which controls were issued anew.
    """

    cancelled: tuple[int, ...] = ()
    reissued: tuple[int, ...] = ()
    programs: tuple[int, ...] = field(default=(), compare=False)


async def issue_controls(
    db: Connection,
    group_id: int,
    new: Sequence[NewControl],
    now: int,
    *,
    source: str = "operator",
    reason: str = "",
    most_ahead: int | None = MOST_AHEAD,
    refuses: bool = True,
    ease: Ease | None = None,
    warns: bool = True,
) -> Issued:
    """Publish controls to a group; one that repeats what a standing control says is not issued again.

    They are cut where something stronger ends, and so is what is weaker where they end. most_ahead: where a device
    would have more to hold, what was calculated for it is told more coarsely; None: as many as there are. refuses:
    whether nothing is issued if that is not enough. ease: how devices go over to what holds after them. warns: whether
    operators are told of devices that can not carry them, as who issues to many groups does once for all of them.
    """
    await db.in_turn()
    group = await groups.locked(db, group_id)
    if group is None:
        raise NoSuchGroup(str(group_id))
    check_new(new, now)
    refuse_net_limits(group, [control.limits for control in new])
    await check_links(db, group_id, [control.modes for control in new])
    check_fits("reason", reason, LONGEST_REASON)
    near = await around(db, group, now, max((control.latest_end for control in new), default=now))
    said = _said(new, near, now)
    kept = tuple(row.id for parts in said for _, row in parts if row is not None)
    apart = [[control for control, row in parts if row is None] for parts in said]
    fresh = [control for parts in apart for control in parts]
    if not fresh:
        return Issued(kept=kept)
    writing = [Writing(control, source, control.reason or reason) for control in fresh]
    written = await write(db, group_id, writing, now, older=near.standing[group_id])
    written = await _joined(db, written, [len(parts) for parts in apart])
    again = await resume(db, near, now, rows=[*near.standing[group_id], *written.rows], ease=ease)
    if most_ahead is not None:
        await room.make(db, group_id, now, most_ahead)
        if refuses and max((await controls.ahead_per_device(db, group_id, now)).values(), default=0) > most_ahead:
            raise TooManyControls(f"more than {most_ahead} ahead in {group.name}")
    if warns:
        modes = {mode for control in fresh for mode in control.modes}
        await warn_of_inexpressible(db, [group_id], _all_limits(fresh), now, modes=modes)
    superseded = written.superseded + (again[group_id].superseded if group_id in again else ())
    ended = tuple(dict.fromkeys(number for number in superseded if number not in written.created))
    late_s = max(near.late_s(control) for control in new)
    return Issued(written.created, kept, ended, _ids(again), late_s)


def _said(new: Sequence[NewControl], near: Around, now: int) -> list[list[tuple[NewControl, Control | None]]]:
    """The parts of each new control, each with what says the same already."""
    standing = [row for row in near.standing[near.group_id] if alive(row, now)]
    cut = [cut_at(control, near.cuts(control)) for control in new]
    return [[(part, same(part, standing)) for part in parts if part.latest_end > now] for parts in cut]


async def _joined(db: Connection, written: Written, lengths: Sequence[int]) -> Written:
    """What was written, as parts of so many each: whoever withdraws one of them withdraws them all."""
    rows, ids = list(written.rows), iter(written.created)
    root_of: dict[int, int] = {}
    for length in lengths:
        first, *others = itertools.islice(ids, length) if length else (0,)
        root_of |= dict.fromkeys(others, first)
        if others:
            await controls.update_many(db, others, continues=first)
    return written._replace(rows=tuple(row._replace(continues=root_of.get(row.id)) for row in rows))


async def issue_schedule(
    db: Connection,
    group_id: int,
    wanted: Sequence[timeline.Interval],
    now: int,
    *,
    source: str,
    most_ahead: int = MOST_AHEAD,
    randomize_relaxing_s: int = 0,
    reason_of: Callable[[int, int], str] | None = None,
) -> Issued:
    """Have a group's limits follow `wanted` from now on, by issuing only what differs from what stands.

    What stands beyond `wanted` is left: a schedule that says less withdraws nothing. What others have said in the group
    is never replaced. most_ahead: from how many intervals on neighbours that say the same are issued anew as one.
    randomize_relaxing_s: a control that only loosens what precedes it may begin up to so much later, at random.
    reason_of: why a limit from one time until another is what it is.
    """
    await db.in_turn()
    group = await groups.locked(db, group_id)
    if group is None:
        raise NoSuchGroup(str(group_id))
    near = await around(db, group, now, max((interval.end for interval in wanted), default=now))
    standing = [row for row in near.standing[group_id] if alive(row, now)]
    live = intervals_of(standing, source)
    wanted = timeline.around(wanted, [_taken(row) for row in standing if row.source != source])
    cuts = _cuts(near, wanted)
    pieces = timeline.to_issue(live, wanted, now, cuts)
    if timeline.count_after(live, pieces) > most_ahead:
        # Neighbours that say the same but were issued apart are issued anew as one.
        apart = timeline.fragments(live, wanted, now, cuts)
        pieces = timeline.to_issue([old for old in live if old not in apart], wanted, now, cuts)
    new = [_begun_late(piece, [*pieces, *live], now, randomize_relaxing_s) for piece in pieces]
    if not new:
        return Issued()
    if reason_of is not None:
        new = [replace(one, reason=reason_of(one.start, one.latest_end)) for one in new]
    return await issue_controls(db, group_id, new, now, source=source, most_ahead=None)


async def keep_others_in_place(db: Connection, groups_: Sequence[int], now: int) -> tuple[int, ...]:
    """Have what others say outrank what was just published in these groups, where their programs have one primacy.

    At one primacy the later control counts (2030.5 10.2.3), so that each publication would overrule what people have
    said in another program, and they what is published next. They are issued anew; the ids of what was.
    """
    found = await rivals.rivals(db, groups_, now) if groups_ else []
    if not found:
        return ()
    after = await controls.latest_created_of(db, groups_, now)
    return _ids(await say_again(db, found, now, after=after))


async def cuts_over(db: Connection, group_id: int, wanted: Sequence[timeline.Interval], now: int) -> list[int]:
    """Where something stronger ends for one of a group's devices, while these limits are to hold."""
    group = await groups.one(db, group_id)
    if group is None or not wanted:
        return []
    return sorted(_cuts(await around(db, group, now, max(interval.end for interval in wanted)), wanted))


def _cuts(near: Around, wanted: Iterable[timeline.Interval]) -> set[int]:
    spans = timeline.merged([interval._replace(limits=Limits()) for interval in sorted(wanted)])
    modes = frozenset[str]().union(*(interval.limits.modes() for interval in wanted))
    said = Limits(*(0 if mode in modes else None for mode in MODES))
    asked = [NewControl(start=one.start, duration=one.end - one.start, limits=said) for one in spans]
    return {cut for one in asked for cut in near.cuts(one)}


def _taken(row: Control) -> timeline.Taken:
    end = row.latest_end if row.successor_start is None else min(row.latest_end, row.successor_start)
    return timeline.Taken(row.earliest_start, end, limits_of(row).modes())


def intervals_of(standing: Sequence[Control], source: str) -> list[timeline.Interval]:
    """What a source has said so far: each control to the latest second at which a client may still hold it."""
    found = []
    for row in standing:
        held = events.held(row, row.latest_end, superseded_at_once=True)
        if row.source == source and held is not None:
            # One that may begin later, at random, begins at its start for what is compared with it.
            found.append(timeline.Interval(row.start, held[1], limits_of(row)))
    return found


def _begun_late(piece: timeline.Interval, others: Sequence[timeline.Interval], now: int, most_s: int) -> NewControl:
    """A control for an interval; it ends before the next one begins, however late a client has begun it."""
    late_s = 0
    if piece.start > now and timeline.relaxes(piece, others):
        late_s = min(most_s, LONGEST_RANDOM_S, (piece.end - piece.start) // 2)
    return NewControl(
        start=piece.start,
        duration=piece.end - piece.start - late_s,
        limits=piece.limits,
        randomize_start=late_s or None,
    )


async def cancel_control(
    db: Connection, control_id: int, now: int, *, reason: str = "", randomized: bool = False
) -> Withdrawn:
    """Withdraw a control with all parts of it that were issued anew; what it had replaced holds again, completely.

    Clients learn of it by list and by notification.
    """
    await db.in_turn()
    known = await controls.one(db, control_id)
    if known is None:
        raise NoSuchControl(str(control_id))
    await groups.locked(db, known.device_group_id)
    known = await controls.one(db, control_id) or known
    parts = await controls.parts_of(db, [known.continues or known.id], now)
    if known.cancelled is not None or not any((part.successor_start or now + 1) > now for part in parts):
        raise ControlOver(known.mrid)
    check_fits("reason", reason, LONGEST_REASON)
    return await withdraw(db, parts, now, reason=reason, randomized=randomized)


async def withdraw(
    db: Connection,
    parts: Sequence[Control],
    now: int,
    *,
    reason: str = "",
    randomized: bool = False,
    ease: Ease | None = None,
    fresh: Collection[int] = (),
) -> Withdrawn:
    """Cancel controls of one group, and issue anew what they had replaced; ease: how devices go over to that.

    fresh: what was issued anew already as others were cancelled in the same change.
    """
    group = await groups.locked(db, parts[0].device_group_id)
    assert group is not None
    near = await around(db, group, now, max(part.latest_end for part in parts))
    status = events.Status.CANCELLED_RANDOMIZED if randomized else events.Status.CANCELLED
    numbers = [part.id for part in parts]
    await controls.update_many(db, numbers, cancelled=now, cancelled_as=int(status), reason=reason)
    left = [row for row in near.standing[group.id] if row.id not in numbers]
    gone = [part for part in parts if alive(part, now)]
    again = await resume(db, near, now, rows=left, gone=gone, ease=ease, fresh=fresh)
    await outbox.changed(db, "DERControlList", derp=group.id)
    return Withdrawn(tuple(part.id for part in gone), _ids(again), tuple(again))


def _ids(done: Mapping[int, Written]) -> tuple[int, ...]:
    return tuple(number for written in done.values() for number in written.created)


def _all_limits(new: Sequence[NewControl]) -> Limits:
    """A limit for each mode that any of the controls sets."""
    set_by_any: Any = zip(*(control.limits for control in new), strict=True)
    return Limits(*(next((watts for watts in said if watts is not None), None) for said in set_by_any))
