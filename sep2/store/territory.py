"""Places in the network, what lies below them, and which devices are there."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, func, insert, literal_column, select, update

from sep2.rules.cursor import Keyset
from sep2.rules.names import key_of
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.naming import keyed
from sep2.store.tables import connection, device_group, end_device, member, place

_PLACE: Any = bindparam("place_id")


def below(place_id: Any) -> Any:
    """A place and all places below it, as a table with the column `id`."""
    tree: Any = select(place.c.id).where(place.c.id == place_id).cte("below", recursive=True)
    return tree.union_all(select(place.c.id).join(tree, place.c.parent_id == tree.c.id))


def _above() -> Select[Any]:
    first = select(
        place.c.id, place.c.parent_id, place.c.device_group_id, place.c.name, literal_column("0").label("steps")
    )
    tree: Any = first.where(place.c.id == _PLACE).cte("above", recursive=True)
    more = select(place.c.id, place.c.parent_id, place.c.device_group_id, place.c.name, tree.c.steps + 1)
    tree = tree.union_all(more.join(tree, place.c.id == tree.c.parent_id))
    return select(tree.c.id, tree.c.device_group_id, tree.c.name).order_by(tree.c.steps)


_ABOVE = _above()
_BELOW = select(below(_PLACE).c.id)
_DEVICES = (
    select(end_device.c.id)
    .join_from(end_device, connection, connection.c.id == end_device.c.connection_id)
    .where(connection.c.place_id.in_(_BELOW))
    .order_by(end_device.c.id)
)
_HAS = (
    select(place.c.device_group_id)
    .join_from(place, member, member.c.device_group_id == place.c.device_group_id)
    .where(member.c.end_device_id == bindparam("device_id"))
)
_PLACE_OF = (
    select(connection.c.place_id)
    .join_from(connection, end_device, end_device.c.connection_id == connection.c.id)
    .where(end_device.c.id == bindparam("device_id"))
)


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new place."""
    return await db.add(insert(place).values(keyed(columns)))


async def update_one(db: Connection, place_id: int, **columns: Any) -> None:
    """Change columns of a place."""
    await db.run(update(place).where(place.c.id == place_id).values(keyed(columns)))


async def remove(db: Connection, place_id: int) -> None:
    """Forget a place that nothing is below."""
    await db.run(delete(place).where(place.c.id == place_id))


async def one(db: Connection, place_id: int) -> Row[Any] | None:
    """A place by its id."""
    return await db.one(select(place).where(place.c.id == place_id))


async def by_name(db: Connection, name: str) -> Row[Any] | None:
    """A place by its name."""
    return await db.one(select(place).where(place.c.name_key == key_of(name)))


async def of_group(db: Connection, group_id: int) -> Row[Any] | None:
    """The place that a group belongs to, if it does to one."""
    return await db.one(select(place).where(place.c.device_group_id == group_id))


async def above(db: Connection, place_id: int) -> Sequence[Row[Any]]:
    """A place and all those that it lies below, the narrowest first: id, device_group_id and name."""
    return await db.all(_ABOVE, place_id=place_id)


async def ids_below(db: Connection, place_id: int) -> set[int]:
    """A place and all places below it."""
    return {row.id for row in await db.all(_BELOW, place_id=place_id)}


async def tree(db: Connection, place_id: int) -> Sequence[Row[Any]]:
    """A place, and then every place below it by name: id, kind, name, and the program_mrid of its group."""
    known = select(place.c.id, place.c.kind, place.c.name, device_group.c.program_mrid).join(
        device_group, device_group.c.id == place.c.device_group_id
    )
    query = known.where(place.c.id.in_(select(below(place_id).c.id)))
    return await db.all(query.order_by(place.c.id != place_id, place.c.name))


async def devices_below(db: Connection, place_id: int) -> list[int]:
    """The devices at the connections of a place and of all places below it."""
    return [row.id for row in await db.all(_DEVICES, place_id=place_id)]


async def connections_below(db: Connection, place_id: int) -> int:
    """How many connections are at a place and at all places below it."""
    row = await db.one(select(func.count().label("n")).where(connection.c.place_id.in_(_BELOW)), place_id=place_id)
    return row.n if row else 0


async def groups_of(db: Connection, device_id: int) -> set[int]:
    """The groups of places that a device is in."""
    return {row.device_group_id for row in await db.all(_HAS, device_id=device_id)}


async def place_of(db: Connection, device_id: int) -> int | None:
    """The place of the connection that a device is at."""
    row = await db.one(_PLACE_OF, device_id=device_id)
    return None if row is None else row.place_id


async def counts(db: Connection, place_id: int) -> dict[str, int]:
    """How many places lie directly below it, and how many connections are at it."""
    found = {}
    for noun, column in (("place", place.c.parent_id), ("connection", connection.c.place_id)):
        row = await db.one(select(func.count().label("n")).where(column == place_id))
        found[noun] = row.n if row else 0
    return found


async def hand_over(db: Connection, place_id: int, to: int) -> None:
    """Have all that is directly below one place be below another one."""
    await db.run(update(place).where(place.c.parent_id == place_id).values(parent_id=to))
    await db.run(update(connection).where(connection.c.place_id == place_id).values(place_id=to))


def _shown() -> Select[Any]:
    parent = place.alias("parent")
    query = select(
        place,
        parent.c.name.label("parent_name"),
        device_group.c.name.label("group_name"),
        device_group.c.primacy,
        _members().label("devices"),
        _number(place.alias("child"), "parent_id").label("places"),
        _number(connection, "place_id").label("connections"),
    )
    query = query.join_from(place, parent, parent.c.id == place.c.parent_id, isouter=True)
    return query.join(device_group, device_group.c.id == place.c.device_group_id)


def _members() -> ColumnElement[int]:
    return select(func.count()).where(member.c.device_group_id == place.c.device_group_id).scalar_subquery()


def _number(table: Any, column: str) -> ColumnElement[int]:
    return select(func.count()).select_from(table).where(table.c[column] == place.c.id).scalar_subquery()


async def listed(db: Connection, page: Keyset, *, parent_id: int | None = None, outermost: bool = False) -> Following:
    """Places by name, those directly below one if so asked; each with its parent and what is directly below it.

    outermost: only those that lie below no other.
    """
    query = _shown().order_by(place.c.name_key)
    if parent_id is not None:
        query = query.where(place.c.parent_id == parent_id)
    if outermost:
        query = query.where(place.c.parent_id.is_(None))
    return await select_following(db, query, page)


async def shown(db: Connection, name: str) -> Row[Any] | None:
    """One place in the same form."""
    return await db.one(_shown().where(place.c.name_key == key_of(name)))


async def set_place(db: Connection, connection_ids: Sequence[int], place_id: int | None) -> None:
    """Have connections be at a place."""
    await db.run(update(connection).where(among(connection.c.id, connection_ids)).values(place_id=place_id))


async def devices_at(db: Connection, connection_ids: Sequence[int]) -> list[int]:
    """The devices at some connections."""
    query = select(end_device.c.id).where(among(end_device.c.connection_id, connection_ids))
    return [row.id for row in await db.all(query.order_by(end_device.c.id))]
