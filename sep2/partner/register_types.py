"""What parties hand in for the register: DERs, aggregations, members, disputes, outages; W, times in epoch seconds."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from sep2.partner import types as t
from sep2.partner.plan_types import LARGEST_SHEET
from sep2.rest.types import Asked, Epoch, Span
from sep2.rules.market.plan_forms import Named
from sep2.rules.market.register import AggregationFacts, DerFacts, Key, Line, Scope, Sha256

Words = Annotated[str, Meta(min_length=1, max_length=1000)]
MOST_DERS = 10_000


class ConsentSaid(Asked, frozen=True, kw_only=True):
    """What the customer agrees to, in place of what was agreed before."""

    scopes: Annotated[list[Scope], Meta(min_length=1)]
    given_by: Key
    given_at: Epoch | None = None
    expires: Epoch | None = None
    document_sha256: Sha256 = ""


class DerSaid(DerFacts, Asked, frozen=True, kw_only=True):
    """A component DER as it is to be; s_max_va and energy_wh stay as they were where they are left out."""

    consent: ConsentSaid | None = None
    """left out: what was agreed stands"""
    confirmed: bool = False
    """ratings that look as if they were typed in kW are meant so"""
    valid_from: Epoch | None = None


class DerPut(t.Der, frozen=True, kw_only=True):
    """A DER as it is now, whether it is new, and the reviews that a change of it has opened."""

    created: bool
    reviews: list[int]


class DersSaid(Asked, frozen=True, kw_only=True):
    """Many new DERs: rows with `der` and what a DER says, or the same as a sheet; all of them or none."""

    ders: Annotated[list[dict[str, Any]], Meta(max_length=MOST_DERS)] = field(default_factory=list)
    csv: Annotated[str, Meta(max_length=LARGEST_SHEET)] = ""
    confirmed: bool = False


class DersAdded(Struct, frozen=True, kw_only=True):
    """How many DERs were added."""

    added: int


class AggregationSaid(AggregationFacts, Asked, frozen=True, kw_only=True):
    """An aggregation as it is to be, beside its members; the system operator's id of it is the utility's to enter."""

    valid_from: Epoch | None = None


class AggregationPut(t.Aggregation, frozen=True, kw_only=True):
    """An aggregation as it is now, and whether it is new."""

    created: bool


class MemberSaid(Asked, frozen=True, kw_only=True):
    """A DER that is to be a member."""

    der: Named
    share_ppm: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000_000
    iso_node: Line = ""
    valid_to: Epoch | None = None


class MemberGoes(Asked, frozen=True, kw_only=True):
    """A member that leaves; left out: now."""

    der: Named
    valid_to: Epoch | None = None


class ChangesSaid(Asked, frozen=True, kw_only=True):
    """Members that join from `valid_from` on, and members that leave; all of it or nothing."""

    add: Annotated[list[MemberSaid], Meta(max_length=MOST_DERS)] = field(default_factory=list)
    end: Annotated[list[MemberGoes], Meta(max_length=MOST_DERS)] = field(default_factory=list)
    valid_from: Epoch | None = None


class Changed(Struct, frozen=True, kw_only=True):
    """The members of an aggregation, and the review of those that are new, once it takes part."""

    members: list[t.Member]
    review: int | None


class Withdrawal(Asked, frozen=True, kw_only=True):
    """Why an aggregation is withdrawn."""

    reason: Words


class DisputeSaid(Asked, frozen=True, kw_only=True):
    """What you object to in a review, and on what ground."""

    about: Words
    basis: Words
    stay: bool = False
    regulator_ref: Annotated[str, Meta(max_length=200)] = ""


class ProfileQuery(Asked, frozen=True, kw_only=True):
    """Which market's rules: those by which one of your aggregations takes part, or by name."""

    aggregation: Named | None = None
    name: Annotated[str, Meta(max_length=32)] | None = None


class ProfileShown(Struct, frozen=True, kw_only=True):
    """A market's rules, and their digest, which stands in reviews, plans and overrides."""

    name: str
    title: str
    sha256: str
    rules: dict[str, Any]


class Outage(Struct, frozen=True, kw_only=True):
    """What a DER or an aggregation can not do in [start, end)."""

    id: int
    der: str
    aggregation: str
    start: int
    end: int
    available_w: int
    cause: str
    planned: bool
    recorded_at: int


class OutageSaid(Asked, frozen=True, kw_only=True):
    """What one of your DERs, or one of your aggregations, can not do in [start, end): it has `available_w` left."""

    der: Named | None = None
    aggregation: Named | None = None
    start: Epoch
    end: Epoch
    available_w: Annotated[int, Meta(ge=0, le=10_000_000_000)] = 0
    cause: Annotated[str, Meta(min_length=1, max_length=400)]
    planned: bool = False


class OutageQuery(Span, frozen=True, kw_only=True):
    """Outages that are not over at `start`; left out: now."""

    start: Epoch | None = None


class EvidenceOfDay(Struct, frozen=True, kw_only=True):
    """The signed pack of a local day of the market, as it was settled last: the same bytes each time."""

    aggregation: str
    day: str
    start: int
    end: int
    as_of: int
    manifest_sha256: str
    content: bytes
    """a zip, in base64"""
