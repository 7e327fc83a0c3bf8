"""What the operator API says of a copy of the database that was put back."""

from msgspec import Struct

from sep2.rest.types import Asked


class Restore(Struct, frozen=True, kw_only=True):
    """Whether a copy of the database was put back, and what is known to be lost."""

    holds: bool
    """Whether clients are told nothing of controls."""
    since: int | None
    """When it was noticed; null: none was put back."""
    copied: int | None
    """The last time that the copy has noted: what came later is lost, if no answer of a device tells of it."""
    lost: int
    """Answers of devices to controls that this database does not know."""


class LostControl(Struct, frozen=True, kw_only=True):
    """A control that a device has answered to, and that this database does not know."""

    mrid: str
    lfdi: str
    device: str
    """The connection of the device, or its name; empty where neither is known."""
    status: int
    """The device's last answer: 1 received, 2 started, 3 completed, and so on (2030.5 ResponseStatus)."""
    first_heard: int
    last_heard: int


class FinishRestore(Asked, frozen=True, kw_only=True):
    """That what was lost is entered again."""

    anyway: bool = False
    """Also where devices hold controls that are not known: what they asked for is entered, or is not wanted."""
