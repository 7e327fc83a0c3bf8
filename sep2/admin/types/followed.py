"""What devices do of the modes that they were sent."""

from typing import Literal

from msgspec import Struct, field

from sep2.rest.types import Asked, Epoch


class ModesQuery(Asked, frozen=True, kw_only=True):
    """From when until when; the last two hours where nothing is said."""

    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None


class ModeMeasured(Struct, frozen=True, kw_only=True):
    """One mode in one interval: between what it lies that the mode asks for, and what was measured."""

    start: int
    duration_s: int
    mode: str
    fit: Literal["fits", "does not fit", "unknown"]
    unit: str
    """W, generation positive, or var, injected positive"""
    least: float | None
    most: float | None
    measured: float | None
    why: str
    """why it is unknown"""


class DeviceModes(Struct, frozen=True, kw_only=True):
    """The modes of a device over a time, interval by interval, the earliest first."""

    lfdi: str
    since: int = field(name="from")
    until: int
    items: list[ModeMeasured]
