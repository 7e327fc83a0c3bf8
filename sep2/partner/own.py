"""A party's own entries of the register; what is somebody else's is answered as what does not exist."""

from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.errors import NotFound
from sep2.operations.market import aggregations, ders, entries, parties, reviews
from sep2.partner import types as t
from sep2.partner.access import party_of
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.store.market import register
from sep2.store.market import reviews as stored_reviews
from sep2.store.market.facts import AsOf

NOW = t.AsOfQuery()
"""What holds now."""


async def show_party(rq: Request, asked: Nothing) -> t.Party:
    """The party that asks, as the utility knows it."""
    number, time = party_of(rq).party_id, AsOf(rq.now)
    row = await register.entry(rq.db, "party", number, time)
    assert row is not None  # the gate has just seen it
    said = parties.said_of(row)
    names = ("kind", "status", "contacts", "market_ids", "programmes", "agreement", "test")
    found = [one.lfdi for one in await register.certificates(rq.db, [number], time)]
    return t.Party(name=row.name, certificates=found, **{name: getattr(said, name) for name in names})


async def list_ders(rq: Request, asked: t.ListQuery) -> Listed[t.Der]:
    """Your component DERs by name."""
    found = await register.listed(rq.db, "der", _time(rq, asked.valid_at), page(asked), party_id=party_of(rq).party_id)
    return listed(found, [der_of(row) for row in found.rows])


async def show_der(rq: Request, asked: t.AsOfQuery) -> t.Der:
    """One of your component DERs."""
    return der_of(await mine(rq, "der", _time(rq, asked.valid_at)))


async def list_aggregations(rq: Request, asked: t.ListQuery) -> Listed[t.Aggregation]:
    """Your aggregations by name."""
    time = _time(rq, asked.valid_at)
    found = await register.listed(rq.db, "aggregation", time, page(asked), party_id=party_of(rq).party_id)
    return listed(found, [aggregation_of(row) for row in found.rows])


async def show_aggregation(rq: Request, asked: t.AsOfQuery) -> t.Aggregation:
    """One of your aggregations."""
    return aggregation_of(await mine(rq, "aggregation", _time(rq, asked.valid_at)))


async def list_members(rq: Request, asked: t.ListQuery) -> Listed[t.Member]:
    """The members of one of your aggregations that are not over, those to come too."""
    row = await mine(rq, "aggregation", AsOf(rq.now))
    found = await register.members_listed(rq.db, row.id, _time(rq, asked.valid_at), page(asked))
    return listed(found, [member_of(one) for one in found.rows])


async def list_reviews(rq: Request, asked: t.ListQuery) -> Listed[t.Review]:
    """Reviews of your aggregations, the newest first."""
    found = await stored_reviews.listed(rq.db, page(asked), party_id=party_of(rq).party_id)
    pauses = await stored_reviews.pauses(rq.db, [row.id for row in found.rows])
    return listed(found, [t.Review(**_review(row, pauses, rq.now)) for row in found.rows])


async def show_review(rq: Request, asked: Nothing) -> t.ReviewShown:
    """One review: when it is due, what was decided of each DER, and the letter."""
    await my_review(rq)
    return await review_shown(rq, rq.ids["review"])


async def my_review(rq: Request, *, locks: bool = False) -> Row[Any]:
    """The review that the path names, of the party's own aggregation; that of another is as unknown as none."""
    row = await reviews.find(rq.db, rq.ids["review"], locks=locks)
    aggregation = await register.entry(rq.db, "aggregation", row.aggregation_id, AsOf(rq.now))
    if aggregation is None or aggregation.party_id != party_of(rq).party_id:
        raise reviews.UnknownReview(rq.ids["review"][:40])
    return row


async def review_shown(rq: Request, number: str) -> t.ReviewShown:
    """A review as the party sees it."""
    row = await reviews.find(rq.db, number)
    letter = await stored_reviews.letter(rq.db, row.id)
    pauses = await stored_reviews.pauses(rq.db, [row.id])
    return t.ReviewShown(
        **_review(row, pauses, rq.now),
        ders=[
            t.ReviewedDer(der=one.name, outcome=one.outcome, limit_w=one.limit_w, reason=one.reason)
            for one in await stored_reviews.ders(rq.db, [row.id])
        ],
        letter_html="" if letter is None else letter.html,
    )


def named(rq: Request, **ids: str) -> Request:
    """The same request, about something that its body names."""
    return Request(rq.state, rq.db, rq.now, ids, rq.caller)


async def party_row(rq: Request) -> Row[Any]:
    """The party that asks, as the register has it."""
    row = await register.entry(rq.db, "party", party_of(rq).party_id, AsOf(rq.now))
    assert row is not None  # the gate has just seen it
    return row


async def mine(rq: Request, noun: str, time: AsOf) -> Row[Any]:
    """The party's own entry that the path names; that of another is as unknown as none."""
    name = rq.ids[noun]
    try:
        row = await entries.find(rq.db, noun, name, time)
    except NotFound:
        raise entries.UNKNOWN[noun](name[:80]) from None
    if row.party_id != party_of(rq).party_id:
        raise entries.UNKNOWN[noun](name[:80])
    return row


def _time(rq: Request, at: int | None) -> AsOf:
    return AsOf(rq.now if at is None else at)


def der_of(row: Row[Any]) -> t.Der:
    """A DER as its party sees it."""
    return t.Der(name=row.name, facts=ders.said_of(row), valid_from=row.valid_from, valid_to=row.valid_to)


def aggregation_of(row: Row[Any]) -> t.Aggregation:
    """An aggregation as its party sees it."""
    said = aggregations.said_of(row)
    of_market = ("profile", "model", "iso_nodes", "services", "iso_resource_id", "declared_factors_ppm")
    same = (*of_market, "inject_w", "reduce_w")
    return t.Aggregation(
        name=row.name,
        status=row.status,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        **{name: getattr(said, name) for name in same},
    )


def member_of(row: Row[Any]) -> t.Member:
    """A member as its party sees it."""
    names = ("share_ppm", "iso_node", "state", "valid_from", "valid_to")
    return t.Member(der=row.der_name, **{name: getattr(row, name) for name in names})


def _review(row: Row[Any], pauses: Any, now: int) -> dict[str, Any]:
    names = ("id", "kind", "state", "submitted_at", "decided_at")
    return {
        **{name: getattr(row, name) for name in names},
        "aggregation": row.aggregation_name,
        "due_at": reviews.standing(row, pauses, now).due_at,
        "missing": msgspec.json.decode(row.missing, type=list[str]),
    }
