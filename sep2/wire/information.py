"""What a device tells of itself: information, power status, configuration, files, log events."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from sep2.wire.base import List, PollRate, Resource, SubscribableList, SubscribableResource
from sep2.wire.codes import BatteryStatus, FunctionSet, FunctionsImplemented, LoadStatus, PowerSourceType, ProfileID
from sep2.wire.declare import wire
from sep2.wire.hexbinary import HexBinary
from sep2.wire.links import FileLink, PriceResponseCfgListLink, RateComponentLink, SupportedLocaleListLink
from sep2.wire.quantities import ActivePower, GPSLocationType, RealEnergy
from sep2.wire.types import (
    DstRuleType,
    HexBinary16,
    HexBinary32,
    HexBinary160,
    Int32,
    LocaleType,
    PENType,
    PerCent,
    Seconds32,
    String16,
    String32,
    TimeOffsetType,
    TimeType,
    UInt8,
    UInt16,
    UInt32,
    Unit,
    anyURI,
)


@wire
class SupportedLocale(Resource):
    """A locale that a device can show."""

    locale: LocaleType


@wire
class SupportedLocaleList(List):
    """The locales that a device can show."""

    SupportedLocale: list[SupportedLocale] = field(default_factory=list)


@wire
class DRLCCapabilities:
    """What a device can do in demand response."""

    averageEnergy: RealEnergy
    maxDemand: ActivePower
    optionsImplemented: HexBinary32


@wire
class DeviceInformation(Resource):
    """Maker, model and versions of a device."""

    pollRate: PollRate = None
    DRLCCapabilities: DRLCCapabilities | None = None
    functionsImplemented: FunctionsImplemented | HexBinary | None = None
    gpsLocation: GPSLocationType | None = None
    lFDI: HexBinary160
    mfDate: TimeType
    mfHwVer: String32
    mfID: PENType
    mfInfo: String32 | None = None
    mfModel: String32
    mfSerNum: String32
    primaryPower: PowerSourceType | int
    secondaryPower: PowerSourceType | int
    SupportedLocaleListLink: SupportedLocaleListLink | None = None
    swActTime: TimeType
    swVer: String32


@wire
class PEVInfo:
    """What a plugged-in vehicle asks for."""

    chargingPowerNow: ActivePower
    energyRequestNow: RealEnergy
    maxForwardPower: ActivePower
    minimumChargingDuration: Seconds32
    targetStateOfCharge: PerCent
    timeChargeIsNeeded: TimeType
    timeChargingStatusPEV: TimeType


@wire
class PowerStatus(Resource):
    """What a device is fed from."""

    pollRate: PollRate = None
    batteryStatus: BatteryStatus | int
    changedTime: TimeType
    currentPowerSource: PowerSourceType | int
    estimatedChargeRemaining: PerCent | None = None
    estimatedTimeRemaining: Seconds32 | None = None
    PEVInfo: PEVInfo | None = None
    sessionTimeOnBattery: Seconds32 | None = None
    totalTimeOnBattery: Seconds32 | None = None


@wire
class PowerConfiguration:
    """How the battery of a device is set."""

    batteryInstallTime: TimeType | None = None
    lowChargeThreshold: UInt32 | None = None


@wire
class PriceResponseCfg(Resource):
    """At which prices a device changes its consumption."""

    consumeThreshold: Int32
    maxReductionThreshold: Int32
    RateComponentLink: RateComponentLink


@wire
class PriceResponseCfgList(List):
    """The price thresholds of a device."""

    PriceResponseCfg: list[PriceResponseCfg] = field(default_factory=list)


@wire
class TimeConfiguration:
    """How the local time of a device is set."""

    dstEndRule: DstRuleType
    dstOffset: TimeOffsetType
    dstStartRule: DstRuleType
    tzOffset: TimeOffsetType


@wire
class Configuration(SubscribableResource):
    """The settings of a device that a user may change."""

    pollRate: PollRate = None
    currentLocale: LocaleType
    PowerConfiguration: PowerConfiguration | None = None
    PriceResponseCfgListLink: PriceResponseCfgListLink | None = None
    TimeConfiguration: TimeConfiguration | None = None
    userDeviceName: String32


@wire
class File(Resource):
    """A file that devices may load."""

    activateTime: TimeType | None = None
    fileURI: anyURI
    lFDI: HexBinary160 | None = None
    mfHwVer: String32 | None = None
    mfID: PENType
    mfModel: String32
    mfSerNum: String32 | None = None
    mfVer: String16
    size: UInt32
    type: HexBinary16


@wire
class FileList(List):
    """The files that devices may load."""

    pollRate: PollRate = None
    File: list[File] = field(default_factory=list)


@wire
class FileStatus(Resource):
    """How far a device has come with loading a file."""

    pollRate: PollRate = None
    activateTime: TimeType | None = None
    FileLink: FileLink | None = None
    loadPercent: Annotated[UInt8, Unit("%")]
    nextRequestAttempt: TimeType
    request503Count: UInt16
    requestFailCount: UInt16
    status: LoadStatus | int
    statusTime: TimeType


@wire
class LogEvent(Resource):
    """Something that happened on a device."""

    createdDateTime: TimeType
    details: String32 | None = None
    extendedData: UInt32 | None = None
    functionSet: FunctionSet | int
    logEventCode: UInt8
    logEventID: UInt16
    logEventPEN: PENType
    profileID: ProfileID | int


@wire
class LogEventList(SubscribableList):
    """The newest events of a device, newest first."""

    pollRate: PollRate = None
    LogEvent: list[LogEvent] = field(default_factory=list)
