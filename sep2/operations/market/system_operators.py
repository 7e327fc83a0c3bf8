"""What a system operator may see and enter: of the markets that it has an id in, without customers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.errors import NotFound
from sep2.operations.market import aggregations, ders, entries, parties
from sep2.store.connection import Connection
from sep2.store.market import register
from sep2.store.market.facts import AsOf

DISCLOSURE = "disclosure_to_iso"
"""The scope of a customer's consent to which a system operator sees a DER."""
SEEN = (aggregations.UNDER_REVIEW, *aggregations.TAKES_PART)
"""What an aggregation is once it was handed in, until it takes part no more."""


def markets_of(party: Row[Any]) -> frozenset[str] | None:
    """The market profiles that a system operator has an id in; None: it has none anywhere, and sees all of them."""
    return frozenset(parties.said_of(party).market_ids) or None


async def of_market(db: Connection, profile: str, now: int, *, is_test: bool) -> list[int]:
    """The numbers of the system operators of a market: those with an id there, or with no id anywhere.

    is_test: those that only rehearse, and no others.
    """
    rows = [row for row in await register.parties_of_kind(db, "iso", AsOf(now)) if row.is_test == is_test]
    return [row.id for row in rows if (markets := markets_of(row)) is None or profile in markets]


def _is_seen(party: Row[Any], row: Row[Any]) -> bool:
    markets = markets_of(party)
    return row.status in SEEN and row.is_test == party.is_test and (markets is None or row.profile in markets)


async def find(db: Connection, party: Row[Any], name: str, time: AsOf) -> Row[Any]:
    """The aggregation of that name, if the system operator may see it; others are as unknown as none."""
    try:
        row = await entries.find(db, "aggregation", name, time)
    except NotFound:
        raise entries.UnknownAggregation(name[:80]) from None
    if not _is_seen(party, row):
        raise entries.UnknownAggregation(name[:80])
    return row


async def all_seen(db: Connection, party: Row[Any], time: AsOf) -> Sequence[Row[Any]]:
    """Every aggregation that a system operator may see."""
    return [row for row in await register.every_aggregation(db, time) if _is_seen(party, row)]


async def effective(
    db: Connection, numbers: Collection[int], time: AsOf
) -> tuple[dict[int, list[Row[Any]]], dict[int, int]]:
    """The effective members of some aggregations, by its number, and what each DER can inject, W."""
    members: dict[int, list[Row[Any]]] = {number: [] for number in numbers}
    for one in await register.effective_of(db, numbers, time):
        members[one.aggregation_id].append(one)
    ids = {one.component_der_id for several in members.values() for one in several}
    rated = await register.entries(db, "der", ids, time)
    return members, {one.id: ders.said_of(one).max_gen_w for one in rated}


def node_weights(members: Sequence[Row[Any]], watts: Mapping[int, int]) -> dict[str, int]:
    """What members can inject with their shares at each node, the weight by which nodes are where none is declared."""
    weights: dict[str, int] = {}
    for one in members:
        weights[one.iso_node] = weights.get(one.iso_node, 0) + watts.get(one.component_der_id, 0) * one.share_ppm
    return weights


async def disclosed(db: Connection, der_ids: Collection[int], time: AsOf) -> set[int]:
    """Which of some DERs a system operator may see, as their customers agreed."""
    return {
        row.component_der_id
        for row in await register.consents(db, der_ids, time)
        if DISCLOSURE in msgspec.json.decode(row.scopes)
    }
