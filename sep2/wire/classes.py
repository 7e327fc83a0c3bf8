"""Which class a document or an element is of: by its root, or by the xsi:type it says."""

from __future__ import annotations

from typing import Any

from lxml import etree

from sep2.wire.declare import WIRE, layout
from sep2.wire.failures import WireError
from sep2.wire.irregular import local, space
from sep2.wire.mode import Mode
from sep2.wire.profile import CSIP_AUS_KNOWN, DRAFT_NAMESPACES, NAMESPACE, XSI


def root_class(root: etree._Element, mode: Mode) -> type[Any]:
    """The class of a document."""
    tag, namespace = local(root), space(root)
    if namespace in DRAFT_NAMESPACES:
        raise WireError(f"{tag}: {namespace} is the namespace of a draft before 2018; {NAMESPACE} is read")
    cls = WIRE.get(tag)
    if cls is None or not layout(cls).said.rooted or namespace != (mode.csipaus if layout(cls).csipaus else NAMESPACE):
        raise WireError(f"{tag} is not a class of {namespace or 'no namespace'}")
    return said_class(root, cls)


def said_class(element: etree._Element, declared: type[Any]) -> type[Any]:
    """The class that xsi:type names; the declared one where it is absent."""
    said = (element.get(f"{{{XSI}}}type") or "").strip()
    if not said:
        return declared
    prefix, _, name = said.rpartition(":")
    namespace = element.nsmap.get(prefix or None)
    cls = next((c for c in _named(name) if issubclass(c, declared)), None)
    if cls is None or namespace not in (CSIP_AUS_KNOWN if layout(cls).csipaus else (NAMESPACE,)):
        raise WireError(f"xsi:type {said} is not a {declared.__name__}")
    return cls


_BY_SCHEMA_NAME: dict[str, list[type[Any]]] = {}


def _named(name: str) -> list[type[Any]]:
    """The classes whose type has this name in the schema."""
    if not _BY_SCHEMA_NAME:
        for cls in WIRE.values():
            _BY_SCHEMA_NAME.setdefault(layout(cls).schema_name, []).append(cls)
    return _BY_SCHEMA_NAME.get(name, [])
