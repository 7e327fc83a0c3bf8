"""What aggregators see of their own part of the register; W, times in epoch seconds."""

from msgspec import Struct

from sep2.rest.types import Asked, Epoch, Span
from sep2.rules.market.register import Agreement, Contact, DerFacts


class AsOfQuery(Asked, frozen=True, kw_only=True):
    """What held at `valid_at`; left out: now."""

    valid_at: Epoch | None = None


class ListQuery(Span, frozen=True, kw_only=True):
    """A list as of a time."""

    valid_at: Epoch | None = None


class Party(Struct, frozen=True, kw_only=True):
    """Who you are."""

    name: str
    kind: str
    status: str
    contacts: list[Contact]
    market_ids: dict[str, str]
    programmes: list[str]
    agreement: Agreement | None
    test: bool
    """whether you only rehearse: answers are as always, and no control is issued"""
    certificates: list[str]


class Der(Struct, frozen=True, kw_only=True):
    """One of your component DERs."""

    name: str
    facts: DerFacts
    valid_from: int
    valid_to: int | None


class Member(Struct, frozen=True, kw_only=True):
    """A DER of an aggregation, from when until when."""

    der: str
    share_ppm: int
    iso_node: str
    state: str
    valid_from: int
    valid_to: int | None


class Aggregation(Struct, frozen=True, kw_only=True):
    """One of your aggregations."""

    name: str
    status: str
    profile: str
    model: str
    iso_nodes: list[str]
    services: list[str]
    inject_w: int
    reduce_w: int
    iso_resource_id: str
    declared_factors_ppm: dict[str, int]
    """by node: the part of a dispatch that your members there do, as you declared; empty: as their ratings are"""
    valid_from: int
    valid_to: int | None


class ReviewedDer(Struct, frozen=True, kw_only=True):
    """What was decided of a DER; an empty outcome: not yet."""

    der: str
    outcome: str
    limit_w: int | None
    reason: str


class Review(Struct, frozen=True, kw_only=True):
    """The utility's review of one of your aggregations."""

    id: int
    aggregation: str
    kind: str
    state: str
    submitted_at: int
    due_at: int | None
    decided_at: int | None
    missing: list[str]


class ReviewShown(Review, frozen=True, kw_only=True):
    """One review with what was decided of each DER, and its letter."""

    ders: list[ReviewedDer]
    letter_html: str
    """empty: no letter is written before it is decided"""
