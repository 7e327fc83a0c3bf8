"""Parties, component DERs and aggregations, as the operator API shows and takes them; times in epoch seconds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.admin.types.bulk import SheetOfRows
from sep2.rest.types import Asked, Epoch, Lfdi, Span
from sep2.rules.market.register import (
    Agent,
    AggregationFacts,
    Agreement,
    Contact,
    DerFacts,
    DeviceType,
    Key,
    Line,
    PartyFacts,
    PartyKind,
    PartyStatus,
    Scope,
    Service,
    Sha256,
    Watts,
)
from sep2.rules.market.shares import SplitBy

Purpose = Literal["2030.5", "market", "both"]
Share = Annotated[int, Meta(ge=1, le=1_000_000)]
Named = Annotated[str, Meta(min_length=1, max_length=80)]


class AsOfQuery(Asked, frozen=True, kw_only=True):
    """What held at `valid_at`, as it was known at `known_at`; left out: now."""

    valid_at: Epoch | None = None
    known_at: Epoch | None = None


class RegisterQuery(Span, frozen=True, kw_only=True):
    """A list as of a time, of one party if so asked."""

    valid_at: Epoch | None = None
    known_at: Epoch | None = None
    party: Named | None = None


class PartyCertificate(Struct, frozen=True, kw_only=True):
    """A certificate that stands for a party."""

    lfdi: str
    purpose: str
    valid_from: int
    valid_to: int | None


class Party(Struct, frozen=True, kw_only=True):
    """Somebody whom the market knows."""

    name: str
    kind: PartyKind
    status: PartyStatus
    contacts: list[Contact]
    market_ids: dict[str, str]
    programmes: list[str]
    agreement: Agreement | None
    test: bool
    """whether it only rehearses"""
    certificates: list[PartyCertificate]
    version: int
    valid_from: int
    valid_to: int | None
    recorded_at: int
    recorded_by: str


class NewParty(PartyFacts, Asked, frozen=True, kw_only=True):
    """A party to be."""

    name: Named
    valid_from: Epoch | None = None


class PartyChange(Asked, frozen=True, kw_only=True):
    """What is to hold of a party from `valid_from` on; what is left out stays."""

    kind: PartyKind | None = None
    status: PartyStatus | None = None
    contacts: list[Contact] | None = None
    market_ids: dict[str, Line] | None = None
    programmes: list[Line] | None = None
    agreement: Agreement | None = None
    valid_from: Epoch | None = None


class NewPartyCertificate(Asked, frozen=True, kw_only=True):
    """A certificate that is to stand for a party."""

    lfdi: Lfdi
    purpose: Purpose = "both"
    valid_from: Epoch | None = None


class RenameEntry(Asked, frozen=True, kw_only=True):
    """What something of the market's register is to be called."""

    name: Named


class DerConsent(Struct, frozen=True, kw_only=True):
    """What a customer has agreed to."""

    scopes: list[Scope]
    given_by: str
    given_at: int
    expires: int | None
    document_sha256: str


class NewConsent(Asked, frozen=True, kw_only=True):
    """What a customer agrees to, in place of what was agreed before."""

    scopes: Annotated[list[Scope], Meta(min_length=1)]
    given_by: Key
    given_at: Epoch | None = None
    expires: Epoch | None = None
    document_sha256: Sha256 = ""


class Der(Struct, frozen=True, kw_only=True):
    """A component DER: one device or site behind one account with the utility."""

    name: str
    party: str
    facts: DerFacts
    consent: DerConsent | None
    device: str | None
    """the LFDI of its EndDevice, if one is registered"""
    limit_w: int | None
    """what the latest review limits it to"""
    version: int
    valid_from: int
    valid_to: int | None
    recorded_at: int
    recorded_by: str


class DerSet(Der, frozen=True, kw_only=True):
    """A DER that was changed, and the reviews that this has opened."""

    reviews: list[int]


class NewDer(Asked, frozen=True, kw_only=True):
    """A component DER to be."""

    name: Named
    party: Named
    facts: DerFacts
    consent: NewConsent | None = None
    confirmed: bool = False
    """ratings that look as if they were typed in kW are meant so"""
    valid_from: Epoch | None = None


class DerChange(Asked, frozen=True, kw_only=True):
    """What is to hold of a DER from `valid_from` on; what is left out stays."""

    edc_account: Key | None = None
    connection: Key | None = None
    meter_id: Key | None = None
    esi_id: Line | None = None
    device_type: DeviceType | None = None
    make: Line | None = None
    model: Line | None = None
    serial: Line | None = None
    firmware: Line | None = None
    max_gen_w: Watts | None = None
    max_load_w: Watts | None = None
    s_max_va: Watts | None = None
    energy_wh: Watts | None = None
    phases: Annotated[str, Meta(pattern=r"^(A?B?C?|S)$(?!\n)")] | None = None
    import_agreement_w: Watts | None = None
    export_agreement_w: Watts | None = None
    interconnection_ref: Line | None = None
    interconnection_executed: Line | None = None
    studied_services: list[Service] | None = None
    nem: bool | None = None
    retail_programs: list[Line] | None = None
    metering: Literal["site", "submeter", "device"] | None = None
    lfdi: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{40})?$(?!\n)")] | None = None
    confirmed: bool = False
    valid_from: Epoch | None = None


class NewDers(Asked, frozen=True, kw_only=True):
    """Many DERs as a sheet: one line each, under the names of the columns; all of them or none."""

    sheet: SheetOfRows
    party: Named | None = None
    """of lines that name none"""
    confirmed: bool = False


class DersAdded(Struct, frozen=True, kw_only=True):
    """The DERs that were added."""

    added: int
    names: list[str]
    """the first of them"""


class Aggregation(Struct, frozen=True, kw_only=True):
    """What takes part in a market as one resource."""

    name: str
    party: str
    profile: str
    status: str
    """proposed, under_review, approved, active, suspended, retiring or retired"""
    model: str
    iso_nodes: list[str]
    services: list[str]
    inject_w: int
    reduce_w: int
    market_agent: str
    dispatch_agent: str
    telemetry_class: str
    iso_resource_id: str
    members: int
    """effective ones at that time"""
    members_max_gen_w: int
    factors_ppm: dict[str, int]
    """by node: the part of a dispatch that its members there do"""
    factors_by: SplitBy
    """whether these are as declared, or by what the members there may inject"""
    declared_factors_ppm: dict[str, int]
    factors_by_rating_ppm: dict[str, int]
    factors_far_off: list[str]
    """nodes whose declared factor is more than 50 000 ppm from that by ratings"""
    version: int
    valid_from: int
    valid_to: int | None
    recorded_at: int
    recorded_by: str


class NewAggregation(AggregationFacts, Asked, frozen=True, kw_only=True):
    """An aggregation to be; its members are added after."""

    name: Named
    party: Named
    valid_from: Epoch | None = None


class AggregationChange(Asked, frozen=True, kw_only=True):
    """What is to hold of an aggregation from `valid_from` on; what is left out stays."""

    model: Literal["single", "multi"] | None = None
    iso_nodes: list[Key] | None = None
    services: list[Service] | None = None
    inject_w: Watts | None = None
    reduce_w: Watts | None = None
    market_agent: Agent | None = None
    dispatch_agent: Agent | None = None
    telemetry_class: Literal["regulation", "large", "small"] | None = None
    iso_resource_id: Line | None = None
    declared_factors_ppm: dict[Key, int] | None = None
    """{}: as ratings are"""
    valid_from: Epoch | None = None


class NewFactors(Asked, frozen=True, kw_only=True):
    """Declared factors of aggregations as a sheet, a line for each node: all of them or none."""

    sheet: SheetOfRows
    """aggregation, iso_node, factor_ppm and, of lines that hold from another time, valid_from"""
    valid_from: Epoch | None = None


class FactorsDeclared(Struct, frozen=True, kw_only=True):
    """How many aggregations' factors were declared."""

    declared: int
    names: list[str]
    """the first of them"""


class Reasoned(Asked, frozen=True, kw_only=True):
    """Why something is done; it stands in the audit log."""

    reason: Annotated[str, Meta(min_length=1, max_length=400)]


class Member(Struct, frozen=True, kw_only=True):
    """A DER's share of an aggregation, in [valid_from, valid_to)."""

    der: str
    share_ppm: int
    iso_node: str
    state: str
    """proposed, effective or refused"""
    valid_from: int
    valid_to: int | None
    recorded_at: int
    recorded_by: str


class NewMembers(Asked, frozen=True, kw_only=True):
    """DERs that are to be members, each with the same share and time."""

    ders: Annotated[list[Named], Meta(min_length=1, max_length=10_000)]
    share_ppm: Share = 1_000_000
    iso_node: Line = ""
    valid_from: Epoch | None = None
    valid_to: Epoch | None = None


class EndMember(Asked, frozen=True, kw_only=True):
    """When a member leaves; left out: now."""

    valid_to: Epoch | None = None
