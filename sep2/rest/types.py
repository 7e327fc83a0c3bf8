"""What all routes share: bodies that refuse unknown fields, pages of lists, refusals, and the patterns of texts."""

from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

T = TypeVar("T")

WORDS = {
    r"^[0-9A-Fa-f]{40}$(?!\n)": "40 hexadecimal digits",
    r"^[\x21-\x7e]{1,32}$(?!\n)": "1 to 32 letters, digits and signs, without blanks",
    r"^[^\s/]+$(?!\n)": "a host or host:port",
    r"^[^\x00-\x1f\x7f]+$(?!\n)": "text in one line",
    r"^[\w-]+$(?!\n)": "the next of an earlier page",
}
"""What each pattern asks for. Python's `$` also matches before a last line break, hence what follows it."""
_LFDI, _CONNECTION, _HOST, _TEXT, _CURSOR = WORDS

Lfdi = Annotated[str, Meta(pattern=_LFDI)]
ConnectionId = Annotated[str, Meta(pattern=_CONNECTION)]
Host = Annotated[str, Meta(pattern=_HOST, max_length=255)]
Epoch = Annotated[int, Meta(ge=0, le=2**40)]
Seconds = Annotated[int, Meta(ge=1, le=2**32 - 1)]
Watts = Annotated[int, Meta(ge=0, le=32767 * 10**9)]
Text = Annotated[str, Meta(pattern=_TEXT, max_length=200)]
Category = Annotated[int, Meta(ge=0, le=2**32 - 1)]
MOST_ITEMS = 500


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body or a query; a field that is not named here is refused."""


class Nothing(Asked, frozen=True, kw_only=True):
    """No parameters."""


class Span(Asked, frozen=True, kw_only=True):
    """Which part of a list: `after` is the `next` of the page before; `total=exact` counts a long list to its end."""

    limit: Annotated[int, Meta(ge=0, le=MOST_ITEMS)] = 100
    after: Annotated[str, Meta(pattern=_CURSOR, max_length=1000)] | None = None
    total: Literal["capped", "exact"] = "capped"


class ChangeQuery(Asked, frozen=True, kw_only=True):
    """With `dry_run`, the answer is what the change would give, and nothing is changed."""

    dry_run: bool = False


class SecondedQuery(ChangeQuery, frozen=True, kw_only=True):
    """With `draft`, the change is only prepared, for its author or somebody else to send."""

    draft: bool = False


class Waiting(Struct, frozen=True, kw_only=True):
    """A change that is not made: it waits for a second person, or is a draft, under a number of /approvals."""

    approval: int
    state: str
    """waiting or draft"""
    why: str
    expires: int


class Listed(Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list, how long the whole list is, and where the next part begins."""

    total: int
    items: list[T]
    capped: bool = False
    """Whether the list is longer than `total`: counting ended there."""
    next: str | None = None
    """What `after` is for the next part; null at the end."""


class Document(Struct, frozen=True, kw_only=True):
    """A document of XML."""

    xml: str


class FaultSaid(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of several things that are wrong with what was asked for."""

    path: str
    code: str
    value: str = ""
    bound: str = ""


class Refused(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was refused."""

    code: str
    message: str
    field: str = ""
    faults: list[FaultSaid] = []
    """everything that is wrong, at most 100, where the request holds several things"""


class Done(Struct, frozen=True, kw_only=True):
    """The change is made."""

    message: str
