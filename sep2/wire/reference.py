"""The reference of every class and simple type, written from the declarations."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from sep2.errors import NotFound
from sep2.wire.declare import CODES, WIRE, Field, Layout, layout
from sep2.wire.profile import Profile
from sep2.wire.types import BUILT_IN, Simple

COLUMNS = ("name", "type", "times", "range", "unit", "note")
Row = tuple[str, ...]


class UnknownName(NotFound):
    """There is no class or type of this name."""


def about(name: str) -> tuple[str, tuple[str, ...], list[Row]]:
    """What a class, simple type or list of codes is, in a line; and its table, with its columns."""
    if name in WIRE:
        facts = layout(WIRE[name])
        base = f" Extends {layout(facts.base).name}." if facts.base else ""
        line = f"{_said(facts.cls)}{base}{_whose(facts.said.profiles)}"
        return line, COLUMNS, [_row(f) for f in (*facts.attributes, *facts.elements)]
    simple = BUILT_IN.get(name) or _code_lists().get(name)
    if simple:
        return _type_line(simple), ("code", "name"), _code_rows(simple)
    near = difflib.get_close_matches(name, [*WIRE, *BUILT_IN, *_code_lists()], n=3, cutoff=0.5)
    raise UnknownName(f"{name}; near it are {', '.join(near)}" if near else f"{name}; `sep2 wire` lists them all")


def page() -> str:
    """The whole reference as one page."""
    return "\n".join([INTRODUCTION, *_simple_section(), *_codes_section(), *_class_sections()]).rstrip() + "\n"


def _code_lists() -> dict[str, Simple]:
    return {cls.__name__: simple for cls, simple in CODES.items()}


def _code_rows(simple: Simple) -> list[Row]:
    if not simple.codes:
        return []
    width = 2 * simple.octets
    return [(f"{int(c):0{width}X}" if width else str(int(c)), str(c.name)) for c in simple.codes]


def _row(field: Field) -> Row:
    name = f"@{field.name}" if field.mark.attribute else field.name
    limits = (field.simple.bound, field.simple.unit) if field.simple else ("", "")
    return (name, field.type_name, _times(field), *limits, "; ".join(_notes(field)))


def _times(field: Field) -> str:
    least = 1 if field.mark.required else field.least
    most = "n" if field.most is None else field.most
    return str(most) if least == most else f"{least}..{most}"


def _notes(field: Field) -> Iterator[str]:
    if field.mark.profiles:
        yield f"{'csipaus' if field.mark.csipaus else 'CSIP-AUS'} {_versions(field.mark.profiles)}"
    if field.mark.default is not None:
        yield f"absent means {field.mark.default}"
    if field.mark.counted:
        yield "counted by the encoder"
    if field.mark.xsi:
        yield "with xsi:type"
    if field.simple and field.simple.codes and field.simple.codes.__name__ != field.simple.name:
        yield f"codes: {field.simple.codes.__name__}"


def _versions(profiles: Iterable[Profile]) -> str:
    return " and ".join(sorted(p.removeprefix("csip-aus-") for p in profiles))


def _whose(profiles: Iterable[Profile] | None) -> str:
    return f" CSIP-AUS {_versions(profiles)}." if profiles else ""


def _type_line(simple: Simple) -> str:
    said = f"{_said(simple.codes)} " if simple.codes else ""
    full = "always written in full" if simple.full else ""
    based = f"A {simple.base}" if not simple.codes or simple.codes.__name__ == simple.name else f"Said as {simple.name}"
    line = ", ".join(part for part in (based, simple.bound, simple.unit, full) if part)
    return f"{said}{line}.{_whose(simple.profiles)}"


def _said(cls: type[Any]) -> str:
    """The first line of a docstring; links have none."""
    return (cls.__doc__ or "A link, named after what it leads to.").strip().splitlines()[0]


def _table(columns: Iterable[str], rows: Iterable[Row]) -> list[str]:
    rule = ["---"] * len(list(columns))
    return [f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)] + [""]


def _simple_section() -> list[str]:
    rows = [
        (s.name, s.base, s.bound, s.unit, "always written in full" if s.full else "")
        for s in BUILT_IN.values()
        if not s.codes
    ]
    return ["## Simple types", "", *_table(("name", "base", "range", "unit", "note"), rows)]


def _codes_section() -> list[str]:
    lines = ["## Codes", "", "A number that is not listed is read as it is. Bitmaps are shown in hexadecimal.", ""]
    for name, simple in sorted(_code_lists().items(), key=lambda item: item[0].lower()):
        codes = ", ".join(f"{number} {label}" for number, label in _code_rows(simple))
        lines += [f"**{name}**. {_type_line(simple)} {codes}", ""]
    return lines


def _class_sections() -> Iterator[str]:
    """The classes by the modules that declare them, each with what it declares itself."""
    modules: dict[str, list[Layout]] = {}
    for cls in WIRE.values():
        modules.setdefault(cls.__module__, []).append(layout(cls))
    for module, classes in modules.items():
        yield f"## {_said(sys.modules[module])}"  # type: ignore[arg-type]
        yield ""
        for facts in classes:
            yield from _class_lines(facts)


def _class_lines(facts: Layout) -> Iterator[str]:
    line, columns, _ = about(facts.name)
    own = [_row(f) for f in (*facts.attributes, *facts.elements) if f.name in facts.own]
    if facts.base and facts.base.__name__ in {"Link", "ListLink"} and not own:
        yield f"- {facts.name} ({facts.base.__name__})"
        return
    yield f"### {facts.name}"
    yield ""
    yield line
    yield ""
    if own:
        yield from _table(columns, own)


INTRODUCTION = """# The wire language

Every class and simple type of IEEE 2030.5-2018 and CSIP-AUS, as `sep2.wire` declares it. `sep2 wire --page` writes
this page; `sep2 wire NAME` shows one class with all that it inherits; `sep2 schema` prints the XML Schema; `sep2
validate FILE` checks a document.

```python
from sep2 import wire as w

limit = w.DERControlBase(opModExpLimW=w.ActivePower(multiplier=0, value=1500))
document = w.encode(limit, w.Profile.CSIP_AUS_1_2)
assert w.decode(document, w.DERControlBase, profile=w.Profile.CSIP_AUS_1_2) == limit
```

**Writing.** Elements stand in the order of the schema, in the base namespace, without prefix and without declaration.
Extensions of CSIP-AUS are ordinary attributes of the classes; they are written in the profiles that have them, in the
namespace of that profile (1.2 `https://csipaus.org/ns`, 1.3 `https://csipaus.org/ns/v1.3`), and its prefix is
declared on every document. `results` is counted when a list is written. What a type can not carry is refused with a
`WireError` that names the place; `w.check(object, profile)` asks without writing.

**Reading.** Any legal XML is read. Elements out of order are refused unless `ordered=False`; elements of foreign
namespaces are skipped unless `extensions=False`. Any known csipaus namespace is read as that of the profile. Lists
may lack `all` and `results`; a ConnectionPoint may call its id `id`; `doeModesSupported` is required of CSIP-AUS
clients only; attributes that 2030.5-2023 adds are skipped. Document types, entities, other encodings than UTF-8, more
than 32 levels, more than 64 attributes on an element and more than 4 MiB are refused.

**hexBinary** is a value and an octet length (`w.HexBinary`): compared by value, written as it was sent. mRIDs and
LFDIs are always written in full, in upper case.

In the tables, `@` marks an attribute; *times* says how often an element stands; classes list what they declare
themselves, after what they inherit.
"""
