"""Controls: issued, superseded, cancelled; never edited."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sep2.errors import Conflict, NotFound
from sep2.operations import room
from sep2.operations.alarms import warn_of_inexpressible
from sep2.operations.curves import check_links
from sep2.operations.groups import UnknownGroup, refuse_net_limits
from sep2.operations.issuing import (
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
from sep2.operations.resuming import Around, Ease, Plan, Writing, Written, alive, around, resume, write_each
from sep2.rules import events
from sep2.rules.limits import Limits
from sep2.store import controls, groups, outbox
from sep2.store.connection import Connection
from sep2.store.controls import Control

__all__ = [
    "BadControl",
    "ControlOver",
    "Issued",
    "NewControl",
    "TooManyControls",
    "UnknownControl",
    "Withdrawn",
    "cancel_control",
    "issue_controls",
    "limits_of",
    "withdraw",
]

MOST_AHEAD = 24
"""CSIP clients hold at least this many events per device; more would overflow some of them."""


class UnknownControl(NotFound):
    """There is no control whose mRID begins so."""


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
        raise UnknownGroup(str(group_id))
    check_new(new, now)
    refuse_net_limits(group, [control.limits for control in new])
    await check_links(db, group_id, [control.modes for control in new])
    check_fits("reason", reason, LONGEST_REASON)
    near = await around(db, group, now, max((control.latest_end for control in new), default=now))
    said = said_already(new, near, now)
    kept = tuple(row.id for parts in said for _, row in parts if row is not None)
    apart = [[control for control, row in parts if row is None] for parts in said]
    fresh = [control for parts in apart for control in parts]
    if not fresh:
        return Issued(kept=kept)
    writing = [Writing(control, source, control.reason or reason) for control in fresh]
    (written,) = await write_each(db, [Plan(group_id, writing, near.standing[group_id])], now)
    written = await joined(db, written, [len(parts) for parts in apart])
    again = await resume(db, near, now, rows=[*near.standing[group_id], *written.rows], ease=ease)
    if most_ahead is not None:
        await room.make(db, group_id, now, most_ahead)
        if refuses and max((await controls.ahead_per_device(db, group_id, now)).values(), default=0) > most_ahead:
            raise TooManyControls(f"more than {most_ahead} ahead in {group.name}")
    if warns:
        modes = {mode for control in fresh for mode in control.modes}
        await warn_of_inexpressible(db, [group_id], all_limits(fresh), now, modes=modes)
    superseded = written.superseded + (again[group_id].superseded if group_id in again else ())
    ended = tuple(dict.fromkeys(number for number in superseded if number not in written.created))
    late_s = max(near.late_s(control) for control in new)
    return Issued(written.created, kept, ended, ids_of(again), late_s)


def said_already(new: Sequence[NewControl], near: Around, now: int) -> list[list[tuple[NewControl, Control | None]]]:
    """The parts of each new control, each with what says the same already."""
    standing = [row for row in near.standing[near.group_id] if alive(row, now)]
    cut = [cut_at(control, near.cuts(control)) for control in new]
    return [[(part, same(part, standing)) for part in parts if part.latest_end > now] for parts in cut]


async def joined(db: Connection, written: Written, lengths: Sequence[int]) -> Written:
    """What was written, as parts of so many each: whoever withdraws one of them withdraws them all."""
    rows, ids = list(written.rows), iter(written.created)
    root_of: dict[int, int] = {}
    for length in lengths:
        first, *others = itertools.islice(ids, length) if length else (0,)
        root_of |= dict.fromkeys(others, first)
        if others:
            await controls.update_many(db, others, continues=first)
    return written._replace(rows=tuple(row._replace(continues=root_of.get(row.id)) for row in rows))


async def cancel_control(
    db: Connection, control_id: int, now: int, *, reason: str = "", randomized: bool = False
) -> Withdrawn:
    """Withdraw a control with all parts of it that were issued anew; what it had replaced holds again, completely.

    Clients learn of it by list and by notification.
    """
    await db.in_turn()
    known = await controls.one(db, control_id)
    if known is None:
        raise UnknownControl(str(control_id))
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
    return Withdrawn(tuple(part.id for part in gone), ids_of(again), tuple(again))


def ids_of(done: Mapping[int, Written]) -> tuple[int, ...]:
    """The ids of all controls that were written, of every program."""
    return tuple(number for written in done.values() for number in written.created)


def all_limits(new: Sequence[NewControl]) -> Limits:
    """A limit for each mode that any of the controls sets."""
    set_by_any: Any = zip(*(control.limits for control in new), strict=True)
    return Limits(*(next((watts for watts in said if watts is not None), None) for said in set_by_any))
