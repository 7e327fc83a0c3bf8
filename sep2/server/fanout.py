"""Which subscriptions a change concerns: matched on rows of the resource table and their ids, never on URLs."""

import itertools
import json

from sep2.functions.fsa import ALL_GROUPS
from sep2.resources import Resource, Table
from sep2.store import devices, groups, subscriptions
from sep2.store.connection import Connection

ANY = "%"
"""Stands for a number that the change does not say, as in SQL's LIKE."""

MANY = 200
"""Members of a group from which on they are not looked up one by one."""

Ids = dict[str, int]
Options = dict[str, list[int]]
"""The values that a number in a path may have after a change; one that is not named may be any."""


async def subscribers(db: Connection, table: Table, kind: str, ids: Ids) -> set[int]:
    """The ids of the subscriptions to whatever reads differently after a change."""
    members = await _members(db, ids)
    if members is not None and not members:
        return set()
    options, told = _options(ids, members), set[int]()
    for row in table.followers(kind):
        found = await subscriptions.to_resource(db, row.name, _keys(row, options), await _client(db, row, ids))
        told |= {one.id for one in found if members is None or json.loads(one.ids).get("edev") in members}
    return told


async def _members(db: Connection, ids: Ids) -> set[int] | None:
    """The devices that a group's change is for; None where it is not for all of its group."""
    if "derp" not in ids or "edev" in ids:
        return None
    return set(await groups.member_ids(db, ids["derp"]))


def _options(ids: Ids, members: set[int] | None) -> Options:
    """What the change says, and what follows: a program is a FunctionSetAssignments too, and holds for its members."""
    options = {name: [number] for name, number in ids.items()}
    if "derp" in ids:
        options["fsa"] = [ids["derp"], ALL_GROUPS]
    if members is not None and len(members) < MANY:
        options["edev"] = sorted(members)
    return options


def _keys(row: Resource, options: Options) -> list[str]:
    """The ids that subscriptions to this row may have, as they are stored."""
    names = sorted(row.ids)
    values = [[str(number) for number in options.get(name, ())] or [ANY] for name in names]
    pairs = (zip(names, one, strict=True) for one in itertools.product(*values))
    return ["{" + ", ".join(f'"{name}": {number}' for name, number in pair) + "}" for pair in pairs]


async def _client(db: Connection, row: Resource, ids: Ids) -> int | None:
    """The client whose list it is, where the path does not say it."""
    if row.ids or "edev" not in ids:
        return ids.get("client")
    device = await devices.one(db, ids["edev"])
    return device.client_id if device is not None else ids.get("client", -1)
