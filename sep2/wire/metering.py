"""Metering and metering mirror: usage points, series, periods, values."""

from __future__ import annotations

from dataclasses import field

from sep2.wire.base import DateTimeInterval, IdentifiedObject, List, PollRate, Resource, Subscribable, SubscribableList
from sep2.wire.declare import wire
from sep2.wire.hexbinary import HexBinary
from sep2.wire.links import (
    MeterReadingListLink,
    RateComponentListLink,
    ReadingLink,
    ReadingListLink,
    ReadingSetListLink,
    ReadingTypeLink,
)
from sep2.wire.metering_codes import (
    AccumulationBehaviourType,
    CommodityType,
    ConsumptionBlockType,
    DataQualifierType,
    FlowDirectionType,
    KindType,
    PhaseCode,
    QualityFlags,
    RoleFlagsType,
    ServiceKind,
    TOUType,
    UomType,
    UsagePointStatus,
)
from sep2.wire.quantities import UnitValueType
from sep2.wire.types import (
    HexBinary16,
    HexBinary160,
    Int48,
    PowerOfTenMultiplierType,
    Seconds32,
    TimeType,
    UInt8,
    UInt48,
)


@wire
class UsagePointBase(IdentifiedObject):
    """What is measured, and what for."""

    roleFlags: RoleFlagsType | HexBinary
    serviceCategoryKind: ServiceKind | int
    status: UsagePointStatus | int


@wire
class UsagePoint(UsagePointBase):
    """A point where something is measured."""

    deviceLFDI: HexBinary160 | None = None
    MeterReadingListLink: MeterReadingListLink | None = None


@wire
class UsagePointList(SubscribableList):
    """The points where something is measured."""

    pollRate: PollRate = None
    UsagePoint: list[UsagePoint] = field(default_factory=list)


@wire
class MeterReadingBase(IdentifiedObject):
    """A series of readings."""


@wire
class MeterReading(MeterReadingBase):
    """A series of readings of one type."""

    RateComponentListLink: RateComponentListLink | None = None
    ReadingLink: ReadingLink | None = None
    ReadingSetListLink: ReadingSetListLink | None = None
    ReadingTypeLink: ReadingTypeLink


@wire
class MeterReadingList(SubscribableList):
    """The series of one usage point."""

    MeterReading: list[MeterReading] = field(default_factory=list)


@wire
class ReadingSetBase(IdentifiedObject):
    """Readings of one period."""

    timePeriod: DateTimeInterval


@wire
class ReadingSet(ReadingSetBase):
    """The readings of one period, by link."""

    ReadingListLink: ReadingListLink | None = None


@wire
class ReadingSetList(SubscribableList):
    """The periods of one series."""

    ReadingSet: list[ReadingSet] = field(default_factory=list)


@wire
class ReadingBase(Resource):
    """One value of a meter."""

    consumptionBlock: ConsumptionBlockType | int | None = None
    qualityFlags: QualityFlags | HexBinary | None = None
    timePeriod: DateTimeInterval | None = None
    touTier: TOUType | int | None = None
    value: Int48 | None = None


@wire
class Reading(ReadingBase):
    """One value of a meter, with its place in the set."""

    subscribable: Subscribable = None
    localID: HexBinary16 | None = None


@wire
class ReadingList(SubscribableList):
    """The values of one period."""

    Reading: list[Reading] = field(default_factory=list)


@wire
class ReadingType(Resource):
    """What the values of a series mean: unit, power of ten, phase, direction."""

    accumulationBehaviour: AccumulationBehaviourType | int | None = None
    calorificValue: UnitValueType | None = None
    commodity: CommodityType | int | None = None
    conversionFactor: UnitValueType | None = None
    dataQualifier: DataQualifierType | int | None = None
    flowDirection: FlowDirectionType | int | None = None
    intervalLength: Seconds32 | None = None
    kind: KindType | int | None = None
    maxNumberOfIntervals: UInt8 | None = None
    numberOfConsumptionBlocks: UInt8 | None = None
    numberOfTouTiers: UInt8 | None = None
    phase: PhaseCode | int | None = None
    powerOfTenMultiplier: PowerOfTenMultiplierType | None = None
    subIntervalLength: Seconds32 | None = None
    supplyLimit: UInt48 | None = None
    tieredConsumptionBlocks: bool | None = None
    uom: UomType | int | None = None


@wire
class MirrorReadingSet(ReadingSetBase):
    """Readings of one period, as posted."""

    Reading: list[Reading] = field(default_factory=list)


@wire
class MirrorMeterReading(MeterReadingBase):
    """A series of readings, as posted."""

    lastUpdateTime: TimeType | None = None
    MirrorReadingSet: list[MirrorReadingSet] = field(default_factory=list)
    nextUpdateTime: TimeType | None = None
    Reading: Reading | None = None
    ReadingType: ReadingType | None = None


@wire
class MirrorMeterReadingList(List):
    """Several series, posted together."""

    MirrorMeterReading: list[MirrorMeterReading] = field(default_factory=list)


@wire
class MirrorUsagePoint(UsagePointBase):
    """A usage point that a device reports about."""

    deviceLFDI: HexBinary160
    MirrorMeterReading: list[MirrorMeterReading] = field(default_factory=list)
    postRate: Seconds32 | None = None


@wire
class MirrorUsagePointList(List):
    """The usage points that this client reports about."""

    pollRate: PollRate = None
    MirrorUsagePoint: list[MirrorUsagePoint] = field(default_factory=list)
