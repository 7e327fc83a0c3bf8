"""Response: what devices did with the events they were given."""

from __future__ import annotations

from dataclasses import field

from sep2.wire.base import IdentifiedObject, List, PollRate, Resource
from sep2.wire.codes import ResponseStatus, UnitType
from sep2.wire.declare import Typed, wire
from sep2.wire.drlc import ApplianceLoadReduction, DutyCycle, Offset, SetPoint
from sep2.wire.links import ResponseListLink
from sep2.wire.types import HexBinary160, Seconds16, TimeType, UInt16, mRIDType


@wire
class Response(Resource):
    """What a device did with an event; `subject` is the mRID of the event."""

    createdDateTime: TimeType | None = None
    endDeviceLFDI: HexBinary160
    status: ResponseStatus | int | None = None
    subject: mRIDType


@wire
class DERControlResponse(Response):
    """What a device did with a DERControl."""


@wire
class FlowReservationResponseResponse(Response):
    """What a device did with a FlowReservationResponse."""


@wire
class PriceResponse(Response):
    """What a device did with a price."""


@wire
class TextResponse(Response):
    """What a device did with a message."""


@wire
class AppliedTargetReduction:
    """The reduction that a device reached."""

    type: UnitType | int
    value: UInt16


@wire
class DrResponse(Response):
    """What a device did with an EndDeviceControl."""

    ApplianceLoadReduction: ApplianceLoadReduction | None = None
    AppliedTargetReduction: AppliedTargetReduction | None = None
    DutyCycle: DutyCycle | None = None
    Offset: Offset | None = None
    overrideDuration: Seconds16 | None = None
    SetPoint: SetPoint | None = None


@wire
class ResponseList(List):
    """The responses in one set, each with its own type."""

    Response: Typed[list[Response]] = field(default_factory=list)


@wire
class ResponseSet(IdentifiedObject):
    """The responses to one program."""

    ResponseListLink: ResponseListLink | None = None


@wire
class ResponseSetList(List):
    """The sets of responses."""

    pollRate: PollRate = None
    ResponseSet: list[ResponseSet] = field(default_factory=list)
