"""Commissioning of connections."""

from typing import Annotated

from msgspec import Meta, Struct

from sep2.admin.types.base import Limits
from sep2.rest.types import Asked, ConnectionId, Span

Note = Annotated[str, Meta(max_length=500)]


class NewCommissioning(Asked, frozen=True, kw_only=True):
    """The connection that is to be commissioned, or commissioned anew."""

    connection: ConnectionId


class CommissioningQuery(Span, frozen=True, kw_only=True):
    """Those that have not passed, or `every` one."""

    every: bool = False


class CommissioningTest(Asked, frozen=True, kw_only=True):
    """A short control by which a connection shows that it keeps a limit."""

    limits: Limits
    duration: Annotated[int, Meta(ge=300, le=4 * 3600)] = 1800


class Phases(Asked, frozen=True, kw_only=True):
    """The phases that a connection was found at, and how."""

    phases: Annotated[str, Meta(max_length=8)]
    how: Annotated[str, Meta(min_length=1, max_length=200)]


class CommissioningPass(Asked, frozen=True, kw_only=True):
    """What is to be said about the pass."""

    note: Note = ""


class CommissioningStep(Struct, frozen=True, kw_only=True):
    """One step, and what is known of it: registered, heard, tested, sign or phase."""

    name: str
    done: bool
    detail: str


class Commissioning(Struct, frozen=True, kw_only=True):
    """The commissioning of a connection; no flexible limit is published to it before it has passed."""

    connection: str
    opened: int
    opened_by: str
    test: int | None
    """the number of the override that tests it"""
    phases: str
    phases_how: str
    phases_by: str
    passed: int | None
    passed_by: str
    note: str


class CommissioningShown(Commissioning, frozen=True, kw_only=True):
    """The same with its steps as they are now, and the first one that is not done; empty: it can pass, or has."""

    steps: list[CommissioningStep]
    next: str
