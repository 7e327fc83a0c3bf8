"""The group of devices that nobody has put anywhere: they have a program, and in it the utility's own default."""

import json

from sep2.errors import Conflict
from sep2.operations import inherited, unlimited
from sep2.operations.groups import NewGroup, create_group
from sep2.rules.defaults import Layout
from sep2.rules.limits import Limits
from sep2.store import defaults, groups, marks, outbox
from sep2.store.connection import Connection

NAME = "devices in no group"
LEAST_PRIMACY = 255
NOBODY_BOUND = Limits()


class SetBySettings(Conflict):
    """What bounds devices that no default bounds is set by default_export_w and default_import_w in sep2.toml."""


async def settle(db: Connection, limits: Limits, layout: Layout, now: int) -> None:
    """Have the database say what this server's settings do: how defaults are served, and the utility's own default.

    limits: of import and export, for whoever has none in any default. Subscribers are told of what changed by it.
    """
    before = await inherited.house(db)
    if before.layout != layout:
        await defaults.raise_versions(db)
        await outbox.changed(db, "DefaultDERControl")
    await marks.put(db, defaults.LAYOUT, layout)
    group_id = before.newcomers
    if group_id is None and limits != NOBODY_BOUND:
        group_id = await create_group(db, NewGroup(NAME, "NT", LEAST_PRIMACY), now)
        await marks.put(db, defaults.NEWCOMERS, str(group_id))
    if group_id is not None:
        await _bound(db, group_id, limits, before._replace(newcomers=group_id, layout=layout), now=now)
        if await groups.join_ungrouped(db, group_id, now):
            await outbox.changed(db, "FunctionSetAssignmentsList", derp=group_id)
    await unlimited.look_at_all(db, now)


async def _bound(db: Connection, group_id: int, limits: Limits, before: inherited.House, *, now: int) -> None:
    row = await defaults.of_group(db, group_id)
    assert row is not None
    said = inherited.said_of(row)
    if said[:4] == limits:
        return
    columns = {"import_limit_w": limits.import_w, "export_limit_w": limits.export_w}
    await defaults.set_one(db, group_id, **columns, changed=now)
    await marks.put(db, defaults.FLOOR, json.dumps([limits.import_w, limits.export_w]))
    await inherited.follow_floor(db, before, said)


async def refuse_newcomers(db: Connection, group_id: int) -> None:
    """Nothing, unless it is the newcomers' group, whose default is the utility's."""
    if (await inherited.house(db)).newcomers == group_id:
        raise SetBySettings
