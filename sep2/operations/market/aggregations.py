"""Aggregations and their members: shares of DERs, from when until when."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row

from sep2.errors import Conflict
from sep2.operations.market import entries
from sep2.rules.market.facts import Amended, Fact, ended
from sep2.rules.market.faults import Fault, Unfit, refuse
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.profiles import read_profile
from sep2.rules.market.register import AggregationFacts, aggregation_faults
from sep2.rules.market.shares import WHOLE_PPM, Held, Overlap, overlaps
from sep2.rules.told_times import told
from sep2.store.connection import Connection
from sep2.store.market import facts, register, resources
from sep2.store.market.facts import AsOf, Written
from sep2.store.market.tables import aggregation_fact, aggregation_member, component_der

PROPOSED, UNDER_REVIEW, APPROVED, SUSPENDED, RETIRING, RETIRED = (
    "proposed",
    "under_review",
    "approved",
    "suspended",
    "retiring",
    "retired",
)
"""What an aggregation is; one that is approved is active once the system operator has given it an id."""
ACTIVE = "active"
"""What is shown of one that is approved and takes part."""
TAKES_PART = (APPROVED, SUSPENDED, RETIRING)
EFFECTIVE, REFUSED = "effective", "refused"
"""What a member is beside proposed."""
FAR = 2**40
"""A time after everything that has an end."""


class DoubleCounting(Conflict):
    """The DER's share is held by another aggregation at that time."""


class ResourceTaken(Conflict):
    """Another aggregation has this id of the system operator."""


class WrongStatus(Conflict):
    """An aggregation does not take that as it stands."""


class NotMember(entries.UnknownDer):
    """The DER is no member of the aggregation at that time."""


class NewMember(NamedTuple):
    """A share of a DER that an aggregation is to have, until `end` where it has one."""

    der: Row[Any]
    share_ppm: int = WHOLE_PPM
    end: int | None = None
    iso_node: str = ""


def said_of(row: Row[Any]) -> AggregationFacts:
    """What is known of an aggregation."""
    return msgspec.json.decode(row.body, type=AggregationFacts)


def status_of(stored: str, said: AggregationFacts, members: Sequence[Row[Any]]) -> str:
    """How an aggregation stands: one that is approved is active once it has its id and a member."""
    return ACTIVE if stored == APPROVED and said.iso_resource_id and members else stored


def _columns(said: AggregationFacts, status: str) -> dict[str, Any]:
    return {
        "profile": said.profile,
        "status": status,
        "iso_resource_id": said.iso_resource_id,
        "body": msgspec.json.encode(said).decode(),
    }


async def add_aggregation(
    db: Connection, name: str, party: Row[Any], said: AggregationFacts, *, own: Path | None, written: Written
) -> int:
    """The number of a new aggregation; own: the folder of the utility's profiles."""
    await entries.check_name(db, "aggregation", name)
    refuse(aggregation_faults(said, read_profile(said.profile, own)))
    (number,) = await entries.add(db, "aggregation", [(name, {"party_id": party.id})], written)
    new = Fact(written.start, None, _columns(said, PROPOSED))
    await facts.add(db, aggregation_fact, [(number, new)], written)
    await _have_ids(db, number, written.now)
    return number


async def set_aggregation(
    db: Connection, row: Row[Any], said: Mapping[str, Any], *, own: Path | None, written: Written
) -> None:
    """Have what is named hold of an aggregation from a time on."""
    new = entries.with_changes(said_of(row), said)
    refuse(aggregation_faults(new, read_profile(new.profile, own)))
    if row.status != PROPOSED and new.profile != row.profile:
        raise WrongStatus(f"profile: {row.name} is {row.status}; another market is another aggregation")
    await _put(db, row, new, row.status, written=written)


async def set_status(db: Connection, row: Row[Any], status: str, written: Written) -> None:
    """Have an aggregation be something else from a time on."""
    await _put(db, row, said_of(row), status, written=written)


async def _put(db: Connection, row: Row[Any], said: AggregationFacts, status: str, *, written: Written) -> None:
    new = Fact(written.start, None, _columns(said, status))
    await entries.put(db, aggregation_fact, row.id, new, written=written)
    await _have_ids(db, row.id, written.now)


async def _have_ids(db: Connection, number: int, now: int) -> None:
    """Have an aggregation have the ids of system operators that stand in its facts, now or later, and no others."""
    wanted, has = await _ids_of(db, number, now), await resources.of(db, number)
    if gone := has - wanted:
        await resources.give_up(db, gone)
    new = wanted - has
    if not new:
        return
    for one in await resources.holders(db, new):
        if one.resource_id in await _ids_of(db, one.aggregation_id, now):
            raise ResourceTaken(one.resource_id)
        await resources.give_up(db, [one.resource_id])
    await resources.take(db, number, new)


async def _ids_of(db: Connection, number: int, now: int) -> set[str]:
    rows = await facts.of(db, aggregation_fact, [number])
    return {row.iso_resource_id for row in rows if row.valid_to is None or row.valid_to > now} - {""}


async def suspend(db: Connection, row: Row[Any], written: Written) -> None:
    """Take an aggregation out of the market until it is reinstated."""
    _only(row, APPROVED)
    await set_status(db, row, SUSPENDED, written)


async def reinstate(db: Connection, row: Row[Any], written: Written) -> None:
    """Have a suspended aggregation take part again."""
    _only(row, SUSPENDED)
    await set_status(db, row, APPROVED, written)


async def withdraw(db: Connection, row: Row[Any], profile: MarketProfile, written: Written) -> int:
    """When an aggregation that is withdrawn now takes part no more: after the profile's notice."""
    _only(row, APPROVED, SUSPENDED)
    await set_status(db, row, RETIRING, written)
    end = written.now + profile.change.withdraw_days * 86_400
    fresh = await entries.find(db, "aggregation", row.name, AsOf(written.now))
    await set_status(db, fresh, RETIRED, written._replace(start=end))
    members = await facts.of(db, aggregation_member, [row.id])
    gone = ended(facts.as_facts(aggregation_member, members), end)
    await facts.replace(db, aggregation_member, members, gone, owner=row.id, written=written)
    return end


def _only(row: Row[Any], *statuses: str) -> None:
    if row.status not in statuses:
        raise WrongStatus(f"{row.name} is {row.status}; it takes {', '.join(statuses)}")


async def remove_aggregation(db: Connection, row: Row[Any], written: Written) -> None:
    """Take an aggregation that never took part, or takes part no more, out of the register."""
    _only(row, PROPOSED, RETIRED)
    members = await facts.of(db, aggregation_member, [row.id])
    gone = ended(facts.as_facts(aggregation_member, members), written.now)
    await facts.replace(db, aggregation_member, members, gone, owner=row.id, written=written)
    await entries.remove(db, "aggregation", row, written)
    await _have_ids(db, row.id, written.now)


async def add_members(
    db: Connection, row: Row[Any], new: Sequence[NewMember], profile: MarketProfile, *, written: Written
) -> None:
    """Have an aggregation have these shares; a review makes them effective."""
    said = said_of(row)
    refuse(_member_faults(row, said, new, written.start))
    ids = [one.der.id for one in new]
    await facts.locked(db, component_der, ids)
    held = await held_of(db, ids, written)
    held += [Held(one.der.name, service, written.start, one.end or FAR, one.share_ppm, row.name)
             for one in new for service in said.services]  # fmt: skip
    _refuse_overlaps(overlaps(held, profile.double.exclusive), held)
    made = [
        Fact(
            written.start,
            one.end,
            {
                "component_der_id": one.der.id,
                "share_ppm": one.share_ppm,
                "state": PROPOSED,
                "iso_node": one.iso_node or (said.iso_nodes[0] if said.model == "single" else ""),
            },
        )
        for one in new
    ]
    await facts.add(db, aggregation_member, [(row.id, fact) for fact in made], written)


def _member_faults(row: Row[Any], said: AggregationFacts, new: Sequence[NewMember], start: int) -> list[Fault]:
    found = []
    for one in new:
        if one.der.party_id != row.party_id:
            found.append(Fault("der", "other_party", one.der.name, f"a DER of {row.party_name}"))
        if not 0 < one.share_ppm <= WHOLE_PPM:
            found.append(Fault("share_ppm", "share", str(one.share_ppm), f"1 to {WHOLE_PPM}"))
        if one.end is not None and one.end <= start:
            found.append(Fault("valid_to", "ends_before_start", told(one.end), f"after {told(start)}"))
        if said.model == "multi" and one.iso_node not in said.iso_nodes:
            found.append(Fault("iso_node", "unknown_node", one.iso_node, f"one of {', '.join(said.iso_nodes)}"))
    return found


async def held_of(db: Connection, der_ids: Sequence[int], written: Written) -> list[Held]:
    """What shares of some DERs are held for which services, from then on, by whom."""
    rows = [one for one in await register.memberships(db, der_ids, AsOf(written.start)) if one.state != REFUSED]
    aggregations = await register.entries(db, "aggregation", {one.aggregation_id for one in rows}, AsOf(written.now))
    services = {one.id: said_of(one).services for one in aggregations}
    return [
        Held(one.der_name, service, one.valid_from, one.valid_to or FAR, one.share_ppm, one.aggregation_name)
        for one in rows
        for service in services.get(one.aggregation_id, ())
    ]


def _refuse_overlaps(found: Sequence[Overlap], held: Sequence[Held]) -> None:
    """Refuse what is sold twice: a whole share beside another is double counting, parts add up to too much."""
    if not found:
        return
    first = found[0]
    there = [one for one in held if one.der == first.der and one.start < first.end and first.start < one.end]
    window = f"from {told(first.start)}" + ("" if first.end == FAR else f" to {told(first.end)}")
    if any(one.ppm == WHOLE_PPM for one in there):
        raise DoubleCounting(f"{first.der}: {', '.join(first.holders)} {window}")
    bound = f"at most {WHOLE_PPM} in all; held by {', '.join(first.holders)} {window}"
    raise Unfit([Fault("share_ppm", "share_sum", str(first.ppm), bound)])


class Leaving(NamedTuple):
    """A DER that is to be a member no longer from a time on."""

    der: Row[Any]
    at: int


async def end_members(db: Connection, row: Row[Any], leaving: Sequence[Leaving], written: Written) -> None:
    """Have DERs be members no longer, each from a time on; what they were before stays known."""
    if not leaving:
        return
    rows = await facts.of(db, aggregation_member, [row.id])
    known = facts.as_facts(aggregation_member, rows)
    positions: dict[int, list[int]] = {}
    for n, one in enumerate(rows):
        positions.setdefault(one.component_der_id, []).append(n)
    ends = {one.der.id: min(each.at for each in leaving if each.der.id == one.der.id) for one in leaving}
    superseded: list[int] = []
    added: list[Fact] = []
    for der in {one.der.id: one.der for one in leaving}.values():
        own = positions.get(der.id, [])
        gone = ended([known[n] for n in own], ends[der.id])
        if not gone.superseded:
            raise NotMember(f"{der.name} in {row.name}")
        superseded += [own[n] for n in gone.superseded]
        added += gone.added
    amended = Amended(superseded, added)
    await facts.replace(db, aggregation_member, rows, amended, owner=row.id, written=written)


async def set_members(db: Connection, row: Row[Any], states: Mapping[int, str], written: Written) -> None:
    """Have proposed members be effective or refused, by the numbers of their DERs."""
    every = await facts.of(db, aggregation_member, [row.id])
    rows = [one for one in every if one.state == PROPOSED and one.component_der_id in states]
    known = facts.as_facts(aggregation_member, rows)
    new = [one._replace(said={**one.said, "state": states[one.said["component_der_id"]]}) for one in known]
    amended = Amended(list(range(len(rows))), new)
    await facts.replace(db, aggregation_member, rows, amended, owner=row.id, written=written)
