"""Who needs attention: the silent and those who do not keep limits, and what nobody has looked at."""

import json
from typing import NamedTuple

from sep2.operations.judging_again import judged_until
from sep2.rules.obedience import GRID_S
from sep2.store import marks
from sep2.store.connection import Connection

SILENT, DISOBEYING = "silent", "disobeying"
"""Marks: when clients were looked at last and who was silent; the connections that do not keep their limits."""
LOOKED_S = 180
"""Clients are looked at several times in so many seconds."""
MOST_NAMES = 200


class Attention(NamedTuple):
    """Names; of many the first ones."""

    silent_clients: list[str]
    silent_devices: list[str]
    disobeying: list[str]
    not_looked_at: list[str]


async def note_silent(db: Connection, now: int, *, clients: list[str], devices: list[str]) -> None:
    """Note who is silent, as it was seen just now."""
    said = json.dumps({"clients": clients[:MOST_NAMES], "devices": devices[:MOST_NAMES]})
    await marks.put(db, SILENT, f"{now} {said}")


async def note_disobeying(db: Connection, names: list[str]) -> None:
    """Note which connections do not keep their limits."""
    await marks.put(db, DISOBEYING, json.dumps(names[:MOST_NAMES]))


async def disobeying(db: Connection) -> list[str]:
    """Connections that did not keep their limits when they were judged last."""
    mark = await marks.value(db, DISOBEYING)
    return list(json.loads(mark)) if mark else []


async def attention(db: Connection, now: int, settles_after_s: int) -> Attention:
    """Who needs attention now; settles_after_s: how long after its end an interval is judged."""
    at, _, said = (await marks.value(db, SILENT) or "").partition(" ")
    silent = {"clients": [], "devices": []} | (json.loads(said) if said else {})
    unseen = [] if at and abs(now - int(at)) <= LOOKED_S else ["clients"]
    judged = await judged_until(db)
    if judged is None or now - judged > settles_after_s + 2 * GRID_S:
        unseen.append("limits")
    return Attention(silent["clients"], silent["devices"], await disobeying(db), unseen)
