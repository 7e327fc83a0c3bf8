"""The code lists of 2030.5-2018, except those of DER. A number that is not listed stays a number."""

from enum import IntEnum, IntFlag

from sep2.wire.declare import code


@code("UInt8")
class SubscribableType(IntEnum):
    """Whether a resource takes subscriptions."""

    NO = 0
    UNCONDITIONAL = 1
    CONDITIONAL = 2
    BOTH = 3


@code("UInt8", named=False)
class CurrentStatus(IntEnum):
    """Where an event stands; there is no number for a completed one."""

    SCHEDULED = 0
    ACTIVE = 1
    CANCELLED = 2
    CANCELLED_WITH_RANDOMIZATION = 3
    SUPERSEDED = 4


@code("HexBinary8", named=False)
class ResponseRequired(IntFlag):
    """The responses an event asks for."""

    RECEIVED = 1
    SPECIFIC = 2
    CUSTOMER = 4


@code("UInt8", named=False)
class ResponseStatus(IntEnum):
    """What a client says it did with an event (Table 27)."""

    RECEIVED = 1
    STARTED = 2
    COMPLETED = 3
    OPTED_OUT = 4
    OPTED_IN = 5
    CANCELLED = 6
    SUPERSEDED = 7
    PARTIALLY_COMPLETED_OPTED_OUT = 8
    PARTIALLY_COMPLETED_OPTED_IN = 9
    COMPLETED_WITHOUT_PARTICIPATION = 10
    ACKNOWLEDGED = 11
    CANNOT_BE_DISPLAYED = 12
    ABORTED_BY_OTHER_SERVER = 13
    ABORTED_BY_OTHER_PROGRAM = 14
    REJECTED_NOT_APPLICABLE = 252
    REJECTED_INVALID = 253
    REJECTED_EXPIRED = 254


@code("UInt8", named=False)
class NotificationStatus(IntEnum):
    """Why a notification was sent."""

    CHANGED = 0
    CANCELLED = 1
    MOVED = 2
    DEFINITION_CHANGED = 3
    DELETED = 4


@code("UInt8", named=False)
class Encoding(IntEnum):
    """The encoding a subscriber wants its notifications in."""

    XML = 0
    EXI = 1


@code("UInt8", named=False)
class AttributeIdentifier(IntEnum):
    """What a conditional subscription watches."""

    READING_VALUE = 0


@code("UInt16", named=False)
class ReasonCode(IntEnum):
    """Why a request was refused."""

    INVALID_FORMAT = 0
    INVALID_VALUES = 1
    LIMIT_REACHED = 2
    CONDITION_NOT_SUPPORTED = 3
    TOO_FREQUENT = 4


@code("UInt8", named=False)
class TimeQuality(IntEnum):
    """Where a server's time comes from."""

    AUTHORITATIVE = 3
    FROM_LEVEL_3 = 4
    MANUAL_OR_FROM_LEVEL_4 = 5
    FROM_LEVEL_5 = 6
    UNCOORDINATED = 7


@code("UInt8")
class PrimacyType(IntEnum):
    """Whose program it is; the lower number wins. 65 to 191 are for the operator to use."""

    IN_HOME_ENERGY_MANAGEMENT = 0
    CONTRACTED_PREMISES_PROVIDER = 1
    NON_CONTRACTUAL_PROVIDER = 2


@code("HexBinary32")
class DeviceCategoryType(IntFlag):
    """What kinds of device it is."""

    THERMOSTAT = 1 << 0
    STRIP_HEATER = 1 << 1
    BASEBOARD_HEATER = 1 << 2
    WATER_HEATER = 1 << 3
    POOL_PUMP = 1 << 4
    SAUNA = 1 << 5
    HOT_TUB = 1 << 6
    SMART_APPLIANCE = 1 << 7
    IRRIGATION_PUMP = 1 << 8
    MANAGED_COMMERCIAL_AND_INDUSTRIAL_LOAD = 1 << 9
    SIMPLE_RESIDENTIAL_LOAD = 1 << 10
    EXTERIOR_LIGHTING = 1 << 11
    INTERIOR_LIGHTING = 1 << 12
    LOAD_CONTROL_SWITCH = 1 << 13
    ENERGY_MANAGEMENT_SYSTEM = 1 << 14
    SMART_ENERGY_MODULE = 1 << 15
    ELECTRIC_VEHICLE = 1 << 16
    EVSE = 1 << 17
    VIRTUAL_OR_MIXED_DER = 1 << 18
    RECIPROCATING_ENGINE = 1 << 19
    FUEL_CELL = 1 << 20
    PHOTOVOLTAIC = 1 << 21
    COMBINED_HEAT_AND_POWER = 1 << 22
    PHOTOVOLTAIC_AND_STORAGE = 1 << 23
    OTHER_GENERATION = 1 << 24
    OTHER_STORAGE = 1 << 25


@code("UInt8", named=False)
class OpState(IntEnum):
    """The operating state of a device."""

    NOT_APPLICABLE = 0
    NOT_OPERATING = 1
    OPERATING = 2
    STARTING = 3
    SHUTTING_DOWN = 4
    AT_DISCONNECT_LEVEL = 5
    KW_RAMPING = 6
    KVAR_RAMPING = 7


@code("UInt8", named=False)
class TemperatureSubject(IntEnum):
    """Where a temperature was taken."""

    ENCLOSURE = 0
    TRANSFORMER = 1
    HEAT_SINK = 2


@code("HexBinary64", named=False)
class FunctionsImplemented(IntFlag):
    """The function sets a device has."""

    DEVICE_CAPABILITY = 1 << 0
    SELF_DEVICE = 1 << 1
    END_DEVICE = 1 << 2
    FUNCTION_SET_ASSIGNMENTS = 1 << 3
    SUBSCRIPTION = 1 << 4
    RESPONSE = 1 << 5
    TIME = 1 << 6
    DEVICE_INFORMATION = 1 << 7
    POWER_STATUS = 1 << 8
    NETWORK_STATUS = 1 << 9
    LOG_EVENT = 1 << 10
    CONFIGURATION = 1 << 11
    SOFTWARE_DOWNLOAD = 1 << 12
    DEMAND_RESPONSE = 1 << 13
    METERING = 1 << 14
    PRICING = 1 << 15
    MESSAGING = 1 << 16
    BILLING = 1 << 17
    PREPAYMENT = 1 << 18
    FLOW_RESERVATION = 1 << 19
    DER = 1 << 20


@code("UInt8")
class PowerSourceType(IntEnum):
    """What a device is fed from."""

    NONE = 0
    MAINS = 1
    BATTERY = 2
    LOCAL_GENERATION = 3
    EMERGENCY = 4
    UNKNOWN = 5


@code("UInt8", named=False)
class BatteryStatus(IntEnum):
    """How full a device's own battery is."""

    UNKNOWN = 0
    NORMAL = 1
    LOW = 2
    DEPLETED = 3
    NOT_APPLICABLE = 4


@code("UInt8", named=False)
class FunctionSet(IntEnum):
    """The function set a log event belongs to."""

    GENERAL = 0
    SUBSCRIPTION = 1
    END_DEVICE = 2
    FUNCTION_SET_ASSIGNMENTS = 3
    RESPONSE = 4
    DEMAND_RESPONSE = 5
    METERING = 6
    PRICING = 7
    MESSAGING = 8
    BILLING = 9
    PREPAYMENT = 10
    DER = 11
    TIME = 12
    SOFTWARE_DOWNLOAD = 13
    DEVICE_INFORMATION = 14
    POWER_STATUS = 15
    NETWORK_STATUS = 16
    LOG_EVENT = 17
    CONFIGURATION = 18
    SECURITY = 19


@code("UInt8", named=False)
class ProfileID(IntEnum):
    """Who defines the code of a log event."""

    ANY = 0
    VENDOR = 1
    IEEE_2030_5 = 2
    HOME_AUTOMATION = 3
    BUILDING_AUTOMATION = 4


@code("UInt8", named=False)
class LoadStatus(IntEnum):
    """How far the loading of a file has come."""

    IDLE = 0
    LOADING = 1
    LOAD_FAILED = 2
    VERIFYING = 3
    SIGNATURE_FAILED = 4
    WAITING = 5
    ACTIVATION_FAILED = 6
    ACTIVATING = 7
    ACTIVATED = 8


@code("UInt8")
class ApplianceLoadReductionType(IntEnum):
    """How an appliance sheds load."""

    DELAY = 0
    TEMPORARY_REDUCTION = 1


@code("UInt8")
class UnitType(IntEnum):
    """The unit of a target reduction."""

    KWH = 0
    KW = 1
    W = 2
    CUBIC_METRE = 3
    CUBIC_FOOT = 4
    US_GALLON = 5
    IMPERIAL_GALLON = 6
    BTU = 7
    LITRE = 8
    KPA_GAUGE = 9
    KPA_ABSOLUTE = 10
    MEGAJOULE = 11
    UNITLESS = 12


@code("UInt8")
class PriorityType(IntEnum):
    """How urgent a message is."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


@code("UInt8", named=False)
class RequestStatusCode(IntEnum):
    """Whether a flow reservation is still wanted."""

    REQUESTED = 0
    CANCELLED = 1
