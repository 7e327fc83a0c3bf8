"""Feeders as an engine expects them, what connections could reach, and what was measured there last."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, insert, select, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.diagram_tables import diagram, expectation
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.override_tables import override_control
from sep2.store.tables import connection, control, device_group, place
from sep2.store.upsert import upsert

d = diagram
_NAMES: Any = bindparam("names")
WORST = [
    column for column in d.c if column.name not in ("model", "series", "report", "steps", "step_s", "start", "made")
]


async def put(db: Connection, row: Mapping[str, Any], courses: Mapping[str, bytes]) -> None:
    """Have these stand for a feeder and, by name, for its connections; what stood there before is gone."""
    await db.run(upsert(d, ["feeder"], [one for one in row if one != "feeder"]), [dict(row)])
    await db.run(delete(expectation).where(expectation.c.feeder == row["feeder"]))
    query = select(connection.c.id, connection.c.connection_id).where(among(connection.c.connection_id, _NAMES))
    known = await db.all(query, names=list(courses))
    gone = delete(expectation).where(among(expectation.c.connection_id, bindparam("ids")))
    await db.run(gone, {"ids": [one.id for one in known]})
    found = [
        {"connection_id": one.id, "feeder": row["feeder"], "run": row["run"], "body": courses[one.connection_id]}
        for one in known
    ]
    if found:
        await db.run(insert(expectation), found)


async def forget(db: Connection, feeder: str) -> None:
    """Forget what was expected of a feeder."""
    await db.run(delete(d).where(d.c.feeder == feeder))
    await db.run(delete(expectation).where(expectation.c.feeder == feeder))


async def one(db: Connection, feeder: str) -> Row[Any] | None:
    """The feeder of that name, whole."""
    query = select(d, place.c.name.label("place_name")).outerjoin(place, place.c.id == d.c.place_id)
    return await db.one(query.where(d.c.feeder == feeder))


async def in_folder(db: Connection, name: str) -> list[str]:
    """The feeders that are known by the path of a folder of that name."""
    rows = await db.all(select(d.c.feeder).where(d.c.feeder.endswith(f"/{name}", autoescape=True)).order_by(d.c.feeder))
    return [row.feeder for row in rows]


async def listed(db: Connection, page: Keyset) -> Following:
    """Feeders by name with their worst figures and their place."""
    columns = [column for column in d.c if column.name not in ("model", "series")]
    query: Select[Any] = select(*columns, place.c.name.label("place_name"))
    return await select_following(db, query.outerjoin(place, place.c.id == d.c.place_id).order_by(d.c.feeder), page)


async def expected(db: Connection, connection_id: int) -> Row[Any] | None:
    """What is expected of a connection: run and body."""
    return await db.one(select(expectation).where(expectation.c.connection_id == connection_id))


def _trees() -> Any:
    roots = select(place.c.id.label("root"), place.c.id).where(among(place.c.id, _NAMES))
    tree: Any = roots.cte("trees", recursive=True)
    return tree.union_all(select(tree.c.root, place.c.id).join(tree, place.c.parent_id == tree.c.id))


async def below(db: Connection, place_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The worst figures of each feeder at these places and at all places below them, with `root`, the place asked."""
    tree = _trees()
    query = select(tree.c.root, *WORST).join_from(tree, d, d.c.place_id == tree.c.id)
    return await db.all(query.order_by(tree.c.root, d.c.feeder), names=list(place_ids))


async def runs(db: Connection) -> Sequence[Row[Any]]:
    """Every feeder with its latest run: feeder and run."""
    return await db.all(select(d.c.feeder, d.c.run).order_by(d.c.feeder))


async def of_override(db: Connection, override_id: int) -> Sequence[Row[Any]]:
    """The worst figures of the feeders of the connections that an override was issued at."""
    theirs = (
        select(expectation.c.feeder)
        .join_from(override_control, control, control.c.id == override_control.c.control_id)
        .join(device_group, device_group.c.id == control.c.device_group_id)
        .join(expectation, expectation.c.connection_id == device_group.c.connection_id)
        .where(override_control.c.override_id == override_id)
    )
    return await db.all(select(*WORST).where(d.c.feeder.in_(theirs)).order_by(d.c.feeder))


async def at_places(db: Connection, place_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The feeders whose place is one of these: place_id and feeder."""
    query = select(d.c.place_id, d.c.feeder).where(among(d.c.place_id, _NAMES))
    return await db.all(query.order_by(d.c.feeder), names=list(place_ids))


async def places_of(db: Connection, connection_names: Sequence[str]) -> list[int]:
    """Each place that one of these connections is at."""
    query = select(connection.c.place_id).distinct()
    query = query.where(among(connection.c.connection_id, _NAMES), connection.c.place_id.is_not(None))
    return [row.place_id for row in await db.all(query, names=list(connection_names))]


async def spread(db: Connection, connection_ids: Sequence[int] | None) -> dict[str, list[int]]:
    """The places that the connections of feeders are at; of the feeders of these connections, or of all."""
    query = select(expectation.c.feeder, connection.c.place_id).join_from(expectation, connection).distinct()
    if connection_ids is not None:
        theirs = select(expectation.c.feeder).where(among(expectation.c.connection_id, connection_ids))
        query = query.where(expectation.c.feeder.in_(theirs))
    found: dict[str, list[int]] = {}
    for row in await db.all(query):
        here = found.setdefault(row.feeder, [])
        if row.place_id is not None:
            here.append(row.place_id)
    return found


async def set_place(db: Connection, feeder: str, place_id: int | None) -> None:
    """Have a feeder be at a place."""
    await db.run(update(d).where(d.c.feeder == feeder).values(place_id=place_id))
