"""From an object to its document: one function per class and profile, written as Python source on first use."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sep2.wire.check import check
from sep2.wire.declare import Field, Layout, layout
from sep2.wire.failures import WireError
from sep2.wire.hexbinary import HexBinary
from sep2.wire.profile import NAMESPACE, XSI, Profile
from sep2.wire.types import Simple
from sep2.wire.values import NOT_XML, misfit

Body = Callable[[Any], str]
"""Writes what follows the element's name: its attributes, `>`, its content; or its attributes and `/>`."""


def encode(obj: object, profile: Profile) -> bytes:
    """The document of an object: schema order, no declaration, the base namespace without prefix."""
    try:
        root = _ROOTS.get((type(obj), profile))
        if root is None:
            root = _ROOTS[type(obj), profile] = _root(type(obj), profile)
        head, body, tail = root
        return f"{head}{body(obj)}{tail}".encode()
    except (AttributeError, KeyError, TypeError, ValueError, WireError):
        check(obj, profile)  # says where and why, at leisure
        raise


_ROOTS: dict[tuple[type[Any], Profile], tuple[str, Body, str]] = {}
_BODIES: dict[tuple[type[Any], Profile], Body] = {}


def _root(cls: type[Any], profile: Profile) -> tuple[str, Body, str]:
    facts = _expressible(cls, profile)
    name = f"csipaus:{facts.name}" if facts.csipaus else facts.name
    spaces = f' xmlns="{NAMESPACE}"'
    if profile.extension:  # CSIP-AUS clients tell the dialect from this declaration, even where it is not used
        spaces += f' xmlns:csipaus="{profile.extension}"'
    if any(f.mark.xsi for f in facts.elements):
        spaces += f' xmlns:xsi="{XSI}"'
    return f"<{name}{spaces}", body_of(cls, profile), f"</{name}>" if _has_content(facts, profile) else ""


def _expressible(cls: type[Any], profile: Profile) -> Layout:
    facts = layout(cls)
    if facts.csipaus and not profile.extension:
        raise WireError(f"{facts.name}: the profile {profile} has no such class")
    return facts


def _has_content(facts: Layout, profile: Profile) -> bool:
    return any(f.within(profile) for f in facts.elements)


def body_of(cls: type[Any], profile: Profile) -> Body:
    """The compiled writer of one class."""
    body = _BODIES.get((cls, profile))
    if body is None:
        body = _BODIES[cls, profile] = _compiled(cls, profile)
    return body


def _compiled(cls: type[Any], profile: Profile) -> Body:
    facts = _expressible(cls, profile)
    names: dict[str, Any] = {
        "misfit": misfit,
        "whole": _whole,
        "hexed": _hexed,
        "escaped": _escaped,
        "TRUTH": _TRUTH,
        "HexBinary": HexBinary,
    }
    lines = ["def body(o):"]
    attributes = [f for f in facts.attributes if f.within(profile)]
    elements = [f for f in facts.elements if f.within(profile)]
    for index, field in enumerate([*attributes, *elements]):
        lines += [f"    {line}" for line in _lines(field, f"p{index}", facts=facts, profile=profile, names=names)]
    parts = [f"{{p{i}}}" for i in range(len(attributes) + len(elements))]
    shut = ">" if elements else "/>"
    text = "".join(parts[: len(attributes)]) + shut + "".join(parts[len(attributes) :])
    lines.append(f"    return f'{text}'")
    exec("\n".join(lines), names)  # noqa: S102 - the source is made of our own declarations alone
    body: Body = names["body"]
    return body


def _lines(field: Field, part: str, *, facts: Layout, profile: Profile, names: dict[str, Any]) -> list[str]:
    """Statements that leave the text of one field in `part`."""
    name = field.name
    if field.mark.counted and (items := [f.name for f in facts.elements if f.many]):
        # What a page holds is counted when it is written: it can not be wrong.
        return [f"{part} = f' {name}=\"{{len(o.{items[0]})}}\"'"]
    value = [f"v = o.{name}"]
    if field.mark.attribute:
        write = [*_checked(field, names), f"{part} = f' {name}=\"{{{_shown(field)}}}\"'"]
    else:
        write = _element(field, part, profile, names)
    if field.many:
        return value + write
    if field.required(profile):
        return [*value, *write]
    return [*value, f"if v is None: {part} = ''", "else:", *(f"    {line}" for line in write)]


def _element(field: Field, part: str, profile: Profile, names: dict[str, Any]) -> list[str]:
    tag = f"csipaus:{field.name}" if field.mark.csipaus else field.name
    if field.simple:
        return [*_checked(field, names), f"{part} = f'<{tag}>{{{_shown(field)}}}</{tag}>'"]
    if field.mark.xsi:
        names["typed"] = _typed_writer(profile)
        write, close = f"typed('{tag}', v)", ""
    else:
        cls: Any = field.holds
        writer = f"body_{cls.__name__}"
        names[writer] = body_of(cls, profile)
        close = f"</{tag}>" if _has_content(layout(cls), profile) else ""
        write = f"f'<{tag}{{{writer}(v)}}{close}'"
    if not field.many:
        return [f"{part} = {write}"]
    bounds = [f"if not {field.least} <= len(v) <= {field.most}: misfit(v)"] if field.most else []
    return [*bounds, f"{part} = ''.join([{write} for v in v])"]


def _checked(field: Field, names: dict[str, Any]) -> list[str]:
    """Statements that refuse a value its simple type can not carry."""
    simple: Simple = field.simple  # type: ignore[assignment]
    match simple.kind:
        case "integer":
            span = f"{simple.low} <= v <= {simple.high}"
            return [f"if v.__class__ is not int or not {span}: v = whole(v, {simple.low}, {simple.high})"]
        case "hex" if simple.full:
            return [f"if not (v.__class__ is HexBinary and 0 <= v < {1 << 8 * simple.octets}): misfit(v)"]
        case "hex":
            return [f"v = hexed(v, {simple.octets})"]
        case "text" | "uri":
            return [f"v = escaped(v, {simple.limit})"]
    return []


def _shown(field: Field) -> str:
    """The expression, inside an f-string, that writes a checked value."""
    simple: Simple = field.simple  # type: ignore[assignment]
    if simple.kind == "boolean":
        return "TRUTH[v]"
    return f"v:0{2 * simple.octets}X" if simple.full else "v"


def _typed_writer(profile: Profile) -> Callable[[str, Any], str]:
    """Writes an element that says its own class."""

    def typed(tag: str, value: Any) -> str:
        cls = type(value)
        facts = _expressible(cls, profile)
        kind = f"csipaus:{facts.schema_name}" if facts.csipaus else facts.schema_name
        close = f"</{tag}>" if _has_content(facts, profile) else ""
        return f'<{tag} xsi:type="{kind}"{body_of(cls, profile)(value)}{close}'

    return typed


_TRUTH = {True: "true", False: "false"}


def _whole(value: Any, low: int, high: int) -> int:
    """An integer that is not a plain int: a code, or a misfit."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        misfit(value)
    return int(value)


def _hexed(value: Any, octets: int) -> str:
    """The digits of a bitmap: as many as it was sent with, or as few as it needs."""
    digits = str(value) if value.__class__ is HexBinary else str(HexBinary(value))
    return digits if len(digits) <= 2 * octets else misfit(value)


def _escaped(value: str, limit: int) -> str:
    """Text as XML carries it."""
    if limit and len(value) > limit:
        misfit(value)
    if _PLAIN(value):
        return value
    if (limit and len(value.encode()) > limit) or NOT_XML(value):
        misfit(value)
    return value.translate(_REFERENCES)


_PLAIN = re.compile(r"[ !#-%'-;=?-~]*").fullmatch
_REFERENCES = {ord(c): f"&#{ord(c)};" for c in '&<>"\t\n\r'}
"""Markup, and the white space that a parser would change to something else."""
