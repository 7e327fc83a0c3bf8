"""What an operator means by a name, an LFDI or an mRID, or by the beginning of one."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sep2.errors import Conflict, NotFound
from sep2.store import listing_controls, listing_curves, listing_register, overrides
from sep2.store.connection import Connection


class UnknownClient(NotFound):
    """There is no client of that name or LFDI."""


class UnknownDevice(NotFound):
    """There is no device whose LFDI begins so."""


class UnknownGroup(NotFound):
    """There is no group of that name."""


class UnknownConnection(NotFound):
    """There is no connection of that id."""


class UnknownControl(NotFound):
    """There is no control whose mRID begins so."""


class UnknownCurve(NotFound):
    """There is no curve whose mRID begins so."""


class UnknownOverride(NotFound):
    """There is no override of that number."""


class Ambiguous(Conflict):
    """That could mean more than one."""


async def client(db: Connection, named: str) -> Row[Any]:
    """The client of that name or LFDI."""
    return _only(await listing_register.clients_named(db, named), named, UnknownClient)


async def device(db: Connection, start: str) -> Row[Any]:
    """The device whose LFDI begins so; four digits at least."""
    if not re.fullmatch(r"[0-9A-Fa-f]{4,40}", start):
        raise UnknownDevice(start[:60])
    return _only(await listing_register.devices_like(db, start.upper()), start, UnknownDevice)


async def group(db: Connection, name: str) -> Row[Any]:
    """The group of that name."""
    found = await listing_register.group_named(db, name)
    if found is None:
        raise UnknownGroup(name[:60])
    return found


async def connection(db: Connection, connection_id: str) -> Row[Any]:
    """The connection of that id."""
    found = await listing_register.connection_named(db, connection_id)
    if found is None:
        raise UnknownConnection(connection_id[:60])
    return found


async def control(db: Connection, start: str) -> Row[Any]:
    """The control whose mRID begins so (four digits at least), or the one made last for `latest`."""
    if start == "latest":
        last = await listing_controls.latest(db)
        return _only([last] if last else [], start, UnknownControl)
    if not re.fullmatch(r"[0-9A-Fa-f]{4,32}", start):
        raise UnknownControl(start[:60])
    return _only(await listing_controls.like(db, start.upper()), start, UnknownControl)


async def override(db: Connection, named: str) -> Row[Any]:
    """The override of that number, or the one made last for `latest`."""
    if named == "latest":
        last = await overrides.latest(db)
        return _only([last] if last else [], named, UnknownOverride)
    found = await overrides.one(db, int(named)) if re.fullmatch(r"[0-9]{1,15}", named) else None
    return _only([found] if found else [], named, UnknownOverride)


async def curve(db: Connection, start: str) -> Row[Any]:
    """The curve whose mRID begins so; four digits at least."""
    if not re.fullmatch(r"[0-9A-Fa-f]{4,32}", start):
        raise UnknownCurve(start[:60])
    return _only(await listing_curves.like(db, start.upper()), start, UnknownCurve)


def _only(rows: Sequence[Row[Any]], named: str, unknown: type[NotFound]) -> Row[Any]:
    if not rows:
        raise unknown(named[:60])
    if len(rows) > 1:
        raise Ambiguous(named[:60])
    return rows[0]
