"""Groups, their devices, and what holds for them when no control is active."""

from typing import Any

from sqlalchemy import Row

from sep2.admin import curves, find, views
from sep2.admin import types as t
from sep2.operations import defaults, groups, territory
from sep2.rest.route import Request, listed, page
from sep2.rules.authority import Role
from sep2.rules.limits import Limits
from sep2.store import defaults as stored_defaults
from sep2.store import listing_register


async def list_groups(rq: Request, asked: t.GroupQuery) -> t.Listed[t.Group]:
    """Groups, the most important first."""
    found = await listing_register.groups(rq.db, page(asked), every=asked.every)
    return listed(found, [views.group(row) for row in found.rows])


async def show_group(rq: Request, asked: t.Nothing) -> t.Group:
    """One group, by its name."""
    return views.group(await find.group(rq.db, rq.ids["group"]))


async def create_group(rq: Request, asked: t.NewGroup) -> t.Group:
    """The new group, with a DERProgram and an empty default."""
    new = groups.NewGroup(name=asked.name, level=asked.level, primacy=asked.primacy, description=asked.description)
    await groups.create_group(rq.db, new, rq.now)
    await _keep_order(rq, asked.name, asked.primacy)
    return views.group(await find.group(rq.db, asked.name))


async def keep_order(rq: Request, group: Row[Any]) -> None:
    """Refuse, or raise an alarm for, a group of the operator's that outranks the programs of single places."""
    if group.role == Role.GROUP:
        current = await find.group(rq.db, group.name)
        await _keep_order(rq, current.name, current.primacy)


async def _keep_order(rq: Request, name: str, primacy: int) -> None:
    """In production no group outranks what operators send to single connections; for tests it may, with an alarm."""
    settings = rq.state.settings
    least = settings.utility.primacy.connection
    await groups.keep_order(rq.db, name, primacy, least, refuses=settings.mode == "production", now=rq.now)


async def assign(rq: Request, asked: t.Members) -> t.Group:
    """The group with these devices added."""
    group = await find.group(rq.db, rq.ids["group"])
    await territory.refuse_own(rq.db, group.id)
    for named in asked.devices:
        device = await find.device(rq.db, named)
        await groups.assign(rq.db, group.id, device.id, rq.now)
    return views.group(await find.group(rq.db, group.name))


async def unassign(rq: Request, asked: t.Nothing) -> t.Group:
    """The group without that device."""
    group = await find.group(rq.db, rq.ids["group"])
    await territory.refuse_own(rq.db, group.id)
    device = await find.device(rq.db, rq.ids["device"])
    await groups.unassign(rq.db, group.id, device.id, rq.now)
    return views.group(await find.group(rq.db, group.name))


async def show_default(rq: Request, asked: t.Nothing) -> t.Default:
    """What holds for the group when no control is active."""
    group = await find.group(rq.db, rq.ids["group"])
    row = await stored_defaults.of_group(rq.db, group.id)
    if row is None:
        raise groups.UnknownGroup(group.name)
    (modes,) = await curves.shown_modes(rq, row.modes)
    return views.default(row, group.name, modes)


async def set_default(rq: Request, asked: t.NewDefault) -> t.Default:
    """The group's new default; what is left out is no longer set."""
    group = await find.group(rq.db, rq.ids["group"])
    groups.refuse_default(group)
    limits = asked.limits
    await defaults.set_default(
        rq.db,
        group.id,
        Limits(limits.import_w, limits.export_w, limits.gen_w, limits.load_w),
        now=rq.now,
        beside=defaults.Beside(
            modes=await curves.taken_modes(rq, asked.modes),
            set_grad_w=asked.set_grad_w,
            set_soft_grad_w=asked.set_soft_grad_w,
            enter_service=asked.enter_service,
        ),
    )
    return await show_default(rq, t.Nothing())
