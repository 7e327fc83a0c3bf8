"""Connections whose own devices are silent while their aggregators speak: what is silent is the place, not a cloud."""

import json
from collections.abc import Collection

from sep2.store import marks
from sep2.store.connection import Connection

SILENT_PLACES = "silent places"
"""The mark that names every connection that is silent; alarms name no more than some hundreds."""


async def note_silent_places(db: Connection, names: Collection[str]) -> None:
    """Note which connections are silent, as it was seen just now."""
    said = json.dumps(sorted(names))
    if await marks.value(db, SILENT_PLACES) != said:
        await marks.put(db, SILENT_PLACES, said)


async def silent_connections(db: Connection, names: Collection[str]) -> set[str]:
    """Return which of these connections were silent when that was looked at last."""
    said = await marks.value(db, SILENT_PLACES)
    return set(json.loads(said)) & set(names) if said else set()
