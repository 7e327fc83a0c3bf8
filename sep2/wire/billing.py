"""Billing."""

from __future__ import annotations

from dataclasses import field

from sep2.wire.base import DateTimeInterval, IdentifiedObject, List, PollRate, Resource, SubscribableList
from sep2.wire.declare import wire
from sep2.wire.links import (
    ActiveBillingPeriodListLink,
    ActiveProjectionReadingListLink,
    ActiveTargetReadingListLink,
    BillingPeriodListLink,
    BillingReadingListLink,
    BillingReadingSetListLink,
    CustomerAgreementListLink,
    HistoricalReadingListLink,
    PrepaymentLink,
    ProjectionReadingListLink,
    ReadingTypeLink,
    ServiceSupplierLink,
    TargetReadingListLink,
    TariffProfileLink,
    UsagePointLink,
)
from sep2.wire.metering import MeterReadingBase, ReadingBase, ReadingSetBase
from sep2.wire.metering_codes import ChargeKind
from sep2.wire.types import (
    Int32,
    Int48,
    PowerOfTenMultiplierType,
    String20,
    String32,
    String42,
    TimeType,
    UInt16,
    UInt32,
)


@wire
class BillingPeriod(Resource):
    """A period of a bill, and what it comes to."""

    billLastPeriod: Int48 | None = None
    billToDate: Int48 | None = None
    interval: DateTimeInterval
    statusTimeStamp: TimeType | None = None


@wire
class BillingPeriodList(SubscribableList):
    """The periods of an agreement's bills."""

    BillingPeriod: list[BillingPeriod] = field(default_factory=list)


@wire
class BillingMeterReadingBase(MeterReadingBase):
    """A series of readings that a bill rests on."""

    BillingReadingSetListLink: BillingReadingSetListLink | None = None
    ReadingTypeLink: ReadingTypeLink | None = None


@wire
class Charge:
    """One charge of a bill."""

    description: String20 | None = None
    kind: ChargeKind | int | None = None
    value: Int32


@wire
class BillingReading(ReadingBase):
    """A value that a bill rests on."""

    Charge: list[Charge] = field(default_factory=list)


@wire
class BillingReadingList(List):
    """The values of one period of a bill."""

    BillingReading: list[BillingReading] = field(default_factory=list)


@wire
class BillingReadingSet(ReadingSetBase):
    """The billing readings of one period, by link."""

    BillingReadingListLink: BillingReadingListLink | None = None


@wire
class BillingReadingSetList(SubscribableList):
    """The periods of a billing series."""

    BillingReadingSet: list[BillingReadingSet] = field(default_factory=list)


@wire
class CustomerAccount(IdentifiedObject):
    """A customer's account."""

    currency: UInt16
    customerAccount: String42 | None = None
    CustomerAgreementListLink: CustomerAgreementListLink | None = None
    customerName: String42 | None = None
    pricePowerOfTenMultiplier: PowerOfTenMultiplierType
    ServiceSupplierLink: ServiceSupplierLink | None = None


@wire
class CustomerAccountList(SubscribableList):
    """The accounts of a customer."""

    pollRate: PollRate = None
    CustomerAccount: list[CustomerAccount] = field(default_factory=list)


@wire
class CustomerAgreement(IdentifiedObject):
    """An agreement to serve one place."""

    ActiveBillingPeriodListLink: ActiveBillingPeriodListLink | None = None
    ActiveProjectionReadingListLink: ActiveProjectionReadingListLink | None = None
    ActiveTargetReadingListLink: ActiveTargetReadingListLink | None = None
    BillingPeriodListLink: BillingPeriodListLink | None = None
    HistoricalReadingListLink: HistoricalReadingListLink | None = None
    PrepaymentLink: PrepaymentLink | None = None
    ProjectionReadingListLink: ProjectionReadingListLink | None = None
    serviceAccount: String42 | None = None
    serviceLocation: String42 | None = None
    TargetReadingListLink: TargetReadingListLink | None = None
    TariffProfileLink: TariffProfileLink | None = None
    UsagePointLink: UsagePointLink | None = None


@wire
class CustomerAgreementList(SubscribableList):
    """The agreements of an account."""

    CustomerAgreement: list[CustomerAgreement] = field(default_factory=list)


@wire
class HistoricalReading(BillingMeterReadingBase):
    """What was used."""


@wire
class HistoricalReadingList(List):
    """Series of what was used."""

    HistoricalReading: list[HistoricalReading] = field(default_factory=list)


@wire
class ProjectionReading(BillingMeterReadingBase):
    """What is expected to be used."""


@wire
class ProjectionReadingList(List):
    """Series of what is expected to be used."""

    ProjectionReading: list[ProjectionReading] = field(default_factory=list)


@wire
class TargetReading(BillingMeterReadingBase):
    """What is aimed for."""


@wire
class TargetReadingList(List):
    """Series of what is aimed for."""

    TargetReading: list[TargetReading] = field(default_factory=list)


@wire
class ServiceSupplier(IdentifiedObject):
    """Who supplies the service."""

    email: String32 | None = None
    phone: String20 | None = None
    providerID: UInt32 | None = None
    web: String42 | None = None


@wire
class ServiceSupplierList(List):
    """The suppliers."""

    ServiceSupplier: list[ServiceSupplier] = field(default_factory=list)
