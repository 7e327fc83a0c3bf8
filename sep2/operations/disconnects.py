"""Disconnects: they do not end by time alone, but are held on until somebody releases them."""

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from sep2.operations.controls import issue_controls
from sep2.operations.issuing import asked_of
from sep2.operations.overrides import SOURCE
from sep2.rules.protection import disconnects
from sep2.store import controls, override_progress, overrides
from sep2.store.connection import Connection
from sep2.store.controls import Control

TOP_UP_S = 3600
"""How much longer a disconnect is held each time; it comes back by itself where the server is lost for longer."""
LEAD_S = 1800
"""How long before its end that is done, so that clients who poll know of it in time."""


def is_due(row: Row[Any], now: int) -> bool:
    """Whether an override is a disconnect that ends soon."""
    return row.kind == "override" and row.end - now <= LEAD_S and disconnects(json.loads(row.modes))


async def hold_on(db: Connection, row: Row[Any], now: int, *, most_ahead: int) -> int:
    """When a disconnect ends now: later, by a control back to back in each program that it was issued in."""
    await db.in_turn()
    parts = await controls.parts_of(db, await overrides.control_ids(db, row.id), now)
    last: dict[int, Control] = {}
    for part in parts:
        known = last.get(part.device_group_id)
        last[part.device_group_id] = part if known is None or part.latest_end > known.latest_end else known
    for group_id, part in last.items():
        asked = replace(asked_of(part), start=row.end, duration=TOP_UP_S, ramp_tms=None, randomize_start=None)
        done = await issue_controls(
            db, group_id, [asked], now, source=SOURCE, reason=part.reason, most_ahead=most_ahead, refuses=False
        )
        await overrides.tie(db, row.id, done.created)
    end = int(row.end) + TOP_UP_S
    await override_progress.note(db, row.id, end=end)
    return end
