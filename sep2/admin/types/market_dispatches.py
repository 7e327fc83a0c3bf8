"""Awards and dispatch, as the operator API shows and takes them; W of injection, times in epoch seconds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.admin.types.market_register import Named
from sep2.rest.types import Asked, Epoch, Span
from sep2.rules.market.dispatching import Form, Instruction
from sep2.rules.market.shares import SplitBy


class DispatchQuery(Span, frozen=True, kw_only=True):
    """Dispatches of an aggregation that touch a time; with `every`, the sequences that no longer hold too."""

    aggregation: Named | None = None
    start: Epoch | None = None
    end: Epoch | None = None
    every: bool = False


class DispatchPart(Struct, frozen=True, kw_only=True):
    """A member's part of a dispatch, the limit that holds for it, and why it can not be kept (empty: it can)."""

    der: str
    iso_node: str
    target_w: int
    limit_w: int | None
    cause: str
    binding: str
    split_by: SplitBy


class Dispatch(Struct, frozen=True, kw_only=True):
    """A copy of what a system operator told an aggregation."""

    id: int
    iso_dispatch_id: str
    sequence: int
    aggregation: str
    kind: str
    issued_at: int
    received_at: int
    is_late: bool
    start: int
    end: int
    target_w: int
    deliverable_w: int
    """what its members can do within their limits"""
    beyond_limit: int
    """how many of them can not do their part"""
    split_by: Literal["declared", "rating", ""]
    """whether it is spread by the factors that its aggregator declared, or by ratings and shares; empty: no member"""
    ramp_s: int
    source: str
    recorded_by: str


class DispatchShown(Dispatch, frozen=True, kw_only=True):
    """A dispatch with each member's part."""

    parts: list[DispatchPart]


class NewDispatches(Asked, frozen=True, kw_only=True):
    """Instructions of a system operator, and where they come from."""

    dispatches: Annotated[list[Instruction], Meta(min_length=1, max_length=5000)]
    source: Annotated[str, Meta(max_length=80)] = "REST"


class DispatchFile(Asked, frozen=True, kw_only=True):
    """A file of a system operator as it is."""

    form: Form
    """aemo: a report of AEMO with the table DISPATCH, UNIT_SOLUTION"""
    text: str
    source: Annotated[str, Meta(max_length=80)] = "file"


class DispatchesTaken(Struct, frozen=True, kw_only=True):
    """The new copies; `known` were there already."""

    added: list[Dispatch]
    known: int
