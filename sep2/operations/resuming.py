"""What of other controls is issued anew when some are issued or withdrawn, so that all clients hold what is to hold."""

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
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

    group: Any
    """its row"""
    until: int
    devices: dict[int, frozenset[int]]
    """the programs of each device"""
    primacies: dict[int, int]
    standing: dict[int, list[Control]]
    """by program; of the group's own, everything that is not over or cancelled"""
    _seen: dict[int, list[Row]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def group_id(self) -> int:
        """The group's id."""
        return int(self.group.id)

    @property
    def primacy(self) -> int:
        """The group's primacy."""
        return int(self.group.primacy)

    @property
    def own(self) -> list[Control]:
        """What is not over or cancelled of the group itself."""
        return self.standing[self.group_id]

    @property
    def programs(self) -> frozenset[int]:
        """All programs of the group's devices."""
        return frozenset[int]().union(*self.devices.values())

    @cached_property
    def has_stronger(self) -> bool:
        """Whether anything stands in a more important program."""
        return any(rows and self.primacies[program] < self.primacy for program, rows in self.standing.items())

    def cuts(self, asked: NewControl) -> list[int]:
        """Where a new control of the group is cut: where what is stronger than it ends for any device, or later."""
        return few(self._ends(asked), (asked.earliest_start, asked.latest_end))

    def late_s(self, asked: NewControl) -> int:
        """How long after something stronger ends the next part of a new control may begin, at the most."""
        if not self.has_stronger:
            return 0
        edges = [*self.cuts(asked), asked.latest_end]
        return max((min(edge for edge in edges if edge >= end) - end for end in self._ends(asked)), default=0)

    def _ends(self, asked: NewControl) -> set[int]:
        found: set[int] = set()
        if not self.has_stronger:
            return found
        for programs in set(self.devices.values()):
            stronger = self._stronger(programs)
            found |= set(cuts_of(asked.earliest_start, asked.latest_end, asked.asks, stronger))
        return found

    def views(self, group_rows: Sequence[Control] | None = None) -> list[list[Row]]:
        """The controls of each device; `group_rows`: those of the group, if they are other ones by now."""
        own = None if group_rows is None else [row_of(one, self.primacy) for one in group_rows]
        several = {programs | {self.group_id} for programs in self.devices.values()} or {frozenset({self.group_id})}
        return [[row for program in sorted(programs) for row in self._rows(program, own)] for programs in several]

    def _stronger(self, programs: Iterable[int]) -> list[Row]:
        better = (program for program in programs if self.primacies[program] < self.primacy)
        return [row for program in better for row in self._rows(program)]

    def _rows(self, program: int, own: Sequence[Row] | None = None) -> Sequence[Row]:
        if own is not None and program == self.group_id:
            return own
        if program not in self._seen:
            primacy = self.primacies[program]
            self._seen[program] = [row_of(one, primacy) for one in self.standing.get(program, ())]
        return self._seen[program]


async def around(db: Connection, group: Any, now: int, until: int) -> Around:
    """What stands around a group; `until`: the end of the time that is looked at."""
    return (await around_each(db, [group], now, until))[group.id]


async def around_each(db: Connection, several: Sequence[Any], now: int, until: int) -> dict[int, Around]:
    """What stands around each of several groups, by their ids; all small ones are looked at in two statements."""
    devices: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    primacies = {group.id: group.primacy for group in several}
    for row in await controls.programs_around(db, [group.id for group in several]):
        devices[row.around][row.end_device_id].add(row.device_group_id)
        primacies[row.device_group_id] = row.primacy
    small = [group.id for group in several if len(devices[group.id]) <= LOOKED_AT_WHOLE]
    programs = {program for number in small for held in devices[number].values() for program in held}
    left = await controls.not_over_each(db, {*programs, *small}, now)
    standing = {program: [one for one in rows if _goes_on(one, now)] for program, rows in left.items()}
    found = {}
    for group in several:
        held = {device: frozenset(ids) for device, ids in devices[group.id].items()}
        last, rows = FOR_EVER, standing
        if group.id in small:
            own = left.get(group.id, [])
        else:
            last, own = until, await controls.not_over(db, group.id, now)
            rows = _by_program(await controls.standing_around(db, group.id, now, until))
        there = frozenset[int]().union(*held.values())
        near = {program: rows[program] for program in there if program in rows} | {group.id: own}
        its = {program: primacies[program] for program in (*there, group.id)}
        found[group.id] = Around(group, last, held, its, near)
    return found


def _by_program(rows: Iterable[Control]) -> dict[int, list[Control]]:
    found: dict[int, list[Control]] = defaultdict(list)
    for one in rows:
        found[one.device_group_id].append(one)
    return found


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


class Plan(NamedTuple):
    """Controls of one group that are to be written down, and what is there already that is not over or cancelled."""

    group_id: int
    several: Sequence[Writing]
    older: Sequence[Control]
    after: int = 0
    """A creationTime, epoch seconds, that theirs has to be later than."""


async def write(db: Connection, group_id: int, several: Sequence[Writing], now: int, *, after: int = 0) -> Written:
    """Write controls of one group down, later than all that stands there; what they supersede is marked so.

    after: a creationTime, epoch seconds, that theirs has to be later than.
    """
    older = await controls.not_over(db, group_id, now)
    return (await write_each(db, [Plan(group_id, several, older, after)], now))[0]


async def write_each(db: Connection, plans: Sequence[Plan], now: int) -> list[Written]:
    """The same for several groups, each of which is named once, in a number of statements that does not grow."""
    tables = await _tables(db, plans, now)
    ids = iter(await controls.add(db, [row for table in tables for row in table]))
    done, superseded, overlapped = list[Written](), list[controls.Successor](), list[int]()
    said = list[dict[str, int | list[int]]]()
    for plan, table in zip(plans, tables, strict=True):
        numbers = list(itertools.islice(ids, len(table)))
        over, beside = _replaced([one for one in plan.older if _goes_on(one, now)], table, now)
        gone = [one.control_id for one in over]
        superseded += over
        overlapped += beside
        # Subscribers to a single control hear of that one only.
        said.append({"derp": plan.group_id, "derc": [*numbers, *gone, *beside]})
        rows = tuple(Control(**{**_BLANK, **one, "id": number}) for one, number in zip(table, numbers, strict=True))
        done.append(Written(tuple(numbers), rows, tuple(gone)))
    await controls.supersede(db, superseded)
    if overlapped:
        await controls.update_many(db, overlapped, overlapped_since=now)
    await outbox.changed_each(db, "DERControlList", said)
    return done


_BLANK: dict[str, Any] = dict.fromkeys(Control._fields)


async def _tables(db: Connection, plans: Sequence[Plan], now: int) -> list[list[dict[str, Any]]]:
    """The rows of each plan."""
    latest = await controls.latest_created_each(db, [plan.group_id for plan in plans], now)
    least = await creation.time_for(db, now)
    mrids = iter(await identifiers.several(db, sum(len(plan.several) for plan in plans)))
    return [
        [
            {**columns_of(one.asked), "created": max(least, latest.get(plan.group_id, 0) + 1, plan.after + 1)}
            | {"source": one.source, "reason": one.reason, "continues": one.continues}
            | {"device_group_id": plan.group_id, "mrid": next(mrids)}
            for one in plan.several
        ]
        for plan in plans
    ]


def _goes_on(one: Control, now: int) -> bool:
    return one.successor_start is None or one.successor_start > now


def _replaced(
    standing: Sequence[Control], rows: Sequence[dict[str, Any]], now: int
) -> tuple[list[controls.Successor], list[int]]:
    """By what, and from when, older controls are superseded, and the ids of those of which that may be."""
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
    return superseded, overlapped
