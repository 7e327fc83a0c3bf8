"""Single values: what text says them, and why a text or an object is none."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from sep2.wire.failures import WireError, WireValueError
from sep2.wire.hexbinary import HexBinary
from sep2.wire.types import Simple

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").search
"""Finds a character that no XML document can hold."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}").fullmatch
_HEX = re.compile(r"[0-9A-Fa-f]*").fullmatch
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_SPACE = " \t\n\r"


def shortened(value: Any) -> str:
    """A value as an error quotes it: on one line, never long."""
    said = repr(value) if isinstance(value, str) else str(value)
    return said if len(said) <= 60 else f"{said[:57]}..."


def refusal(simple: Simple, value: Any) -> WireValueError:
    """Why a value is not of this type."""
    if simple.kind == "integer" and isinstance(value, int) and not isinstance(value, bool):
        return WireValueError(f"{shortened(value)} is outside {simple.bound}")
    if simple.kind == "text" and isinstance(value, str) and not NOT_XML(value):
        return WireValueError(f"{shortened(value)} has {len(value.encode())} octets, more than {simple.limit}")
    what = f"{simple.name} ({simple.bound})" if simple.bound else simple.name
    return WireValueError(f"{shortened(value)} is not {what}")


def convert(simple: Simple, said: str) -> Any:
    """The value that a text says, found slowly and refused exactly."""
    match simple.kind:
        case "integer":
            said = said.strip(_SPACE)
            value = int(said) if _INTEGER(said) else said
            if isinstance(value, str) or not simple.low <= value <= simple.high:
                raise refusal(simple, value)
            return simple.member(value)
        case "boolean":
            if said.strip(_SPACE) not in _TRUTH:
                raise refusal(simple, said)
            return _TRUTH[said.strip(_SPACE)]
        case "hex":
            return hexadecimal(said, simple)
        case "uri":
            return said.strip(_SPACE)
    if simple.limit and len(said.encode()) > simple.limit:
        raise refusal(simple, said)
    return said


def hexadecimal(said: str, simple: Simple) -> HexBinary:
    """A hexBinary value with the octets it was written with; identifiers at full width."""
    digits = len(said)
    if digits & 1 or digits > 2 * simple.octets or not _HEX(said):
        said = said.strip(_SPACE)
        digits = len(said)
        if digits & 1 or digits > 2 * simple.octets or not _HEX(said):
            raise refusal(simple, said)
    value: HexBinary = int.__new__(HexBinary, said or "0", 16)
    value.octets = simple.octets if simple.full else digits >> 1
    return value


SMALL = {f"{n:02X}": HexBinary(n, 1) for n in range(256)}
"""One octet, as almost every bitmap is sent."""


def truth(said: str | None) -> bool:
    """A boolean with white space around it; KeyError where it is none."""
    return _TRUTH[(said or "").strip(_SPACE)]


def text(said: str | None, limit: int) -> str:
    """A string; ValueError where it is too long, in characters or in UTF-8 octets."""
    if said is None:
        return ""
    if limit and (len(said) > limit or (not said.isascii() and len(said.encode()) > limit)):
        raise ValueError(said)
    return said


def blank(said: str, where: str) -> None:
    """Nothing, where the text between elements is white space."""
    if said.strip(_SPACE):
        raise WireError(f"{shortened(said.strip(_SPACE))} stands {where}")


def misfit(value: Any) -> NoReturn:
    """Refuse a value where there is no time to say why: `check` is asked afterwards."""
    raise WireValueError(shortened(value))
