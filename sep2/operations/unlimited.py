"""Devices whose export nobody has bounded: what the utility holds against it, and the alarm that says so."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sep2.operations import inherited
from sep2.operations.alarms import DEFAULT_IN_FORCE, clear_alarm, raise_alarm
from sep2.store import alarms, unlimited
from sep2.store.connection import Connection

NO_GROUP = -1
DIRECT = "devices that connect by themselves"
"""The subject of the one alarm about all of them; an aggregator has one of its own."""


async def look_at_device(db: Connection, device_id: int, now: int) -> None:
    """Raise the alarm of a device's client if nothing bounds the device; clear it if all of them are bound."""
    known = await inherited.house(db)
    newcomers = known.newcomers or NO_GROUP
    row = await unlimited.device(db, device_id, newcomers)
    if row is None:
        return
    if row.unbound:
        await _raise(db, known, [row], now=now)
    else:
        await look_at_client(db, row.client_id, row.client_lfdi, now)


async def look_at_client(db: Connection, client_id: int, lfdi: str, now: int) -> None:
    """Clear the alarm of a client, where it stands and all its devices are bound."""
    if not await alarms.is_about(db, DEFAULT_IN_FORCE, lfdi):
        return
    newcomers = (await inherited.house(db)).newcomers or NO_GROUP
    if not await unlimited.has_any(db, client_id, newcomers):
        await _clear(db, lfdi, now)


async def look_at_group(db: Connection, group_id: int, now: int) -> None:
    """The same for the clients of all members of a group, after a change of its default."""
    known = await inherited.house(db)
    newcomers = known.newcomers or NO_GROUP
    unbound = await unlimited.of_members(db, group_id, newcomers)
    await _raise(db, known, unbound, now=now)
    raised = {row.client_lfdi for row in unbound}
    for row in await unlimited.standing(db, DEFAULT_IN_FORCE, group_id):
        if row.lfdi not in raised and not await unlimited.has_any(db, row.id, newcomers):
            await _clear(db, row.lfdi, now)


async def look_at_all(db: Connection, now: int) -> None:
    """Raise the alarm for every client that has unbound devices."""
    known = await inherited.house(db)
    unbound = await unlimited.of_all(db, known.newcomers or NO_GROUP)
    await _raise(db, known, unbound, now=now)
    direct = {row.client_lfdi for row in unbound if not _is_aggregator(row)}
    for row in await alarms.standing_of(db, DEFAULT_IN_FORCE):
        if row.subject in direct:  # before, each of them had an alarm of its own
            await clear_alarm(db, DEFAULT_IN_FORCE, row.subject, now)


async def _raise(db: Connection, known: inherited.House, unbound: Sequence[Row[Any]], *, now: int) -> None:
    """Have the alarm of each client stand, and one of all that are a single device."""
    holds = "nothing limits" if known.export_w is None else f"the utility's default of {known.export_w} W limits"
    said = "no default and no contract limits the export of"
    for row in unbound:
        if _is_aggregator(row):
            detail = f"{said} devices such as {row.lfdi}; {holds} it"
            await raise_alarm(db, DEFAULT_IN_FORCE, row.client_lfdi, detail, now=now)
    direct = [row.client_lfdi for row in unbound if not _is_aggregator(row)]
    await alarms.add_members(db, DEFAULT_IN_FORCE, DIRECT, direct, detail=f"{said} any of these; {holds} it", now=now)


async def _clear(db: Connection, lfdi: str, now: int) -> None:
    await clear_alarm(db, DEFAULT_IN_FORCE, lfdi, now)
    await alarms.drop_members(db, DEFAULT_IN_FORCE, [lfdi], now)


def _is_aggregator(row: Row[Any]) -> bool:
    return bool(row.client_kind == "aggregator")
