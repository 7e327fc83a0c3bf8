"""Flow reservation."""

from __future__ import annotations

from dataclasses import field

from sep2.wire.base import DateTimeInterval, Event, IdentifiedObject, List, PollRate, SubscribableList
from sep2.wire.codes import RequestStatusCode
from sep2.wire.declare import wire
from sep2.wire.quantities import ActivePower, SignedRealEnergy
from sep2.wire.types import Seconds16, TimeType, mRIDType


@wire
class RequestStatus:
    """Whether a reservation is still wanted, and since when."""

    dateTime: TimeType
    requestStatus: RequestStatusCode | int


@wire
class FlowReservationRequest(IdentifiedObject):
    """A device asks for energy; positive is charging, against the sign of DER."""

    creationTime: TimeType
    durationRequested: Seconds16 | None = None
    energyRequested: SignedRealEnergy
    intervalRequested: DateTimeInterval
    powerRequested: ActivePower
    RequestStatus: RequestStatus


@wire
class FlowReservationRequestList(List):
    """What a device has asked for."""

    pollRate: PollRate = None
    FlowReservationRequest: list[FlowReservationRequest] = field(default_factory=list)


@wire
class FlowReservationResponse(Event):
    """What the server grants to a request; `subject` is the request's mRID."""

    energyAvailable: SignedRealEnergy
    powerAvailable: ActivePower
    subject: mRIDType


@wire
class FlowReservationResponseList(SubscribableList):
    """What the server has granted to a device."""

    pollRate: PollRate = None
    FlowReservationResponse: list[FlowReservationResponse] = field(default_factory=list)
