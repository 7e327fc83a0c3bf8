"""Groups of devices, each with one DERProgram."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations import identifiers, inherited, unlimited
from sep2.rules import texts
from sep2.rules.limits import Limits
from sep2.store import clients, defaults, devices, groups, outbox
from sep2.store.connection import Connection

SERVICE_POINT_PRIMACY = 4
"""The most specific level of a topology wins; the official test fixture uses this number."""
LEVELS = ("SY", "ST", "SS", "FD", "SG", "TF", "SP", "NT")
"""Topology levels of CSIP from the system to the service point, and NT for groups beside the topology."""


class GroupTaken(Conflict):
    """A group of this name exists already."""


class AlreadyMember(Conflict):
    """The device is in this group already."""


class NoSuchGroup(NotFound):
    """No such group exists."""


class NetLimitHeld(BadValue):
    """Limits of import and export are for the one device that holds them; this group is of another, beside it."""


class NotMember(NotFound):
    """The device is not in this group."""


class BadGroup(BadValue):
    """The group can not be made so."""


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A set of devices to be; the lower its primacy, the more its controls count."""

    name: str
    level: str = "NT"
    primacy: int = 80
    description: str = ""


async def create_group(
    db: Connection, new: NewGroup, now: int, *, connection: int | None = None, device: int | None = None
) -> int:
    """Create a group with its DERProgram and an empty DefaultDERControl."""
    if new.level not in LEVELS:
        raise BadGroup(f"level: {new.level!r} is none of {' '.join(LEVELS)}")
    _check_primacy(new.primacy)
    if not new.name:
        raise BadGroup("name: is empty")
    if wrong := texts.misfit(new.description, 32):
        raise BadGroup(f"description: {wrong}")
    if await groups.by_name(db, new.name):
        raise GroupTaken(new.name)
    group_id = await groups.add(
        db,
        name=new.name,
        level=new.level,
        primacy=new.primacy,
        description=new.description,
        program_mrid=await identifiers.fresh(db),
        fsa_mrid=await identifiers.fresh(db),
        connection_id=connection,
        end_device_id=device,
        created=now,
    )
    await defaults.add(db, group_id, await identifiers.fresh(db), now)
    return group_id


async def assign(db: Connection, group_id: int, device_id: int, now: int) -> None:
    """Put a device into a group; the group's program holds for it at once."""
    if await groups.one(db, group_id) is None:
        raise NoSuchGroup(str(group_id))
    device = await devices.one(db, device_id)
    if device is None:
        raise BadGroup(f"device: there is no EndDevice {device_id}")
    owner = await clients.one(db, device.client_id)
    if owner is not None and _stands_for(owner, device):
        raise BadGroup(f"device: {device.lfdi} stands for the aggregator {owner.name}, and obeys no control")
    if await groups.is_member(db, group_id, device_id):
        raise AlreadyMember(f"device {device_id}, group {group_id}")
    before = await inherited.held_by(db, device_id)
    await groups.join(db, group_id, device_id, now)
    await outbox.changed(db, "FunctionSetAssignmentsList", edev=device_id, derp=group_id)
    newcomers = (await inherited.house(db)).newcomers
    if newcomers is not None and newcomers != group_id and await groups.is_member(db, newcomers, device_id):
        await _leave(db, newcomers, device_id)
    await inherited.follow_device(db, before)
    await unlimited.look_at_device(db, device_id, now)


async def unassign(db: Connection, group_id: int, device_id: int, now: int) -> None:
    """Take a device out of a group; one that is in no group then is a newcomer again."""
    before = await inherited.held_by(db, device_id)
    await _leave(db, group_id, device_id)
    await inherited.follow_device(db, before)
    await welcome(db, device_id, now)


async def _leave(db: Connection, group_id: int, device_id: int) -> None:
    if not await groups.leave(db, group_id, device_id):
        raise NotMember(f"device {device_id}, group {group_id}")
    await outbox.changed(db, "FunctionSetAssignmentsList", edev=device_id, derp=group_id)
    for kind in ("DERProgram", "DERControlList", "DefaultDERControl"):  # the device may no longer read them
        await outbox.changed(db, kind, edev=device_id, derp=group_id)


async def welcome(db: Connection, device_id: int, now: int) -> None:
    """Put a device that is in no group into that of the newcomers, and see whether anything bounds it."""
    newcomers = (await inherited.house(db)).newcomers
    device = await devices.one(db, device_id)
    owner = None if device is None else await clients.one(db, device.client_id)
    if owner is None or _stands_for(owner, device):
        return
    if newcomers is not None and not await groups.count_of(db, device_id):
        await assign(db, newcomers, device_id, now)
    else:
        await unlimited.look_at_device(db, device_id, now)


def _stands_for(owner: Any, device: Any) -> bool:
    """Whether a device is an aggregator's own entry, which obeys nothing."""
    return bool(owner.kind == "aggregator" and owner.lfdi == device.lfdi)


async def give_own_group(db: Connection, device_id: int, now: int) -> int:
    """The group of one device alone: what its part of its connection is published to; made where there is none.

    The limits of the connection itself are not its to keep, so it is no member of the connection's group.
    """
    device = await devices.one(db, device_id)
    if device is None:
        raise BadGroup(f"device: there is no EndDevice {device_id}")
    known = await devices.own_group(db, device_id)
    own = NewGroup(name=f"device {device.lfdi}", level="SP", primacy=SERVICE_POINT_PRIMACY)
    group_id: int = known.id if known is not None else await create_group(db, own, now, device=device_id)
    if not await groups.is_member(db, group_id, device_id):
        await assign(db, group_id, device_id, now)
    place = None if device.connection_id is None else await groups.of_connection(db, device.connection_id)
    if place is not None and await groups.is_member(db, place.id, device_id):
        await unassign(db, place.id, device_id, now)
    return group_id


def refuse_net_limits(group: Any, limits: Sequence[Limits]) -> None:
    """Nothing, unless a device beside its connection's holder is to be told limits that it does not see kept."""
    if group.end_device_id is not None and any(one.import_w is not None or one.export_w is not None for one in limits):
        raise NetLimitHeld(group.name)


async def drop_own_group(db: Connection, device_id: int, now: int) -> None:
    """The device has no group of its own any more; what was said in it can still be looked up."""
    known = await devices.own_group(db, device_id)
    if known is None:
        return
    if await groups.is_member(db, known.id, device_id):
        before = await inherited.held_by(db, device_id)
        await _leave(db, known.id, device_id)
        await inherited.follow_device(db, before)
    await groups.update_one(db, known.id, end_device_id=None, name=f"{known.name}, until {now} ({known.id})")


async def set_primacy(db: Connection, group_id: int, primacy: int, now: int) -> None:
    """Change how much a group's controls count against others'."""
    del now
    _check_primacy(primacy)
    known = await groups.one(db, group_id)
    if known is None:
        raise NoSuchGroup(str(group_id))
    await groups.update_one(db, group_id, primacy=primacy)
    await outbox.changed(db, "DERProgram", derp=group_id)
    await inherited.follow_members(db, group_id, lambda held: inherited.with_primacy(held, group_id, known.primacy))


def _check_primacy(primacy: int) -> None:
    if not 0 <= primacy <= 255:
        raise BadGroup(f"primacy: {primacy} is outside 0..255")
