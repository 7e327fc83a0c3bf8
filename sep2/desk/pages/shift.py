"""The shift log: what stands, what was noted, and the handover."""

from typing import Any

from sep2.admin import shifts
from sep2.admin import types as t
from sep2.desk.door import Visit
from sep2.desk.pages.sheets import body_of
from sep2.rest.types import Asked, Span

PAGE = 20


class ShiftForm(Asked, frozen=True, kw_only=True):
    """A note as it is typed, and where the log goes on."""

    note: t.ShiftNote = ""
    after: str | None = None


async def show_shift(visit: Visit, asked: ShiftForm) -> dict[str, Any]:
    """What stands now, and the log."""
    note = asked.note.strip()
    return {
        "standing": await visit.ask(shifts.show_standing),
        "found": await visit.ask(shifts.list_shift_log, Span(limit=PAGE, after=asked.after)),
        "note": note,
        "body": body_of(t.NewNote(note=note)) if note else "",
        "handover": body_of(t.Handover(note=note)),
        "may": visit.may(shifts.hand_over),
        "needs": visit.needs(shifts.hand_over),
        "me": visit.caller.name.casefold(),
    }
