"""Conditions by which operators choose whose rows they look up: of readings, documents and judged intervals."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from sep2.store.tables import connection, end_device, member
from sep2.store.territory import below

Pairs = Sequence[tuple[ColumnElement[Any], Any]]


def chosen(
    pairs: Pairs, device: ColumnElement[Any], *, group_id: int | None = None, place_id: int | None = None
) -> list[ColumnElement[bool]]:
    """What is given must fit: each column has its value; the device is in a group, and at a place or below it."""
    found: list[ColumnElement[bool]] = [column == value for column, value in pairs if value is not None]
    if group_id is not None:
        found.append(device.in_(select(member.c.end_device_id).where(member.c.device_group_id == group_id)))
    if place_id is not None:
        found.append(device.in_(_devices_below(place_id)))
    return found


def _devices_below(place_id: int) -> Select[Any]:
    here = select(connection.c.id).where(connection.c.place_id.in_(select(below(place_id).c.id)))
    return select(end_device.c.id).where(end_device.c.connection_id.in_(here))
