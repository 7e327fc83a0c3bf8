"""What a system operator may see and enter: of the markets that it has an id in, without customers."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.errors import Conflict, NotFound
from sep2.operations.market import aggregations, ders, entries, parties
from sep2.operations.market.aggregations import EFFECTIVE
from sep2.rules.market.shares import factors
from sep2.store.connection import Connection
from sep2.store.market import dispatches, register
from sep2.store.market.facts import AsOf, Written

DISCLOSURE = "disclosure_to_iso"
"""The scope of a customer's consent to which a system operator sees a DER."""
SEEN = (aggregations.UNDER_REVIEW, *aggregations.TAKES_PART)
"""What an aggregation is once it was handed in, until it takes part no more."""


class ResourceTaken(Conflict):
    """Another aggregation has this id of the system operator."""


def markets_of(party: Row[Any]) -> frozenset[str] | None:
    """The market profiles that a system operator has an id in; None: it has none anywhere, and sees all of them."""
    return frozenset(parties.said_of(party).market_ids) or None


async def of_market(db: Connection, profile: str, now: int) -> list[int]:
    """The numbers of the system operators of a market: those with an id there, or with no id anywhere."""
    rows = await register.parties_of_kind(db, "iso", AsOf(now))
    return [row.id for row in rows if (markets := markets_of(row)) is None or profile in markets]


async def find(db: Connection, party: Row[Any], name: str, time: AsOf) -> Row[Any]:
    """The aggregation of that name, if the system operator may see it; others are as unknown as none."""
    try:
        row = await entries.find(db, "aggregation", name, time)
    except NotFound:
        raise entries.UnknownAggregation(name[:80]) from None
    markets = markets_of(party)
    if row.status not in SEEN or (markets is not None and row.profile not in markets):
        raise entries.UnknownAggregation(name[:80])
    return row


async def all_seen(db: Connection, party: Row[Any], time: AsOf) -> Sequence[Row[Any]]:
    """Every aggregation that a system operator may see."""
    markets = markets_of(party)
    every = await register.every_aggregation(db, time)
    return [row for row in every if row.status in SEEN and (markets is None or row.profile in markets)]


async def register_resource(
    db: Connection, row: Row[Any], resource_id: str, *, own: Path | None, written: Written
) -> None:
    """Have an aggregation have this id of the system operator from now on."""
    taken = await dispatches.with_resource_ids(db, [resource_id], written.now)
    if taken.get(resource_id, row.id) != row.id:
        raise ResourceTaken(resource_id)
    await aggregations.set_aggregation(db, row, {"iso_resource_id": resource_id}, own=own, written=written)


async def distribution(
    db: Connection, numbers: Collection[int], time: AsOf
) -> tuple[Mapping[int, dict[str, int]], Mapping[int, int]]:
    """By aggregation: the part of its effective members' ratings at each node, ppm, and how many members it has."""
    rows = [one for one in await register.members_of(db, numbers, time) if _holds(one, time.valid)]
    rated = {
        one.id: max(said.max_gen_w, said.max_load_w)
        for one in await register.entries(db, "der", {row.component_der_id for row in rows}, time)
        for said in [ders.said_of(one)]
    }
    weights: dict[int, dict[str, int]] = {}
    counts: dict[int, int] = {}
    for row in rows:
        counts[row.aggregation_id] = counts.get(row.aggregation_id, 0) + 1
        if row.iso_node:
            of_node = weights.setdefault(row.aggregation_id, {})
            watts = rated.get(row.component_der_id, 0) * row.share_ppm
            of_node[row.iso_node] = of_node.get(row.iso_node, 0) + watts
    return {number: factors(found) for number, found in weights.items()}, counts


def _holds(row: Row[Any], at: int) -> bool:
    return row.state == EFFECTIVE and row.valid_from <= at and (row.valid_to is None or at < row.valid_to)


async def disclosed(db: Connection, der_ids: Collection[int], time: AsOf) -> set[int]:
    """Which of some DERs a system operator may see, as their customers agreed."""
    return {
        row.component_der_id
        for row in await register.consents(db, der_ids, time)
        if DISCLOSURE in msgspec.json.decode(row.scopes)
    }
