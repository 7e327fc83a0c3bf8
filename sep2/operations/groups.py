"""Groups of devices, each with one DERProgram."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations import identifiers, inherited, naming, unlimited
from sep2.operations.alarms import GROUP_ORDER, NO_SUCH_GROUP, clear_alarm, raise_alarm
from sep2.operations.resuming import resume_device
from sep2.rules import texts
from sep2.rules.authority import COMMANDS, NAMES, ONLY_OVERRIDES, OPERATORS, OWN, PRIMACIES, Primacies, Role
from sep2.rules.limits import Limits
from sep2.rules.told_times import told
from sep2.store import clients, controls, defaults, devices, groups, outbox
from sep2.store.connection import Connection

SERVICE_POINT, NO_LEVEL = "SP", "NT"
LEVELS = ("SY", "ST", "SS", "FD", "SG", "TF", "SP", "NT")
"""Topology levels of CSIP from the system to the service point, and NT for groups beside the topology."""


class AlreadyMember(Conflict):
    """The device is in this group already."""


class UnknownGroup(NotFound):
    """There is no group of that name."""


class GroupOrder(BadValue):
    """A group of the operator's may not outrank what operators send to single connections."""


class NetLimitHeld(BadValue):
    """Limits of import and export are for the one device that holds them; this group is of another, beside it."""


class NotMember(NotFound):
    """The device is not in this group."""


class BadGroup(BadValue):
    """The group can not be made so."""


class OnlyOverrides(BadValue):
    """What is said there has an end and a reason; send an override."""


class OnlyControls(BadValue):
    """The program is for what operators send, and adds nothing to the default; set that of the connection or device."""


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A set of devices to be; the lower its primacy, the more its controls count."""

    name: str
    level: str = "NT"
    primacy: int = 80
    description: str = ""


async def create_group(
    db: Connection,
    new: NewGroup,
    now: int,
    *,
    connection: int | None = None,
    device: int | None = None,
    role: Role = Role.GROUP,
) -> int:
    """Create a group with its DERProgram and an empty DefaultDERControl; of one place, if it has that role."""
    if new.level not in LEVELS:
        raise BadGroup(f"level: {new.level!r} is none of {' '.join(LEVELS)}")
    _check_primacy(new.primacy)
    if wrong := texts.misfit(new.description, 32):
        raise BadGroup(f"description: {wrong}")
    await naming.check(db, "group", new.name)
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
        role=role,
        created=now,
    )
    await defaults.add(db, group_id, await identifiers.fresh(db), now)
    await clear_alarm(db, NO_SUCH_GROUP, new.name, now)
    return group_id


async def create_programs(
    db: Connection,
    name: str,
    now: int,
    *,
    connection: int | None = None,
    device: int | None = None,
    level: str = SERVICE_POINT,
    primacies: Primacies = PRIMACIES,
) -> None:
    """Give a place the operators' programs that it does not have; `name`: of its own program."""
    there = {row.role for row in await groups.at_place(db, connection_id=connection, device_id=device)}
    for role in OPERATORS:
        if role not in there:
            new = NewGroup(name=NAMES[role].format(name), level=level, primacy=primacies.of(role))
            await create_group(db, new, now, connection=connection, device=device, role=role)


async def assign(db: Connection, group_id: int, device_id: int, now: int) -> None:
    """Put a device into a group; the group's program holds for it at once."""
    group = await groups.one(db, group_id)
    if group is None:
        raise UnknownGroup(str(group_id))
    if group.role in COMMANDS:
        raise BadGroup(f"group: {group.name} has the members of its connection's or device's own group")
    device = await devices.one(db, device_id)
    if device is None:
        raise BadGroup(f"device: there is no EndDevice {device_id}")
    owner = await clients.one(db, device.client_id)
    if owner is not None and _stands_for(owner, device):
        raise BadGroup(f"device: {device.lfdi} stands for the aggregator {owner.name}, and obeys no control")
    if await groups.is_member(db, group_id, device_id):
        raise AlreadyMember(f"device {device_id}, group {group_id}")
    before = await inherited.held_by(db, device_id)
    for one in await _with_operators(db, group):
        if not await groups.is_member(db, one.id, device_id):
            await groups.join(db, one.id, device_id, now)
    await outbox.changed(db, "FunctionSetAssignmentsList", edev=device_id, derp=group_id)
    newcomers = (await inherited.house(db)).newcomers
    if newcomers is not None and newcomers != group_id:
        await _leave(db, [await groups.one(db, newcomers)], device_id, now)
    else:
        await resume_device(db, device_id, now)
    await inherited.follow_device(db, before)
    await unlimited.look_at_device(db, device_id, now)


async def unassign(db: Connection, group_id: int, device_id: int, now: int) -> None:
    """Take a device out of a group; one that is in no group then is a newcomer again."""
    group = await groups.one(db, group_id)
    if group is None or not await groups.is_member(db, group_id, device_id):
        raise NotMember(f"device {device_id}, group {group_id}")
    if group.role in COMMANDS:
        raise BadGroup(f"group: {group.name} has the members of its connection's or device's own group")
    before = await inherited.held_by(db, device_id)
    await _leave(db, await _with_operators(db, group), device_id, now)
    await inherited.follow_device(db, before)
    await welcome(db, device_id, now)


async def regroup(db: Connection, device_id: int, now: int, *, joins: Sequence[int], leaves: Sequence[int]) -> None:
    """Take a device out of some groups and put it into others, at once; its subscribers are told once."""
    before = await inherited.held_by(db, device_id)
    for group_id in joins:
        await groups.join(db, group_id, device_id, now)
        await outbox.changed(db, "FunctionSetAssignmentsList", edev=device_id, derp=group_id)
    await _leave(db, [await groups.one(db, group_id) for group_id in leaves], device_id, now)
    await inherited.follow_device(db, before)
    await unlimited.look_at_device(db, device_id, now)


async def leave_all(db: Connection, device_id: int, now: int) -> None:
    """Take a device out of all its groups: it is to obey nothing any more."""
    before = await inherited.held_by(db, device_id)
    await _leave(db, await groups.of_device(db, device_id), device_id, now)
    await inherited.follow_device(db, before)
    await drop_own_group(db, device_id, now)


async def _leave(db: Connection, several: Sequence[Any], device_id: int, now: int) -> None:
    """Take a device out of these groups; what they held back of it holds again."""
    gone = []
    for one in several:
        if not await groups.leave(db, one.id, device_id):
            continue
        gone += [(row, one.primacy) for row in await controls.standing(db, one.id, now)]
        # The device may no longer read them.
        for kind in ("FunctionSetAssignmentsList", "DERProgram", "DERControlList", "DefaultDERControl"):
            await outbox.changed(db, kind, edev=device_id, derp=one.id)
    await resume_device(db, device_id, now, gone=gone)


async def _with_operators(db: Connection, group: Any) -> list[Any]:
    """A group, and if it is a place's own the operators' programs there: their members are always the same."""
    if group.role not in OWN or (group.connection_id, group.end_device_id) == (None, None):
        return [group]
    there = await groups.at_place(db, connection_id=group.connection_id, device_id=group.end_device_id)
    return [group, *(row for row in there if row.role in OPERATORS)]


async def welcome(db: Connection, device_id: int, now: int) -> None:
    """Put a device that is in no group into that of the newcomers, and see whether anything bounds it."""
    newcomers = (await inherited.house(db)).newcomers
    device = await devices.one(db, device_id)
    owner = None if device is None else await clients.one(db, device.client_id)
    if owner is None or _stands_for(owner, device):
        return
    if newcomers is not None and not await groups.is_in_any(db, device_id, beside=COMMANDS):
        await assign(db, newcomers, device_id, now)
    else:
        await unlimited.look_at_device(db, device_id, now)


def _stands_for(owner: Any, device: Any) -> bool:
    """Whether a device is an aggregator's own entry, which obeys nothing."""
    return bool(owner.kind == "aggregator" and owner.lfdi == device.lfdi)


async def give_own_group(db: Connection, device_id: int, now: int) -> int:
    """The group of one device alone: what its part of its connection is published to; made where there is none.

    The limits of the connection itself are not its to keep, so it is no member of the connection's group. Operators'
    programs stand beside its own group as they do beside the connection's.
    """
    device = await devices.one(db, device_id)
    if device is None:
        raise BadGroup(f"device: there is no EndDevice {device_id}")
    known = await devices.own_group(db, device_id)
    place = None if device.connection_id is None else await groups.of_connection(db, device.connection_id)
    if known is None:
        primacies = await _primacies_at(db, device.connection_id)
        own = NewGroup(name=f"device {device.lfdi}", level=SERVICE_POINT, primacy=primacies.own)
        group_id = await create_group(db, own, now, device=device_id, role=Role.DEVICE)
        await create_programs(db, own.name, now, device=device_id, primacies=primacies)
    else:
        group_id = known.id
    if not await groups.is_member(db, group_id, device_id):
        await assign(db, group_id, device_id, now)
    if place is not None and await groups.is_member(db, place.id, device_id):
        await unassign(db, place.id, device_id, now)
    return group_id


async def _primacies_at(db: Connection, connection_id: int | None) -> Primacies:
    """The primacies that the programs of a connection have."""
    if connection_id is None:
        return PRIMACIES
    there = {row.role: row.primacy for row in await groups.at_place(db, connection_id=connection_id)}
    several = (*OPERATORS, Role.CONNECTION)
    return Primacies(*(there.get(role, PRIMACIES.of(role)) for role in several))


async def programs_of_device(
    db: Connection, device_id: int, now: int, *, primacies: Primacies = PRIMACIES
) -> Sequence[Any]:
    """The operators' programs of one device; made, with the device in them, where it is at no connection."""
    there = await groups.at_place(db, device_id=device_id)
    if not there:
        device = await devices.one(db, device_id)
        if device is None:
            raise BadGroup(f"device: there is no EndDevice {device_id}")
        where = {"device": device_id, "level": NO_LEVEL}
        await create_programs(db, f"device {device.lfdi}", now, primacies=primacies, **where)  # type: ignore[arg-type]
        there = await groups.at_place(db, device_id=device_id)
        for one in there:
            await groups.join(db, one.id, device_id, now)
            await outbox.changed(db, "FunctionSetAssignmentsList", edev=device_id, derp=one.id)
    return [row for row in there if row.role in OPERATORS]


def refuse_beside_overrides(group: Any) -> None:
    """Nothing, unless the group is one that only overrides are sent to."""
    if group.role in ONLY_OVERRIDES:
        raise OnlyOverrides(f"group: {group.name}")


def refuse_own(group: Any) -> None:
    """Nothing, unless the group is one that the server made and names itself."""
    if group.role != Role.GROUP:
        raise BadGroup(f"group: {group.name} is named after its connection or device; rename that")


def refuse_default(group: Any) -> None:
    """Nothing, unless the group is one that only controls are sent to: a default has no end."""
    if group.role in COMMANDS:
        raise OnlyControls(f"group: {group.name}")


def refuse_net_limits(group: Any, limits: Sequence[Limits]) -> None:
    """Nothing, unless a device beside its connection's holder is to be told limits that it does not see kept."""
    beside = group.end_device_id is not None and group.level == SERVICE_POINT
    if beside and any(one.import_w is not None or one.export_w is not None for one in limits):
        raise NetLimitHeld(group.name)


async def drop_own_group(db: Connection, device_id: int, now: int) -> None:
    """The device has no program of its own any more; what was said there can still be looked up."""
    there = await groups.at_place(db, device_id=device_id)
    if there:
        before = await inherited.held_by(db, device_id)
        await _leave(db, there, device_id, now)
        await inherited.follow_device(db, before)
    for row in there:
        name = f"{row.name}, until {told(now)} ({row.id})"
        await groups.update_one(db, row.id, end_device_id=None, name=name, removed=now)


async def set_primacy(db: Connection, group_id: int, primacy: int, now: int) -> None:
    """Change how much a group's controls count against others'."""
    del now
    _check_primacy(primacy)
    known = await groups.one(db, group_id)
    if known is None:
        raise UnknownGroup(str(group_id))
    await groups.update_one(db, group_id, primacy=primacy)
    await outbox.changed(db, "DERProgram", derp=group_id)
    await inherited.follow_members(db, group_id, lambda held: inherited.with_primacy(held, group_id, known.primacy))


async def change_group(db: Connection, group_id: int, said: Mapping[str, Any], now: int) -> None:
    """Change primacy, level or description of a group's program."""
    if "level" in said and said["level"] not in LEVELS:
        raise BadGroup(f"level: {said['level']!r} is none of {' '.join(LEVELS)}")
    if wrong := texts.misfit(said.get("description", ""), 32):
        raise BadGroup(f"description: {wrong}")
    beside = {name: value for name, value in said.items() if name != "primacy"}
    if beside:
        await groups.update_one(db, group_id, **beside)
        await outbox.changed(db, "DERProgram", derp=group_id)
    if "primacy" in said:
        await set_primacy(db, group_id, said["primacy"], now)


async def keep_order(db: Connection, name: str, primacy: int, least: int, *, refuses: bool, now: int) -> None:
    """Refuse a primacy at which a group would outrank overrides or schedules, or raise an alarm; clear it otherwise.

    least: the primacy of connections' own programs; that of a group is larger.
    """
    if primacy > least:
        await clear_alarm(db, GROUP_ORDER, name, now)
        return
    said = f"primacy: {primacy} is not above {least}, that of connections' own programs"
    if refuses:
        raise GroupOrder(said)
    await raise_alarm(db, GROUP_ORDER, name, f"{said}: its controls outrank overrides, schedules or envelopes", now=now)


def _check_primacy(primacy: int) -> None:
    if not 0 <= primacy <= 255:
        raise BadGroup(f"primacy: {primacy} is outside 0..255")
