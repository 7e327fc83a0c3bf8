"""The code lists of DER, with the numbers of 2018 (the drafts before it count differently)."""

from enum import IntEnum, IntFlag

from sep2.wire.declare import AUS, AUS_1_3, code


@code("HexBinary32")
class DERControlType(IntFlag):
    """The modes a device has (modesSupported) or obeys (modesEnabled), named as in DERControlBase."""

    charge = 1 << 0
    discharge = 1 << 1
    opModConnect = 1 << 2
    opModEnergize = 1 << 3
    opModFixedPFAbsorbW = 1 << 4
    opModFixedPFInjectW = 1 << 5
    opModFixedVar = 1 << 6
    opModFixedW = 1 << 7
    opModFreqDroop = 1 << 8
    opModFreqWatt = 1 << 9
    opModHFRTMayTrip = 1 << 10
    opModHFRTMustTrip = 1 << 11
    opModHVRTMayTrip = 1 << 12
    opModHVRTMomentaryCessation = 1 << 13
    opModHVRTMustTrip = 1 << 14
    opModLFRTMayTrip = 1 << 15
    opModLFRTMustTrip = 1 << 16
    opModLVRTMayTrip = 1 << 17
    opModLVRTMomentaryCessation = 1 << 18
    opModLVRTMustTrip = 1 << 19
    opModMaxLimW = 1 << 20
    opModTargetVar = 1 << 21
    opModTargetW = 1 << 22
    opModVoltVar = 1 << 23
    opModVoltWatt = 1 << 24
    opModWattPF = 1 << 25
    opModWattVar = 1 << 26


@code("HexBinary8", profiles=AUS)
class DOEControlType(IntFlag):
    """The limits of CSIP-AUS a device has (doeModesSupported) or obeys (doeModesEnabled)."""

    # The comments of the published extension schema swap import and export; peers go by the element names.
    opModExpLimW = 1 << 0
    opModImpLimW = 1 << 1
    opModGenLimW = 1 << 2
    opModLoadLimW = 1 << 3


@code("HexBinary8", profiles=AUS_1_3)
class VPPControlType(IntFlag):
    """The targets of CSIP-AUS 1.3 a device has or obeys."""

    opModStorageTargetW = 1 << 0


@code("UInt8")
class DERCurveType(IntEnum):
    """What a curve describes; it must match the element that links to it."""

    opModFreqWatt = 0
    opModHFRTMayTrip = 1
    opModHFRTMustTrip = 2
    opModHVRTMayTrip = 3
    opModHVRTMomentaryCessation = 4
    opModHVRTMustTrip = 5
    opModLFRTMayTrip = 6
    opModLFRTMustTrip = 7
    opModLVRTMayTrip = 8
    opModLVRTMomentaryCessation = 9
    opModLVRTMustTrip = 10
    opModVoltVar = 11
    opModVoltWatt = 12
    opModWattPF = 13
    opModWattVar = 14


@code("UInt8")
class DERUnitRefType(IntEnum):
    """What a percentage is a percentage of."""

    NOT_APPLICABLE = 0
    setMaxW = 1
    setMaxVar = 2
    statVarAvail = 3
    setEffectiveV = 4
    setMaxChargeRateW = 5
    setMaxDischargeRateW = 6
    statWAvail = 7


@code("UInt8")
class DERType(IntEnum):
    """The kind of energy resource."""

    UNKNOWN = 0
    VIRTUAL_OR_MIXED = 1
    RECIPROCATING_ENGINE = 2
    FUEL_CELL = 3
    PHOTOVOLTAIC = 4
    COMBINED_HEAT_AND_POWER = 5
    OTHER_GENERATION = 6
    OTHER_STORAGE = 80
    ELECTRIC_VEHICLE = 81
    EVSE = 82
    PHOTOVOLTAIC_AND_STORAGE = 83


@code("UInt8", named=False)
class NormalCategory(IntEnum):
    """The normal operating performance category of IEEE 1547-2018."""

    NOT_SPECIFIED = 0
    A = 1
    B = 2


@code("UInt8", named=False)
class AbnormalCategory(IntEnum):
    """The abnormal operating performance category of IEEE 1547-2018."""

    NOT_SPECIFIED = 0
    I = 1  # noqa: E741
    II = 2
    III = 3


@code("HexBinary32", named=False)
class AlarmStatus(IntFlag):
    """Which alarms stand; bit n is the pair of log events 2n (alarm) and 2n + 1 (return to normal)."""

    OVER_CURRENT = 1 << 0
    OVER_VOLTAGE = 1 << 1
    UNDER_VOLTAGE = 1 << 2
    OVER_FREQUENCY = 1 << 3
    UNDER_FREQUENCY = 1 << 4
    VOLTAGE_IMBALANCE = 1 << 5
    CURRENT_IMBALANCE = 1 << 6
    EMERGENCY_LOCAL = 1 << 7
    EMERGENCY_REMOTE = 1 << 8
    LOW_POWER_INPUT = 1 << 9
    PHASE_ROTATION = 1 << 10


@code("HexBinary8", named=False)
class ConnectStatus(IntFlag):
    """How a generator or storage is connected."""

    CONNECTED = 1 << 0
    AVAILABLE = 1 << 1
    OPERATING = 1 << 2
    TEST = 1 << 3
    FAULT = 1 << 4


@code("UInt8", named=False)
class InverterStatus(IntEnum):
    """What an inverter is doing."""

    NOT_APPLICABLE = 0
    OFF = 1
    SLEEPING = 2
    STARTING = 3
    TRACKING_POWER_POINT = 4
    FORCED_REDUCTION = 5
    SHUTTING_DOWN = 6
    FAULT = 7
    STANDBY = 8
    TEST = 9
    AS_MANUFACTURER_STATUS = 10


@code("UInt8", named=False)
class LocalControlMode(IntEnum):
    """Who is in control."""

    LOCAL = 0
    REMOTE = 1


@code("UInt8", named=False)
class OperationalMode(IntEnum):
    """The operating mode of a device."""

    NOT_APPLICABLE = 0
    OFF = 1
    OPERATIONAL = 2
    TEST = 3


@code("UInt8", named=False)
class StorageMode(IntEnum):
    """What a storage is doing."""

    CHARGING = 0
    DISCHARGING = 1
    HOLDING = 2
