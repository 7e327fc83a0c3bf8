"""What an object holds that its document could not say, found slowly and told exactly."""

from __future__ import annotations

from typing import Any

from sep2.wire.declare import Field, layout
from sep2.wire.failures import WireError, WireValueError
from sep2.wire.hexbinary import HexBinary
from sep2.wire.profile import Profile
from sep2.wire.types import Simple
from sep2.wire.values import NOT_XML, refusal, shortened


def check(obj: Any, profile: Profile) -> None:
    """Nothing, when the object can be encoded for the profile; the refusal that names the place otherwise."""
    try:
        facts = layout(type(obj))
    except (KeyError, TypeError):
        raise WireError(f"{type(obj).__name__} is not a declared class") from None
    if not facts.within(profile):
        raise WireError(f"{facts.name}: the profile {profile} has no such class")
    try:
        counted = any(f.many for f in facts.elements)  # then the encoder counts, whatever `results` says
        for field in (*facts.attributes, *facts.elements):
            if field.within(profile) and not (counted and field.mark.counted):
                _check_field(field, getattr(obj, field.name), profile)
    except WireError as error:
        raise error.under(facts.name) from None


def _check_field(field: Field, value: Any, profile: Profile) -> None:
    try:
        if field.many:
            _check_items(field, value, profile)
        elif value is not None:
            _check_one(field, value, profile)
        elif field.required(profile):
            raise WireError("is missing")
    except WireError as error:
        raise error.under(field.name) from None


def _check_items(field: Field, value: Any, profile: Profile) -> None:
    if not isinstance(value, list | tuple):
        raise WireValueError(f"{shortened(value)} is not a list")
    if field.most and not field.least <= len(value) <= field.most:
        raise WireValueError(f"has {len(value)} items, not {field.least}..{field.most}")
    for item in value:
        _check_one(field, item, profile)


def _check_one(field: Field, value: Any, profile: Profile) -> None:
    if field.simple:
        check_value(field.simple, value)
        return
    expected: Any = field.holds
    if not isinstance(value, expected):
        raise WireValueError(f"{type(value).__name__} is not {expected.__name__}")
    try:
        check(value, profile)
    except WireError as error:  # the element is named by its field, not again by its class
        detail = error.detail if field.mark.xsi else error.detail.removeprefix(f"{type(value).__name__}: ")
        raise type(error)(detail) from None


def check_value(simple: Simple, value: Any) -> None:
    """Nothing, when the value is one of this simple type; the refusal otherwise."""
    match simple.kind:
        case "boolean":
            fits = isinstance(value, int) and value in (0, 1)
        case "integer":
            fits = isinstance(value, int) and not isinstance(value, bool) and simple.low <= value <= simple.high
        case "hex":
            fits = isinstance(value, HexBinary if simple.full else int) and 0 <= value < 1 << 8 * simple.octets
            # Identifiers and single octets are written at full width, whatever length they came with.
            fits = fits and (simple.full or simple.octets == 1 or getattr(value, "octets", 0) <= simple.octets)
        case "text" | "uri":
            fits = isinstance(value, str) and not NOT_XML(value)
            fits = fits and (not simple.limit or len(value.encode()) <= simple.limit)
    if not fits:
        raise refusal(simple, value)
