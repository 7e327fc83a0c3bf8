"""What devices are served as defaults: each program's own, and what it inherits from less important programs.

Every operation that changes a default, a membership, a primacy or a place compares what the devices concerned are
served before and after: where that differs, the version of the default rises for the device, and subscribers are told.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.rules.defaults import NO_FLOOR, Floor, Layout, Said, Served, content, limits_of, merged, served
from sep2.rules.limits import Limits
from sep2.rules.reach import as_held
from sep2.store import defaults, outbox
from sep2.store.connection import Connection

AT_ONCE = 100
"""Devices that are looked at in one statement."""


class Program(NamedTuple):
    """One program of a device: its group, its place in the order of importance, and what its default says."""

    group_id: int
    primacy: int
    mrid: str
    said: Said

    @property
    def rank(self) -> tuple[int, int]:
        """The smaller, the more important (2030.5 10.10: primacy, then mRID descending, as lists have it)."""
        return self.primacy, -int(self.mrid, 16)


class Held(NamedTuple):
    """A device, its programs with the most important first, and what bounds it where none of them does."""

    device: int
    programs: tuple[Program, ...]
    floor: Floor

    def view(self, at: int, layout: Layout) -> Served:
        """What the device is served as the default of its program at an index."""
        return served([one.said for one in self.programs], at, self.floor, layout)


class House(NamedTuple):
    """How this utility serves defaults, its newcomers' group, and what bounds whoever has no limit, in watts."""

    layout: Layout
    newcomers: int | None
    import_w: int | None = None
    export_w: int | None = None


Pair = tuple[int, int]
"""A group and a device."""
Earlier = Callable[[Held], Held]
"""What a device held before a change, from what it holds after it."""


async def house(db: Connection) -> House:
    """How defaults are served: what the server that runs on this database has noted of its settings."""
    noted = await defaults.noted(db)
    layout: Layout = "own" if noted.get(defaults.LAYOUT) == "own" else "merged"
    newcomers = noted.get(defaults.NEWCOMERS)
    import_w, export_w = json.loads(noted.get(defaults.FLOOR, "[null, null]"))
    return House(layout, None if newcomers is None else int(newcomers), import_w, export_w)


async def held_by(db: Connection, device_id: int, known: House | None = None) -> Held:
    """What one device holds."""
    known = known or await house(db)
    found = list(held_of(await defaults.of_device(db, device_id), known))
    return found[0] if found else Held(device_id, (), NO_FLOOR)


async def limits_served(db: Connection, group_id: int) -> Limits | None:
    """The limits by default that the member of a place's own group is served; None where it has no member."""
    found = list(held_of(await defaults.of_members(db, group_id, 0, 1), await house(db)))
    return limits_of(merged(tuple(one.said for one in found[0].programs), found[0].floor)) if found else None


class AtConnection(NamedTuple):
    """A device at a connection, and the default that it is served: that of its most important program."""

    connection_id: str
    device_id: int
    lfdi: str
    profile: str
    holds_net_limit: bool
    default: Served


async def at_connections(db: Connection, connection_ids: Sequence[str]) -> list[AtConnection]:
    """The default that every device at some connections is served; a device without any program is left out.

    Load control has no default: what bounds import or load there is served to nobody.
    """
    known = await house(db)
    found = []
    for _, several in groupby(await defaults.at_connections(db, connection_ids), lambda row: row.device):
        rows = list(several)
        held = _held(rows, known)
        one, programs = rows[0], tuple(program.said for program in held.programs)
        # Whatever the layout, a client puts all its programs together.
        default = as_held(one, merged(programs, held.floor), by_default=True)
        found.append(AtConnection(one.connection_id, one.device, one.lfdi, one.profile, one.holds_net_limit, default))
    return found


def said_of(row: Any) -> Said:
    """What a stored default says."""
    return Said(*(getattr(row, name) for name in Said._fields))


def held_of(rows: Iterable[Row[Any]], known: House) -> Iterator[Held]:
    """Devices with their programs, from rows in the order of devices and importance."""
    for _, several in groupby(rows, lambda row: row.device):
        yield _held(list(several), known)


def _held(rows: Sequence[Row[Any]], known: House) -> Held:
    programs = tuple(
        Program(row.group_id, row.primacy, row.program_mrid, Said._make(row[: len(Said._fields)])) for row in rows
    )
    return Held(rows[0].device, programs, floor_at(rows[0], known))


def floor_at(row: Row[Any], known: House) -> Floor:
    """A connection's contract, or else the utility's default; who is beside the holder has no part of the contract."""
    if row.place is not None and not row.holds_net_limit:
        return Floor(known.import_w, known.export_w, beside=True)
    firm = row.firm_import_w, row.firm_export_w
    import_w, export_w = (
        own if own is not None else common for own, common in zip(firm, (known.import_w, known.export_w), strict=True)
    )
    return Floor(import_w, export_w)


async def follow_members(db: Connection, group_id: int, earlier: Earlier, *, own_rose: bool = False) -> None:
    """Tell what changed for the members of a group, which held what `earlier` says before a change of the group.

    own_rose: whether the version of the group's own default has risen. It does for all members; where what a member is
    served reads as before, its version stays.
    """
    known = await house(db)
    own = group_id if own_rose else None
    told = _Told(own)
    async for rows in _in_parts(lambda after: defaults.of_members(db, group_id, after, AT_ONCE)):
        await told.note(db, [(earlier(held), held) for held in held_of(rows, known)], known.layout)
    await told.of_own(db)


async def follow_floor(db: Connection, before: House, said: Said) -> None:
    """Tell what changed for all devices by a new default of the newcomers' group, which said `said`, and has risen."""
    known = await house(db)
    assert known.newcomers is not None
    told, group_id = _Told(known.newcomers), known.newcomers
    async for rows in _in_parts(lambda after: defaults.of_devices(db, after, AT_ONCE)):
        both = zip(held_of(rows, before), held_of(rows, known), strict=True)
        pairs = [(with_said(old, group_id, said), new) for old, new in both]
        await told.note(db, pairs, known.layout)
    await told.of_own(db)


async def follow_device(db: Connection, before: Held) -> None:
    """Tell what changed for one device, which held `before`; what it is given or loses it learns of by its lists."""
    known = await house(db)
    after = await held_by(db, before.device, known)
    await _Told(None).note(db, [(before, after)], known.layout)
    lost = {one.group_id for one in before.programs} - {one.group_id for one in after.programs}
    # Should it come back, what it is served then has another version than what it knew.
    await defaults.move(db, [(group_id, before.device) for group_id in lost], 1)


def with_said(held: Held, group_id: int, said: Said) -> Held:
    """The same, where a group's default says something else."""
    programs = (one._replace(said=said) if one.group_id == group_id else one for one in held.programs)
    return held._replace(programs=tuple(programs))


def with_primacy(held: Held, group_id: int, primacy: int) -> Held:
    """The same, where a group has another primacy."""
    programs = (one._replace(primacy=primacy) if one.group_id == group_id else one for one in held.programs)
    return held._replace(programs=tuple(sorted(programs, key=lambda one: one.rank)))


class _Told:
    """Notes what changed and whom to tell; how it is with the group whose own version has risen is known at the end."""

    def __init__(self, own: int | None) -> None:
        self._own = own
        self._changed: list[Pair] = []
        self._same: list[Pair] = []

    async def note(self, db: Connection, pairs: Iterable[tuple[Held, Held]], layout: Layout) -> None:
        others: list[Pair] = []
        for before, after in pairs:
            changed = _changed(before, after, layout)
            others += ((group_id, after.device) for group_id in changed if group_id != self._own)
            if self._own is not None and any(one.group_id == self._own for one in after.programs):
                (self._changed if self._own in changed else self._same).append((self._own, after.device))
        await defaults.move(db, others, 1)
        await _tell(db, others)

    async def of_own(self, db: Connection) -> None:
        if self._own is None:
            return
        await defaults.move(db, self._same, -1)
        if self._same:
            await _tell(db, self._changed)
        else:
            await outbox.changed(db, "DefaultDERControl", derp=self._own)


async def _tell(db: Connection, pairs: Sequence[Pair]) -> None:
    each = [{"derp": group_id, "edev": device} for group_id, device in pairs]
    await outbox.changed_each(db, "DefaultDERControl", each)


def _changed(before: Held, after: Held, layout: Layout) -> list[int]:
    """The groups whose default the device is served both before and after, and not as it was."""
    places = {one.group_id: at for at, one in enumerate(before.programs)}
    was = tuple(places.get(one.group_id) for one in after.programs)
    differ = _differ(_says(before), _says(after), was, layout)
    return [after.programs[at].group_id for at in differ]


Says = tuple[tuple[Said, ...], Floor]


def _says(held: Held) -> Says:
    return tuple(one.said for one in held.programs), held.floor


@lru_cache(maxsize=4096)
def _differ(before: Says, after: Says, was: tuple[int | None, ...], layout: Layout) -> tuple[int, ...]:
    """The places of programs that are served another default than at the place where each was; None: nowhere.

    Most members of a group say and hold the same, so this is mostly known.
    """
    return tuple(
        at
        for at, old in enumerate(was)
        if old is not None
        and content(served(before[0], old, before[1], layout)) != content(served(after[0], at, after[1], layout))
    )


async def _in_parts(
    look: Callable[[int], Awaitable[Sequence[Row[Any]]]],
) -> AsyncIterator[Sequence[Row[Any]]]:
    """Rows of all devices, some devices at a time; others have their turn meanwhile."""
    after = 0
    while rows := await look(after):
        yield rows
        after = rows[-1].device
        await asyncio.sleep(0)
