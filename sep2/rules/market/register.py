"""What the register holds of parties, component DERs and aggregations, and what makes an entry unfit.

Powers are W: generation and export, load and import are each positive.
"""

from collections.abc import Collection
from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.rules.market.faults import Fault
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.shares import WHOLE_PPM

LARGEST_W = 10_000_000_000
Watts = Annotated[int, Meta(ge=0, le=LARGEST_W)]
Line = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)", max_length=200)]
Key = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", max_length=80)]
Service = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]
PartyKind = Literal["aggregator", "iso", "edc", "regulator", "retail", "third_party"]
PartyStatus = Literal["prospective", "active", "suspended"]
Agent = Literal["aggregator", "edc", "third_party"]
DeviceType = Literal["solar", "battery", "wind", "generator", "ev_charger", "load", "site", "other"]
Scope = Literal["registration", "telemetry", "billing_data", "disclosure_to_iso", "waive_firm"]
Sha256 = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$(?!\n)")]
SUSPECT_RATIO = 200
"""A rating that is so much smaller than the agreement was probably typed in kW."""
ANCILLARY = frozenset({"regulation", "reserve", "voltage"})


class Contact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody to call."""

    role: Line
    name: Line
    email: Line = ""
    phone: Line = ""
    is_24x7: bool = False


class Agreement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contract with the utility; times in epoch seconds."""

    ref: Line
    signed: int
    expires: int | None = None


class PartyFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a party."""

    kind: PartyKind = "aggregator"
    status: PartyStatus = "prospective"
    contacts: list[Contact] = []
    market_ids: dict[str, Line] = {}
    """by market profile"""
    programmes: list[Line] = []
    """what it offers its customers, by name"""
    agreement: Agreement | None = None
    test: bool = False
    """whether it only rehearses: no control is ever issued for it; it stays so"""


class DerFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a component DER: one device or site behind one account with the utility."""

    edc_account: Key
    connection: Key
    """the id of its connection in the server's register"""
    meter_id: Key
    esi_id: Line = ""
    """ESI id or NMI, where the market names points so"""
    device_type: DeviceType
    make: Line = ""
    model: Line = ""
    serial: Line = ""
    firmware: Line = ""
    max_gen_w: Watts
    max_load_w: Watts
    s_max_va: Watts | None = None
    energy_wh: Watts | None = None
    phases: Annotated[str, Meta(pattern=r"^(A?B?C?|S)$(?!\n)")] = ""
    """such as A or ABC; S is split phase, empty: not said"""
    import_agreement_w: Watts
    export_agreement_w: Watts
    interconnection_ref: Line = ""
    interconnection_executed: Line = ""
    """a date"""
    studied_services: list[Service] = []
    """that the interconnection study covers"""
    nem: bool = False
    """whether retail net metering pays for its energy"""
    retail_programs: list[Line] = []
    metering: Literal["site", "submeter", "device"] = "site"
    lfdi: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{40})?$(?!\n)")] = ""
    """of its EndDevice; empty: whatever device holds the limits of the connection"""


class AggregationFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of an aggregation, beside its members."""

    profile: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$(?!\n)")]
    model: Literal["single", "multi"] = "single"
    iso_nodes: list[Key]
    services: list[Service]
    inject_w: Watts
    """what it may sell as injection"""
    reduce_w: Watts = 0
    """what it may sell as reduction of load"""
    market_agent: Agent | None = None
    """None: as the profile says"""
    dispatch_agent: Agent | None = None
    telemetry_class: Literal["regulation", "large", "small"] = "small"
    iso_resource_id: Line = ""
    declared_factors_ppm: dict[Key, int] = {}
    """by node: the part of a dispatch that its members there do, all of them 1 000 000; empty: as ratings are"""


def der_faults(der: DerFacts, connections: Collection[str], *, confirmed: bool) -> list[Fault]:
    """What is wrong with a DER's entry; confirmed: its ratings are meant as they are.

    connections: those of the server's register.
    """
    found = []
    if der.connection not in connections:
        found.append(
            Fault(
                "connection",
                "unknown_connection",
                der.connection,
                "a connection of the register (`sep2 connection list`)",
            )
        )
    if der.max_gen_w == 0 and der.max_load_w == 0:
        found.append(Fault("max_gen_w", "no_power", "0", "max_gen_w or max_load_w above 0"))
    for rating, agreement in (("max_gen_w", "export_agreement_w"), ("max_load_w", "import_agreement_w")):
        watts, agreed = getattr(der, rating), getattr(der, agreement)
        if not confirmed and 0 < watts * SUSPECT_RATIO <= agreed:
            bound = f"a rating in W, as {agreement} is {agreed}; confirmed=true where it is meant so"
            found.append(Fault(rating, "unit_suspect", str(watts), bound))
    return found


def party_faults(party: PartyFacts) -> list[Fault]:
    """What is wrong with a party's entry."""
    if party.status == "active" and not any(one.is_24x7 for one in party.contacts):
        return [Fault("contacts", "no_24x7_contact", "", "one contact of an active party that answers at any hour")]
    return []


def aggregation_faults(said: AggregationFacts, profile: MarketProfile) -> list[Fault]:
    """What is wrong with an aggregation's entry by the rules of its market."""
    return [
        *_place_faults(said, profile),
        *_size_faults(said, profile),
        *_agent_faults(said, profile),
        *_factor_faults(said),
    ]


def _place_faults(said: AggregationFacts, profile: MarketProfile) -> list[Fault]:
    found = []
    if said.model == "multi" and profile.location.scope == "single":
        found.append(Fault("model", "model", "multi", f"single, as {profile.name} takes aggregations at one node"))
    if not said.iso_nodes or (said.model == "single" and len(said.iso_nodes) != 1):
        bound = "one node" if said.model == "single" else "at least one node"
        found.append(Fault("iso_nodes", "iso_nodes", str(len(said.iso_nodes)), bound))
    if len(set(said.iso_nodes)) != len(said.iso_nodes):
        found.append(Fault("iso_nodes", "iso_nodes", ", ".join(said.iso_nodes), "each node once"))
    if not said.services:
        found.append(Fault("services", "services", "", "at least one service, such as energy"))
    return found


def _size_faults(said: AggregationFacts, profile: MarketProfile) -> list[Fault]:
    size, bounds, found = max(said.inject_w, said.reduce_w), profile.size, []
    name = "inject_w" if said.inject_w >= said.reduce_w else "reduce_w"
    if size < bounds.min_aggregation_w:
        found.append(Fault(name, "size", str(size), f"at least {bounds.min_aggregation_w} W ({profile.name})"))
    if said.model == "multi" and bounds.max_multi_node_w and size > bounds.max_multi_node_w:
        bound = f"at most {bounds.max_multi_node_w} W over several nodes ({profile.name})"
        found.append(Fault(name, "size", str(size), bound))
    only_ancillary = bool(said.services) and ANCILLARY.issuperset(said.services)
    if only_ancillary and bounds.max_ancillary_w and size > bounds.max_ancillary_w:
        bound = f"at most {bounds.max_ancillary_w} W of ancillary services alone ({profile.name})"
        found.append(Fault(name, "size", str(size), bound))
    return found


def _agent_faults(said: AggregationFacts, profile: MarketProfile) -> list[Fault]:
    may_be = profile.roles.may_be
    return [
        Fault(role, "agent", agent, f"one of {', '.join(may_be)} ({profile.name})")
        for role, agent in (("market_agent", said.market_agent), ("dispatch_agent", said.dispatch_agent))
        if agent is not None and agent not in may_be
    ]


def _factor_faults(said: AggregationFacts) -> list[Fault]:
    """What is wrong with declared factors: nodes of others, parts below 0 or above the whole, another sum."""
    name, declared = "declared_factors_ppm", said.declared_factors_ppm
    found = []
    for node, ppm in declared.items():
        if node not in said.iso_nodes:
            found.append(Fault(f"{name}.{node}", "unknown_node", node, f"one of {', '.join(said.iso_nodes)}"))
        if not 0 <= ppm <= WHOLE_PPM:
            found.append(Fault(f"{name}.{node}", "factor", str(ppm), f"0 to {WHOLE_PPM}"))
    if declared and sum(declared.values()) != WHOLE_PPM:
        found.append(Fault(name, "factor_sum", str(sum(declared.values())), f"{WHOLE_PPM} over all nodes"))
    return found
