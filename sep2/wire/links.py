"""The links: each is named after what it leads to."""

from __future__ import annotations

from sep2.wire.base import Link, ListLink
from sep2.wire.declare import wire


@wire
class CurrentDERProgramLink(Link): ...


@wire
class AccountBalanceLink(Link): ...


@wire
class ActiveBillingPeriodListLink(ListLink): ...


@wire
class ActiveCreditRegisterListLink(ListLink): ...


@wire
class ActiveDERControlListLink(ListLink): ...


@wire
class ActiveEndDeviceControlListLink(ListLink): ...


@wire
class ActiveFlowReservationListLink(ListLink): ...


@wire
class ActiveProjectionReadingListLink(ListLink): ...


@wire
class ActiveSupplyInterruptionOverrideListLink(ListLink): ...


@wire
class ActiveTargetReadingListLink(ListLink): ...


@wire
class ActiveTextMessageListLink(ListLink): ...


@wire
class ActiveTimeTariffIntervalListLink(ListLink): ...


@wire
class AssociatedDERProgramListLink(ListLink): ...


@wire
class AssociatedUsagePointLink(Link): ...


@wire
class BillingPeriodListLink(ListLink): ...


@wire
class BillingReadingListLink(ListLink): ...


@wire
class BillingReadingSetListLink(ListLink): ...


@wire
class ConfigurationLink(Link): ...


@wire
class ConsumptionTariffIntervalListLink(ListLink): ...


@wire
class CreditRegisterListLink(ListLink): ...


@wire
class CustomerAccountLink(Link): ...


@wire
class CustomerAccountListLink(ListLink): ...


@wire
class CustomerAgreementListLink(ListLink): ...


@wire
class DemandResponseProgramLink(Link): ...


@wire
class DemandResponseProgramListLink(ListLink): ...


@wire
class DERAvailabilityLink(Link): ...


@wire
class DefaultDERControlLink(Link): ...


@wire
class DERCapabilityLink(Link): ...


@wire
class DERControlListLink(ListLink): ...


@wire
class DERCurveLink(Link): ...


@wire
class DERCurveListLink(ListLink): ...


@wire
class DERLink(Link): ...


@wire
class DERListLink(ListLink): ...


@wire
class DERProgramLink(Link): ...


@wire
class DERProgramListLink(ListLink): ...


@wire
class DERSettingsLink(Link): ...


@wire
class DERStatusLink(Link): ...


@wire
class DeviceCapabilityLink(Link): ...


@wire
class DeviceInformationLink(Link): ...


@wire
class DeviceStatusLink(Link): ...


@wire
class EndDeviceControlListLink(ListLink): ...


@wire
class EndDeviceLink(Link): ...


@wire
class EndDeviceListLink(ListLink): ...


@wire
class FileLink(Link): ...


@wire
class FileListLink(ListLink): ...


@wire
class FileStatusLink(Link): ...


@wire
class FlowReservationRequestListLink(ListLink): ...


@wire
class FlowReservationResponseListLink(ListLink): ...


@wire
class FunctionSetAssignmentsListLink(ListLink): ...


@wire
class HistoricalReadingListLink(ListLink): ...


@wire
class IPAddrListLink(ListLink): ...


@wire
class IPInterfaceListLink(ListLink): ...


@wire
class LLInterfaceListLink(ListLink): ...


@wire
class LoadShedAvailabilityListLink(ListLink): ...


@wire
class LogEventListLink(ListLink): ...


@wire
class MessagingProgramListLink(ListLink): ...


@wire
class MeterReadingLink(Link): ...


@wire
class MeterReadingListLink(ListLink): ...


@wire
class MirrorUsagePointListLink(ListLink): ...


@wire
class NeighborListLink(ListLink): ...


@wire
class NotificationListLink(ListLink): ...


@wire
class PowerStatusLink(Link): ...


@wire
class PrepaymentLink(Link): ...


@wire
class PrepaymentListLink(ListLink): ...


@wire
class PrepayOperationStatusLink(Link): ...


@wire
class PriceResponseCfgListLink(ListLink): ...


@wire
class ProjectionReadingListLink(ListLink): ...


@wire
class RateComponentLink(Link): ...


@wire
class RateComponentListLink(ListLink): ...


@wire
class ReadingLink(Link): ...


@wire
class ReadingListLink(ListLink): ...


@wire
class ReadingSetListLink(ListLink): ...


@wire
class ReadingTypeLink(Link): ...


@wire
class RegistrationLink(Link): ...


@wire
class ResponseListLink(ListLink): ...


@wire
class ResponseSetListLink(ListLink): ...


@wire
class RPLInstanceListLink(ListLink): ...


@wire
class RPLSourceRoutesListLink(ListLink): ...


@wire
class SelfDeviceLink(Link): ...


@wire
class ServiceSupplierLink(Link): ...


@wire
class SubscriptionListLink(ListLink): ...


@wire
class SupplyInterruptionOverrideListLink(ListLink): ...


@wire
class SupportedLocaleListLink(ListLink): ...


@wire
class TargetReadingListLink(ListLink): ...


@wire
class TariffProfileLink(Link): ...


@wire
class TariffProfileListLink(ListLink): ...


@wire
class TextMessageListLink(ListLink): ...


@wire
class TimeLink(Link): ...


@wire
class TimeTariffIntervalListLink(ListLink): ...


@wire
class UsagePointLink(Link): ...


@wire
class UsagePointListLink(ListLink): ...
