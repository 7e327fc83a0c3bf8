"""From a document to an object: the way in, and which class a document is."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from sep2.wire.classes import root_class
from sep2.wire.failures import WireError
from sep2.wire.irregular import local, one_csipaus
from sep2.wire.mode import Mode
from sep2.wire.parse import LARGEST, parse
from sep2.wire.profile import Profile
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
    cls = root_class(root, mode)
    if expected and not issubclass(cls, expected):
        raise WireError(f"{local(root)} is not {' or '.join(c.__name__ for c in expected)}")
    try:
        return reader_of(cls, mode)(root)
    except WireError as error:
        raise error.under(local(root)) from None
