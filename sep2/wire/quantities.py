"""Quantities: a number, a power of ten and a unit. The multiplier comes first, the value second."""

from __future__ import annotations

from typing import Annotated

from sep2.wire.declare import wire
from sep2.wire.der_codes import DERUnitRefType
from sep2.wire.metering_codes import UomType
from sep2.wire.types import Int16, Int32, Int48, PowerOfTenMultiplierType, SignedPerCent, String32, UInt16, UInt48, Unit


@wire
class FixedPointType:
    """A number of 16 bits times a power of ten."""

    multiplier: PowerOfTenMultiplierType
    value: Int16


@wire
class UnsignedFixedPointType:
    """An unsigned number of 16 bits times a power of ten."""

    multiplier: PowerOfTenMultiplierType
    value: UInt16


@wire
class ActivePower:
    """Active power: value x 10^multiplier W."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[Int16, Unit("10^multiplier W")]


@wire
class ReactivePower:
    """Reactive power: value x 10^multiplier var."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[Int16, Unit("10^multiplier var")]


@wire
class ApparentPower:
    """Apparent power: value x 10^multiplier VA."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[UInt16, Unit("10^multiplier VA")]


@wire
class CurrentRMS:
    """Current: value x 10^multiplier A."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[UInt16, Unit("10^multiplier A")]


@wire
class VoltageRMS:
    """Voltage: value x 10^multiplier V."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[UInt16, Unit("10^multiplier V")]


@wire
class AmpereHour:
    """Charge: value x 10^multiplier Ah."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[UInt16, Unit("10^multiplier Ah")]


@wire
class WattHour:
    """Energy: value x 10^multiplier Wh."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[UInt16, Unit("10^multiplier Wh")]


@wire
class RealEnergy:
    """Energy, unsigned: value x 10^multiplier Wh."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[UInt48, Unit("10^multiplier Wh")]


@wire
class SignedRealEnergy:
    """Energy with a direction: value x 10^multiplier Wh."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[Int48, Unit("10^multiplier Wh")]


@wire
class ReactiveSusceptance:
    """Susceptance: value x 10^multiplier S."""

    multiplier: PowerOfTenMultiplierType
    value: Annotated[UInt16, Unit("10^multiplier S")]


@wire
class PowerFactor:
    """Power factor: displacement x 10^multiplier."""

    displacement: UInt16
    multiplier: PowerOfTenMultiplierType


@wire
class PowerFactorWithExcitation:
    """Power factor, and on which side: excitation true absorbs var (under-excited)."""

    displacement: UInt16
    excitation: bool
    multiplier: PowerOfTenMultiplierType


@wire
class FixedVar:
    """Reactive power in hundredths of a percent of what refType says."""

    refType: DERUnitRefType | int
    value: SignedPerCent


@wire
class UnitValueType:
    """A value with its unit."""

    multiplier: PowerOfTenMultiplierType
    unit: UomType | int
    value: Int32


@wire
class GPSLocationType:
    """A place in decimal degrees of WGS 84."""

    lat: String32
    lon: String32
