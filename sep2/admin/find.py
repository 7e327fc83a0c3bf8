"""What an operator means: an LFDI or an mRID, a name, or the beginning of an LFDI or mRID, in this order."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.errors import Conflict, NotFound
from sep2.operations.clients import UnknownClient
from sep2.operations.controls import UnknownControl
from sep2.operations.curves import UnknownCurve
from sep2.operations.devices import UnknownDevice
from sep2.operations.groups import UnknownGroup
from sep2.operations.mirrors import UnknownMirror
from sep2.operations.overrides import UnknownOverride
from sep2.operations.territory import UnknownPlace
from sep2.rules.cursor import Keyset
from sep2.store import listing_controls, listing_curves, listing_register, listing_watch, overrides, territory
from sep2.store.connection import Connection


class UnknownConnection(NotFound):
    """There is no connection of that id."""


class Ambiguous(Conflict):
    """That could mean more than one; write one of these."""


class _Kind(NamedTuple):
    """How one kind of thing is looked up: by its name, and by the beginning of its LFDI or mRID."""

    named: Callable[[Connection, str], Awaitable[Row[Any] | None]]
    like: Callable[[Connection, str], Awaitable[Sequence[Row[Any]]]]
    unknown: type[NotFound]
    id_column: str
    digits: int


_CLIENT = _Kind(listing_register.client_named, listing_register.clients_like, UnknownClient, "lfdi", 40)
_DEVICE = _Kind(listing_register.device_named, listing_register.devices_like, UnknownDevice, "lfdi", 40)
_GROUP = _Kind(listing_register.group_named, listing_register.groups_like, UnknownGroup, "program_mrid", 32)
_CURVE = _Kind(listing_curves.named, listing_curves.like, UnknownCurve, "mrid", 32)
_MIRROR = _Kind(listing_watch.mirror_named, listing_watch.mirrors_like, UnknownMirror, "id", 32)
LEAST_DIGITS = 4
MOST_OTHERS = 20
"""Devices beside the holder of a connection's limits that an answer describes one by one."""


async def _one(db: Connection, kind: _Kind, said: str) -> Row[Any]:
    is_start = re.fullmatch(rf"[0-9A-Fa-f]{{{LEAST_DIGITS},{kind.digits}}}", said) is not None
    like = await kind.like(db, said.upper()) if is_start else ()
    if len(said) == kind.digits and len(like) == 1:
        return like[0]
    if (found := await kind.named(db, said)) is not None:
        return found
    return _only(like, said, kind.unknown, kind.id_column)


async def client(db: Connection, said: str) -> Row[Any]:
    """The client of that LFDI or name."""
    return await _one(db, _CLIENT, said)


async def device(db: Connection, said: str) -> Row[Any]:
    """The device of that LFDI or name, or the one whose LFDI begins so; four digits at least."""
    return await _one(db, _DEVICE, said)


async def group(db: Connection, said: str) -> Row[Any]:
    """The group of that name, or the one whose DERProgram has that mRID."""
    return await _one(db, _GROUP, said)


async def curve(db: Connection, said: str) -> Row[Any]:
    """The curve of that mRID or name, or the one whose mRID begins so; four digits at least."""
    return await _one(db, _CURVE, said)


async def mirror(db: Connection, said: str) -> Row[Any]:
    """The mirror of that number or name, or the one whose mRID begins so; four digits at least."""
    if re.fullmatch(r"[0-9]{1,15}", said) and (found := await listing_watch.mirror(db, int(said))) is not None:
        return found
    return await _one(db, _MIRROR, said)


async def connection(db: Connection, connection_id: str) -> Row[Any]:
    """The connection of that id."""
    found = await listing_register.connection_named(db, connection_id)
    if found is None:
        raise UnknownConnection(connection_id[:60])
    return found


class Others(NamedTuple):
    """The first devices at a connection that do not hold its limits, and how many there are."""

    rows: Sequence[Row[Any]]
    total: int


async def devices_at(db: Connection, connection: Row[Any]) -> tuple[Row[Any] | None, Others]:
    """The device that holds the limits of a connection, if any does, and the others there."""
    found = await listing_register.devices(db, Keyset(MOST_OTHERS + 1), connection_id=connection.id)
    holder = None if connection.device_lfdi is None else await device(db, connection.device_lfdi)
    rows = [row for row in found.rows if holder is None or row.id != holder.id]
    return holder, Others(rows[:MOST_OTHERS], found.total - (holder is not None))


async def place(db: Connection, name: str) -> Row[Any]:
    """The place of that name."""
    found = await territory.shown(db, name)
    if found is None:
        raise UnknownPlace(name[:60])
    return found


async def control(db: Connection, start: str) -> Row[Any]:
    """The control whose mRID begins so (four digits at least), or the one made last for `latest`."""
    if start == "latest":
        last = await listing_controls.latest(db)
        return _only([last] if last else [], start, UnknownControl, "mrid")
    if not re.fullmatch(r"[0-9A-Fa-f]{4,32}", start):
        raise UnknownControl(start[:60])
    return _only(await listing_controls.like(db, start.upper()), start, UnknownControl, "mrid")


async def override(db: Connection, named: str) -> Row[Any]:
    """The override of that number, or the one made last for `latest`."""
    if named == "latest":
        last = await overrides.latest(db)
        return _only([last] if last else [], named, UnknownOverride, "id")
    found = await overrides.one(db, int(named)) if re.fullmatch(r"[0-9]{1,15}", named) else None
    return _only([found] if found else [], named, UnknownOverride, "id")


def _only(rows: Sequence[Row[Any]], said: str, unknown: type[NotFound], id_column: str) -> Row[Any]:
    """The one row; where there are several, the refusal lists them by ids that mean one only."""
    if not rows:
        raise unknown(said[:60])
    if len(rows) == 1:
        return rows[0]
    raise Ambiguous(f"{said[:60]}: {', '.join(_candidate(row, id_column) for row in rows)}")


def _candidate(row: Row[Any], id_column: str) -> str:
    found = str(getattr(row, id_column))
    name = getattr(row, "name", None)
    return f"{found} ({name})" if name else found
