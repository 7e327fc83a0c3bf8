"""From an object to its document: one function per class and profile, written as Python source on first use."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, cast

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
    kind = ""
    if not facts.said.rooted:
        name, kind = cls.__bases__[0].__name__, f' xsi:type="csipaus:{facts.schema_name}"'
    spaces = f' xmlns="{NAMESPACE}"'
    if profile.extension:  # CSIP-AUS clients tell the dialect from this declaration, even where it is not used
        spaces += f' xmlns:csipaus="{profile.extension}"'
    if kind or any(f.mark.xsi for f in facts.elements):
        spaces += f' xmlns:xsi="{XSI}"'
    close = f"</{name}>" if _has_content(facts, profile) else ""
    return f"<{name}{spaces}{kind}", body_of(cls, profile), close


def _expressible(cls: type[Any], profile: Profile) -> Layout:
    facts = layout(cls)
    if not facts.within(profile):
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
    source = _Source(profile)
    text = source.body(_expressible(cls, profile), "o")
    lines = ["def body(o):", *(f"  {line}" for line in source.lines), f"  return f'{text}'"]
    exec("\n".join(lines), source.names)  # noqa: S102 - made of our own declarations alone
    body: Body = source.names["body"]
    return body


class _Source:
    """The source of one writer: statements that check values, and the f-string that they end in.

    Classes inside are written in place; only lists and elements of any class call the writers of their items.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"HexBinary": HexBinary, "TRUTH": _TRUTH, "OCTET": _OCTET, "misfit": misfit}
        self.names |= {"whole": _whole, "hexed": _hexed, "escaped": _escaped}
        self.count = 0

    def body(self, facts: Layout, owner: str) -> str:
        """The text after the element's name; its values are variables that the statements leave."""
        attributes = [self._field(f, owner, facts) for f in facts.attributes if f.within(self.profile)]
        elements = [self._field(f, owner, facts) for f in facts.elements if f.within(self.profile)]
        shut = ">" if elements else "/>"
        return "".join(attributes) + shut + "".join(elements)

    def _field(self, field: Field, owner: str, facts: Layout) -> str:
        if field.mark.counted and (items := [f.name for f in facts.elements if f.many]):
            # What a page holds is counted when it is written: it can not be wrong.
            return f' {field.name}="{{len({owner}.{items[0]})}}"'
        self.count += 1
        value = f"v{self.count}"
        self.lines.append(f"{value} = {owner}.{field.name}")
        if field.many:
            return self._items(field, value)
        if field.required(self.profile):
            return self._text(field, value)
        outer, self.lines = self.lines, []
        text = self._text(field, value)
        inner, self.lines = self.lines, outer
        part = value.replace("v", "p")
        self.lines += [f"if {value} is None: {part} = ''", "else:", *(f"  {line}" for line in inner)]
        self.lines += [f"  {part} = f'{text}'"]
        return f"{{{part}}}"

    def _text(self, field: Field, value: str) -> str:
        """One attribute or element."""
        if field.simple:
            self.lines += _checked(field.simple, value)
            shown = f"{{{_shown(field.simple, value)}}}"
            if field.mark.attribute:
                return f' {field.name}="{shown}"'
            return self._element(field, f">{shown}", content=True)
        if field.mark.xsi:
            self.lines.append(f"{value} = {self._typed(field)}('{field.name}', {value})")
            return f"{{{value}}}"
        facts = layout(cast("type[Any]", field.holds))
        return self._element(field, self.body(facts, value), content=_has_content(facts, self.profile))

    def _element(self, field: Field, inside: str, *, content: bool) -> str:
        tag = f"csipaus:{field.name}" if field.mark.csipaus else field.name
        return f"<{tag}{inside}</{tag}>" if content else f"<{tag}{inside}"

    def _typed(self, field: Field) -> str:
        """The name of the writer of elements that say their own class."""
        declared = cast("type[Any]", field.holds)
        self.names[f"typed_{declared.__name__}"] = _typed_writer(declared, self.profile)
        return f"typed_{declared.__name__}"

    def _items(self, field: Field, value: str) -> str:
        if field.most:
            self.lines.append(f"if not {field.least} <= len({value}) <= {field.most}: misfit({value})")
        if field.mark.xsi:
            text = f"{self._typed(field)}('{field.name}', v)"
        else:
            cls = cast("type[Any]", field.holds)
            self.names[f"body_{cls.__name__}"] = body_of(cls, self.profile)
            content = _has_content(layout(cls), self.profile)
            text = "f'" + self._element(field, f"{{body_{cls.__name__}(v)}}", content=content) + "'"
        self.lines.append(f"{value} = ''.join([{text} for v in {value}])")
        return f"{{{value}}}"


def _checked(simple: Simple, value: str) -> list[str]:
    """Statements that refuse a value its simple type can not carry."""
    match simple.kind:
        case "integer":
            low, high = simple.low, simple.high
            unfit = f"{value}.__class__ is not int or not {low} <= {value} <= {high}"
            return [f"if {unfit}: {value} = whole({value}, {low}, {high})"]
        case "hex" if simple.full:
            unfit = f"{value}.__class__ is not HexBinary or not 0 <= {value} < {1 << 8 * simple.octets}"
            return [f"if {unfit}: misfit({value})"]
        case "hex" if simple.octets == 1:
            return [f"if not 0 <= {value} <= 255: misfit({value})"]
        case "hex":
            return [f"{value} = hexed({value}, {simple.octets})"]
        case "text":
            plain = f"{value}.__class__ is str and {value}.isalnum() and {value}.isascii()"
            short = f"len({value}) <= {simple.limit}" if simple.limit else "True"
            return [f"if not ({plain} and {short}): {value} = escaped({value}, {simple.limit})"]
        case "uri":
            return [f"if not {value}.replace('/', '').isalnum(): {value} = escaped({value}, 0)"]
    return []


def _shown(simple: Simple, value: str) -> str:
    """The expression, inside an f-string, that writes a checked value."""
    if simple.kind == "boolean":
        return f"TRUTH[{value}]"
    if simple.kind == "hex" and (simple.full or simple.octets == 1):
        return f"{value}:0{2 * simple.octets}X" if simple.full else f"OCTET[{value}]"
    return value


def _typed_writer(declared: type[Any], profile: Profile) -> Callable[[str, Any], str]:
    def typed(tag: str, value: Any) -> str:
        if not isinstance(value, declared):
            misfit(value)
        cls = type(value)
        facts = _expressible(cls, profile)
        kind = f"csipaus:{facts.schema_name}" if facts.csipaus else facts.schema_name
        close = f"</{tag}>" if _has_content(facts, profile) else ""
        return f'<{tag} xsi:type="{kind}"{body_of(cls, profile)(value)}{close}'

    return typed


_TRUTH = {True: "true", False: "false"}
_OCTET = tuple(f"{n:02X}" for n in range(256))


def _whole(value: Any, low: int, high: int) -> int:
    """An integer that is not a plain int: a code, or a misfit."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        misfit(value)
    return int(value)


def _hexed(value: Any, octets: int) -> str:
    """The digits of a bitmap: as many as it was sent with, or as few as it needs."""
    if value.__class__ is not HexBinary:
        value = HexBinary(operator.index(value))
    if value.octets > octets:
        misfit(value)
    return str(value)


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
