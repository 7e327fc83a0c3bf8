"""Prepayment."""

from __future__ import annotations

from dataclasses import field

from sep2.wire.base import DateTimeInterval, IdentifiedObject, List, PollRate, Resource, SubscribableList
from sep2.wire.declare import wire
from sep2.wire.links import (
    AccountBalanceLink,
    ActiveCreditRegisterListLink,
    ActiveSupplyInterruptionOverrideListLink,
    CreditRegisterListLink,
    PrepayOperationStatusLink,
    SupplyInterruptionOverrideListLink,
    UsagePointLink,
)
from sep2.wire.metering import UsagePoint
from sep2.wire.metering_codes import CreditStatusType, CreditTypeType, CurrencyCode, PrepayModeType, ServiceStatusType
from sep2.wire.quantities import RealEnergy
from sep2.wire.types import Int32, PowerOfTenMultiplierType, String32, TimeType


@wire
class AccountingUnit:
    """An amount of money or energy."""

    energyUnit: RealEnergy | None = None
    monetaryUnit: CurrencyCode | int
    multiplier: PowerOfTenMultiplierType
    value: Int32


@wire
class AccountBalance(Resource):
    """What is left on a prepaid account."""

    availableCredit: AccountingUnit
    creditStatus: CreditStatusType | int | None = None
    emergencyCredit: AccountingUnit | None = None
    emergencyCreditStatus: CreditStatusType | int | None = None


@wire
class CreditRegister(IdentifiedObject):
    """A credit that was bought or given."""

    creditAmount: AccountingUnit
    creditType: CreditTypeType | int | None = None
    effectiveTime: TimeType
    token: String32


@wire
class CreditRegisterList(List):
    """The credits of a prepaid account."""

    CreditRegister: list[CreditRegister] = field(default_factory=list)


@wire
class Prepayment(IdentifiedObject):
    """A prepaid account."""

    AccountBalanceLink: AccountBalanceLink
    ActiveCreditRegisterListLink: ActiveCreditRegisterListLink | None = None
    ActiveSupplyInterruptionOverrideListLink: ActiveSupplyInterruptionOverrideListLink | None = None
    creditExpiryLevel: AccountingUnit | None = None
    CreditRegisterListLink: CreditRegisterListLink
    lowCreditWarningLevel: AccountingUnit | None = None
    lowEmergencyCreditWarningLevel: AccountingUnit | None = None
    prepayMode: PrepayModeType | int
    PrepayOperationStatusLink: PrepayOperationStatusLink
    SupplyInterruptionOverrideListLink: SupplyInterruptionOverrideListLink
    UsagePoint: list[UsagePoint] = field(default_factory=list)
    UsagePointLink: UsagePointLink | None = None


@wire
class PrepaymentList(SubscribableList):
    """The prepaid accounts."""

    pollRate: PollRate = None
    Prepayment: list[Prepayment] = field(default_factory=list)


@wire
class CreditTypeChange:
    """A change of the kind of credit, and when."""

    newType: CreditTypeType | int
    startTime: TimeType


@wire
class ServiceChange:
    """A change of the service, and when."""

    newStatus: ServiceStatusType | int
    startTime: TimeType


@wire
class PrepayOperationStatus(Resource):
    """How a prepaid service stands."""

    creditTypeChange: CreditTypeChange | None = None
    creditTypeInUse: CreditTypeType | int | None = None
    serviceChange: ServiceChange | None = None
    serviceStatus: ServiceStatusType | int


@wire
class SupplyInterruptionOverride(Resource):
    """A time in which supply must not be interrupted."""

    description: String32 | None = None
    interval: DateTimeInterval


@wire
class SupplyInterruptionOverrideList(List):
    """The times in which supply must not be interrupted."""

    SupplyInterruptionOverride: list[SupplyInterruptionOverride] = field(default_factory=list)
