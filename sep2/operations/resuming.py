"""What of other controls is issued anew when some are issued or withdrawn, so that all clients hold what is to hold."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from sep2.operations import creation, identifiers
from sep2.operations.issuing import NewControl, asked_of, columns_of, part_of, window
from sep2.rules import events
from sep2.rules.reissue import Piece, Row, cuts_of, few, to_reissue
from sep2.store import controls, groups, outbox
from sep2.store.connection import Connection
from sep2.store.controls import Control

FOR_EVER = 2**62
LOOKED_AT_WHOLE = 50
"""Up to so many devices, all that stands in their programs is looked at; beyond, what begins in the time concerned."""


class Writing(NamedTuple):
    """A control to be written down: what is asked for, by whom, why, and of which control it is a part."""

    asked: NewControl
    source: str
    reason: str = ""
    continues: int | None = None


class Written(NamedTuple):
    """The ids of controls that were written down, their rows, and the ids of those that they supersede."""

    created: tuple[int, ...] = ()
    rows: tuple[Control, ...] = ()
    superseded: tuple[int, ...] = ()

    def with_more(self, other: "Written") -> "Written":
        """Both together."""
        return Written(self.created + other.created, self.rows + other.rows, self.superseded + other.superseded)


class Ease(NamedTuple):
    """What is issued anew from that moment on is gone over to within so many hundredths of a second (rampTms)."""

    at: int
    ramp_tms: int


@dataclass(frozen=True)
class Around:
    """What stands in all programs of the devices of one group."""

    group_id: int
    primacy: int
    until: int
    devices: dict[int, frozenset[int]]
    """the programs of each device"""
    primacies: dict[int, int]
    standing: dict[int, list[Control]]
    """by program; of the group's own, everything that is not over or cancelled"""

    def cuts(self, asked: NewControl) -> list[int]:
        """Where a new control of the group is cut: where what is stronger than it ends for any device, or later."""
        return few(self._ends(asked), (asked.earliest_start, asked.latest_end))

    def late_s(self, asked: NewControl) -> int:
        """How long after something stronger ends the next part of a new control may begin, at the most."""
        edges = [*self.cuts(asked), asked.latest_end]
        return max((min(edge for edge in edges if edge >= end) - end for end in self._ends(asked)), default=0)

    def _ends(self, asked: NewControl) -> set[int]:
        found: set[int] = set()
        for programs in set(self.devices.values()):
            stronger = self._stronger(programs)
            found |= set(cuts_of(asked.earliest_start, asked.latest_end, asked.asks, stronger))
        return found

    def views(self, group_rows: Sequence[Control] | None = None) -> list[list[Row]]:
        """The controls of each device; `group_rows`: those of the group, if they are other ones by now."""
        rows = dict(self._rows)
        if group_rows is not None:
            rows[self.group_id] = [row_of(one, self.primacy) for one in group_rows]
        several = {programs | {self.group_id} for programs in self.devices.values()} or {frozenset({self.group_id})}
        return [[row for program in sorted(programs) for row in rows.get(program, ())] for programs in several]

    def _stronger(self, programs: Iterable[int]) -> list[Row]:
        better = (program for program in programs if self.primacies[program] < self.primacy)
        return [row for program in better for row in self._rows.get(program, ())]

    @cached_property
    def _rows(self) -> dict[int, list[Row]]:
        several = self.standing.items()
        return {program: [row_of(one, self.primacies[program]) for one in rows] for program, rows in several}


async def around(db: Connection, group: Any, now: int, until: int) -> Around:
    """What stands around a group; `until`: the end of the time that is looked at."""
    devices: dict[int, set[int]] = defaultdict(set)
    primacies = {group.id: group.primacy}
    for row in await controls.programs_around(db, group.id):
        devices[row.end_device_id].add(row.device_group_id)
        primacies[row.device_group_id] = row.primacy
    last = FOR_EVER if len(devices) <= LOOKED_AT_WHOLE else until
    standing: dict[int, list[Control]] = defaultdict(list)
    for one in await controls.standing_around(db, group.id, now, last):
        standing[one.device_group_id].append(one)
    standing[group.id] = await controls.not_over(db, group.id, now)
    several = {device: frozenset(programs) for device, programs in devices.items()}
    return Around(group.id, group.primacy, last, several, primacies, standing)


def row_of(one: Control, primacy: int) -> Row:
    """A stored control, as the rules see it. What CSIP-AUS shows as superseded at once counts as dead for all."""
    held = events.held(one, one.latest_end, superseded_at_once=True)
    said = window(one._asdict())
    return Row(
        id=one.id,
        program=one.device_group_id,
        primacy=primacy,
        mrid=int(one.mrid, 16),
        created=one.created,
        start=one.earliest_start,
        end=one.latest_end if held is None else held[1],
        modes=said.modes,
        categories=one.device_category,
        root=one.continues or one.id,
        dead=held is None,
        last=one.latest_end,
    )


def alive(one: Control, now: int) -> bool:
    """Whether clients may take a control as it is now or later on."""
    held = events.held(one, one.latest_end, superseded_at_once=True)
    return held is not None and held[1] > now


async def resume(
    db: Connection,
    near: Around,
    now: int,
    *,
    rows: Sequence[Control],
    gone: Sequence[Control] = (),
    ease: Ease | None = None,
    fresh: Collection[int] = (),
) -> dict[int, Written]:
    """Issue anew what has to be, now that the group's controls are `rows` and `gone` are withdrawn; by program.

    fresh: the ids of controls that were issued anew for the same withdrawal at another place.
    """
    views = near.views([one for one in rows if one.latest_end > now])
    lost = [row_of(one._replace(cancelled=None), near.primacy) for one in gone]
    pieces = to_reissue(views, now, lost, until=near.until, fresh=fresh)
    if pieces and near.until < FOR_EVER:
        programs = {piece.row.program for piece in pieces}
        fuller = await _completed(db, near, views, now=now, programs=programs)
        pieces = to_reissue(fuller, now, lost, until=near.until, fresh=fresh)
    return await _write(db, pieces, now, ease=ease)


async def resume_device(db: Connection, device_id: int, now: int, *, gone: Sequence[tuple[Control, int]] = ()) -> None:
    """The same after a device came into a program or left some; gone: what stands in those, and their primacy."""
    standing = await controls.standing_for(db, device_id, now)
    if not standing:
        return
    primacies = {row.id: row.primacy for row in await groups.of_device(db, device_id)}
    view = [row_of(one, primacies[one.device_group_id]) for one in standing]
    lost = [row_of(one, primacy) for one, primacy in gone if alive(one, now)]
    await _write(db, to_reissue([view], now, lost), now)


async def say_again(
    db: Connection, several: Sequence[tuple[Control, int]], now: int, *, after: int
) -> dict[int, Written]:
    """Issue controls anew, as far as they are not over; each with its primacy.

    after: a creationTime, epoch seconds, that theirs has to be later than.
    """
    rows = [row_of(one, primacy) for one, primacy in several]
    pieces = [Piece(row, max(row.start, now), row.end, row.modes) for row in rows if not row.dead]
    return await _write(db, [piece for piece in pieces if piece.start < piece.end], now, after=after)


async def _completed(
    db: Connection, near: Around, views: list[list[Row]], *, now: int, programs: set[int]
) -> list[list[Row]]:
    """The controls of each device with all that stands in these programs."""
    whole = {
        program: [row_of(one, near.primacies[program]) for one in await controls.standing(db, program, now)]
        for program in sorted(programs - {near.group_id})
    }
    return [
        [
            *(row for row in view if row.program not in whole),
            *(row for program in {row.program for row in view} & whole.keys() for row in whole[program]),
        ]
        for view in views
    ]


async def _write(
    db: Connection, pieces: Sequence[Piece], now: int, *, ease: Ease | None = None, after: int = 0
) -> dict[int, Written]:
    by_turn: dict[tuple[int, int], list[Piece]] = defaultdict(list)
    for piece in pieces:
        by_turn[piece.level, piece.row.program].append(piece)
    for program in sorted({piece.row.program for piece in pieces}):
        await groups.locked(db, program)
    stored = await controls.several(db, {piece.row.id for piece in pieces}) if pieces else {}
    done: dict[int, Written] = defaultdict(Written)
    latest: dict[int, int] = defaultdict(int)
    for (level, program), several in sorted(by_turn.items()):
        writing = [_writing(piece, stored[piece.row.id], ease) for piece in several]
        written = await write(db, program, writing, now, after=max(after, latest[level - 1]))
        latest[level] = max(latest[level], *(row.created for row in written.rows))
        done[program] = done[program].with_more(written)
    return dict(done)


def _writing(piece: Piece, stored: Control, ease: Ease | None) -> Writing:
    asked = part_of(asked_of(stored), piece.start, piece.end, piece.modes)
    if ease is not None and piece.start == ease.at:
        asked = replace(asked, ramp_tms=ease.ramp_tms)
    return Writing(asked, stored.source, stored.reason, stored.continues or stored.id)


async def write(
    db: Connection,
    group_id: int,
    several: Sequence[Writing],
    now: int,
    *,
    after: int = 0,
    older: Sequence[Control] | None = None,
) -> Written:
    """Write controls of one group down, later than all that stands there; what they supersede is marked so.

    after: a creationTime, epoch seconds, that theirs has to be later than. older: what is there, where it is known.
    """
    if older is None:
        older = await controls.not_over(db, group_id, now)
    latest = await controls.latest_created(db, group_id, now)
    created = max(await creation.time_for(db, now), (latest or 0) + 1, after + 1)
    columns: list[dict[str, Any]] = [
        {**columns_of(one.asked), "created": created, "source": one.source, "reason": one.reason}
        | {"device_group_id": group_id, "mrid": mrid, "continues": one.continues}
        for one, mrid in zip(several, await identifiers.several(db, len(several)), strict=True)
    ]
    ids = await controls.add(db, columns)
    superseded, overlapped = await _replace(db, [one for one in older if _goes_on(one, now)], columns, now)
    # Subscribers to a single control hear of that one only.
    await outbox.changed(db, "DERControlList", derp=group_id, derc=[*ids, *superseded, *overlapped])
    blank = dict.fromkeys(Control._fields)
    rows = tuple(Control(**{**blank, **one, "id": number}) for one, number in zip(columns, ids, strict=True))
    return Written(tuple(ids), rows, tuple(superseded))


def _goes_on(one: Control, now: int) -> bool:
    return one.successor_start is None or one.successor_start > now


async def _replace(
    db: Connection, standing: Sequence[Control], rows: Sequence[dict[str, Any]], now: int
) -> tuple[list[int], list[int]]:
    """Note on each older control by what, and from when, it is superseded, or that it may be; the ids of both kinds."""
    superseded: list[controls.Successor] = []
    overlapped: list[int] = []
    new = [window(row) for row in rows]
    for old in standing:
        said = window(old._asdict())
        winners = [one.start for one in new if events.supersedes(one, said)]
        if winners:
            first = max(min([*winners, *([old.successor_start] if old.successor_start else [])]), now)
            superseded.append(controls.Successor(old.id, old.successor_created or now, first))
        elif old.overlapped_since is None and any(events.may_supersede(one, said) for one in new):
            overlapped.append(old.id)
    await controls.supersede(db, superseded)
    if overlapped:
        await controls.update_many(db, overlapped, overlapped_since=now)
    return [one.control_id for one in superseded], overlapped
