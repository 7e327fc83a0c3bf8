"""The shift log, as the operator API shows and takes it."""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from sep2.admin.types.alarms import Alarm
from sep2.admin.types.approvals import Approval
from sep2.admin.types.overrides import Override
from sep2.rest.types import Asked

ShiftNote = Annotated[str, Meta(max_length=2000)]


class ShiftStanding(Struct, frozen=True, kw_only=True):
    """What whoever takes over has to know: what is held, waits, is shelved, stands with priority 1 or 2, is unreviewed.

    Of each list the first 100.
    """

    at: int
    overrides: list[Override]
    approvals: list[Approval]
    unreviewed: list[Override]
    shelved: list[Alarm]
    alarms: list[Alarm]


class ShiftEntry(Struct, frozen=True, kw_only=True):
    """A note or a handover; `standing` is what stood at a handover, as it was, and null for a note."""

    id: int
    at: int
    kind: str
    operator: str
    note: str
    standing: Raw
    taken_by: str
    taken: int | None


class NewNote(Asked, frozen=True, kw_only=True):
    """Something for the log."""

    note: Annotated[str, Meta(min_length=1, max_length=2000)]


class Handover(Asked, frozen=True, kw_only=True):
    """What to say beside, to whoever takes over."""

    note: ShiftNote = ""
