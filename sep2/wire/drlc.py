"""Demand response and load control."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from sep2.wire.base import IdentifiedObject, List, PollRate, RandomizableEvent, Resource, SubscribableList
from sep2.wire.codes import ApplianceLoadReductionType, DeviceCategoryType, PrimacyType, UnitType
from sep2.wire.declare import wire
from sep2.wire.hexbinary import HexBinary
from sep2.wire.links import ActiveEndDeviceControlListLink, DemandResponseProgramLink, EndDeviceControlListLink
from sep2.wire.quantities import ActivePower
from sep2.wire.types import Int16, PerCent, Seconds16, Seconds32, UInt8, UInt16, Unit


@wire
class DemandResponseProgram(IdentifiedObject):
    """A programme of demand response."""

    ActiveEndDeviceControlListLink: ActiveEndDeviceControlListLink | None = None
    availabilityUpdatePercentChangeThreshold: PerCent | None = None
    availabilityUpdatePowerChangeThreshold: ActivePower | None = None
    EndDeviceControlListLink: EndDeviceControlListLink | None = None
    primacy: PrimacyType | int


@wire
class DemandResponseProgramList(SubscribableList):
    """The programmes of demand response."""

    pollRate: PollRate = None
    DemandResponseProgram: list[DemandResponseProgram] = field(default_factory=list)


@wire
class ApplianceLoadReduction:
    """How an appliance is to shed load."""

    type: ApplianceLoadReductionType | int


@wire
class DutyCycle:
    """The share of time a device may run, in percent."""

    normalValue: Annotated[UInt8, Unit("%")]


@wire
class Offset:
    """How far a set point is to move."""

    coolingOffset: Annotated[UInt8, Unit("0.1 degree Celsius")] | None = None
    heatingOffset: Annotated[UInt8, Unit("0.1 degree Celsius")] | None = None
    loadAdjustmentPercentageOffset: PerCent | None = None


@wire
class SetPoint:
    """The temperatures to hold, in hundredths of a degree Celsius."""

    coolingSetpoint: Annotated[Int16, Unit("0.01 degree Celsius")] | None = None
    heatingSetpoint: Annotated[Int16, Unit("0.01 degree Celsius")] | None = None


@wire
class TargetReduction:
    """By how much to reduce."""

    type: UnitType | int
    value: UInt16


@wire
class EndDeviceControl(RandomizableEvent):
    """A demand response event."""

    ApplianceLoadReduction: ApplianceLoadReduction | None = None
    deviceCategory: DeviceCategoryType | HexBinary
    drProgramMandatory: bool
    DutyCycle: DutyCycle | None = None
    loadShiftForward: bool
    Offset: Offset | None = None
    overrideDuration: Seconds16 | None = None
    SetPoint: SetPoint | None = None
    TargetReduction: TargetReduction | None = None


@wire
class EndDeviceControlList(SubscribableList):
    """The events of one programme of demand response."""

    EndDeviceControl: list[EndDeviceControl] = field(default_factory=list)


@wire
class LoadShedAvailability(Resource):
    """How much a device could shed, and for how long."""

    availabilityDuration: Seconds32 | None = None
    DemandResponseProgramLink: DemandResponseProgramLink | None = None
    sheddablePercent: PerCent | None = None
    sheddablePower: ActivePower | None = None


@wire
class LoadShedAvailabilityList(List):
    """How much each device could shed."""

    pollRate: PollRate = None
    LoadShedAvailability: list[LoadShedAvailability] = field(default_factory=list)
