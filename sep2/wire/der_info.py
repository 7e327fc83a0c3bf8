"""What a DER client writes: capability, settings, status, availability."""

from __future__ import annotations

from sep2.wire.base import Resource, SubscribableResource
from sep2.wire.declare import Aus, Aus13, AusRequired, wire
from sep2.wire.der_codes import (
    AbnormalCategory,
    AlarmStatus,
    ConnectStatus,
    DERControlType,
    DERType,
    DOEControlType,
    InverterStatus,
    LocalControlMode,
    NormalCategory,
    OperationalMode,
    StorageMode,
    VPPControlType,
)
from sep2.wire.hexbinary import HexBinary
from sep2.wire.quantities import (
    ActivePower,
    AmpereHour,
    ApparentPower,
    CurrentRMS,
    PowerFactor,
    ReactivePower,
    ReactiveSusceptance,
    VoltageRMS,
    WattHour,
)
from sep2.wire.types import (
    CentiHz,
    EffectiveVolts,
    Gradient,
    Hundredths32,
    PerCent,
    Seconds32,
    String6,
    TimeType,
)


@wire
class DERCapability(Resource):
    """What an energy resource is rated for."""

    modesSupported: DERControlType | HexBinary
    rtgAbnormalCategory: AbnormalCategory | int | None = None
    rtgMaxA: CurrentRMS | None = None
    rtgMaxAh: AmpereHour | None = None
    rtgMaxChargeRateVA: ApparentPower | None = None
    rtgMaxChargeRateW: ActivePower | None = None
    rtgMaxDischargeRateVA: ApparentPower | None = None
    rtgMaxDischargeRateW: ActivePower | None = None
    rtgMaxV: VoltageRMS | None = None
    rtgMaxVA: ApparentPower | None = None
    rtgMaxVar: ReactivePower | None = None
    rtgMaxVarNeg: ReactivePower | None = None
    rtgMaxW: ActivePower
    rtgMaxWh: WattHour | None = None
    rtgMinPFOverExcited: PowerFactor | None = None
    rtgMinPFUnderExcited: PowerFactor | None = None
    rtgMinV: VoltageRMS | None = None
    rtgNormalCategory: NormalCategory | int | None = None
    rtgOverExcitedPF: PowerFactor | None = None
    rtgOverExcitedW: ActivePower | None = None
    rtgReactiveSusceptance: ReactiveSusceptance | None = None
    rtgUnderExcitedPF: PowerFactor | None = None
    rtgUnderExcitedW: ActivePower | None = None
    rtgVNom: VoltageRMS | None = None
    type: DERType | int
    doeModesSupported: AusRequired[DOEControlType | HexBinary | None] = None
    vppModesSupported: Aus13[VPPControlType | HexBinary | None] = None


@wire
class DERSettings(SubscribableResource):
    """What an energy resource is set to."""

    modesEnabled: DERControlType | HexBinary | None = None
    setESDelay: Hundredths32 | None = None
    setESHighFreq: CentiHz | None = None
    setESHighVolt: EffectiveVolts | None = None
    setESLowFreq: CentiHz | None = None
    setESLowVolt: EffectiveVolts | None = None
    setESRampTms: Hundredths32 | None = None
    setESRandomDelay: Hundredths32 | None = None
    setGradW: Gradient
    setMaxA: CurrentRMS | None = None
    setMaxAh: AmpereHour | None = None
    setMaxChargeRateVA: ApparentPower | None = None
    setMaxChargeRateW: ActivePower | None = None
    setMaxDischargeRateVA: ApparentPower | None = None
    setMaxDischargeRateW: ActivePower | None = None
    setMaxV: VoltageRMS | None = None
    setMaxVA: ApparentPower | None = None
    setMaxVar: ReactivePower | None = None
    setMaxVarNeg: ReactivePower | None = None
    setMaxW: ActivePower
    setMaxWh: WattHour | None = None
    setMinPFOverExcited: PowerFactor | None = None
    setMinPFUnderExcited: PowerFactor | None = None
    setMinV: VoltageRMS | None = None
    setSoftGradW: Gradient | None = None
    setVNom: VoltageRMS | None = None
    setVRef: VoltageRMS | None = None
    setVRefOfs: VoltageRMS | None = None
    updatedTime: TimeType
    doeModesEnabled: Aus[DOEControlType | HexBinary | None] = None
    vppModesEnabled: Aus13[VPPControlType | HexBinary | None] = None
    setMinWh: Aus13[WattHour | None] = None


@wire
class ConnectStatusType:
    """How a generator or storage is connected, and since when."""

    dateTime: TimeType
    value: ConnectStatus | HexBinary


@wire
class InverterStatusType:
    """What an inverter is doing, and since when."""

    dateTime: TimeType
    value: InverterStatus | int


@wire
class LocalControlModeStatusType:
    """Who is in control, and since when."""

    dateTime: TimeType
    value: LocalControlMode | int


@wire
class ManufacturerStatusType:
    """The maker's own status, and since when."""

    dateTime: TimeType
    value: String6


@wire
class OperationalModeStatusType:
    """The operating mode, and since when."""

    dateTime: TimeType
    value: OperationalMode | int


@wire
class StateOfChargeStatusType:
    """How full a storage is, and since when."""

    dateTime: TimeType
    value: PerCent


@wire
class StorageModeStatusType:
    """What a storage is doing, and since when."""

    dateTime: TimeType
    value: StorageMode | int


@wire
class DERStatus(SubscribableResource):
    """What an energy resource is doing."""

    alarmStatus: AlarmStatus | HexBinary | None = None
    genConnectStatus: ConnectStatusType | None = None
    inverterStatus: InverterStatusType | None = None
    localControlModeStatus: LocalControlModeStatusType | None = None
    manufacturerStatus: ManufacturerStatusType | None = None
    operationalModeStatus: OperationalModeStatusType | None = None
    readingTime: TimeType
    stateOfChargeStatus: StateOfChargeStatusType | None = None
    storageModeStatus: StorageModeStatusType | None = None
    storConnectStatus: ConnectStatusType | None = None


@wire
class DERAvailability(SubscribableResource):
    """What an energy resource could add, and for how long."""

    availabilityDuration: Seconds32 | None = None
    maxChargeDuration: Seconds32 | None = None
    readingTime: TimeType
    reserveChargePercent: PerCent | None = None
    reservePercent: PerCent | None = None
    statVarAvail: ReactivePower | None = None
    statWAvail: ActivePower | None = None
