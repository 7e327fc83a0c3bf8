"""What begins with a text, of everything that has a name or a number: by prefix indexes, a few of each kind."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, select

from sep2.rules.authority import Role
from sep2.rules.names import key_of
from sep2.store.connection import Connection
from sep2.store.diagram_tables import diagram
from sep2.store.override_tables import override
from sep2.store.prefix import begins
from sep2.store.tables import client, connection, control, device_group, end_device, place

HEX = "0123456789ABCDEF"
LEAST_DIGITS = 4


class Hit(NamedTuple):
    """Something that begins so: its kind, its id in the API, and a few words about it."""

    kind: str
    id: str
    detail: str


async def named(db: Connection, start: str, most: int) -> list[Hit]:
    """What has a name that begins so, connections first."""
    key = key_of(start)
    if not key:
        return []
    queries: Sequence[tuple[str, Select[Any]]] = (
        ("connection", select(connection.c.connection_id.label("id"), connection.c.description.label("detail"))
         .where(begins(connection.c.name_key, key)).order_by(connection.c.name_key)),
        ("place", select(place.c.name.label("id"), place.c.kind.label("detail"))
         .where(begins(place.c.name_key, key)).order_by(place.c.name_key)),
        ("client", select(client.c.name.label("id"), client.c.kind.label("detail"))
         .where(begins(client.c.name_key, key), client.c.removed.is_(None)).order_by(client.c.name_key)),
        ("device", _devices().where(begins(end_device.c.name_key, key)).order_by(end_device.c.name_key)),
        ("group", select(device_group.c.name.label("id"), device_group.c.description.label("detail"))
         .where(begins(device_group.c.name_key, key), device_group.c.removed.is_(None))
         .where(device_group.c.role == Role.GROUP)
         .order_by(device_group.c.name_key)),
        ("feeder", select(diagram.c.feeder.label("id"), diagram.c.run.label("detail"))
         .where(begins(diagram.c.feeder, start)).order_by(diagram.c.feeder)),
    )  # fmt: skip
    return await _hits(db, queries, most)


async def numbered(db: Connection, start: str, most: int) -> list[Hit]:
    """What has an LFDI, an mRID or a number that begins so."""
    digits, found = start.upper(), list[Hit]()
    if len(digits) >= LEAST_DIGITS and all(one in HEX for one in digits):
        found += await _hits(
            db,
            (
                ("client", select(client.c.name.label("id"), client.c.lfdi.label("detail"))
                 .where(begins(client.c.lfdi, digits), client.c.removed.is_(None)).order_by(client.c.lfdi)),
                ("device", _devices().where(begins(end_device.c.lfdi, digits)).order_by(end_device.c.lfdi)),
                ("control", select(control.c.mrid.label("id"), device_group.c.name.label("detail"))
                 .join_from(control, device_group).where(begins(control.c.mrid, digits)).order_by(control.c.mrid)),
            ),
            most,
        )  # fmt: skip
    if start.isascii() and start.isdigit() and len(start) < 10:
        query = select(override.c.id, override.c.subject.label("detail")).where(override.c.id == int(start))
        found += await _hits(db, (("override", query),), most)
    return found


def _devices() -> Select[Any]:
    return select(end_device.c.lfdi.label("id"), client.c.name.label("detail")).join_from(
        end_device, client, client.c.id == end_device.c.client_id
    )


async def _hits(db: Connection, queries: Sequence[tuple[str, Select[Any]]], most: int) -> list[Hit]:
    found: list[Hit] = []
    for kind, query in queries:
        if len(found) < most:
            rows = await db.all(query.limit(most - len(found)))
            found += [Hit(kind, str(row.id), row.detail or "") for row in rows]
    return found
