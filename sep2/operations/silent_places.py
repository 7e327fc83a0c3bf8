"""Connections whose own devices are silent while their aggregators speak: what is silent is the place, not a cloud."""

from collections.abc import Collection

from sep2.operations.alarms import CLIENT_SILENT, DEVICE_SILENT, MASS_SILENCE
from sep2.store import alarms, devices
from sep2.store.connection import Connection


async def silent_connections(db: Connection, names: Collection[str]) -> set[str]:
    """Return which of these connections are silent, by the alarms that the server raised for silence."""
    wanted, silent = set(names), set[str]()
    for code in (DEVICE_SILENT, MASS_SILENCE):
        for row in await alarms.standing_of(db, code):
            silent |= set(await alarms.members_about(db, code, row.subject))
    silent |= {row.subject for row in await alarms.standing_of(db, CLIENT_SILENT)}
    # A device that is its own client is silent under that client's name.
    own = await devices.own_connections(db, sorted(silent - wanted)) if silent else {}
    return {own.get(name, name) for name in silent} & wanted
