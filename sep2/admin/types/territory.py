"""Places in the network, as the operator API shows and takes them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.admin.types.groups import Primacy
from sep2.rest.types import Asked, ConnectionId, Span, Text

PlaceKind = Literal["system", "subtransmission", "substation", "feeder", "segment", "transformer"]


class NetworkPlace(Struct, frozen=True, kw_only=True):
    """A part of the network; `group` is the one of all devices below it."""

    name: str
    kind: str
    parent: str | None
    group: str
    primacy: int
    devices: int
    """in all that lies below it"""
    places: int
    """directly below it"""
    connections: int
    """directly at it"""
    created: int


class NewNetworkPlace(Asked, frozen=True, kw_only=True):
    """A place to add; `parent` is the place that it lies below. Without primacy, narrower places count more."""

    name: Text
    kind: PlaceKind
    parent: str | None = None
    primacy: Primacy | None = None
    description: Annotated[str, Meta(max_length=32)] = ""


class PlaceQuery(Span, frozen=True, kw_only=True):
    """Only the places directly below one."""

    parent: str | None = None


class MovePlace(Asked, frozen=True, kw_only=True):
    """The place that it lies below from now on; null: none."""

    parent: str | None


class RemovePlace(Asked, frozen=True, kw_only=True):
    """Where what lies below it goes."""

    to: str | None = None


class PutConnections(Asked, frozen=True, kw_only=True):
    """Connections that are at this place from now on."""

    connections: Annotated[list[ConnectionId], Meta(min_length=1, max_length=10_000)]


class Holds(Struct, frozen=True, kw_only=True):
    """What is in force for a device: mode, value and who says so, before and after a move."""

    lfdi: str
    before: list[str]
    after: list[str]


class PlaceMoved(Struct, frozen=True, kw_only=True):
    """A place after a move, how many devices have other programs, and for the first of them what holds."""

    place: NetworkPlace | None
    devices: int
    changes: list[Holds]
