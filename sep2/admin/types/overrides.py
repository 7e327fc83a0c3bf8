"""Overrides, as the operator API shows and takes them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sep2.admin.types.base import LeftOut, Limits
from sep2.admin.types.controls import Note
from sep2.rest.types import Asked, ConnectionId, Epoch, Seconds, Span

Scope = Literal[
    "connection",
    "device",
    "group",
    "place",
    "transformer",
    "segment",
    "feeder",
    "substation",
    "subtransmission",
    "aggregator",
    "system",
    "aggregation",
]
"""A place may be called by its kind, and is then one of that kind."""
Digest = Annotated[str, Meta(max_length=60)]
BackstopKind = Literal["export", "generation", "load"]


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
    release: bool = False
    """Also more than what envelopes, schedules and defaults hold; needs an engineer, and a second person."""
    also: Annotated[list[ConnectionId], Meta(max_length=1000)] = field(default_factory=list)
    """Protected connections that it covers although it bounds what they draw, or disconnects them."""
    digest: Digest = ""
    """That of the effect which was looked at before: another effect is refused, unless the reason is emergency."""


class Effect(Struct, frozen=True, kw_only=True):
    """Power in one direction before and with an override: by what is there (ratings), and as measured last.

    Measured are `measured` of `connections`; the others are in neither sum.
    """

    direction: str
    reach_now_w: int
    reach_then_w: int
    connections: int
    measured: int
    measured_now_w: int
    measured_then_w: int
    unrated: int = 0
    """connections of which neither a rating nor a contract is known: they are in no sum of `reach`"""
    untold: int = 0
    """connections at which no device can be told the limit: they go on as they are"""


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
    kind: str
    """override, loosening (one that may also give more), backstop or drill"""
    share: int
    holder: str
    """who may release it alone: who sent it, or has taken it over"""
    second: str
    """who agreed to it"""
    review_by: int | None
    """until when somebody else has to look at what one person did alone"""
    reviewed: int | None
    reviewer: str


class OverrideSent(Override, frozen=True, kw_only=True):
    """An override that was sent, or would be: whom it covers, what holds after it, and who knows of it by when.

    `replaces` and `after` count places by what they hold instead. `told_at_once` devices are notified, and
    `told_by_polling` poll and know by `known_by`; a device whose profile has no such limit is not told.
    From `end` on devices go over to what holds then, the last of them at `until`.
    """

    connections: int
    devices: int
    places: list[PlaceTold]
    untold: list[Untold]
    notes: list[Note]
    """of the first devices that are sent it and do not hold it as it is meant, such as a percentage of no setMaxW"""
    noted: int
    """how many notes there are in all"""
    replaces: dict[str, int]
    after: dict[str, int]
    until: int
    told_at_once: int
    told_by_polling: int
    known_by: int
    controls: list[str]
    warning: str
    effects: list[Effect]
    left_out: list[LeftOut]
    named: list[str]
    """protected connections that it covers, because they are named"""
    floors: dict[str, int]
    """places where a rule guarantees more than was asked for, and that least limit in watts"""
    engine: str
    undo: str
    needs_second: str
    """why another person has to agree before it is sent; empty where nobody has to"""
    review: str
    """why another person has to look at it afterwards"""
    digest: str


class OverrideShown(Override, frozen=True, kw_only=True):
    """An override and the controls that it is issued as now."""

    controls: list[str]
    places: list[str]
    devices: int


class OverrideQuery(Span, frozen=True, kw_only=True):
    """Overrides that are to come or hold; those that are over only when asked for.

    `unreviewed`: only those that one person sent alone and nobody has looked at since, also where they are over.
    """

    over: bool = False
    unreviewed: bool = False


class Extend(Asked, frozen=True, kw_only=True):
    """Until when an override is to hold on, as `end` or as `duration` from its present end."""

    end: Epoch | None = None
    duration: Seconds | None = None
    digest: Digest = ""


class Review(Asked, frozen=True, kw_only=True):
    """What a second person says of what was done alone."""

    note: Annotated[str, Meta(max_length=160)] = ""


class Progress(Struct, frozen=True, kw_only=True):
    """How far an override has come: devices that received and started it, and the power that they hold back by rating.

    `reached_w` is after so many minutes from when it was sent or began; `goal`: the share of what can be reached that
    was held back after 15 minutes. `unanswered` devices have said nothing, `refused` ones that they do not follow.
    """

    id: int
    kind: str
    state: str
    since: int
    devices: int
    received: int
    started: int
    refused: int
    unanswered: int
    silent: list[str]
    reach_w: int
    unanswered_w: int
    reached_w: dict[str, int]
    effect_p50_s: int | None
    effect_p95_s: int | None
    goal: float | None
    kept: bool
    """Whether it was kept when it was over; otherwise it is counted now."""


class BackstopSubject(Asked, frozen=True, kw_only=True):
    """Which backstop: of a substation by its name, or of the whole system."""

    place: Annotated[str, Meta(min_length=1, max_length=80)] | None = None


class NewBackstop(BackstopSubject, frozen=True, kw_only=True):
    """The backstop to start: no export, no generation, or the least load, until when and why."""

    kind: BackstopKind
    end: Epoch | None = None
    duration: Seconds | None = None
    reason: Annotated[str, Meta(max_length=40)] = ""
    note: Annotated[str, Meta(max_length=160)] = ""
    also: Annotated[list[ConnectionId], Meta(max_length=1000)] = field(default_factory=list)
    digest: Digest = ""


class NewDrill(BackstopSubject, frozen=True, kw_only=True):
    """A rehearsal of the backstop: at most ten minutes, with a share of the places in percent."""

    kind: BackstopKind = "export"
    share: Annotated[int, Meta(ge=1, le=100)] = 10
    duration: Annotated[int, Meta(ge=60, le=600)] = 600
    note: Annotated[str, Meta(max_length=160)] = ""
    digest: Digest = ""


class Backstop(Struct, frozen=True, kw_only=True):
    """A backstop: whether its program stands already, with how many devices, and what is under way."""

    scope: str
    subject: str
    prepared: bool
    devices: int
    running: list[int]
    """the numbers of its overrides that hold"""
    last_drill: int | None


class BackstopPrepared(Struct, frozen=True, kw_only=True):
    """A backstop whose program stands; devices find one that is new when they poll next, by `known_by`."""

    subject: str
    group: str
    devices: int
    is_new: bool
    known_by: int


class Release(Asked, frozen=True, kw_only=True):
    """Why, and over how long devices of a wide override go over to what holds then; the utility's time if not said."""

    reason: Annotated[str, Meta(max_length=160)] = ""
    spread: Annotated[int, Meta(ge=0, le=655)] | None = None
    digest: Digest = ""


class OverrideReleased(Override, frozen=True, kw_only=True):
    """An override that was withdrawn: how many controls were, how many were issued anew, and until when it is spread.

    Devices that poll know by `known_by`.
    """

    cancelled: int
    reissued: int
    until: int
    known_by: int
    needs_second: str
    digest: str
