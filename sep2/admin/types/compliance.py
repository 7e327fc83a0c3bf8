"""How limits were kept, as the operator API shows it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sep2.rest.types import Asked, Epoch, Seconds, Span, Text

Direction = Literal["import", "export", "generation", "load"]
By = Literal[
    "connection", "device", "client", "make", "group", "place", "transformer", "feeder", "substation", "direction",
    "day", "month", "total",
]  # fmt: skip


class ComplianceQuery(Asked, frozen=True, kw_only=True):
    """Sums by what, of whom: all that are given must fit.

    Where no time is given: yesterday and today, by connection and device today.
    """

    by: By = "connection"
    connection: str | None = None
    device: str | None = None
    client: str | None = None
    group: str | None = None
    place: str | None = None
    direction: Direction | None = None
    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None
    limit: Annotated[int, Meta(ge=0, le=5000)] = 500
    after: Annotated[str, Meta(max_length=1000)] | None = None


class Compliance(Struct, frozen=True, kw_only=True):
    """How limits were kept by what the name stands for, in seconds by verdict; exempt time counts nowhere."""

    name: str
    obedience: float | None
    """ok / (ok + late + breach + opted out); null where nothing is known"""
    coverage: float | None
    """the known share of the limited time"""
    limited_s: int
    ok_s: int
    late_s: int
    breach_s: int
    opted_out_s: int
    unknown_s: int
    binding_s: int
    """of the known time, with more than 80 % of what was allowed"""
    binding_bound: float | None
    """the share of binding intervals that were kept, at least so much with a confidence of 95 %"""
    breach_wh: float


class ComplianceSums(Struct, frozen=True, kw_only=True):
    """Sums, the least obedient first (days and months in their order), and the time up to which all is judged."""

    items: list[Compliance]
    total: int
    since: int = field(name="from")
    until: int
    judged_until: int | None
    """null: nothing was judged yet"""
    next: str | None = None
    """what `after` is for the next part; null at the end"""


class BrokenQuery(Span, frozen=True, kw_only=True):
    """Intervals in which a limit was not kept, latest first."""

    connection: str | None = None
    device: str | None = None
    client: str | None = None
    group: str | None = None
    place: str | None = None
    direction: Direction | None = None
    state: Literal["late", "breach", "opted_out"] | None = None
    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None


class HoursQuery(Span, frozen=True, kw_only=True):
    """Energy beyond limits by the hour of the day, of the names with most of it; a week where no time is given."""

    by: Literal["connection", "client", "place"] = "client"
    """place: that of the connection itself"""
    connection: str | None = None
    device: str | None = None
    client: str | None = None
    group: str | None = None
    place: str | None = None
    make: Annotated[str, Meta(max_length=80)] | None = None
    direction: Direction | None = None
    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None


class BeyondHours(Struct, frozen=True, kw_only=True):
    """What one name had beyond its limits, by the hour of the utility's local day, from midnight on."""

    name: str
    wh: list[float]
    intervals: list[int]
    """each with something beyond"""


class Broken(Struct, frozen=True, kw_only=True):
    """An interval in which a limit was not kept; watts in the direction of the limit."""

    connection: str | None
    device: str | None
    """null: it was removed since"""
    client: str | None
    direction: str
    start: int
    duration_s: int
    state: str
    allowed_w: float
    measured_w: float | None
    covered_s: int
    breach_wh: float
    control: str
    """mRID; empty: a default"""


class Run(Struct, frozen=True, kw_only=True):
    """A time in which a direction of a device had one state."""

    direction: str
    device: str
    start: int
    end: int
    state: str


class ConnectionCompliance(Struct, frozen=True, kw_only=True):
    """How one connection kept its limits: by direction, and the course of the time; what is left out was exempt."""

    connection: str
    by_direction: list[Compliance]
    course: list[Run]
    unknown_because: dict[str, str]
    """by direction why the latest unknown interval is unknown"""


class CourseQuery(Asked, frozen=True, kw_only=True):
    """From when until when; a day up to now where nothing is said."""

    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None
    earlier: bool = False
    """Also what is from before the connection's present customer moved in."""


class ReachingQuery(Asked, frozen=True, kw_only=True):
    """Controls issued in a time (a day up to now), or one control by the beginning of its mRID."""

    control: str | None = None
    connection: str | None = None
    device: str | None = None
    client: str | None = None
    group: str | None = None
    place: str | None = None
    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None
    most: Annotated[int, Meta(ge=0, le=5000)] = 100
    """of the items; the delays are of all"""


class Arrival(Struct, frozen=True, kw_only=True):
    """How far a control came at a device; null: not known, or not yet."""

    control: str
    connection: str | None
    device: str
    issued: int
    delivered: int | None
    received: int | None
    started: int | None
    first_ok: int | None


class Delay(Struct, frozen=True, kw_only=True):
    """Seconds after its issue that half and 95 % of the controls needed to come so far, of those that did."""

    count: int
    p50_s: int | None
    p95_s: int | None


class Reaching(Struct, frozen=True, kw_only=True):
    """How fast controls arrive: of how many at all devices, and the delays of each stage."""

    controls: int
    delivered: Delay
    received: Delay
    started: Delay
    first_ok: Delay
    items: list[Arrival]


class NewExemption(Asked, frozen=True, kw_only=True):
    """From when (now) and for how long a connection is not judged, and why."""

    start: Epoch | None = None
    duration: Seconds
    reason: Text


class Exemption(Struct, frozen=True, kw_only=True):
    """A time in which a connection is not judged."""

    id: int
    connection: str
    start: int
    end: int
    reason: str
    operator: str
    created: int
