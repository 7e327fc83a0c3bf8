"""Devices, what they are assigned to, and the time: device capability, end device, function set assignments, time."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from sep2.wire.base import Link, PollRate, Resource, Subscribable, SubscribableList, SubscribableResource
from sep2.wire.codes import DeviceCategoryType, OpState, TemperatureSubject, TimeQuality
from sep2.wire.declare import Aus, wire
from sep2.wire.hexbinary import HexBinary
from sep2.wire.links import (
    ConfigurationLink,
    CustomerAccountListLink,
    DemandResponseProgramListLink,
    DERListLink,
    DERProgramListLink,
    DeviceInformationLink,
    DeviceStatusLink,
    EndDeviceListLink,
    FileListLink,
    FileStatusLink,
    FlowReservationRequestListLink,
    FlowReservationResponseListLink,
    FunctionSetAssignmentsListLink,
    IPInterfaceListLink,
    LoadShedAvailabilityListLink,
    LogEventListLink,
    MessagingProgramListLink,
    MirrorUsagePointListLink,
    PowerStatusLink,
    PrepaymentListLink,
    RegistrationLink,
    ResponseSetListLink,
    SelfDeviceLink,
    SubscriptionListLink,
    TariffProfileListLink,
    TimeLink,
    UsagePointListLink,
)
from sep2.wire.types import (
    HexBinary160,
    Int16,
    PINType,
    PowerOfTenMultiplierType,
    Seconds32,
    SFDIType,
    String32,
    TimeOffsetType,
    TimeType,
    UInt16,
    Unit,
    VersionType,
    mRIDType,
)


@wire
class FunctionSetAssignmentsBase(Resource):
    """Links to the function sets that a device is given."""

    CustomerAccountListLink: CustomerAccountListLink | None = None
    DemandResponseProgramListLink: DemandResponseProgramListLink | None = None
    DERProgramListLink: DERProgramListLink | None = None
    FileListLink: FileListLink | None = None
    MessagingProgramListLink: MessagingProgramListLink | None = None
    PrepaymentListLink: PrepaymentListLink | None = None
    ResponseSetListLink: ResponseSetListLink | None = None
    TariffProfileListLink: TariffProfileListLink | None = None
    TimeLink: TimeLink | None = None
    UsagePointListLink: UsagePointListLink | None = None


@wire
class FunctionSetAssignments(FunctionSetAssignmentsBase):
    """One set of function sets that a device belongs to."""

    subscribable: Subscribable = None
    mRID: mRIDType
    description: String32 | None = None
    version: VersionType | None = None


@wire
class FunctionSetAssignmentsList(SubscribableList):
    """The sets of function sets of one device."""

    pollRate: PollRate = None
    FunctionSetAssignments: list[FunctionSetAssignments] = field(default_factory=list)


@wire
class DeviceCapability(FunctionSetAssignmentsBase):
    """The entrance: links to all that a server offers to this client."""

    pollRate: PollRate = None
    EndDeviceListLink: EndDeviceListLink | None = None
    MirrorUsagePointListLink: MirrorUsagePointListLink | None = None
    SelfDeviceLink: SelfDeviceLink | None = None


@wire
class AbstractDevice(SubscribableResource):
    """What every device tells of itself."""

    ConfigurationLink: ConfigurationLink | None = None
    DERListLink: DERListLink | None = None
    deviceCategory: DeviceCategoryType | HexBinary | None = None
    DeviceInformationLink: DeviceInformationLink | None = None
    DeviceStatusLink: DeviceStatusLink | None = None
    FileStatusLink: FileStatusLink | None = None
    IPInterfaceListLink: IPInterfaceListLink | None = None
    lFDI: HexBinary160 | None = None
    LoadShedAvailabilityListLink: LoadShedAvailabilityListLink | None = None
    LogEventListLink: LogEventListLink | None = None
    PowerStatusLink: PowerStatusLink | None = None
    sFDI: SFDIType


@wire
class EndDevice(AbstractDevice):
    """A device that the server knows, and the hub of its links."""

    changedTime: TimeType
    enabled: bool | None = None
    FlowReservationRequestListLink: FlowReservationRequestListLink | None = None
    FlowReservationResponseListLink: FlowReservationResponseListLink | None = None
    FunctionSetAssignmentsListLink: FunctionSetAssignmentsListLink | None = None
    postRate: Seconds32 | None = None
    RegistrationLink: RegistrationLink | None = None
    SubscriptionListLink: SubscriptionListLink | None = None
    ConnectionPointLink: Aus[Link | None] = None


@wire
class EndDeviceList(SubscribableList):
    """The devices that a client may see, its own first."""

    pollRate: PollRate = None
    EndDevice: list[EndDevice] = field(default_factory=list)


@wire
class SelfDevice(AbstractDevice):
    """The server seen as a device."""

    pollRate: PollRate = None


@wire
class Registration(Resource):
    """When a device was registered, and the PIN by which it knows the server."""

    pollRate: PollRate = None
    dateTimeRegistered: TimeType
    pIN: PINType


@wire
class Temperature:
    """A temperature inside a device, in degrees Celsius."""

    multiplier: PowerOfTenMultiplierType
    subject: TemperatureSubject | int
    value: Annotated[Int16, Unit("10^multiplier degree Celsius")]


@wire
class DeviceStatus(Resource):
    """How a device is doing."""

    pollRate: PollRate = None
    changedTime: TimeType
    onCount: UInt16 | None = None
    opState: OpState | int | None = None
    opTime: Seconds32 | None = None
    Temperature: list[Temperature] = field(default_factory=list)
    TimeLink: TimeLink | None = None


@wire
class Time(Resource):
    """The server's time; all times are UTC, offsets are for display."""

    pollRate: PollRate = None
    currentTime: TimeType
    dstEndTime: TimeType
    dstOffset: TimeOffsetType
    dstStartTime: TimeType
    localTime: TimeType | None = None
    quality: TimeQuality | int
    tzOffset: TimeOffsetType
