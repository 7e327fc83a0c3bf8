"""The simple types: what a single value may be, with its bounds, its octets and its unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from sep2.wire.hexbinary import HexBinary

if TYPE_CHECKING:
    from enum import IntEnum, IntFlag

    from sep2.wire.profile import Profile

Kind = Literal["integer", "hex", "text", "uri", "boolean"]


@dataclass(frozen=True, slots=True)
class Simple:
    """The facts of one simple type."""

    name: str
    base: str
    kind: Kind
    low: int = 0
    high: int = 0
    octets: int = 0
    limit: int = 0
    """Longest text, in characters and also in UTF-8 octets; 0 = unbounded."""
    full: bool = False
    """Always written at full width, in upper case: identifiers that people and clients compare as text."""
    unit: str = ""
    codes: type[IntEnum] | type[IntFlag] | None = None
    profiles: frozenset[Profile] | None = None
    """The profiles that have it, in their csipaus namespace; None = a type of the base schema."""

    def member(self, value: int) -> int:
        """The code that a number stands for; the number itself where it is not listed."""
        return next((m for m in self.codes if m == value), value) if self.codes else value

    @property
    def facets(self) -> list[tuple[str, int]]:
        """What its restriction says in the schema: only where it rests on a type of XML Schema itself.

        A type that names another is as wide in the schema; its narrower range stands in the prose of the standard.
        """
        if not self.base.startswith("xs:"):
            return []
        if self.kind == "integer":
            low, high = _XS_RANGE[self.base]
            facets = [("maxInclusive", self.high, high), ("minInclusive", self.low, low)]
            return [(name, value) for name, value, widest in facets if value != widest]
        return [("maxLength", self.octets or self.limit)]

    @property
    def bound(self) -> str:
        """The bounds, as an error or the reference page states them."""
        match self.kind:
            case "integer":
                return f"{self.low}..{self.high}"
            case "hex":
                return f"at most {self.octets} octets"
            case "text" if self.limit:
                return f"at most {self.limit} characters and UTF-8 octets"
            case "boolean":
                return "true, false, 1, 0"
        return ""


_XS_RANGE = {
    "xs:unsignedByte": (0, 2**8 - 1),
    "xs:unsignedShort": (0, 2**16 - 1),
    "xs:unsignedInt": (0, 2**32 - 1),
    "xs:unsignedLong": (0, 2**64 - 1),
    "xs:byte": (-(2**7), 2**7 - 1),
    "xs:short": (-(2**15), 2**15 - 1),
    "xs:int": (-(2**31), 2**31 - 1),
    "xs:long": (-(2**63), 2**63 - 1),
}

BUILT_IN: dict[str, Simple] = {}
"""Every declared simple type, by its name."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a field whose type has none."""

    name: str


def _declared(simple: Simple) -> Simple:
    return BUILT_IN.setdefault(simple.name, simple)


def whole(name: str, base: str, low: int, high: int, *, unit: str = "") -> Simple:
    """An integer type."""
    return _declared(Simple(name, base, "integer", low=low, high=high, unit=unit))


def octets(name: str, base: str, most: int, *, full: bool = False) -> Simple:
    """A hexBinary type of at most so many octets."""
    return _declared(Simple(name, base, "hex", octets=most, full=full))


def text(name: str, base: str, limit: int) -> Simple:
    """A string type; 2030.5 bounds the octets of its encoding as well as its characters."""
    return _declared(Simple(name, base, "text", limit=limit))


BOOLEAN = Simple("xs:boolean", "", "boolean")
STRING = Simple("xs:string", "", "text")

anyURI: TypeAlias = Annotated[str, Simple("xs:anyURI", "", "uri")]

UInt8: TypeAlias = Annotated[int, whole("UInt8", "xs:unsignedByte", 0, 255)]
UInt16: TypeAlias = Annotated[int, whole("UInt16", "xs:unsignedShort", 0, 65535)]
UInt32: TypeAlias = Annotated[int, whole("UInt32", "xs:unsignedInt", 0, 2**32 - 1)]
# The schema bounds UInt40 at 2**48 - 1; its prose says 2**40 - 1. The schema is what peers validate with.
UInt40: TypeAlias = Annotated[int, whole("UInt40", "xs:unsignedLong", 0, 2**48 - 1)]
UInt48: TypeAlias = Annotated[int, whole("UInt48", "xs:unsignedLong", 0, 2**48 - 1)]
UInt64: TypeAlias = Annotated[int, whole("UInt64", "xs:unsignedLong", 0, 2**64 - 1)]
Int8: TypeAlias = Annotated[int, whole("Int8", "xs:byte", -128, 127)]
Int16: TypeAlias = Annotated[int, whole("Int16", "xs:short", -(2**15), 2**15 - 1)]
Int32: TypeAlias = Annotated[int, whole("Int32", "xs:int", -(2**31), 2**31 - 1)]
Int48: TypeAlias = Annotated[int, whole("Int48", "xs:long", -(2**47), 2**47)]
Int64: TypeAlias = Annotated[int, whole("Int64", "xs:long", -(2**63), 2**63 - 1)]

HexBinary8: TypeAlias = Annotated[HexBinary, octets("HexBinary8", "xs:hexBinary", 1)]
HexBinary16: TypeAlias = Annotated[HexBinary, octets("HexBinary16", "xs:hexBinary", 2)]
HexBinary32: TypeAlias = Annotated[HexBinary, octets("HexBinary32", "xs:hexBinary", 4)]
HexBinary48: TypeAlias = Annotated[HexBinary, octets("HexBinary48", "xs:hexBinary", 6)]
HexBinary64: TypeAlias = Annotated[HexBinary, octets("HexBinary64", "xs:hexBinary", 8)]
HexBinary128: TypeAlias = Annotated[HexBinary, octets("HexBinary128", "xs:hexBinary", 16)]
# Only LFDIs have this type.
HexBinary160: TypeAlias = Annotated[HexBinary, octets("HexBinary160", "xs:hexBinary", 20, full=True)]

String6: TypeAlias = Annotated[str, text("String6", "xs:string", 6)]
String16: TypeAlias = Annotated[str, text("String16", "xs:string", 16)]
String20: TypeAlias = Annotated[str, text("String20", "xs:string", 20)]
String32: TypeAlias = Annotated[str, text("String32", "xs:string", 32)]
String42: TypeAlias = Annotated[str, text("String42", "xs:string", 42)]
String192: TypeAlias = Annotated[str, text("String192", "xs:string", 192)]

mRIDType: TypeAlias = Annotated[HexBinary, octets("mRIDType", "HexBinary128", 16, full=True)]
DstRuleType: TypeAlias = Annotated[HexBinary, octets("DstRuleType", "HexBinary32", 4)]
LocaleType: TypeAlias = Annotated[str, text("LocaleType", "String42", 42)]
OneHourRangeType: TypeAlias = Annotated[int, whole("OneHourRangeType", "Int16", -3600, 3600, unit="s")]
PENType: TypeAlias = Annotated[int, whole("PENType", "UInt32", 0, 2**32 - 1)]
PerCent: TypeAlias = Annotated[int, whole("PerCent", "UInt16", 0, 10000, unit="0.01 %")]
PINType: TypeAlias = Annotated[int, whole("PINType", "UInt32", 0, 999999)]
PowerOfTenMultiplierType: TypeAlias = Annotated[int, whole("PowerOfTenMultiplierType", "Int8", -128, 127)]
SFDIType: TypeAlias = Annotated[int, whole("SFDIType", "UInt40", 0, 687194767359)]
SignedPerCent: TypeAlias = Annotated[int, whole("SignedPerCent", "Int16", -10000, 10000, unit="0.01 %")]
TimeOffsetType: TypeAlias = Annotated[int, whole("TimeOffsetType", "Int32", -(2**31), 2**31 - 1, unit="s")]
TimeType: TypeAlias = Annotated[int, whole("TimeType", "Int64", -(2**63), 2**63 - 1, unit="s since 1970 UTC")]
VersionType: TypeAlias = Annotated[int, whole("VersionType", "UInt16", 0, 65535)]

Seconds16: TypeAlias = Annotated[UInt16, Unit("s")]
Seconds32: TypeAlias = Annotated[UInt32, Unit("s")]
Hundredths16: TypeAlias = Annotated[UInt16, Unit("0.01 s")]
Hundredths32: TypeAlias = Annotated[UInt32, Unit("0.01 s")]
CentiHz: TypeAlias = Annotated[UInt16, Unit("0.01 Hz")]
MilliHz: TypeAlias = Annotated[UInt32, Unit("0.001 Hz")]
Thousandths: TypeAlias = Annotated[UInt16, Unit("0.001")]
EffectiveVolts: TypeAlias = Annotated[Int16, Unit("0.01 % of (V - setVRefOfs) / setVRef")]
Gradient: TypeAlias = Annotated[UInt16, Unit("0.01 % of setMaxW per s")]
