"""What system operators see and enter: aggregations of their markets without customers; W, times in epoch seconds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.partner.deliverable_types import DeliverableQuery
from sep2.rest.types import Asked, Epoch, Span
from sep2.rules.market.dispatching import Instruction
from sep2.rules.market.register import Key
from sep2.rules.market.shares import SplitBy


class IsoDeliverableQuery(DeliverableQuery, frozen=True, kw_only=True):
    """The same as an aggregator asks, by nodes of the system operator only."""

    level: Literal["all", "iso_node"] = "iso_node"


class IsoAggregation(Struct, frozen=True, kw_only=True):
    """An aggregation of one of your markets."""

    name: str
    party: str
    profile: str
    status: str
    model: str
    iso_resource_id: str
    iso_nodes: list[str]
    services: list[str]
    inject_w: int
    reduce_w: int
    members: int
    """that are effective"""
    distribution_ppm: dict[str, int]
    """by node: the part of a dispatch that its members there do"""
    distribution_by: SplitBy
    """whether its aggregator declared it, or it is the part of what members can inject"""
    valid_from: int
    valid_to: int | None


class Registration(Asked, frozen=True, kw_only=True):
    """What you call an aggregation."""

    iso_resource_id: Key


class IsoMember(Struct, frozen=True, kw_only=True):
    """A DER whose customer agreed that you see it."""

    der: str
    device_type: str
    max_gen_w: int
    max_load_w: int
    share_ppm: int
    iso_node: str
    valid_from: int
    valid_to: int | None


class IsoMembers(Struct, frozen=True, kw_only=True):
    """Effective members whose customers agreed to be disclosed, and how many others there are."""

    members: list[IsoMember]
    not_disclosed: int


class IsoReview(Struct, frozen=True, kw_only=True):
    """The utility's review of an aggregation: when it is due, and how many DERs came out how."""

    id: int
    aggregation: str
    kind: str
    state: str
    submitted_at: int
    due_at: int | None
    decided_at: int | None
    outcomes: dict[str, int]


class IsoOverrideQuery(Span, frozen=True, kw_only=True):
    """Overrides of aggregations that hold or are to come; with `over` those that are over too."""

    over: bool = False


class IsoOverride(Struct, frozen=True, kw_only=True):
    """An override of an aggregation; limits are those of all its members together, `released` when it was."""

    id: int
    aggregation: str
    iso_resource_id: str
    iso_nodes: list[str]
    notice: str
    state: str
    limits: dict[str, int]
    start: int
    end: int
    reason: str
    created: int
    released: int | None
    lost_wh: int
    """planned energy that it makes impossible"""


class DerateQuery(Span, frozen=True, kw_only=True):
    """Derates that are not over at `start`; left out: now."""

    start: Epoch | None = None


class Derate(Struct, frozen=True, kw_only=True):
    """What an aggregation, or a DER of it, can not do for a time."""

    id: int
    aggregation: str
    der: str
    """empty: it is of the whole aggregation, or of a DER that is not disclosed"""
    start: int
    end: int
    available_w: int
    cause: str
    planned: bool


class IsoDispatchQuery(Span, frozen=True, kw_only=True):
    """Your instructions that touch a time; with `every`, the sequences that no longer hold too."""

    start: Epoch | None = None
    end: Epoch | None = None
    every: bool = False


class IsoDispatches(Asked, frozen=True, kw_only=True):
    """Awards and dispatch."""

    dispatches: Annotated[list[Instruction], Meta(min_length=1, max_length=5000)]


class IsoDispatch(Struct, frozen=True, kw_only=True):
    """An instruction as it was taken in, and what of it is within limits."""

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
    beyond_limit: int
    """how many DERs can not do their part"""
    split_by: Literal["declared", "rating", ""]
    """what it is spread over members by; empty: it has none"""
    ramp_s: int


class IsoTaken(Struct, frozen=True, kw_only=True):
    """The new ones; `known` were there already."""

    added: list[IsoDispatch]
    known: int
