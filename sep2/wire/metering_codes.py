"""The code lists of metering, pricing, billing and prepayment. A number that is not listed stays a number."""

from enum import IntEnum, IntFlag

from sep2.wire.declare import code


@code("UInt8")
class AccumulationBehaviourType(IntEnum):
    """How a value gathers over time."""

    NOT_APPLICABLE = 0
    CUMULATIVE = 3
    DELTA = 4
    INDICATING = 6
    SUMMATION = 9
    INSTANTANEOUS = 12


@code("UInt8")
class CommodityType(IntEnum):
    """What is metered."""

    NOT_APPLICABLE = 0
    ELECTRICITY_SECONDARY = 1
    ELECTRICITY_PRIMARY = 2
    AIR = 4
    NATURAL_GAS = 7
    PROPANE = 8
    POTABLE_WATER = 9
    STEAM = 10
    WASTE_WATER = 11
    HEATING_FLUID = 12
    COOLING_FLUID = 13


@code("UInt8")
class ConsumptionBlockType(IntEnum):
    """The block of a stepped tariff; 0 where there are no blocks."""

    NOT_APPLICABLE = 0


@code("UInt16")
class CurrencyCode(IntEnum):
    """Numeric code of ISO 4217; any other of its numbers may be used as it is."""

    NOT_APPLICABLE = 0
    AUD = 36
    CAD = 124
    USD = 840
    EUR = 978


@code("UInt8")
class DataQualifierType(IntEnum):
    """What a value says of its interval."""

    NOT_APPLICABLE = 0
    AVERAGE = 2
    MAXIMUM = 8
    MINIMUM = 9
    NORMAL = 12
    STANDARD_DEVIATION_OF_POPULATION = 29
    STANDARD_DEVIATION_OF_SAMPLE = 30


@code("UInt8")
class FlowDirectionType(IntEnum):
    """Which way the commodity flows."""

    NOT_APPLICABLE = 0
    FORWARD = 1
    """Delivered to the customer."""
    REVERSE = 19
    """Received from the customer."""


@code("UInt8")
class KindType(IntEnum):
    """The quantity that is metered."""

    NOT_APPLICABLE = 0
    CURRENCY = 3
    DEMAND = 8
    ENERGY = 12
    POWER = 37


@code("UInt8")
class PhaseCode(IntEnum):
    """The phases a value was taken on."""

    NOT_APPLICABLE = 0
    C = 32
    CN = 33
    CA = 40
    B = 64
    BN = 65
    BC = 66
    A = 128
    AN = 129
    AB = 132
    ABC = 224


@code("HexBinary16", named=False)
class QualityFlags(IntFlag):
    """How much a reading can be trusted."""

    VALID = 1 << 0
    MANUALLY_EDITED = 1 << 1
    ESTIMATED_FROM_REFERENCE_DAY = 1 << 2
    ESTIMATED_BY_INTERPOLATION = 1 << 3
    QUESTIONABLE = 1 << 4
    DERIVED = 1 << 5
    PROJECTED = 1 << 6


@code("HexBinary16")
class RoleFlagsType(IntFlag):
    """What part a usage point plays."""

    MIRROR = 1 << 0
    PREMISES_AGGREGATION_POINT = 1 << 1
    PEV = 1 << 2
    DER = 1 << 3
    REVENUE_QUALITY = 1 << 4
    DC = 1 << 5
    SUBMETER = 1 << 6


@code("UInt8")
class ServiceKind(IntEnum):
    """The service a usage point measures."""

    ELECTRICITY = 0
    GAS = 1
    WATER = 2
    TIME = 3
    PRESSURE = 4
    HEAT = 5
    COOLING = 6


@code("UInt8")
class TOUType(IntEnum):
    """The tier of a time-of-use tariff; 0 where there are no tiers."""

    NOT_APPLICABLE = 0


@code("UInt8")
class UomType(IntEnum):
    """The unit of a value; other numbers of IEC 61968-9 may be used as they are."""

    NOT_APPLICABLE = 0
    A = 5
    K = 6
    DEGREE_CELSIUS = 23
    V = 29
    J = 31
    HZ = 33
    W = 38
    CUBIC_METRE = 42
    VA = 61
    VAR = 63
    COS_PHI = 65
    V_SQUARED = 67
    A_SQUARED = 69
    VAH = 71
    WH = 72
    VARH = 73
    AH = 106
    CUBIC_FOOT = 119
    CUBIC_FOOT_PER_HOUR = 122
    CUBIC_METRE_PER_HOUR = 125
    US_GALLON = 128
    US_GALLON_PER_HOUR = 129
    IMPERIAL_GALLON = 130
    IMPERIAL_GALLON_PER_HOUR = 131
    BTU = 132
    BTU_PER_HOUR = 133
    LITRE = 134
    LITRE_PER_HOUR = 137
    PA_GAUGE = 140
    PA_ABSOLUTE = 155
    THERM = 169


@code("UInt8", named=False)
class UsagePointStatus(IntEnum):
    """Whether the service is on."""

    OFF = 0
    ON = 1


@code("UInt8")
class CostKindType(IntEnum):
    """The environmental cost of a unit."""

    CO2_G_PER_UNIT = 0
    SO2_G_PER_UNIT = 1
    NOX_G_PER_UNIT = 2
    RENEWABLE_SHARE_PERCENT = 3


@code("UInt8")
class ChargeKind(IntEnum):
    """What a charge is for."""

    CONSUMPTION = 0
    REBATE = 1
    AUXILIARY = 2
    DEMAND = 3
    TAX = 4


@code("UInt8")
class PrepayModeType(IntEnum):
    """How a prepayment meter is run."""

    CENTRAL_WALLET = 0
    ESI = 1
    LOCAL = 2
    CREDIT = 3


@code("UInt8")
class CreditTypeType(IntEnum):
    """The kind of credit."""

    REGULAR = 0
    EMERGENCY = 1
    REGULAR_THEN_EMERGENCY = 2
    EMERGENCY_THEN_REGULAR = 3


@code("UInt8")
class CreditStatusType(IntEnum):
    """How much credit is left."""

    OK = 0
    LOW = 1
    EXHAUSTED = 2
    NEGATIVE = 3


@code("UInt8")
class ServiceStatusType(IntEnum):
    """Whether a prepaid service is connected."""

    CONNECTED = 0
    DISCONNECTED = 1
    ARMED_FOR_CONNECT = 2
    ARMED_FOR_DISCONNECT = 3
    NO_CONTACTOR = 4
    LOAD_LIMITED = 5
