"""What operators look up of what devices said of themselves: documents with their history, LogEvents, responses."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, select

from sep2.rules.cursor import Keyset
from sep2.store.chosen import chosen
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.seen_tables import document_history
from sep2.store.tables import (
    client,
    connection,
    control,
    der_document,
    device_group,
    end_device,
    log_event,
    response,
)


class Whose(NamedTuple):
    """Whose: all that are given must fit; times in epoch seconds, `until` not included."""

    connection_id: int | None = None
    device_id: int | None = None
    client_id: int | None = None
    group_id: int | None = None
    place_id: int | None = None
    """of the place and of all places below it"""
    since: int | None = None
    until: int | None = None


_NAMES = (
    end_device.c.lfdi,
    client.c.name.label("client_name"),
    connection.c.connection_id.label("connection_name"),
)


def _joined(query: Select[Any], device: ColumnElement[Any], whose: Whose, at: ColumnElement[Any]) -> Select[Any]:
    """The same with the names of the device, and only what is asked for; at: the column that the times bound."""
    query = query.join(end_device, end_device.c.id == device).join(client, client.c.id == end_device.c.client_id)
    query = query.outerjoin(connection, connection.c.id == end_device.c.connection_id)
    pairs = (
        (end_device.c.connection_id, whose.connection_id),
        (end_device.c.id, whose.device_id),
        (end_device.c.client_id, whose.client_id),
    )
    query = query.where(*chosen(pairs, end_device.c.id, group_id=whose.group_id, place_id=whose.place_id))
    if whose.since is not None:
        query = query.where(at >= whose.since)
    return query if whose.until is None else query.where(at < whose.until)


async def documents(db: Connection, whose: Whose, kinds: Sequence[str], page: Keyset) -> Following:
    """The latest document of each kind: lfdi, client_name, connection_name, kind, body, at."""
    t = der_document
    query: Select[Any] = select(*_NAMES, t.c.kind, t.c.body, t.c.changed.label("at")).select_from(t)
    query = _joined(query, t.c.end_device_id, whose, t.c.changed).where(among(t.c.kind, kinds))
    return await select_following(db, query.order_by(end_device.c.id, t.c.kind), page)


async def editions(db: Connection, whose: Whose, kinds: Sequence[str], page: Keyset) -> Following:
    """Every edition of the documents that differed from the one before, latest first, in the same form."""
    t = document_history
    query: Select[Any] = select(*_NAMES, t.c.kind, t.c.body, t.c.received.label("at")).select_from(t)
    query = _joined(query, t.c.end_device_id, whose, t.c.received).where(among(t.c.kind, kinds))
    return await select_following(db, query.order_by(t.c.received.desc(), t.c.id.desc()), page)


async def log_events(db: Connection, whose: Whose, page: Keyset) -> Following:
    """LogEvents by the time that the device names, latest first."""
    t = log_event
    said = ("id", "created", "received", "log_event_id", "function_set", "log_event_code", "log_event_pen")
    query: Select[Any] = select(
        *_NAMES, *(t.c[name] for name in (*said, "profile_id", "details", "extended_data"))
    ).select_from(t)
    query = _joined(query, t.c.end_device_id, whose, t.c.created)
    return await select_following(db, query.order_by(t.c.created.desc(), t.c.id.desc()), page)


async def responses(
    db: Connection, whose: Whose, page: Keyset, *, control_id: int | None = None, statuses: Sequence[int] | None = None
) -> Following:
    """Responses in the order in which they came in, latest first, each with its control and that one's group."""
    t = response
    query: Select[Any] = (
        select(
            *_NAMES,
            *(t.c[name] for name in ("id", "status", "created", "received")),
            control.c.mrid,
            control.c.source,
            device_group.c.name.label("group_name"),
        )
        .select_from(t)
        .join(control, control.c.id == t.c.control_id)
        .join(device_group, device_group.c.id == control.c.device_group_id)
    )
    query = _joined(query, t.c.end_device_id, whose, t.c.received)
    if control_id is not None:
        query = query.where(t.c.control_id == control_id)
    if statuses is not None:
        query = query.where(among(t.c.status, statuses))
    return await select_following(db, query.order_by(t.c.id.desc()), page)
