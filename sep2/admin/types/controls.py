"""Controls, as the operator API shows and takes them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sep2.admin.types.base import LeftOut, Limits
from sep2.rest.types import Asked, Category, Epoch, Seconds, Span

Offset = Annotated[int, Meta(ge=-3600, le=3600)]  # OneHourRangeType


class NewControl(Asked, frozen=True, kw_only=True):
    """One control; `start` defaults to now."""

    start: Epoch | None = None
    duration: Seconds
    limits: Limits = Limits()
    modes: dict[str, Any] = field(default_factory=dict)
    ramp_tms: Annotated[int, Meta(ge=0, le=65535)] | None = None
    randomize_start: Offset | None = None
    randomize_duration: Offset | None = None
    device_category: Category | None = None
    description: Annotated[str, Meta(max_length=32)] = ""


class NewControls(Asked, frozen=True, kw_only=True):
    """Controls of one group, issued in one transaction, and why."""

    controls: Annotated[list[NewControl], Meta(min_length=1, max_length=10_000)]
    reason: Annotated[str, Meta(max_length=200)] = ""
    anyway: bool = False
    """Also where a device that polls may see a control only after its end."""


class Note(Struct, frozen=True, kw_only=True):
    """What a control does not do at one device; the code is that of the alarm it raises."""

    lfdi: str
    connection_id: str | None
    code: str
    sentence: str


class Outranked(Struct, frozen=True, kw_only=True):
    """A device of a group for which something more important says the same modes, at least for a part of the time."""

    lfdi: str
    connection_id: str | None
    by: str
    until: int


class ControlsForMany(NewControls, frozen=True, kw_only=True):
    """The same controls for every connection or device of a scope; for the system there is no subject."""

    scope: Literal["place", "group", "aggregator", "system"]
    subject: str = ""


class IssuedToMany(Struct, frozen=True, kw_only=True):
    """What came of it: to how many places and devices, the first new mRIDs, and whom it does not reach as meant."""

    scope: str
    subject: str
    places: int
    devices: int
    created: list[str]
    kept: int
    superseded: int
    notes: "list[Note]"
    noted: int
    outranked: "list[Outranked]"
    left_out: list[LeftOut]
    """protected connections that are not told, because it bounds what they draw or disconnects them"""


class Issued(Struct, frozen=True, kw_only=True):
    """The mRIDs of what was made, of what already said the same, and of what gives way.

    `reissued` are parts of others that were issued anew, so that they hold where the new ones do not.
    """

    created: list[str]
    kept: list[str]
    superseded: list[str]
    devices: int
    notes: list[Note]
    """Of the first devices that are not reached as it is meant."""
    noted: int
    """How many notes there are in all."""
    group: str
    reissued: list[str]
    outranked: list[Outranked]
    late_s: int
    """How long after something more important ends a part begins at the latest, where there are many parts."""


class Control(Struct, frozen=True, kw_only=True):
    """A control and its EventStatus, as clients of the utility's profile see it now."""

    mrid: str
    group: str
    description: str
    created: int
    start: int
    duration: int
    status: int
    status_since: int
    over: bool
    limits: Limits
    modes: dict[str, Any]
    source: str
    reason: str


class Reached(Struct, frozen=True, kw_only=True):
    """One device of a control's group, and when each response status was received from it."""

    lfdi: str
    client: str
    connection_id: str | None
    responses: dict[int, int]
    note: str


class ControlShown(Control, frozen=True, kw_only=True):
    """A control and what its devices answered."""

    ramp_tms: int | None
    randomize_start: int | None
    randomize_duration: int | None
    ends: int
    devices: list[Reached]


class ControlQuery(Span, frozen=True, kw_only=True):
    """Controls of one group; those that are over only when asked for."""

    group: str | None = None
    over: bool = False


class Cancel(Asked, frozen=True, kw_only=True):
    """Why, and whether devices spread the change over the control's randomization time."""

    reason: Annotated[str, Meta(max_length=200)] = ""
    randomized: bool = False


class Cancelled(Struct, frozen=True, kw_only=True):
    """A control that was withdrawn; so many notifications wait to be sent."""

    mrid: str
    waiting: int
    cancelled: int
    """With the parts of it that were issued anew."""
    reissued: int
    """Parts of what it had replaced, which hold again."""
