"""The tree of places: each owns a group, and every device at a connection below it is in that group.

A connection or a whole part of the tree moves in one transaction: what holds for its devices changes at once, and at no
moment is a device without its programs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations import diagrams, naming
from sep2.operations.groups import BadGroup, NewGroup, create_group, regroup
from sep2.operations.retiring import retire
from sep2.rules.territory import KINDS, may_lie_below, primacy_of
from sep2.store import backstops as stored_backstops
from sep2.store import groups, territory
from sep2.store.connection import Connection

SYSTEM = 0
"""In place of a place's number, where the whole system is meant."""


class UnknownPlace(NotFound):
    """There is no place of that name."""


class BadPlace(BadValue):
    """The place can not be so."""


class PlaceInUse(Conflict):
    """Something lies below the place; say where that goes (to)."""


@dataclass(frozen=True, slots=True)
class NewPlace:
    """A place to be: a kind of `rules.territory`, and the place that it lies below."""

    kind: str
    name: str
    parent_id: int | None = None
    primacy: int | None = None
    description: str = ""


async def add_place(db: Connection, new: NewPlace, now: int) -> int:
    """Add a place, with the group of its own that every device below it joins."""
    if new.kind not in KINDS:
        raise BadPlace(f"kind: {new.kind!r} is none of {', '.join(KINDS)}")
    await naming.check(db, "place", new.name)
    await _check_parent(db, new.kind, new.parent_id)
    primacy = primacy_of(new.kind) if new.primacy is None else new.primacy
    group = NewGroup(f"{new.kind} {new.name}"[:80], KINDS[new.kind], primacy, new.description)
    group_id = await create_group(db, group, now)
    said = {"kind": new.kind, "name": new.name, "parent_id": new.parent_id}
    return await territory.add(db, **said, device_group_id=group_id, created=now)


async def _check_parent(db: Connection, kind: str, parent_id: int | None) -> None:
    if parent_id is None:
        return
    parent = await territory.one(db, parent_id)
    if parent is None:
        raise UnknownPlace(str(parent_id))
    if not may_lie_below(kind, parent.kind):
        raise BadPlace(f"parent: a {kind} does not lie below a {parent.kind} ({parent.name})")


async def move_place(db: Connection, place_id: int, parent_id: int | None, now: int) -> int:
    """Move a place, with all that is below it; how many devices have other programs now."""
    row = await territory.one(db, place_id)
    if row is None:
        raise UnknownPlace(str(place_id))
    await _check_parent(db, row.kind, parent_id)
    if parent_id in await territory.ids_below(db, place_id):
        raise BadPlace(f"parent: lies below {row.name} itself")
    await territory.update_one(db, place_id, parent_id=parent_id)
    await diagrams.place_again(db)
    return await settle(db, await territory.devices_below(db, place_id), now)


async def rename_place(db: Connection, place_id: int, name: str) -> None:
    """Call a place, and its group, otherwise."""
    row = await territory.one(db, place_id)
    if row is None:
        raise UnknownPlace(str(place_id))
    await naming.check(db, "place", name, beside=place_id)
    of_group = f"{row.kind} {name}"[:80]
    await naming.check(db, "group", of_group, beside=row.device_group_id)
    await territory.update_one(db, place_id, name=name)
    await groups.update_one(db, row.device_group_id, name=of_group)
    if (backstop := (await stored_backstops.programs(db)).get(place_id)) is not None:
        await groups.update_one(db, backstop, name=f"backstop of {of_group}"[:80])


async def remove_place(db: Connection, place_id: int, now: int, *, to: int | None = None) -> dict[str, int]:
    """Remove a place; what lies below it lies below another one then. How many of each kind did."""
    row = await territory.one(db, place_id)
    if row is None:
        raise UnknownPlace(str(place_id))
    found = await territory.counts(db, place_id)
    devices = await territory.devices_below(db, place_id)
    if any(found.values()):
        if to is None:
            raise PlaceInUse(f"{row.name}: {found['place']} places, {found['connection']} connections")
        if to in await territory.ids_below(db, place_id):
            raise BadPlace(f"to: lies below {row.name} itself")
        await territory.hand_over(db, place_id, to)
        await diagrams.place_again(db)
    await settle(db, devices, now)
    group = await groups.one(db, row.device_group_id)
    await territory.remove(db, place_id)
    await _forget_backstop(db, place_id, now)
    await retire(db, group, now)
    return found


async def _forget_backstop(db: Connection, place_id: int, now: int) -> None:
    group_id = (await stored_backstops.programs(db)).get(place_id)
    group = None if group_id is None else await groups.one(db, group_id)
    if group is not None:
        await stored_backstops.drop(db, place_id)
        await retire(db, group, now)


async def put_connections(db: Connection, row_ids: Sequence[int], place_id: int | None, now: int) -> int:
    """Have connections be at a place, or at none; how many devices have other programs now."""
    await territory.set_place(db, row_ids, place_id)
    await diagrams.place_again(db, row_ids)
    return await settle(db, await territory.devices_at(db, row_ids), now)


async def settle(db: Connection, device_ids: Sequence[int], now: int) -> int:
    """Have devices be in exactly the groups of the places that their connections are below; how many changed."""
    above: dict[int | None, set[int]] = {None: set()}
    changed = 0
    for device_id in device_ids:
        place_id = await territory.place_of(db, device_id)
        if place_id not in above:
            assert place_id is not None
            above[place_id] = {row.device_group_id for row in await territory.above(db, place_id)}
        has = await territory.groups_of(db, device_id) | await stored_backstops.groups_of(db, device_id)
        wanted = above[place_id] | await _backstops(db, device_id, place_id)
        if has != wanted:
            await regroup(db, device_id, now, joins=sorted(wanted - has), leaves=sorted(has - wanted))
            changed += 1
    return changed


async def _backstops(db: Connection, device_id: int, place_id: int | None) -> set[int]:
    """The backstops' programs that a device at a place is to be in: that of the system, and those of what it is below.

    One that stands for an aggregator obeys nothing, and is in none.
    """
    programs = await stored_backstops.programs(db)
    if not programs or not await stored_backstops.obeys(db, device_id):
        return set()
    around = {SYSTEM} if place_id is None else {SYSTEM, *(row.id for row in await territory.above(db, place_id))}
    return {group_id for key, group_id in programs.items() if key in around}


async def refuse_own(db: Connection, group_id: int) -> None:
    """Nothing, unless the group is that of a place, whose devices are those at the connections below it."""
    row = await territory.of_group(db, group_id)
    if row is not None:
        raise BadGroup(f"group: is that of {row.kind} {row.name}; move connections, or change the place")
