"""How far an override has come: who received it, who started it, and how much power is held back by when."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.compliance import percentiles
from sep2.store import override_progress, overrides
from sep2.store.connection import Connection

AFTER_S = {"1": 60, "5": 300, "15": 900}
"""Minutes after which it is counted what was reached, in seconds."""
MOST_SILENT = 50


class Count(NamedTuple):
    """Devices and watts; see `admin.types.Progress`."""

    since: int
    devices: int
    received: int
    started: int
    refused: int
    unanswered: int
    silent: tuple[str, ...]
    reach_w: int
    unanswered_w: int
    reached_w: dict[str, int]
    effect_p50_s: int | None
    effect_p95_s: int | None
    goal: float | None


async def progress(db: Connection, row: Row[Any], now: int) -> Count:
    """How far an override has come by now."""
    found = await override_progress.reached(db, await overrides.control_ids(db, row.id))
    return counted(found, since=max(row.created, row.start), now=now)


def counted(found: Sequence[Row[Any]], *, since: int, now: int) -> Count:
    """Rows of devices as counts; what a device holds back is its rating beyond the limit."""
    held = {one.id: max(0, one.rating_w - one.limit_w) for one in found}
    started = [one for one in found if one.started is not None]
    unanswered = [one for one in found if one.received is None and one.declined is None]
    delays = percentiles([max(0, one.started - since) for one in started])
    reach_w = sum(held.values())
    reached_w = {
        minutes: sum(held[one.id] for one in started if one.started <= since + seconds)
        for minutes, seconds in AFTER_S.items()
        if now >= since + seconds or minutes == "15"
    }
    return Count(
        since=since,
        devices=len(found),
        received=sum(one.received is not None for one in found),
        started=len(started),
        refused=sum(one.declined is not None and one.started is None for one in found),
        unanswered=len(unanswered),
        silent=tuple(one.connection_name or one.lfdi for one in unanswered[:MOST_SILENT]),
        reach_w=reach_w,
        unanswered_w=sum(held[one.id] for one in unanswered),
        reached_w=reached_w,
        effect_p50_s=delays[0] if delays else None,
        effect_p95_s=delays[1] if delays else None,
        goal=round(reached_w["15"] / reach_w, 4) if reach_w else None,
    )
