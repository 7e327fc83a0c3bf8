"""Overrides, as the operator API shows and takes them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sep2.admin.types.base import Limits
from sep2.rest.types import Asked, Epoch, Seconds, Span

Scope = Literal["connection", "device", "group", "place", "aggregator", "system"]


class NewOverride(Asked, frozen=True, kw_only=True):
    """An override: for whom, which limits, until when and why.

    `subject` is a connection's id, a device's LFDI, a group's or an aggregator's name; nothing for the system. It has
    an end, said as `end` or as `duration`, and a `reason`, which is one of a few words; `other` needs a `note`.
    """

    scope: Scope
    subject: Annotated[str, Meta(max_length=200)] = ""
    limits: Limits = Limits()
    modes: dict[str, Any] = field(default_factory=dict)
    ramp_tms: Annotated[int, Meta(ge=0, le=65535)] | None = None
    start: Epoch | None = None
    end: Epoch | None = None
    duration: Seconds | None = None
    reason: Annotated[str, Meta(max_length=40)] = ""
    note: Annotated[str, Meta(max_length=160)] = ""
    anyway: bool = False
    """Also a limit far beyond the rating of what is there."""


class Untold(Struct, frozen=True, kw_only=True):
    """A device that can not be told all of an override, and why."""

    lfdi: str
    connection_id: str | None
    why: str


class PlaceTold(Struct, frozen=True, kw_only=True):
    """What one connection or device is told: its limits in parts, and what they take the place of."""

    place: str
    devices: list[str]
    parts: list["OverridePart"]
    replaces: list[str]
    after: str


class OverridePart(Struct, frozen=True, kw_only=True):
    """Limits from a time until another; tighter than asked for where something else is."""

    start: int
    end: int
    limits: Limits
    replaces: list[str]
    """The sources that it takes the place of meanwhile."""


class Override(Struct, frozen=True, kw_only=True):
    """An override: state is one of scheduled, active, released and ended."""

    id: int
    scope: str
    subject: str
    state: str
    limits: Limits
    modes: dict[str, Any]
    start: int
    end: int
    reason: str
    note: str
    operator: str
    created: int
    released: int | None


class OverrideSent(Override, frozen=True, kw_only=True):
    """An override that was sent, or would be: whom it covers, what holds after it, and who knows of it by when.

    `replaces` and `after` count places by what they hold instead. `told_at_once` devices are notified; the others poll,
    and know by `known_by`. From `end` on devices go over to what holds then, the last of them at `until`.
    """

    connections: int
    devices: int
    places: list[PlaceTold]
    untold: list[Untold]
    replaces: dict[str, int]
    after: dict[str, int]
    until: int
    told_at_once: int
    known_by: int
    controls: list[str]
    warning: str


class OverrideShown(Override, frozen=True, kw_only=True):
    """An override and the controls that it is issued as now."""

    controls: list[str]
    places: list[str]
    devices: int


class OverrideQuery(Span, frozen=True, kw_only=True):
    """Overrides that are to come or hold; those that are over only when asked for."""

    over: bool = False


class Release(Asked, frozen=True, kw_only=True):
    """Why, and over how long devices of a wide override go over to what holds then; the utility's time if not said."""

    reason: Annotated[str, Meta(max_length=160)] = ""
    spread: Annotated[int, Meta(ge=0, le=655)] | None = None


class OverrideReleased(Override, frozen=True, kw_only=True):
    """An override that was withdrawn: how many controls were, how many were issued anew, and until when it is spread.

    Devices that poll know by `known_by`.
    """

    cancelled: int
    reissued: int
    until: int
    known_by: int
