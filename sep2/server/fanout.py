"""Which subscriptions a change concerns: matched on rows of the resource table and their ids, never on URLs."""

import itertools
import json

from sep2.functions.fsa import ALL_GROUPS
from sep2.resources import Resource, Table
from sep2.store import devices, groups, subscriptions
from sep2.store.connection import Connection
from sep2.store.outbox import Change

ANY = "%"
"""Stands for a number that the change does not say, as in SQL's LIKE."""


async def subscribers(db: Connection, table: Table, change: Change) -> set[int]:
    """The ids of the subscriptions to whatever reads differently after the change."""
    told: set[int] = set()
    for row in table.followers(change.kind):
        told |= await _to_row(db, row, change.ids)
    return told


async def _to_row(db: Connection, row: Resource, ids: dict[str, int]) -> set[int]:
    client = await _client(db, row, ids)
    told = set()
    for key in _keys(row, ids):
        found = await subscriptions.to_resource(db, row.name, key, client)
        told |= {one.id for one in found if await _concerns(db, json.loads(one.ids), ids)}
    return told


async def _client(db: Connection, row: Resource, ids: dict[str, int]) -> int | None:
    """The client whose list it is, where the path does not say it."""
    if "edev" in row.ids or "edev" not in ids:
        return ids.get("client")
    device = await devices.one(db, ids["edev"])
    return device.client_id if device is not None else ids.get("client", -1)


def _keys(row: Resource, ids: dict[str, int]) -> list[str]:
    """The ids that a subscription to this row has, as they are stored, after a change of these."""
    options = [_values(name, ids) for name in sorted(row.ids)]
    names = sorted(row.ids)
    pairs = (zip(names, values, strict=True) for values in itertools.product(*options))
    return ["{" + ", ".join(f'"{name}": {value}' for name, value in pair) + "}" for pair in pairs]


def _values(name: str, ids: dict[str, int]) -> list[int | str]:
    if name == "fsa" and "derp" in ids:
        return [ids["derp"], ALL_GROUPS]
    return [ids.get(name, ANY)]


async def _concerns(db: Connection, subscribed: dict[str, int], ids: dict[str, int]) -> bool:
    """Whether a device's list of all its programs holds the one that changed."""
    if subscribed.get("fsa") != ALL_GROUPS or "derp" not in ids:
        return True
    return await groups.is_member(db, ids["derp"], subscribed["edev"])
