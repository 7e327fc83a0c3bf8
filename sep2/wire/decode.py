"""From a document to an object: the way in, and which class a document is."""

from __future__ import annotations

import re
from typing import Any, TypeVar, overload

from sep2.wire.classes import root_class
from sep2.wire.failures import WireError
from sep2.wire.irregular import local, one_csipaus, unlike
from sep2.wire.mode import Mode
from sep2.wire.parse import LARGEST, parse
from sep2.wire.profile import CSIP_AUS_1_1, Profile
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
        one_csipaus(root, mode)
    cls = root_class(root, mode)
    if expected and not issubclass(cls, expected):
        raise WireError(f"{local(root)} is not {' or '.join(c.__name__ for c in expected)}")
    try:
        return reader_of(cls, mode)(root)
    except WireError as error:
        raise error.under(local(root)) from None


_CSIP_AUS = re.compile(rb"https?://csipaus\.org/ns[!-z]{0,60}?(?=[\"'])")


def _may_hold(data: bytes, namespace: bytes) -> bool:
    """Whether a document may have elements of a namespace; false where it only declares a prefix that none uses."""
    prefixes: list[bytes] = re.findall(rb"""xmlns:([\w.-]+)\s*=\s*["']%b["']""" % re.escape(namespace), data)
    return len(prefixes) < data.count(namespace) or any(b"<%b:" % prefix in data for prefix in prefixes)


def other_csipaus(data: bytes, profile: Profile) -> str:
    """The csipaus namespace, of another edition than the profile's, that elements of a document are in; empty: none.

    That of CSIP-AUS 1.1 counts only where its elements are not those of the profile.
    """
    named: set[str] = {found.decode("ascii") for found in _CSIP_AUS.findall(data)} - {profile.extension or ""}
    if not any(_may_hold(data, one.encode("ascii")) for one in named):
        return ""
    try:
        root = parse(data)
    except WireError:
        return ""
    for namespace in sorted(named):
        agrees = namespace == CSIP_AUS_1_1 and profile.extension and not unlike(root, profile)
        if not agrees and next(root.iter(f"{{{namespace}}}*"), None) is not None:
            return namespace
    return ""
