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


async def note_readings(db: Connection, point_id: int, spans: Sequence[Span], now: int) -> None:
    """Have the intervals judged again that these readings of a usage point are about, where they were judged before."""
    if not spans or min(span.start for span in spans) > now - GRID_S:
        return
    mark = await judged_until(db)
    if mark is None:
        return
    late = [span for span in spans if mark - AGAIN_S <= span.start < mark]
    device = await mirrors.device_of(db, point_id) if late else None
    if device is not None:
        await judged.note_late(db, device, min(one.start for one in late), max(one.end for one in late))


async def note_sign(db: Connection, point_id: int) -> None:
    """Have the last two days judged again: what a meter of this usage point's sign shows is known, or no more."""
    mark, device = await judged_until(db), await mirrors.device_of(db, point_id)
    if mark is not None and device is not None:
        await judged.note_late(db, device, mark - AGAIN_S, mark)
