"""DER programs: controls, defaults and curves."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from sep2.wire.base import (
    IdentifiedObject,
    List,
    PollRate,
    RandomizableEvent,
    SubscribableIdentifiedObject,
    SubscribableList,
    SubscribableResource,
)
from sep2.wire.codes import DeviceCategoryType, PrimacyType
from sep2.wire.declare import Aus, Aus13, Mark, wire
from sep2.wire.der_codes import DERCurveType, DERUnitRefType
from sep2.wire.hexbinary import HexBinary
from sep2.wire.links import (
    ActiveDERControlListLink,
    AssociatedDERProgramListLink,
    AssociatedUsagePointLink,
    CurrentDERProgramLink,
    DefaultDERControlLink,
    DERAvailabilityLink,
    DERCapabilityLink,
    DERControlListLink,
    DERCurveLink,
    DERCurveListLink,
    DERSettingsLink,
    DERStatusLink,
)
from sep2.wire.quantities import ActivePower, FixedVar, PowerFactorWithExcitation, ReactivePower
from sep2.wire.types import (
    CentiHz,
    EffectiveVolts,
    Gradient,
    Hundredths16,
    Hundredths32,
    Int32,
    MilliHz,
    PerCent,
    PowerOfTenMultiplierType,
    SignedPerCent,
    Thousandths,
    TimeType,
)


@wire
class DER(SubscribableResource):
    """An energy resource, and links to what it is, is set to and does."""

    AssociatedDERProgramListLink: AssociatedDERProgramListLink | None = None
    AssociatedUsagePointLink: AssociatedUsagePointLink | None = None
    CurrentDERProgramLink: CurrentDERProgramLink | None = None
    DERAvailabilityLink: DERAvailabilityLink | None = None
    DERCapabilityLink: DERCapabilityLink | None = None
    DERSettingsLink: DERSettingsLink | None = None
    DERStatusLink: DERStatusLink | None = None


@wire
class DERList(List):
    """The energy resources of a device."""

    pollRate: PollRate = None
    DER: list[DER] = field(default_factory=list)


@wire
class FreqDroopType:
    """The parameters of a frequency droop."""

    dBOF: MilliHz
    dBUF: MilliHz
    kOF: Thousandths
    kUF: Thousandths
    openLoopTms: Hundredths16


@wire
class DERControlBase:
    """The modes that a control or a default sets; a mode that is absent is not controlled."""

    opModConnect: bool | None = None
    opModEnergize: bool | None = None
    opModFixedPFAbsorbW: PowerFactorWithExcitation | None = None
    opModFixedPFInjectW: PowerFactorWithExcitation | None = None
    opModFixedVar: FixedVar | None = None
    opModFixedW: SignedPerCent | None = None
    opModFreqDroop: FreqDroopType | None = None
    opModFreqWatt: DERCurveLink | None = None
    opModHFRTMayTrip: DERCurveLink | None = None
    opModHFRTMustTrip: DERCurveLink | None = None
    opModHVRTMayTrip: DERCurveLink | None = None
    opModHVRTMomentaryCessation: DERCurveLink | None = None
    opModHVRTMustTrip: DERCurveLink | None = None
    opModLFRTMayTrip: DERCurveLink | None = None
    opModLFRTMustTrip: DERCurveLink | None = None
    opModLVRTMayTrip: DERCurveLink | None = None
    opModLVRTMomentaryCessation: DERCurveLink | None = None
    opModLVRTMustTrip: DERCurveLink | None = None
    opModMaxLimW: PerCent | None = None
    opModTargetVar: ReactivePower | None = None
    opModTargetW: ActivePower | None = None
    opModVoltVar: DERCurveLink | None = None
    opModVoltWatt: DERCurveLink | None = None
    opModWattPF: DERCurveLink | None = None
    opModWattVar: DERCurveLink | None = None
    rampTms: Hundredths16 | None = None
    opModImpLimW: Aus[ActivePower | None] = None
    opModExpLimW: Aus[ActivePower | None] = None
    opModGenLimW: Aus[ActivePower | None] = None
    opModLoadLimW: Aus[ActivePower | None] = None
    opModStorageTargetW: Aus13[ActivePower | None] = None


@wire
class DERControl(RandomizableEvent):
    """A control that holds for one interval."""

    DERControlBase: DERControlBase
    deviceCategory: DeviceCategoryType | HexBinary | None = None


@wire
class DERControlList(SubscribableList):
    """The controls of one program that have not ended."""

    DERControl: list[DERControl] = field(default_factory=list)


@wire
class DefaultDERControl(SubscribableIdentifiedObject):
    """What holds while no control does."""

    DERControlBase: DERControlBase
    setESDelay: Hundredths32 | None = None
    setESHighFreq: CentiHz | None = None
    setESHighVolt: EffectiveVolts | None = None
    setESLowFreq: CentiHz | None = None
    setESLowVolt: EffectiveVolts | None = None
    setESRampTms: Hundredths32 | None = None
    setESRandomDelay: Hundredths32 | None = None
    setGradW: Gradient | None = None
    setSoftGradW: Gradient | None = None


@wire
class DERProgram(SubscribableIdentifiedObject):
    """A set of controls with one primacy."""

    ActiveDERControlListLink: ActiveDERControlListLink | None = None
    DefaultDERControlLink: DefaultDERControlLink | None = None
    DERControlListLink: DERControlListLink | None = None
    DERCurveListLink: DERCurveListLink | None = None
    primacy: PrimacyType | int


@wire
class DERProgramList(SubscribableList):
    """The programs that a device belongs to."""

    pollRate: PollRate = None
    DERProgram: list[DERProgram] = field(default_factory=list)


@wire
class CurveData:
    """One point of a curve; excitation only where y is a power factor."""

    excitation: bool | None = None
    xvalue: Int32
    yvalue: Int32


@wire
class DERCurve(IdentifiedObject):
    """A curve that controls link to."""

    autonomousVRefEnable: bool | None = None
    autonomousVRefTimeConstant: Hundredths32 | None = None
    creationTime: TimeType
    CurveData: Annotated[list[CurveData], Mark(least=1, most=10)]
    curveType: DERCurveType | int
    openLoopTms: Hundredths16 | None = None
    rampDecTms: Gradient | None = None
    rampIncTms: Gradient | None = None
    rampPT1Tms: Hundredths16 | None = None
    vRef: PerCent | None = None
    xMultiplier: PowerOfTenMultiplierType
    yMultiplier: PowerOfTenMultiplierType
    yRefType: DERUnitRefType | int


@wire
class DERCurveList(List):
    """The curves of one program."""

    DERCurve: list[DERCurve] = field(default_factory=list)
