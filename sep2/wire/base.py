"""What every resource is built of: addresses, lists, links, events, and the refusal."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, TypeAlias

from sep2.wire.codes import CurrentStatus, ReasonCode, ResponseRequired, SubscribableType
from sep2.wire.declare import Attr, Mark, wire
from sep2.wire.hexbinary import HexBinary
from sep2.wire.types import (
    BUILT_IN,
    OneHourRangeType,
    Seconds16,
    Seconds32,
    String32,
    String192,
    TimeType,
    UInt32,
    Unit,
    VersionType,
    anyURI,
    mRIDType,
)

UNCOUNTED = -1
"""`results` of a list that counts its items when it is made."""

PollRate: TypeAlias = Annotated[int | None, BUILT_IN["UInt32"], Unit("s"), Mark(attribute=True, default="900")]
Subscribable: TypeAlias = Annotated[SubscribableType | int | None, Mark(attribute=True, default="0")]
Responds: TypeAlias = Annotated[ResponseRequired | HexBinary | None, Mark(attribute=True, default="00")]
Results: TypeAlias = Annotated[int, BUILT_IN["UInt32"], Mark(attribute=True, counted=True)]


_ITEMS: dict[type[Any], list[str]] = {}


def _count(page: Any) -> None:
    """`results` is the number of items on the page, unless it is said."""
    if page.results == UNCOUNTED:
        cls = type(page)
        if cls not in _ITEMS:
            _ITEMS[cls] = [f.name for f in dataclasses.fields(cls) if f.default_factory is list]
        page.results = sum([len(getattr(page, name)) for name in _ITEMS[cls]])


@wire
class Resource:
    """What has an address of its own."""

    href: Attr[anyURI | None] = None


@wire
class IdentifiedObject(Resource):
    """A resource with an mRID."""

    mRID: mRIDType
    description: String32 | None = None
    version: VersionType | None = None


@wire
class SubscribableResource(Resource):
    """A resource that takes subscriptions."""

    subscribable: Subscribable = None


@wire
class SubscribableIdentifiedObject(SubscribableResource):
    """A resource with an mRID that takes subscriptions."""

    mRID: mRIDType
    description: String32 | None = None
    version: VersionType | None = None


@wire
class RespondableResource(Resource):
    """A resource that asks for responses."""

    replyTo: Attr[anyURI | None] = None
    responseRequired: Responds = None


@wire
class RespondableIdentifiedObject(RespondableResource):
    """A resource with an mRID that asks for responses."""

    mRID: mRIDType
    description: String32 | None = None
    version: VersionType | None = None


@wire
class RespondableSubscribableIdentifiedObject(RespondableResource):
    """A resource with an mRID that takes subscriptions and asks for responses."""

    subscribable: Subscribable = None
    mRID: mRIDType
    description: String32 | None = None
    version: VersionType | None = None


@wire
class List(Resource):
    """One page of a list: `all` counts every item there is, `results` those of this page."""

    all: Attr[UInt32]
    results: Results = UNCOUNTED

    def __post_init__(self) -> None:
        _count(self)


@wire
class SubscribableList(SubscribableResource):
    """One page of a list that takes subscriptions."""

    all: Attr[UInt32]
    results: Results = UNCOUNTED

    def __post_init__(self) -> None:
        _count(self)


@wire
class Link:
    """The address of a resource."""

    href: Attr[anyURI]


@wire
class ListLink(Link):
    """The address of a list, and how many items it has for this client."""

    all: Attr[UInt32 | None] = None


@wire
class DateTimeInterval:
    """An interval of time; the duration comes first."""

    duration: Seconds32
    start: TimeType


@wire
class EventStatus:
    """Where an event stands, and since when."""

    currentStatus: CurrentStatus | int
    dateTime: TimeType
    potentiallySuperseded: bool
    potentiallySupersededTime: TimeType | None = None
    reason: String192 | None = None


@wire
class Event(RespondableSubscribableIdentifiedObject):
    """Something that holds for an interval."""

    creationTime: TimeType
    EventStatus: EventStatus
    interval: DateTimeInterval


@wire
class RandomizableEvent(Event):
    """An event whose start and end devices may spread."""

    randomizeDuration: OneHourRangeType | None = None
    randomizeStart: OneHourRangeType | None = None


@wire
class Error:
    """Why a request was refused."""

    maxRetryDuration: Seconds16 | None = None
    reasonCode: ReasonCode | int
