"""What operators look up of how limits were kept: sums of days, and the intervals in which they were not."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, Row, Select, Text, and_, case, cast, func, select

from sep2.rules.cursor import Keyset
from sep2.store.chosen import chosen
from sep2.store.connection import Connection
from sep2.store.judged import SUMS
from sep2.store.judged_tables import exemption, judged, judged_day, judged_sum
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.tables import client, connection, control, device_group, end_device, member, place, response
from sep2.store.territory import below

t = judged_day
PLACES = ("transformer", "feeder", "substation")


class Whose(NamedTuple):
    """Whose: all that are given must fit; names are those that were judged under."""

    connection: str | None = None
    device_id: int | None = None
    client: str | None = None
    group_id: int | None = None
    direction: str | None = None
    place_id: int | None = None
    """of the place and of all places below it, by where devices are now"""
    make: str | None = None
    """as it is now"""


def _conditions(whose: Whose) -> list[ColumnElement[bool]]:
    pairs = (
        (t.c.connection_name, whose.connection),
        (t.c.end_device_id, whose.device_id),
        (t.c.client_name, whose.client),
        (t.c.direction, whose.direction),
    )
    found = chosen(pairs, t.c.end_device_id, group_id=whose.group_id, place_id=whose.place_id)
    if whose.make is not None:
        found.append(t.c.end_device_id.in_(select(end_device.c.id).where(end_device.c.make == whose.make)))
    return found


def _above() -> Any:
    """Each place with itself and every place that it lies below: id of the one, name and kind of the other."""
    tree: Any = select(place.c.id, place.c.name, place.c.kind, place.c.parent_id).cte("above", recursive=True)
    return tree.union_all(
        select(tree.c.id, place.c.name, place.c.kind, place.c.parent_id).join(place, place.c.id == tree.c.parent_id)
    )


_ABOVE = _above()
KEYS: dict[str, ColumnElement[Any]] = {
    "connection": t.c.connection_name,
    "device": t.c.lfdi,
    "client": t.c.client_name,
    "direction": t.c.direction,
    "day": t.c.day,
    "group": device_group.c.name,
    "place": place.c.name,
    "make": func.coalesce(end_device.c.make, "not known"),
    **dict.fromkeys(PLACES, _ABOVE.c.name),
}
"""What sums may be made by."""


def _with_groups(query: Select[Any], by: str) -> Select[Any]:
    if by == "place":
        query = query.join(connection, connection.c.connection_id == t.c.connection_name)
        return query.join(place, place.c.id == connection.c.place_id)
    if by in PLACES:
        query = query.join(connection, connection.c.connection_id == t.c.connection_name)
        return query.join(_ABOVE, and_(_ABOVE.c.id == connection.c.place_id, _ABOVE.c.kind == by))
    if by == "make":
        return query.join(end_device, end_device.c.id == t.c.end_device_id)
    if by != "group":
        return query
    query = query.join(member, member.c.end_device_id == t.c.end_device_id)
    return query.join(device_group, device_group.c.id == member.c.device_group_id).where(device_group.c.role == "group")


def _days_of(whose: Whose, by: str, between: tuple[int, int]) -> Select[Any]:
    total = [func.sum(t.c[name]).label(name) for name in SUMS]
    query: Select[Any] = _with_groups(select(KEYS[by].label("name"), *total).select_from(t), by)
    return query.where(*_conditions(whose), t.c.day >= between[0], t.c.day <= between[1]).group_by(KEYS[by])


async def sums(db: Connection, whose: Whose, by: str, between: tuple[int, int]) -> Sequence[Row[Any]]:
    """The sums of whole days that began between two times, both included: name and the columns of `judged.SUMS`."""
    return await db.all(_days_of(whose, by, between))


def _kind_of(whose: Whose, by: str) -> str | None:
    """The kind of the sums that answer this; None: only the rows of each device do."""
    given = {name for name in whose._fields if getattr(whose, name) is not None} - {"direction"}
    plain = by in ("day", "direction")
    if given <= {"place_id"} and (by in PLACES or (plain and given)):
        return "place"
    if given <= {"client"} and (by == "client" or (plain and given)):
        return "client"
    if given <= {"make"} and (by == "make" or (plain and given)):
        return "make"
    return "total" if plain and not given else None


class Ranked(NamedTuple):
    """A part of the sums by name, the least obedient first, and how many names there are."""

    total: int
    rows: Sequence[Row[Any]]


async def ranked(db: Connection, whose: Whose, by: str, *, between: tuple[int, int], part: tuple[int, int]) -> Ranked:
    """The sums of whole days by name, put in order by the database; part: from which row on, and how many."""
    kept = _summed(whose, by, between)
    s = (_days_of(whose, by, between) if kept is None else kept).subquery()
    known = s.c.ok_s + s.c.late_s + s.c.breach_s + s.c.opted_out_s
    share = case((known > 0, cast(s.c.ok_s, Float) / known), else_=2.0)
    ordered = select(s, func.count().over().label("names")).where(known + s.c.unknown_s > 0)
    rows = await db.all(ordered.order_by(share, s.c.breach_wh.desc(), s.c.name).offset(part[0]).limit(part[1]))
    return Ranked(rows[0].names if rows else part[0], rows)


async def summed(db: Connection, whose: Whose, by: str, between: tuple[int, int]) -> Sequence[Row[Any]] | None:
    """The same from the sums that are kept, by place the number of each; None where only rows of devices tell it."""
    query = _summed(whose, by, between)
    return None if query is None else await db.all(query)


def _summed(whose: Whose, by: str, between: tuple[int, int]) -> Select[Any] | None:
    kind, s = _kind_of(whose, by), judged_sum
    if kind is None:
        return None
    name = s.c[by] if by in ("day", "direction") else func.coalesce(func.nullif(s.c.name, ""), "not known")
    query: Select[Any] = select(*(func.sum(s.c[one]).label(one) for one in SUMS)).select_from(s)
    query = query.add_columns(name.label("name")).where(s.c.kind == kind, s.c.day >= between[0], s.c.day <= between[1])
    if whose.direction is not None:
        query = query.where(s.c.direction == whose.direction)
    if whose.place_id is not None:
        query = query.where(s.c.name.in_(select(cast(below(whose.place_id).c.id, Text))))
    for value in (whose.client, whose.make):
        if value is not None:
            query = query.where(s.c.name == value)
    return query.group_by(name)


async def names_above(db: Connection, kind: str) -> dict[str, list[str]]:
    """Of each place, by its number as text, the names of the places of a kind that it is or lies below."""
    found: dict[str, list[str]] = {}
    for row in await db.all(select(_ABOVE.c.id, _ABOVE.c.name).where(_ABOVE.c.kind == kind)):
        found.setdefault(str(row.id), []).append(row.name)
    return found


async def days(db: Connection, whose: Whose, by: str, between: tuple[int, int]) -> Sequence[Row[Any]]:
    """The rows of days that began between two times, both included, each with its name."""
    query: Select[Any] = select(KEYS[by].label("name"), t).select_from(t)
    query = _with_groups(query, by).where(*_conditions(whose), t.c.day >= between[0], t.c.day <= between[1])
    return await db.all(query.order_by(t.c.end_device_id, t.c.direction, t.c.day))


async def intervals(
    db: Connection, whose: Whose, span: tuple[int, int], page: Keyset, *, state: str | None = None
) -> Following:
    """Intervals in which a limit was not kept, latest first: names as of now, of the client that acted then."""
    j = judged
    query: Select[Any] = (
        select(j, end_device.c.lfdi, client.c.name.label("client_name"), connection.c.connection_id.label("place"))
        .select_from(j)
        .outerjoin(end_device, end_device.c.id == j.c.end_device_id)
        .outerjoin(client, client.c.id == j.c.client_id)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
        .where(j.c.start >= span[0], j.c.start < span[1])
    )
    pairs = (
        (connection.c.connection_id, whose.connection),
        (j.c.end_device_id, whose.device_id),
        (client.c.name, whose.client),
        (j.c.direction, whose.direction),
        (j.c.state, state),
    )
    query = query.where(*chosen(pairs, j.c.end_device_id, group_id=whose.group_id, place_id=whose.place_id))
    return await select_following(db, query.order_by(j.c.start.desc(), j.c.end_device_id, j.c.direction), page)


_HOLDERS: dict[str, ColumnElement[Any]] = {
    "connection": connection.c.connection_id,
    "client": client.c.name,
    "place": place.c.name,
}


async def beyond_by_time(
    db: Connection, whose: Whose, span: tuple[int, int], *, by: str, step_s: int, most: int
) -> Sequence[Row[Any]]:
    """Energy beyond limits by name and time, of the names with most of it: name, when the step begins, wh, intervals.

    by: connection, client (who acted then), or the place of the connection as it is now.
    """
    j, name, wh = judged, _HOLDERS[by].label("name"), func.sum(judged.c.breach_wh)
    pairs = (
        (connection.c.connection_id, whose.connection),
        (j.c.end_device_id, whose.device_id),
        (client.c.name, whose.client),
        (j.c.direction, whose.direction),
    )
    within = [j.c.start >= span[0], j.c.start < span[1], name.is_not(None), j.c.breach_wh > 0.0]
    within += chosen(pairs, j.c.end_device_id, group_id=whose.group_id, place_id=whose.place_id)
    if whose.make is not None:
        within.append(end_device.c.make == whose.make)

    def joined(query: Select[Any]) -> Select[Any]:
        query = query.select_from(j).outerjoin(end_device, end_device.c.id == j.c.end_device_id)
        query = query.outerjoin(client, client.c.id == j.c.client_id)
        query = query.outerjoin(connection, connection.c.id == end_device.c.connection_id)
        return query.outerjoin(place, place.c.id == connection.c.place_id).where(*within)

    top = await db.all(joined(select(name, wh.label("wh"))).group_by(name).order_by(wh.desc(), name).limit(most))
    names = [row.name for row in top]
    if not names:
        return []
    step = (j.c.start - j.c.start % step_s).label("step")
    query = joined(select(name, step, wh.label("wh"), func.count().label("intervals"))).where(among(name, names))
    return await db.all(query.group_by(name, step))


async def exemptions(db: Connection, page: Keyset, *, since: int) -> Following:
    """Exemptions that end after a time, with the connection's name."""
    query: Select[Any] = select(exemption, connection.c.connection_id.label("place")).join_from(exemption, connection)
    return await select_following(db, query.where(exemption.c.end > since).order_by(exemption.c.id), page)


_RESPONSES = [
    func.min(response.c.created).filter(response.c.status == status).label(name)
    for status, name in ((1, "received"), (2, "started"))
]


async def reached(
    db: Connection, whose: Whose, span: tuple[int, int], *, control_id: int | None = None, most: int = 5000
) -> Sequence[Row[Any]]:
    """Controls that were issued in a time, for each device: when, and when it said that it received and started it.

    The newest first; columns: control_id, mrid, created, start, device_group_id, end_device_id, lfdi, connection_name,
    received, started.
    """
    query: Select[Any] = (
        select(
            control.c.id.label("control_id"),
            *(
                control.c[name]
                for name in ("mrid", "created", "start", "device_group_id", "ramp_tms", "randomize_start")
            ),
            end_device.c.id.label("end_device_id"),
            end_device.c.lfdi,
            connection.c.connection_id.label("connection_name"),
            *_RESPONSES,
        )
        .select_from(control)
        .join(member, member.c.device_group_id == control.c.device_group_id)
        .join(end_device, end_device.c.id == member.c.end_device_id)
        .join(client, client.c.id == end_device.c.client_id)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
        .outerjoin(response, (response.c.control_id == control.c.id) & (response.c.end_device_id == end_device.c.id))
        .where(control.c.created >= span[0], control.c.created < span[1], member.c.since <= control.c.latest_end)
        .group_by(control.c.id, end_device.c.id, connection.c.connection_id)
    )
    pairs = (
        (control.c.id, control_id),
        (connection.c.connection_id, whose.connection),
        (end_device.c.id, whose.device_id),
        (client.c.name, whose.client),
        (member.c.device_group_id, whose.group_id),
    )
    query = query.where(*chosen(pairs, end_device.c.id, place_id=whose.place_id))
    return await db.all(query.order_by(control.c.id.desc(), end_device.c.id).limit(most))
