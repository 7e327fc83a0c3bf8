"""Notes that readings came in after their intervals were judged, or that more is known of them since."""

from collections.abc import Sequence

from sep2.rules.metering import Span
from sep2.rules.obedience import GRID_S
from sep2.store import judged, marks, mirrors
from sep2.store.connection import Connection

JUDGED = "judged"
"""The mark of the time up to which everything was judged, epoch seconds."""
AGAIN_S = 48 * 3600
"""Readings that are later than this change no verdict."""


async def judged_until(db: Connection) -> int | None:
    """The time up to which everything was judged; None before anything was."""
    mark = await marks.value(db, JUDGED)
    return None if mark is None else int(mark)


async def note_readings(db: Connection, point_id: int, spans: Sequence[Span], *, post_rate_s: int, now: int) -> None:
    """Have the intervals judged again that these readings of a usage point are about, where they come in late.

    post_rate_s: how long after an interval its readings are due. The judge waits longer than that by what a write may
    take at most. What was judged meanwhile is not asked: a judge at work has not stored yet how far it came, and does
    not see what this write has not committed yet.
    """
    late = [span for span in spans if now - AGAIN_S <= span.start <= now - GRID_S - post_rate_s]
    device = await mirrors.device_of(db, point_id) if late else None
    if device is not None:
        await judged.note_late(db, device, min(one.start for one in late), max(one.end for one in late))


async def note_sign(db: Connection, point_id: int) -> None:
    """Have the last two days judged again: what a meter of this usage point's sign shows is known, or no more."""
    mark, device = await judged_until(db), await mirrors.device_of(db, point_id)
    if mark is not None and device is not None:
        # Past the mark, too: an interval that is judged just now is judged by the sign as it was.
        await judged.note_late(db, device, mark - AGAIN_S, mark + AGAIN_S)
