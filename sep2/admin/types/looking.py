"""Looking over everything: search, the calendar of what was issued, and reports."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sep2.admin.types.base import Limits
from sep2.rest.types import Asked, Epoch, Span


class SearchQuery(Asked, frozen=True, kw_only=True):
    """How a name, a connection, an LFDI, an mRID or the number of an override begins."""

    q: Annotated[str, Meta(min_length=1, max_length=80)]
    limit: Annotated[int, Meta(ge=1, le=50)] = 20


class Hit(Struct, frozen=True, kw_only=True):
    """Something that begins so; `id` is what its routes take."""

    kind: Literal["connection", "place", "client", "device", "group", "feeder", "control", "override"]
    id: str
    detail: str


class CalendarQuery(Asked, frozen=True, kw_only=True):
    """From when until when (the day of now where nothing is said); `envelopes` counts those that begin, too."""

    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None
    envelopes: bool = False


class CalendarBar(Struct, frozen=True, kw_only=True):
    """Something that an operator issued, or several alike: for whom, from when until when, and what it says."""

    source: Literal["override", "schedule", "group"]
    subject: str
    count: int
    """of alike ones"""
    start: int
    end: int
    limits: Limits
    reason: str
    id: str
    """the number of the override, or the mRID of the first control"""


class HourCount(Struct, frozen=True, kw_only=True):
    """How many controls of envelopes begin in an hour."""

    start: int
    count: int


class Calendar(Struct, frozen=True, kw_only=True):
    """What touches a time, the earliest first; `more` says whether there is more than is shown."""

    since: int = field(name="from")
    until: int
    bars: list[CalendarBar]
    more: bool
    envelopes: list[HourCount]


ReportBy = Literal[
    "client", "make", "transformer", "feeder", "substation", "place", "group", "connection", "day", "month", "total"
]


class ReportQuery(Span, frozen=True, kw_only=True):
    """How limits were kept over a time, by what, and of which place, client or make."""

    by: ReportBy = "month"
    place: str | None = None
    client: str | None = None
    make: str | None = None
    direction: Literal["import", "export", "generation", "load"] | None = None
    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None


class ReportRow(Struct, frozen=True, kw_only=True):
    """A row of the report that a regulator is given: local times, hours, percent, kWh; empty: not known."""

    period_start: str
    period_end: str
    by: str
    name: str
    limited_h: float
    obedience_percent: float | None
    coverage_percent: float | None
    kept_h: float
    late_h: float
    breach_h: float
    opted_out_h: float
    unknown_h: float
    binding_h: float
    kept_when_binding_percent_at_least: float | None
    """with a confidence of 95 %"""
    beyond_limit_kwh: float


HistoryNoun = Literal[
    "client",
    "connection",
    "device",
    "group",
    "place",
    "curve",
    "mirror",
    "control",
    "override",
    "operator",
    "token",
    "receiver",
]


class HistoryQuery(Span, frozen=True, kw_only=True):
    """The history of one thing, by its name or id; also of one that is gone."""

    noun: HistoryNoun
    of: Annotated[str, Meta(min_length=1, max_length=200)]
