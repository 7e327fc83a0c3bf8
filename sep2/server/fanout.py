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
    options = await _options(db, ids)
    told: set[int] = set()
    for row in table.followers(kind):
        client = await _client(db, row, ids)
        found = await subscriptions.to_resource(db, row.name, _keys(row, options), client)
        told |= {one.id for one in found if "edev" in options or await _concerns(db, json.loads(one.ids), ids)}
    return told


async def _options(db: Connection, ids: Ids) -> Options:
    """What the change says, and what follows: a program is a FunctionSetAssignments too, and holds for its members."""
    options = {name: [number] for name, number in ids.items()}
    if "derp" in ids:
        options["fsa"] = [ids["derp"], ALL_GROUPS]
        if "edev" not in ids:
            members = await groups.member_ids(db, ids["derp"], MANY)
            options |= {"edev": list(members)} if len(members) < MANY else {}
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


async def _concerns(db: Connection, subscribed: Ids, ids: Ids) -> bool:
    """Whether a device that a large change was not matched on is a member of the group that changed."""
    if "derp" not in ids or "edev" not in subscribed:
        return True
    return await groups.is_member(db, ids["derp"], subscribed["edev"])
