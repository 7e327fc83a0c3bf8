"""The device groups of aggregations: who is an effective member now is in the group, and nobody else."""

from sep2.operations import groups
from sep2.operations.market.aggregations import TAKES_PART
from sep2.store import listing_register
from sep2.store.connection import Connection
from sep2.store.devices import members
from sep2.store.market import register, seen
from sep2.store.market.facts import AsOf

PRIMACY = 90
"""Of the program of an aggregation's group, which has no limits of its own."""


def name_of(aggregation: str) -> str:
    """What the group of an aggregation is called."""
    return f"aggregation {aggregation}"[:80]


async def follow(db: Connection, now: int, *, only_look: bool = False) -> int:
    """How many devices joined or left the groups of aggregations, so that these hold who is a member now.

    only_look: count them, and change nothing.
    """
    wanted = await _wanted(db, now)
    changed = 0
    for name, devices in wanted.items():
        group = await listing_register.group_named(db, name_of(name))
        there = set() if group is None else {row.id for row in await members(db, group.id)}
        joins, leaves = devices - there, there - devices
        changed += len(joins) + len(leaves)
        if only_look or not (joins or leaves):
            continue
        number = group.id if group is not None else await _made(db, name, now)
        for device in sorted(joins):
            await groups.assign(db, number, device, now)
        for device in sorted(leaves):
            await groups.unassign(db, number, device, now)
    return changed


async def empty(db: Connection, name: str, now: int) -> None:
    """Take every device out of the group of an aggregation that is no more."""
    group = await listing_register.group_named(db, name_of(name))
    if group is None:
        return
    for row in await members(db, group.id):
        await groups.unassign(db, group.id, row.id, now)


async def _made(db: Connection, name: str, now: int) -> int:
    new = groups.NewGroup(name=name_of(name), primacy=PRIMACY, description="members of an aggregation")
    return await groups.create_group(db, new, now)


async def _wanted(db: Connection, now: int) -> dict[str, set[int]]:
    """The devices of each aggregation that takes part, or did."""
    effective = await register.effective(db, now)
    known = [row for row in await register.every_aggregation(db, AsOf(now)) if not row.is_test]
    status = {row.id: row.status for row in known}
    ders = await register.entries(db, "der", {row.component_der_id for row in effective}, AsOf(now))
    devices = await seen.devices_of(db, ders)
    found: dict[str, set[int]] = {row.name: set() for row in known if row.status != "proposed"}
    for row in effective:
        device = devices.get(row.component_der_id)
        if device is not None and status.get(row.aggregation_id) in TAKES_PART:
            found.setdefault(row.aggregation_name, set()).add(device.id)
    return found
