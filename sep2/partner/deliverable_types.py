"""What members of an aggregation can do together, as it is asked and shown; W of injection, times in epoch seconds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.rest.types import Asked, Epoch

Level = Literal["feeder", "all", "der", "iso_node", "system", "subtransmission", "substation", "segment", "transformer"]
MOST_STEPS = 3000


class DeliverableQuery(Asked, frozen=True, kw_only=True):
    """A time and its steps, and the nodes by which members are summed; as it was known at `known_at`."""

    start: Epoch | None = None
    """None: the next whole step"""
    end: Epoch | None = None
    """None: as far as limits are published, two days at most"""
    step_s: Annotated[int, Meta(ge=60, le=86_400)] | None = None
    """None: as the published run"""
    level: Level = "all"
    """all: one node of all members; der; iso_node; or a kind of place in the utility's network"""
    known_at: Epoch | None = None


class DeliverableSpan(Struct, frozen=True, kw_only=True):
    """A time in which it is the same; where a cause is said it is not known."""

    start: int
    end: int
    min_w: int | None
    max_w: int | None
    firm_min_w: int | None
    firm_max_w: int | None
    """what contracts grant of it whatever else is so"""
    envelope_min_w: int | None
    envelope_max_w: int | None
    """what members' published limits alone let them do"""
    binding_min: str
    binding_max: str
    """the element of the network, or the override, that costs its members most; empty: none does"""
    cause: str


class NodeDeliverable(Struct, frozen=True, kw_only=True):
    """Of the members at one node, in the order of time; equal neighbours are one."""

    node: str
    members: int
    spans: list[DeliverableSpan]


class Deliverables(Struct, frozen=True, kw_only=True):
    """What an aggregation can do at its nodes, and the runs of the engine that it was summed from."""

    aggregation: str
    level: str
    start: int
    end: int
    step_s: int
    run_ids: list[str]
    nodes: list[NodeDeliverable]
    details: dict[str, str]
    """in words, by cause"""
    none_because: str = ""
    """why there is no member, or none at such a node; empty: there is one"""
