"""Devices whose export nobody has bounded: what the utility holds against it, and the alarm that says so."""

from sep2.operations import inherited
from sep2.operations.alarms import DEFAULT_IN_FORCE, clear_alarm, raise_alarm
from sep2.store import alarms, unlimited
from sep2.store.connection import Connection

NO_GROUP = -1


async def look_at_device(db: Connection, device_id: int, now: int) -> None:
    """Raise the alarm of a device's client if nothing bounds the device; clear it if all of them are bound."""
    known = await inherited.house(db)
    newcomers = known.newcomers or NO_GROUP
    row = await unlimited.device(db, device_id, newcomers)
    if row is None:
        return
    if row.unbound:
        await _raise(db, known, row.client_lfdi, row.lfdi, now=now)
    else:
        await look_at_client(db, row.client_id, row.client_lfdi, now)


async def look_at_client(db: Connection, client_id: int, lfdi: str, now: int) -> None:
    """Clear the alarm of a client, where it stands and all its devices are bound."""
    newcomers = (await inherited.house(db)).newcomers or NO_GROUP
    if await alarms.stands(db, DEFAULT_IN_FORCE, lfdi) and not await unlimited.has_any(db, client_id, newcomers):
        await clear_alarm(db, DEFAULT_IN_FORCE, lfdi, now)


async def look_at_group(db: Connection, group_id: int, now: int) -> None:
    """The same for the clients of all members of a group, after a change of its default."""
    known = await inherited.house(db)
    newcomers = known.newcomers or NO_GROUP
    unbound = await unlimited.of_members(db, group_id, newcomers)
    for row in unbound:
        await _raise(db, known, row.client_lfdi, row.lfdi, now=now)
    raised = {row.client_lfdi for row in unbound}
    for row in await unlimited.standing(db, DEFAULT_IN_FORCE, group_id):
        if row.lfdi not in raised and not await unlimited.has_any(db, row.id, newcomers):
            await clear_alarm(db, DEFAULT_IN_FORCE, row.lfdi, now)


async def look_at_all(db: Connection, now: int) -> None:
    """Raise the alarm for every client that has unbound devices."""
    known = await inherited.house(db)
    for row in await unlimited.of_all(db, known.newcomers or NO_GROUP):
        await _raise(db, known, row.client_lfdi, row.lfdi, now=now)


async def _raise(db: Connection, known: inherited.House, client: str, device: str, *, now: int) -> None:
    holds = "nothing limits" if known.export_w is None else f"the utility's default of {known.export_w} W limits"
    detail = f"no default and no contract limits the export of devices such as {device}; {holds} it"
    await raise_alarm(db, DEFAULT_IN_FORCE, client, detail, now=now)
