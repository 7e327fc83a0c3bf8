"""Every declaration against the facts of the published schemas: nothing missing, nothing more, nothing different."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sep2 import wire as w
from sep2.wire.declare import Field, Layout
from sep2.wire.types import BUILT_IN, Simple

FACTS = os.environ.get("SEP2_FACTS")
pytestmark = pytest.mark.skipif(not FACTS, reason="SEP2_FACTS names no folder of facts")

EXTENSIONS = [("csipaus-1.2.json", w.Profile.CSIP_AUS_1_2), ("csipaus-1.3.json", w.Profile.CSIP_AUS_1_3)]


def facts(name: str) -> dict[str, Any]:
    assert FACTS
    loaded: dict[str, Any] = json.loads((Path(FACTS) / "schema" / name).read_text())
    return loaded


def flattened(classes: dict[str, Any], name: str, what: str) -> list[dict[str, Any]]:
    """Elements or attributes of a class, those of its bases first."""
    base = classes[name]["base"]
    inherited = flattened(classes, base, what) if base in classes else []
    return [*inherited, *classes[name][what]]


def element(field: Field) -> dict[str, Any]:
    most = "unbounded" if field.most is None else field.most
    return {"name": field.name, "type": field.type_name, "min": field.least, "max": most}


def attribute(field: Field) -> dict[str, Any]:
    required = field.least > 0
    said = {"name": field.name, "type": field.type_name, "use": "required" if required else "optional"}
    return said | ({"default": field.mark.default} if field.mark.default is not None else {})


def in_base(fields: tuple[Field, ...]) -> list[Field]:
    return [f for f in fields if f.mark.profiles is None]


def test_every_class_and_no_other() -> None:
    classes = facts("sep-2018.json")["classes"]
    declared = {n for n, c in w.WIRE.items() if not w.layout(c).csipaus}
    assert declared == {n for n, c in classes.items() if not c.get("simpleContent")}
    assert all(hasattr(w, name) for name in classes)


def test_elements_and_attributes_flattened() -> None:
    classes = facts("sep-2018.json")["classes"]
    differences = []
    for name, cls in w.WIRE.items():
        layout = w.layout(cls)
        if layout.csipaus:
            continue
        if [element(f) for f in in_base(layout.elements)] != flattened(classes, name, "elements"):
            differences.append((name, "elements"))
        if [attribute(f) for f in in_base(layout.attributes)] != flattened(classes, name, "attributes"):
            differences.append((name, "attributes"))
        if classes[name]["base"] != (layout.base.__name__ if layout.base else None):
            differences.append((name, "base"))
        own = {e["name"] for e in classes[name]["elements"] + classes[name]["attributes"]}
        if layout.own - {f.name for f in (*layout.elements, *layout.attributes) if f.mark.profiles} != own:
            differences.append((name, "own"))
    assert not differences


def facets(simple: Simple) -> dict[str, str]:
    """What the schema says of a simple type. A named type only restricts its base; its narrower range is prose."""
    said = {"base": simple.base}
    if not simple.base.startswith("xs:"):
        return said
    if simple.octets:
        return said | {"maxLength": str(simple.octets)}
    if simple.limit:
        return said | {"maxLength": str(simple.limit)}
    low, high = BUILT_IN_BOUNDS[simple.base]
    if simple.low != low:
        said["minInclusive"] = str(simple.low)
    if simple.high != high:
        said["maxInclusive"] = str(simple.high)
    return said


BUILT_IN_BOUNDS = {
    **{f"xs:unsigned{n}": (0, 2**b - 1) for n, b in [("Byte", 8), ("Short", 16), ("Int", 32), ("Long", 64)]},
    **{
        f"xs:{n}": (-(2 ** (b - 1)), 2 ** (b - 1) - 1)
        for n, b in [("byte", 8), ("short", 16), ("int", 32), ("long", 64)]
    },
}


def test_every_simple_type() -> None:
    schema = facts("sep-2018.json")
    expected = dict(schema["simpleTypes"])
    expected |= {n: {"base": c["base"]} for n, c in schema["classes"].items() if c.get("simpleContent")}
    extension = {
        n: {"base": c["base"]} for n, c in facts("csipaus-1.3.json")["classes"].items() if c.get("simpleContent")
    }
    assert {name: facets(simple) for name, simple in BUILT_IN.items()} == expected | extension


@pytest.mark.parametrize(("file", "profile"), EXTENSIONS)
def test_extended_classes(file: str, profile: w.Profile) -> None:
    schema = facts(file)
    found = {}
    for name, cls in w.WIRE.items():
        layout = w.layout(cls)
        elements = [
            said(f, profile) for f in layout.elements if f.mark.profiles and f.name in layout.own and f.within(profile)
        ]
        attributes = [
            attribute(f) for f in layout.attributes if f.mark.profiles and f.name in layout.own and f.within(profile)
        ]
        if elements or attributes:
            found[name] = {"elements": elements, "attributes": attributes}
    assert found == schema["extends"]


def said(field: Field, profile: w.Profile) -> dict[str, Any]:
    prefix = "csipaus:" if field.mark.csipaus else ""
    # The facts give the types of these elements apart, see the next test.
    return {"name": prefix + field.name, "type": None, "min": int(field.required(profile)), "max": field.most}


@pytest.mark.parametrize(("file", "profile"), EXTENSIONS)
def test_extension_elements_have_their_types(file: str, profile: w.Profile) -> None:
    schema = facts(file)
    found: dict[str, str] = {}
    for cls in w.WIRE.values():
        layout: Layout = w.layout(cls)
        if not layout.csipaus:
            found |= {f.name: f.type_name for f in layout.elements if f.mark.csipaus and f.within(profile)}
        if layout.csipaus and layout.name in schema["rootElements"]:
            found[layout.name] = layout.schema_name
    assert found == schema["rootElements"]


def test_extension_classes() -> None:
    schema = facts("csipaus-1.3.json")
    complex_types = {n: c for n, c in schema["classes"].items() if not c.get("simpleContent")}
    layouts = {x.schema_name: x for x in map(w.layout, w.WIRE.values()) if x.csipaus}
    assert set(layouts) == set(complex_types)
    for name, expected in complex_types.items():
        layout = layouts[name]
        assert layout.base
        assert layout.base.__name__ == expected["base"]
        assert [element(f) for f in layout.elements if f.name in layout.own] == expected["elements"]
