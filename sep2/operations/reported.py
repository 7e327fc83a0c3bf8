"""What a device wrote about itself, as plain values: names as on the wire, quantities in their SI unit."""

import dataclasses
from enum import Enum, Flag
from functools import lru_cache
from typing import Any, get_args, get_type_hints

from sep2 import wire as w
from sep2.wire.declare import WIRE

KINDS: dict[str, type[Any]] = {
    "DERCapability": w.DERCapability,
    "DERSettings": w.DERSettings,
    "DERStatus": w.DERStatus,
    "DERAvailability": w.DERAvailability,
    "LoadShedAvailability": w.LoadShedAvailability,
}
UNSEEN = ("href", "subscribable")


def said(kind: str, body: bytes) -> dict[str, Any]:
    """What a stored document says; what it leaves out is left out. Empty where it can no longer be read."""
    try:
        document = w.decode(body, KINDS[kind], profile=w.Profile.CSIP)
    except w.WireError:
        return {}
    found = plain(document)
    return found if isinstance(found, dict) else {}


def plain(value: Any, flags: type[Flag] | None = None) -> Any:
    """A value of the wire: a quantity as a number, flags as their names, a code as its name or its number.

    flags: what the bits of a bitmap mean.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _of_class(value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if flags is not None and isinstance(value, int):
        return _names(int(value), flags)
    if isinstance(value, Enum):
        return value.name
    return str(value) if isinstance(value, w.HexBinary) else value


def _of_class(value: Any) -> Any:
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if fields.keys() == {"multiplier", "value"}:
        return _number(fields["value"], fields["multiplier"])
    bits = _bitmaps(type(value).__name__)
    return {name: plain(one, bits.get(name)) for name, one in fields.items() if one is not None and name not in UNSEEN}


@lru_cache
def _bitmaps(kind: str) -> dict[str, type[Flag]]:
    """The fields of a class of the wire that are bitmaps, each with what its bits mean."""
    return {name: bits for name, hint in get_type_hints(WIRE[kind]).items() if (bits := _flags_in(hint)) is not None}


def _flags_in(hint: Any) -> type[Flag] | None:
    if isinstance(hint, type):
        return hint if issubclass(hint, Flag) else None
    return next((found for one in get_args(hint) if (found := _flags_in(one)) is not None), None)


def _names(value: int, flags: type[Flag]) -> list[str]:
    """The names of the bits that are set, and those without a name as one hexadecimal number."""
    known = [one for one in flags if one.value & value]
    left = value & ~sum(one.value for one in known)
    return [*(str(one.name) for one in known), *([f"0x{left:X}"] if left else [])]


def _number(value: int, multiplier: int) -> float | int:
    """A number times its power of ten, exact where it is whole."""
    return value * int(10**multiplier) if multiplier >= 0 else value / 10**-multiplier
