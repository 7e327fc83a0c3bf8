"""The XML Schema of a profile, written from the declarations; and what it finds in a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from lxml import etree

from sep2.wire.declare import WIRE, Field, Layout, layout
from sep2.wire.parse import parse
from sep2.wire.profile import NAMESPACE, Profile
from sep2.wire.types import BUILT_IN, Simple

BASE_FILE = "sep2.xsd"
EXTENSION_FILE = "csipaus.xsd"


def schemas(profile: Profile) -> dict[str, str]:
    """The schema documents of a profile by their file names; the second, if any, is that of csipaus."""
    extension = profile.extension
    imports = [(extension, EXTENSION_FILE)] if extension else []
    base = [_head(NAMESPACE, profile, imports)]
    base += [_simple_type(s) for s in BUILT_IN.values() if s.profiles is None]
    base += [_complex_type(c, profile) for c in _classes(csipaus=False)]
    written = {BASE_FILE: "\n".join([*base, "</xs:schema>", ""])}
    if extension:
        ours = [_head(extension, profile, [(NAMESPACE, BASE_FILE)])]
        ours += [_simple_type(s, "csipaus:") for s in BUILT_IN.values() if s.profiles and profile in s.profiles]
        ours += [_complex_type(c, profile) for c in _classes(csipaus=True) if c.within(profile)]
        ours += [_global_element(f) for f in _extension_elements(profile)]
        written[EXTENSION_FILE] = "\n".join([*ours, "</xs:schema>", ""])
    return written


def findings(data: bytes, profile: Profile) -> list[str]:
    """What the schema of the profile refuses in a document, one line each; none in a valid one."""
    document = etree.ElementTree(parse(data))
    schema = _validator(profile)
    if schema.validate(document):
        return []
    said: Any = schema.error_log  # iterable, whatever its stubs say
    return [f"line {entry.line}: {entry.message.replace(f'{{{NAMESPACE}}}', '')}" for entry in said]


@cache
def _validator(profile: Profile) -> etree.XMLSchema:
    with TemporaryDirectory() as folder:
        for name, text in schemas(profile).items():
            Path(folder, name).write_text(text, encoding="utf-8")
        return etree.XMLSchema(etree.parse(Path(folder, BASE_FILE)))


def _classes(*, csipaus: bool) -> list[Layout]:
    return [facts for facts in map(layout, WIRE.values()) if facts.csipaus is csipaus]


def _extension_elements(profile: Profile) -> Iterable[Field]:
    """The elements that the csipaus schema declares for classes of the base schema, each once."""
    fields = [f for facts in _classes(csipaus=False) for f in facts.elements if f.mark.csipaus and f.within(profile)]
    return {f.name: f for f in fields if f.name not in WIRE}.values()


def _head(namespace: str, profile: Profile, imports: Sequence[tuple[str, str]]) -> str:
    spaces = f'xmlns="{NAMESPACE}"' + (f' xmlns:csipaus="{profile.extension}"' if profile.extension else "")
    lines = [
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {spaces}',
        f'           targetNamespace="{namespace}" elementFormDefault="qualified">',
        *(f'  <xs:import namespace="{space}" schemaLocation="{file}"/>' for space, file in imports),
    ]
    return "\n".join(lines)


def _simple_type(simple: Simple, prefix: str = "") -> str:
    """A simple type; one that only names another has simple content, as in the published schema."""
    element = f'  <xs:element name="{simple.name}" type="{prefix}{simple.name}"/>'
    attributes_need_it = simple.name == "SubscribableType"
    if not simple.base.startswith("xs:") and not attributes_need_it:
        inside = f'<xs:simpleContent><xs:extension base="{simple.base}"/></xs:simpleContent>'
        return f'{element}\n  <xs:complexType name="{simple.name}">{inside}</xs:complexType>'
    facets = "".join(f'<xs:{name} value="{value}"/>' for name, value in simple.facets)
    inside = f'<xs:restriction base="{simple.base}">{facets}</xs:restriction>'
    return f'  <xs:simpleType name="{simple.name}">{inside}</xs:simpleType>'


def _complex_type(facts: Layout, profile: Profile) -> str:
    name = f"csipaus:{facts.schema_name}" if facts.csipaus else facts.schema_name
    inside = [f"      {line}" for line in _own(facts, profile)]
    lines = [f'  <xs:complexType name="{facts.schema_name}">']
    if facts.said.rooted:
        lines.insert(0, f'  <xs:element name="{facts.name}" type="{name}"/>')
    if facts.base:
        extension = f'<xs:extension base="{layout(facts.base).schema_name}">'
        inside = [f"    <xs:complexContent>{extension}", *inside, "    </xs:extension></xs:complexContent>"]
    return "\n".join([*lines, *inside, "  </xs:complexType>"])


def _own(facts: Layout, profile: Profile) -> Iterator[str]:
    elements = [f for f in facts.elements if f.name in facts.own and f.within(profile)]
    if elements:
        yield "<xs:sequence>"
        yield from (f"  {_element(f, facts, profile)}" for f in elements)
        yield "</xs:sequence>"
    for field in facts.attributes:
        if field.name in facts.own and field.within(profile):
            default = f' default="{field.mark.default}"' if field.mark.default is not None else ""
            use = "required" if field.least else "optional"
            yield f'<xs:attribute name="{field.name}" type="{field.type_name}" use="{use}"{default}/>'


def _element(field: Field, facts: Layout, profile: Profile) -> str:
    most = "unbounded" if field.most is None else field.most
    bounds = f'minOccurs="{int(field.required(profile)) if not field.many else field.least}" maxOccurs="{most}"'
    if field.mark.csipaus and not facts.csipaus:
        return f'<xs:element ref="csipaus:{field.name}" {bounds}/>'
    return f'<xs:element name="{field.name}" type="{_qualified(field)}" {bounds}/>'


def _global_element(field: Field) -> str:
    return f'  <xs:element name="{field.name}" type="{_qualified(field)}"/>'


def _qualified(field: Field) -> str:
    profiles = field.simple.profiles if field.simple else layout(cast("type[Any]", field.holds)).said.profiles
    return f"csipaus:{field.type_name}" if profiles else field.type_name
