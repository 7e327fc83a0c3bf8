"""What clients sent, as the operator API shows it: readings, documents, LogEvents, responses, and when they did."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sep2.rest.types import Asked, Epoch, Span
from sep2.rules.metering import ReadingSign

Resolution = Annotated[int, Meta(ge=60, le=31 * 86_400)]


class Whose(Asked, frozen=True, kw_only=True):
    """Of which connection, device (the beginning of its LFDI), client or group; all that are given must fit."""

    connection: str | None = None
    device: str | None = None
    client: str | None = None
    group: str | None = None
    place: str | None = None


class Listing(Span, frozen=True, kw_only=True):
    """Which part of a list, of whom, and from when until when; all that are given must fit."""

    connection: str | None = None
    device: str | None = None
    client: str | None = None
    group: str | None = None
    place: str | None = None
    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None


class ReadingQuery(Whose, frozen=True, kw_only=True):
    """Readings that touch a time (a day up to now where nothing is said), or means over buckets of `resolution` s."""

    quantity: str | None = None
    """power, voltage, energy, current, frequency, reactive-power and others"""
    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None
    resolution: Resolution | None = None
    earlier: bool = False
    """Also what is from before the connection's present customer moved in."""
    limit: Annotated[int, Meta(ge=1, le=5000)] = 500
    after: Annotated[str, Meta(max_length=1000)] | None = None


class LatestQuery(Whose, frozen=True, kw_only=True):
    """The latest reading of each series."""

    quantity: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 500
    after: Annotated[str, Meta(max_length=1000)] | None = None


class Reading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A metered value in the SI unit of its quantity; power, reactive power and energy are import positive.

    With a resolution it is the time-weighted mean of a bucket, with the smallest and the largest reading in it and the
    seconds that are covered. Where the sign of the meter is not proven, it is taken as the standard has it.
    """

    connection: str | None
    device: str
    client: str
    meter: int
    """the number of the MirrorUsagePoint"""
    role: Literal["site", "der", "other"]
    quantity: str
    unit: str
    phase: str
    sign: ReadingSign
    start: int | None
    duration_s: int | None
    value: float | None
    least: float | None = None
    most: float | None = None
    covered_s: int | None = None
    quality: int | None = None
    received: int | None = None


class Readings(Struct, frozen=True, kw_only=True):
    """A part of the readings; `next` is what `after` is for the next part, null at the end."""

    items: list[Reading]
    next: str | None = None


class DocumentQuery(Listing, frozen=True, kw_only=True):
    """What devices say of themselves now; with `history` every edition that differed from the one before."""

    history: bool = False


class Document(Struct, frozen=True, kw_only=True):
    """A document that a device wrote, by the names of the wire; quantities are in SI units."""

    connection: str | None
    device: str
    client: str
    kind: str
    written: int
    """when it came in, epoch seconds"""
    says: dict[str, Any]


class LogEvent(Struct, frozen=True, kw_only=True):
    """An event that a device reported; odd codes mean that the condition of the even one before is gone."""

    id: int
    connection: str | None
    device: str
    client: str
    created: int
    received: int
    function_set: int
    code: int
    event: int
    pen: int
    profile: int
    details: str | None
    extended_data: int | None


class ResponseQuery(Listing, frozen=True, kw_only=True):
    """Responses, to one control (the beginning of its mRID) or with one status where so asked."""

    control: str | None = None
    status: Annotated[int, Meta(ge=0, le=255)] | None = None


class ResponseSaid(Struct, frozen=True, kw_only=True):
    """What a device answered to a control."""

    id: int
    connection: str | None
    device: str
    client: str
    control: str
    group: str
    source: str
    status: int
    created: int
    """the time that the client names"""
    received: int


class ContactQuery(Span, frozen=True, kw_only=True):
    """Clients or devices, those never heard of first, then those silent longest."""

    client: str | None = None


class ClientContact(Struct, frozen=True, kw_only=True):
    """When a client was heard of: its latest request, post (readings, documents, events) and answer (responses)."""

    client: str
    last_request: int | None
    last_post: int | None
    last_answer: int | None
    requests: int
    posts: int
    answers: int
    refusals: int
    address: str
    suite: str
    agent: str
    skew_s: int | None
    """its clock less the server's, by its latest answers; null before three"""


class DeviceContact(Struct, frozen=True, kw_only=True):
    """When a device was asked about, posted for and answered for."""

    connection: str | None
    device: str
    client: str
    last_request: int | None
    last_post: int | None
    last_answer: int | None
    requests: int
    posts: int
    answers: int
