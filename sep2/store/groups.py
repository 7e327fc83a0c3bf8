"""The operator's groups, each with one DERProgram."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    ScalarSelect,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from sep2.rules.authority import Role
from sep2.rules.names import key_of
from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.controls import IN_PART, IS_ACTIVE, Seen
from sep2.store.many import among
from sep2.store.naming import keyed
from sep2.store.page import Found, select_page
from sep2.store.tables import client, control, curve, device_group, end_device, member


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new group."""
    return await db.add(insert(device_group).values(keyed(columns)))


_ONE = select(device_group).where(device_group.c.id == bindparam("group_id"))
_LOCKED = _ONE.with_for_update(key_share=True)


async def one(db: Connection, group_id: int) -> Row[Any] | None:
    """A group by its id."""
    return await db.one(_ONE, group_id=group_id)


async def locked(db: Connection, group_id: int) -> Row[Any] | None:
    """A group by its id; others who ask for it so wait until this transaction ends.

    What is decided on a group's controls is then decided on all of them, also where several servers write.
    """
    return await db.one(_LOCKED, group_id=group_id)


_EACH_LOCKED = (
    select(device_group)
    .where(among(device_group.c.id, bindparam("these")))
    .order_by(device_group.c.id)
    .with_for_update(key_share=True)
)


async def locked_each(db: Connection, group_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The same of several groups, in the order of their ids."""
    return await db.all(_EACH_LOCKED, these=list(group_ids))


async def by_name(db: Connection, name: str) -> Row[Any] | None:
    """A group by its name."""
    return await db.one(select(device_group).where(device_group.c.name_key == key_of(name)))


_AT_CONNECTION = device_group.c.connection_id == bindparam("place")
_AT_DEVICE = device_group.c.end_device_id == bindparam("place")
_OF_CONNECTION = select(device_group).where(_AT_CONNECTION, device_group.c.role == bindparam("role"))
_OF_DEVICE = select(device_group).where(_AT_DEVICE, device_group.c.role == bindparam("role"))
_ALL_AT_CONNECTION = select(device_group).where(_AT_CONNECTION).order_by(device_group.c.primacy)
_ALL_AT_DEVICE = select(device_group).where(_AT_DEVICE).order_by(device_group.c.primacy)


async def of_connection(db: Connection, connection_id: int, role: Role = Role.CONNECTION) -> Row[Any] | None:
    """The group that is a connection's own, or another one of its programs."""
    return await db.one(_OF_CONNECTION, place=connection_id, role=role)


async def of_one_device(db: Connection, device_id: int, role: Role = Role.DEVICE) -> Row[Any] | None:
    """The group that is one device's own, or another one of the programs of that device alone."""
    return await db.one(_OF_DEVICE, place=device_id, role=role)


async def at_place(
    db: Connection, *, connection_id: int | None = None, device_id: int | None = None
) -> Sequence[Row[Any]]:
    """All programs of one connection, or of one device alone, the most important first."""
    query = _ALL_AT_DEVICE if connection_id is None else _ALL_AT_CONNECTION
    return await db.all(query, place=device_id if connection_id is None else connection_id)


_ALL_AT = (
    select(device_group)
    .where(among(device_group.c.connection_id, bindparam("places")))
    .order_by(device_group.c.connection_id, device_group.c.primacy)
)


async def at_connections(db: Connection, connection_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """All programs of each of some connections, the most important first."""
    found: dict[int, list[Row[Any]]] = {}
    for row in await db.all(_ALL_AT, places=list(connection_ids)) if connection_ids else ():
        found.setdefault(row.connection_id, []).append(row)
    return found


_GROUPS_OF_DEVICE = (
    select(device_group)
    .join(member, member.c.device_group_id == device_group.c.id)
    .where(member.c.end_device_id == bindparam("device_id"))
    .order_by(device_group.c.primacy, device_group.c.program_mrid.desc())
)


async def of_device(db: Connection, device_id: int) -> Sequence[Row[Any]]:
    """The groups that a device is in, the most important first."""
    return await db.all(_GROUPS_OF_DEVICE, device_id=device_id)


async def update_one(db: Connection, group_id: int, **columns: Any) -> None:
    """Change columns of one group; its version goes up."""
    await db.run(
        update(device_group)
        .where(device_group.c.id == group_id)
        .values(version=device_group.c.version + 1, **keyed(columns))
    )


async def join(db: Connection, group_id: int, device_id: int, now: int) -> None:
    """Make a device a member."""
    await db.run(insert(member).values(device_group_id=group_id, end_device_id=device_id, since=now))


async def leave(db: Connection, group_id: int, device_id: int) -> int:
    """How many memberships ended: one or none."""
    ended = member.c.device_group_id == group_id, member.c.end_device_id == device_id
    return (await db.run(delete(member).where(*ended))).rowcount


_UNGROUPED = (
    select(bindparam("group_id", type_=BigInteger), end_device.c.id, bindparam("now", type_=BigInteger))
    .join_from(end_device, client, client.c.id == end_device.c.client_id)
    .where(
        ~exists().where(
            member.c.end_device_id == end_device.c.id,
            device_group.c.id == member.c.device_group_id,
            device_group.c.role != Role.BACKSTOP,
        )
    )
    .where((client.c.kind != "aggregator") | (client.c.lfdi != end_device.c.lfdi), client.c.removed.is_(None))
)
_JOIN_UNGROUPED = insert(member).from_select(["device_group_id", "end_device_id", "since"], _UNGROUPED)


async def join_ungrouped(db: Connection, group_id: int, now: int) -> int:
    """Make every device that obeys and is in no group a member; how many were."""
    return (await db.run(_JOIN_UNGROUPED, {"group_id": group_id, "now": now})).rowcount


_MEMBER_IDS = select(member.c.end_device_id).where(member.c.device_group_id == bindparam("group_id"))


async def member_ids(db: Connection, group_id: int) -> Sequence[int]:
    """The ids of a group's devices."""
    return [row.end_device_id for row in await db.all(_MEMBER_IDS, group_id=group_id)]


async def is_member(db: Connection, group_id: int, device_id: int) -> bool:
    """Whether the device belongs to the group."""
    query = select(member.c.since).where(member.c.device_group_id == group_id, member.c.end_device_id == device_id)
    return await db.one(query) is not None


def _count(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).where(control.c.device_group_id == device_group.c.id, *conditions).scalar_subquery()


_CURVES = select(func.count()).where(curve.c.device_group_id == device_group.c.id, curve.c.removed.is_(None))


def _programs(active: ColumnElement[bool], shown: ColumnElement[bool]) -> Select[Any]:
    columns = (
        device_group.c.id,
        device_group.c.program_mrid,
        device_group.c.fsa_mrid,
        device_group.c.description,
        device_group.c.version,
        device_group.c.primacy,
        _count(control.c.latest_end > bindparam("listed_since"), shown).label("live"),
        _count(active, shown).label("active"),
        _CURVES.scalar_subquery().label("curves"),
    )
    joined = select(*columns).join(member, member.c.device_group_id == device_group.c.id)
    ordered = joined.order_by(device_group.c.primacy, device_group.c.program_mrid.desc())
    return ordered.where(member.c.end_device_id == bindparam("device_id"))


_PROGRAMS = {
    (at_once, part): _programs(active, shown)
    for at_once, active in IS_ACTIVE.items()
    for part, shown in IN_PART.items()
}
_PROGRAM = {which: query.where(device_group.c.id == bindparam("group_id")) for which, query in _PROGRAMS.items()}


async def programs(db: Connection, device_id: int, page: Page, seen: Seen) -> Found[Row[Any]]:
    """The groups of a device as programs, most important first, with counts of what each holds."""
    times: dict[str, Any] = {"now": seen.now, "listed_since": seen.listed_since}
    return await select_page(db, _PROGRAMS[seen.superseded_at_once, seen.part], page, device_id=device_id, **times)


async def program(db: Connection, device_id: int, group_id: int, seen: Seen) -> Row[Any] | None:
    """One group of a device as a program, with its counts."""
    query = _PROGRAM[seen.superseded_at_once, seen.part]
    times = {"now": seen.now, "listed_since": seen.listed_since}
    return await db.one(query, device_id=device_id, group_id=group_id, **times)


_ASSIGNMENTS = (
    select(device_group.c.id, device_group.c.fsa_mrid, device_group.c.description, device_group.c.version)
    .join(member, member.c.device_group_id == device_group.c.id)
    .where(member.c.end_device_id == bindparam("device_id"))
    .order_by(device_group.c.fsa_mrid.desc())
)


async def assignments(db: Connection, device_id: int, page: Page) -> Found[Row[Any]]:
    """The groups of a device as FunctionSetAssignments, by mRID descending."""
    return await select_page(db, _ASSIGNMENTS, page, device_id=device_id)


async def is_in_any(db: Connection, device_id: int, *, beside: Sequence[Role]) -> bool:
    """Whether a device is in any group, not counting groups with these roles."""
    query = select(device_group.c.role).join(member, member.c.device_group_id == device_group.c.id)
    rows = await db.all(query.where(member.c.end_device_id == device_id).distinct())
    return any(row.role not in beside for row in rows)


_HOW_MANY = (
    select(member.c.end_device_id, func.count().label("n"))
    .where(among(member.c.end_device_id, bindparam("devices")))
    .group_by(member.c.end_device_id)
)


async def counts_of(db: Connection, device_ids: Sequence[int]) -> dict[int, int]:
    """Of how many groups each of some devices is a member; those in none are left out."""
    rows = await db.all(_HOW_MANY, devices=list(device_ids)) if device_ids else ()
    return {row.end_device_id: row.n for row in rows}


async def count_of(db: Connection, device_id: int) -> int:
    """How many groups a device is a member of."""
    return (await counts_of(db, [device_id])).get(device_id, 0)
