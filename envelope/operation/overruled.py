"""Operators' limits that are looser than the envelope; they are reported and never changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envelope.schedule import EnvelopeSchedule
from envelope.schedule.findings import some
from sep2.operations.issuing import limits_of
from sep2.operations.room import BY_PEOPLE
from sep2.store import connections, controls, groups
from sep2.store.connection import Connection
from sep2.store.controls import Control


async def finding(db: Connection, schedule: EnvelopeSchedule, now: int) -> str:
    """Return a finding that names connections where an operator's limit exceeds the envelope; empty: there are none."""
    found = [
        name
        for column, name in enumerate(schedule.connection_id)
        if any(_is_looser(schedule, column, row, now) for row in await _of_operators(db, name, now))
    ]
    return f"operators' limits at {some(found)} are looser than what the network holds" if found else ""


async def _of_operators(db: Connection, name: str, now: int) -> list[Control]:
    """Return the standing controls that operators have sent to one connection."""
    known = await connections.by_name(db, name)
    if known is None:
        return []
    programs = await groups.at_place(db, connection_id=known.id)
    rows = [row for program in programs for row in await controls.standing(db, program.id, now)]
    return [row for row in rows if row.source in BY_PEOPLE]


def _is_looser(schedule: EnvelopeSchedule, column: int, row: Control, now: int) -> bool:
    """Return whether a control exceeds the envelope in a step that it touches and that the network binds."""
    step_end = schedule.step_start + schedule.step_s
    touched = (step_end > max(now, row.earliest_start)) & (schedule.step_start < row.latest_end)
    limits = limits_of(row)
    sides: tuple[tuple[int | None, NDArray[Any], Any], ...] = (
        (limits.import_w, schedule.import_limit_w, schedule.import_binding),
        (limits.export_w, schedule.export_limit_w, schedule.export_binding),
        (limits.load_w, schedule.load_limit_w, schedule.import_binding),
        (limits.gen_w, schedule.gen_limit_w, schedule.export_binding),
    )
    return any(
        watts is not None and bool(np.any((limit[:, column] < watts) & binding.is_network[:, column] & touched))
        for watts, limit, binding in sides
        if limit is not None
    )
