"""What a compiled reader does not expect: foreign elements, another order, odd attributes; legal or told exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NoReturn

from lxml import etree

from sep2.wire.declare import WIRE, Field, Layout, layout
from sep2.wire.failures import WireError
from sep2.wire.mode import Mode
from sep2.wire.parse import refuse_depth
from sep2.wire.profile import CSIP_AUS_1_1, CSIP_AUS_KNOWN, NAMESPACE, XSI, Profile
from sep2.wire.values import convert

Element = etree._Element

DRAFT_NAMES = {
    "loadShedDeviceCategory": "deviceCategory",
    "opModFixedPF": "opModFixedPFInjectW",
    "rtgA": "rtgMaxA",
    "rtgAh": "rtgMaxAh",
    "rtgMinPF": "rtgMinPFOverExcited",
    "rtgMinPFNeg": "rtgMinPFUnderExcited",
    "rtgVA": "rtgMaxVA",
    "rtgVar": "rtgMaxVar",
    "rtgVarNeg": "rtgMaxVarNeg",
    "rtgW": "rtgMaxW",
    "rtgWh": "rtgMaxWh",
    "setMinPF": "setMinPFOverExcited",
    "setMinPFNeg": "setMinPFUnderExcited",
}
"""Names of the drafts before 2018, and what the standard calls them."""

LATER = frozenset({"schemaVer", "disabled", "pollRate", "replyTo", "responseRequired", "subscribable"})
"""Attributes that peers of 2030.5-2023 put where 2018 has none; they are skipped, as extensions are."""

LEGACY = {("ConnectionPoint", "id"): "connectionPointId"}
"""Names that are read in place of the standard's (CSIP-AUS 1.1)."""


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def space(element: Element) -> str:
    """The namespace of an element, empty where it has none."""
    return str(element.tag).rpartition("}")[0].removeprefix("{")


def leaf(element: Element) -> None:
    """Nothing, where an element of a simple type has neither children nor attributes of its own."""
    for child in element:
        raise WireError(f"{local(child)}: is not an element of a simple type")
    for name in map(str, element.keys()):
        if not name.startswith("{") and name not in LATER:
            raise WireError(f"{name}: is not an attribute of a simple type")


def refused(field: Field, element: Element) -> WireError:
    """Why the text of an element of a simple type is none of its values."""
    assert field.simple
    try:
        leaf(element)
        convert(field.simple, element.text or "")
    except WireError as error:
        return error
    return WireError("can not be read")


class Irregular:
    """The second look at one element, once its compiled reader has met something unexpected."""

    def __init__(self, facts: Layout, elements: Iterable[Field], mode: Mode) -> None:
        self.facts = facts
        self.mode = mode
        self.fields = {f"{{{mode.csipaus if f.mark.csipaus else NAMESPACE}}}{f.name}": f for f in elements}
        self.order = {tag: n for n, tag in enumerate(self.fields)}

    def again(self, element: Element, kids: list[Element] | None, read: Callable[..., Any]) -> Any:
        """The object, from children put in order and freed of foreign ones; the exact refusal on the second time."""
        if kids is not None:
            self._refuse(kids)
        kids = [child for child in element if not self._foreign(child)]
        if not self.mode.ordered:
            kids.sort(key=lambda child: self.order.get(str(child.tag), len(self.order)))
        return read(element, kids)

    def _foreign(self, child: Element) -> bool:
        """The child may be skipped; a legacy name is replaced, an unknown one of the base schema refused."""
        new = LEGACY.get((self.facts.name, local(child)))
        if new:
            child.tag = f"{{{self.mode.csipaus}}}{new}"
        if str(child.tag) in self.fields:
            return False
        if space(child) in {NAMESPACE, ""}:
            raise self._unknown(child)
        if not self.mode.extensions:
            raise WireError(f"{local(child)}: {space(child)} is not part of the base schema (level -S1)")
        if len(child):
            refuse_depth(child)
        return True

    def _refuse(self, kids: list[Element]) -> NoReturn:
        seen: set[str] = set()
        latest = -1
        for child in kids:
            tag = str(child.tag)
            if tag in seen and not self.fields[tag].many:
                raise WireError(f"{local(child)}: stands more than once")
            if self.order[tag] < latest:
                after = list(self.fields.values())[latest].name
                raise WireError(f"{local(child)}: stands after {after}; the schema has it before")
            latest = self.order[tag]
            seen.add(tag)
        for tag, field in self.fields.items():
            if field.required(self.mode.profile) and tag not in seen:
                raise WireError(f"{field.name}: is missing")
        raise WireError("can not be read")

    def _unknown(self, child: Element) -> WireError:
        name = local(child)
        if name in DRAFT_NAMES:
            return WireError(f"{name}: is a name of a draft before 2018; the standard says {DRAFT_NAMES[name]}")
        at_home = {f.name: tag for tag, f in self.fields.items()}.get(name)
        if at_home:
            home = at_home[1:].partition("}")[0]
            return WireError(f"{name}: is in namespace '{space(child)}', not in {home}")
        return WireError(f"{name}: is not an element of {self.facts.name}")

    def attributes(self, element: Element) -> None:
        """Nothing, where every attribute is known or foreign, or says the class that the element has anyway."""
        known = {f.name for f in self.facts.attributes}
        for name, said in [(str(k), str(v)) for k, v in element.items()]:
            if name.startswith(f"{{{XSI}}}"):
                if name.endswith("}type") and said.strip().rpartition(":")[2] != self.facts.schema_name:
                    raise WireError(f"xsi:type {said} is not {self.facts.schema_name}")
            elif name not in known and not (self.mode.extensions and (name in LATER or name.startswith("{"))):
                raise WireError(f"{name.rpartition('}')[2]}: is not an attribute of {self.facts.name}")

    def attribute(self, name: str, said: str) -> NoReturn:
        """The text of an attribute is none of its values."""
        field = next(f for f in self.facts.attributes if f.name == name)
        assert field.simple
        try:
            convert(field.simple, said)
        except WireError as error:
            raise error.under(name) from None
        raise WireError(f"{name}: can not be read")

    def missing(self, name: str) -> NoReturn:
        """A required attribute is not there."""
        raise WireError(f"{name}: is missing")

    def count(self, name: str, found: list[Any]) -> NoReturn:
        """There are too few or too many of an element."""
        field = next(f for f in self.facts.elements if f.name == name)
        raise WireError(f"{name}: stands {len(found)} times, not {field.least}..{field.most}")


def one_csipaus(root: Element, mode: Mode) -> None:
    """Turn elements of other csipaus namespaces into those of the profile's, where the document has none of them.

    The namespace of CSIP-AUS 1.1 is an alias of it, and one that differs is refused.
    """
    if next(root.iter(f"{{{mode.csipaus}}}*"), None) is not None:
        return
    for other in CSIP_AUS_KNOWN:
        if other == CSIP_AUS_1_1 and mode.profile.extension and (name := unlike(root, mode.profile)):
            raise WireError(f"{name}: of {CSIP_AUS_1_1} (CSIP-AUS 1.1) is no element of {mode.profile}")
        for element in list(root.iter(f"{{{other}}}*")):
            element.tag = f"{{{mode.csipaus}}}{local(element)}"


def unlike(root: Element, profile: Profile) -> str:
    """The first element in the namespace of CSIP-AUS 1.1 that the profile does not have; empty where it has all."""
    names = (local(element) for element in root.iter(f"{{{CSIP_AUS_1_1}}}*"))
    return next((name for name in names if name not in _csipaus_names(profile)), "")


@cache
def _csipaus_names(profile: Profile) -> frozenset[str]:
    """The names of all elements of a profile's csipaus namespace, and those that older editions gave them."""
    layouts = [facts for facts in map(layout, WIRE.values()) if facts.within(profile)]
    fields = {f.name for facts in layouts for f in facts.elements if f.mark.csipaus and f.within(profile)}
    return frozenset(fields | {facts.name for facts in layouts if facts.csipaus} | {name for _, name in LEGACY})
