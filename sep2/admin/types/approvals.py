"""Requests for a second person, and drafts, as the operator API shows and takes them."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from sep2.rest.types import Asked, Span


class Approval(Struct, frozen=True, kw_only=True):
    """A change that waits, or waited, for a second person: state is draft, waiting, approved, refused, withdrawn or
    expired.
    """

    id: int
    state: str
    verb: str
    subject: str
    why: str
    asker: str
    created: int
    expires: int
    decider: str
    decided: int | None
    note: str


class ApprovalShown(Approval, frozen=True, kw_only=True):
    """The same with what was asked for, what it would have done as its asker saw it, and what came of it."""

    asked: Raw
    sheet: Raw
    answer: Raw


class ApprovalQuery(Span, frozen=True, kw_only=True):
    """Requests that can still be decided on; `every`: also those that are over."""

    every: bool = False


class Agree(Asked, frozen=True, kw_only=True):
    """Agree to what a request would do now; `digest`: of the effect that was looked at, else that its asker saw."""

    digest: Annotated[str, Meta(max_length=60)] = ""


class Decline(Asked, frozen=True, kw_only=True):
    """Why not."""

    note: Annotated[str, Meta(max_length=160)] = ""


class Agreed(Struct, frozen=True, kw_only=True):
    """What came of a change that was agreed to, or would: the answer of its own route. `digest` is of its effect."""

    id: int
    state: str
    verb: str
    asker: str
    decider: str
    digest: str
    needs_second: str
    answer: Raw


class _Told(Struct, frozen=True, kw_only=True):
    """An answer that says in sentences what a change does."""

    sentences: list[str] = []


def sentences_of(answer: bytes) -> list[str]:
    """The sentences of an answer or a sheet; none where it has no such field."""
    try:
        return msgspec.json.decode(answer, type=_Told).sentences
    except msgspec.ValidationError:
        return []
