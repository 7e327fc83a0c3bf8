"""The end of a wide override where nothing but a default holds after it, spread in time over many places."""

from collections.abc import Sequence
from dataclasses import replace

from sep2.operations.controls import issue_controls
from sep2.operations.issuing import asked_of
from sep2.operations.resuming import alive
from sep2.store import controls, overrides
from sep2.store.connection import Connection
from sep2.store.controls import Control


async def programs_beside(db: Connection, group_id: int) -> set[int]:
    """The programs of a group's devices."""
    return {row.device_group_id for row in await controls.programs_around(db, [group_id])}


async def issue_spread_end(
    db: Connection, override_id: int, several: Sequence[Control], now: int, *, spread_s: int
) -> tuple[int, ...]:
    """Where nothing else holds than a default: the limit once more, with an end that devices spread in time."""
    running = next((part for part in several if part.earliest_start <= now and alive(part, now)), None)
    if running is None:
        return ()
    last = replace(
        asked_of(running), start=now, duration=1, randomize_start=None, randomize_duration=spread_s, ramp_tms=None
    )
    done = await issue_controls(
        db, running.device_group_id, [last], now, source="override", reason=running.reason, most_ahead=None
    )
    await overrides.tie(db, override_id, done.created)
    return done.created
