"""Places: added, listed, shown, moved, renamed, removed; and the connections that are at them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Row

from sep2.admin import find, register
from sep2.admin import groups as group_routes
from sep2.admin import types as t
from sep2.admin.changes import removed
from sep2.operations import territory
from sep2.rest.route import Request, listed, page
from sep2.store import devices, groups
from sep2.store import territory as stored

MOST_SHOWN = 20
"""Devices of which a move shows what holds before and after it."""


async def list_places(rq: Request, asked: t.PlaceQuery) -> t.Listed[t.NetworkPlace]:
    """Places by name, those directly below one if so asked."""
    parent = await find.place(rq.db, asked.parent) if asked.parent else None
    found = await stored.listed(rq.db, page(asked), parent_id=parent.id if parent else None)
    return listed(found, [as_place(row) for row in found.rows])


async def show_place(rq: Request, asked: t.Nothing) -> t.NetworkPlace:
    """One place."""
    return as_place(await find.place(rq.db, rq.ids["place"]))


async def add_place(rq: Request, asked: t.NewNetworkPlace) -> t.NetworkPlace:
    """The new place, with a group of its own."""
    parent = await find.place(rq.db, asked.parent) if asked.parent is not None else None
    new = territory.NewPlace(asked.kind, asked.name, parent.id if parent else None, asked.primacy, asked.description)
    place_id = await territory.add_place(rq.db, new, rq.now)
    made = await stored.one(rq.db, place_id)
    assert made is not None
    group = await groups.one(rq.db, made.device_group_id)
    assert group is not None
    await group_routes.keep_order(rq, group)
    return await _named(rq, made.name)


async def move_place(rq: Request, asked: t.MovePlace) -> t.PlaceMoved:
    """The place with all that is below it, at its new place in the tree."""
    row = await find.place(rq.db, rq.ids["place"])
    parent = None if asked.parent is None else await find.place(rq.db, asked.parent)
    there = await stored.devices_below(rq.db, row.id)

    async def move() -> int:
        return await territory.move_place(rq.db, row.id, parent.id if parent else None, rq.now)

    count, changes = await _compared(rq, there, move)
    return t.PlaceMoved(place=await _named(rq, row.name), devices=count, changes=changes)


async def put_connections(rq: Request, asked: t.PutConnections) -> t.PlaceMoved:
    """The place with these connections at it."""
    row = await find.place(rq.db, rq.ids["place"])
    return await _put(rq, asked.connections, row)


async def take_connection_away(rq: Request, asked: t.Nothing) -> t.PlaceMoved:
    """The connection is at no place."""
    return await _put(rq, [rq.ids["connection"]], None)


async def _put(rq: Request, names: Sequence[str], row: Row[Any] | None) -> t.PlaceMoved:
    ids = [(await find.connection(rq.db, name)).id for name in names]

    async def put() -> int:
        return await territory.put_connections(rq.db, ids, row.id if row else None, rq.now)

    count, changes = await _compared(rq, await stored.devices_at(rq.db, ids), put)
    return t.PlaceMoved(place=await _named(rq, row.name) if row else None, devices=count, changes=changes)


async def rename_place(rq: Request, asked: t.Rename) -> t.NetworkPlace:
    """The place by its new name."""
    row = await find.place(rq.db, rq.ids["place"])
    await territory.rename_place(rq.db, row.id, asked.name)
    return await _named(rq, asked.name)


async def remove_place(rq: Request, asked: t.RemovePlace) -> t.Removed:
    """The place that is gone; what lay below it lies elsewhere."""
    row = await find.place(rq.db, rq.ids["place"])
    to = None if asked.to is None else (await find.place(rq.db, asked.to)).id
    found = await territory.remove_place(rq.db, row.id, rq.now, to=to)
    return removed("place", row.name, found, asked.to, moves=("place", "connection"))


async def _compared(
    rq: Request, device_ids: Sequence[int], change: Callable[[], Awaitable[int]]
) -> tuple[int, list[t.Holds]]:
    """How many devices a change concerns, and what holds for the first of them before and after it."""
    first = device_ids[:MOST_SHOWN]
    before = [await _holds(rq, device_id) for device_id in first]
    count = await change()
    after = [await _holds(rq, device_id) for device_id in first]
    pairs = zip(before, after, strict=True)
    return count, [t.Holds(lfdi=lfdi, before=old, after=new) for (lfdi, old), (_, new) in pairs if old != new]


async def _holds(rq: Request, device_id: int) -> tuple[str, list[str]]:
    row = await devices.one(rq.db, device_id)
    assert row is not None
    found = await register.shown(rq, await find.device(rq.db, row.lfdi))
    return row.lfdi, [f"{one.mode} {one.value} by {one.group or one.source}" for one in found.in_force]


async def _named(rq: Request, name: str) -> t.NetworkPlace:
    return as_place(await find.place(rq.db, name))


def as_place(row: Row[Any]) -> t.NetworkPlace:
    """A stored place as the API shows it."""
    return t.NetworkPlace(
        name=row.name,
        kind=row.kind,
        parent=row.parent_name,
        group=row.group_name,
        primacy=row.primacy,
        devices=row.devices,
        places=row.places,
        connections=row.connections,
        created=row.created,
    )
