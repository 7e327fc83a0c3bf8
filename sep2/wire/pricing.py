"""Pricing: tariffs, their parts, intervals and blocks."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from sep2.wire.base import IdentifiedObject, List, ListLink, PollRate, RandomizableEvent, Resource, SubscribableList
from sep2.wire.codes import PrimacyType, SubscribableType
from sep2.wire.declare import AUS_1_3, Aus13Required, Mark, wire, wire_aus
from sep2.wire.hexbinary import HexBinary
from sep2.wire.links import (
    ActiveTimeTariffIntervalListLink,
    ConsumptionTariffIntervalListLink,
    RateComponentLink,
    RateComponentListLink,
    ReadingTypeLink,
    TimeTariffIntervalListLink,
)
from sep2.wire.metering_codes import (
    ConsumptionBlockType,
    CostKindType,
    CurrencyCode,
    RoleFlagsType,
    ServiceKind,
    TOUType,
)
from sep2.wire.quantities import UnitValueType
from sep2.wire.types import BUILT_IN, Int32, PowerOfTenMultiplierType, String20, UInt8, UInt32, UInt48


@wire
class EnvironmentalCost:
    """An environmental cost of a unit."""

    amount: UInt32
    costKind: CostKindType | int
    costLevel: UInt8
    numCostLevels: UInt8


@wire
class ConsumptionTariffInterval(Resource):
    """The price of one block of consumption."""

    consumptionBlock: ConsumptionBlockType | int
    EnvironmentalCost: list[EnvironmentalCost] = field(default_factory=list)
    price: Int32 | None = None
    startValue: UInt48


@wire
class ConsumptionTariffIntervalList(List):
    """The blocks of one price interval."""

    ConsumptionTariffInterval: list[ConsumptionTariffInterval] = field(default_factory=list)


@wire_aus("ConsumptionTariffIntervalListSummary", profiles=AUS_1_3)
class ConsumptionTariffIntervalListSummary(ConsumptionTariffIntervalList):
    """The blocks of one price interval, embedded in it (CSIP-AUS 1.3)."""


@wire
class RateComponent(IdentifiedObject):
    """One part of a tariff."""

    ActiveTimeTariffIntervalListLink: ActiveTimeTariffIntervalListLink | None = None
    flowRateEndLimit: UnitValueType | None = None
    flowRateStartLimit: UnitValueType | None = None
    ReadingTypeLink: ReadingTypeLink
    roleFlags: RoleFlagsType | HexBinary
    TimeTariffIntervalListLink: TimeTariffIntervalListLink


@wire
class RateComponentList(List):
    """The parts of a tariff."""

    subscribable: Annotated[SubscribableType | int | None, Mark(attribute=True, default="0", profiles=AUS_1_3)] = None
    RateComponent: list[RateComponent] = field(default_factory=list)


@wire
class TariffProfile(IdentifiedObject):
    """A tariff."""

    currency: CurrencyCode | int | None = None
    pricePowerOfTenMultiplier: PowerOfTenMultiplierType | None = None
    primacy: PrimacyType | int
    rateCode: String20 | None = None
    RateComponentListLink: RateComponentListLink | None = None
    serviceCategoryKind: ServiceKind | int
    CombinedTimeTariffIntervalListLink: Aus13Required[ListLink | None] = None


@wire
class TariffProfileList(SubscribableList):
    """The tariffs."""

    pollRate: PollRate = None
    TariffProfile: list[TariffProfile] = field(default_factory=list)


@wire
class TimeTariffInterval(RandomizableEvent):
    """An interval in which one tier of a tariff holds."""

    ConsumptionTariffIntervalListLink: ConsumptionTariffIntervalListLink | None = None
    touTier: TOUType | int
    ConsumptionTariffIntervalListSummary: Aus13Required[ConsumptionTariffIntervalListSummary | None] = None
    RateComponentLink: Annotated[RateComponentLink | None, Mark(profiles=AUS_1_3, required=True)] = None


@wire
class TimeTariffIntervalList(SubscribableList):
    """The intervals of one part of a tariff."""

    pollRate: Annotated[int | None, BUILT_IN["UInt32"], Mark(attribute=True, default="900", profiles=AUS_1_3)] = None
    TimeTariffInterval: list[TimeTariffInterval] = field(default_factory=list)


@wire_aus("CombinedTimeTariffIntervalList", profiles=AUS_1_3, rooted=False)
class CombinedTimeTariffIntervalList(TimeTariffIntervalList):
    """The intervals of all parts of a tariff (CSIP-AUS 1.3)."""
