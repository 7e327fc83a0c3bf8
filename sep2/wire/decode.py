"""From a document to an object: the way in, and which class a document is."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from lxml import etree

from sep2.wire.declare import WIRE, layout
from sep2.wire.failures import WireError
from sep2.wire.irregular import local, one_csipaus, space
from sep2.wire.mode import Mode
from sep2.wire.parse import LARGEST, parse
from sep2.wire.profile import CSIP_AUS_KNOWN, DRAFT_NAMESPACES, NAMESPACE, XSI, Profile
from sep2.wire.reader import reader_of

T = TypeVar("T")


@overload
def decode(
    data: bytes, *, profile: Profile, ordered: bool = True, extensions: bool = True, largest: int = LARGEST
) -> object: ...
@overload
def decode(
    data: bytes,
    *expected: type[T],
    profile: Profile,
    ordered: bool = True,
    extensions: bool = True,
    largest: int = LARGEST,
) -> T: ...
def decode(
    data: bytes,
    *expected: type[Any],
    profile: Profile,
    ordered: bool = True,
    extensions: bool = True,
    largest: int = LARGEST,
) -> object:
    """The object a document says, one of the expected classes if any are named.

    `ordered`: elements in another order than the schema's are refused. `extensions`: elements of foreign namespaces
    are skipped (a peer of level +S1); False refuses them (-S1).
    """
    root = parse(data, largest)
    mode = Mode(profile, ordered, extensions)
    if b"csipaus.org" in data:
        one_csipaus(root, mode.csipaus)
    cls = said_class(root, _root_class(root, mode), mode)
    if expected and not issubclass(cls, expected):
        raise WireError(f"{local(root)} is not {' or '.join(c.__name__ for c in expected)}")
    try:
        return reader_of(cls, mode)(root)
    except WireError as error:
        raise error.under(local(root)) from None


def _root_class(root: etree._Element, mode: Mode) -> type[Any]:
    tag, namespace = local(root), space(root)
    if namespace in DRAFT_NAMESPACES:
        raise WireError(f"{tag}: {namespace} is the namespace of a draft before 2018; {NAMESPACE} is read")
    cls = WIRE.get(tag)
    if cls is None or not layout(cls).said.rooted or namespace != (mode.csipaus if layout(cls).csipaus else NAMESPACE):
        raise WireError(f"{tag} is not a class of {namespace or 'no namespace'}")
    return cls


def said_class(element: etree._Element, declared: type[Any], mode: Mode) -> type[Any]:
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
