"""Lists of parties, component DERs, aggregations and their members, as they held and were known at a time."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, Select, Table, func, or_, select

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.market.facts import AsOf, holds, known, there
from sep2.store.market.tables import (
    aggregation,
    aggregation_fact,
    aggregation_member,
    component_der,
    component_der_fact,
    der_consent,
    party,
    party_certificate,
    party_fact,
)
from sep2.store.tables import connection
from sep2.store.territory import below

FACTS: dict[str, Table] = {
    "party": party_fact,
    "der": component_der_fact,
    "aggregation": aggregation_fact,
}
EFFECTIVE = "effective"
"""What a member is once a review has approved it."""
IDENTITIES: dict[str, Table] = {"party": party, "der": component_der, "aggregation": aggregation}


def _entries(noun: str, time: AsOf) -> Select[Any]:
    identity, fact = IDENTITIES[noun], FACTS[noun]
    own = [column for column in fact.c if column.name not in ("id", f"{identity.name}_id")]
    query = select(identity, *own).join_from(identity, fact, fact.c[f"{identity.name}_id"] == identity.c.id)
    query = query.where(there(identity, time.known), holds(fact, time))
    if noun != "party":
        query = query.add_columns(party.c.name.label("party_name"), party.c.is_test)
        query = query.join(party, party.c.id == identity.c.party_id)
    return query


async def aggregations_listed(
    db: Connection,
    time: AsOf,
    page: Keyset,
    *,
    markets: Collection[str] | None,
    statuses: Collection[str],
    is_test: bool,
) -> Following:
    """Aggregations of some markets (None: of all) with one of some statuses, by name; is_test: those of rehearsals."""
    t = aggregation_fact
    query = _entries("aggregation", time).where(among(t.c.status, list(statuses)), party.c.is_test.is_(is_test))
    if markets is not None:
        query = query.where(among(t.c.profile, list(markets)))
    return await select_following(db, query.order_by(aggregation.c.name_key, aggregation.c.id), page)


async def listed(db: Connection, noun: str, time: AsOf, page: Keyset, *, party_id: int | None = None) -> Following:
    """Parties, DERs or aggregations by name; those of one party, where one is named."""
    identity = IDENTITIES[noun]
    query = _entries(noun, time).order_by(identity.c.name_key, identity.c.id)
    if party_id is not None:
        query = query.where(identity.c.party_id == party_id)
    return await select_following(db, query, page)


async def entry(db: Connection, noun: str, row_id: int, time: AsOf) -> Row[Any] | None:
    """One party, DER or aggregation, with what held of it then."""
    return await db.one(_entries(noun, time).where(IDENTITIES[noun].c.id == row_id))


async def entries(db: Connection, noun: str, ids: Collection[int], time: AsOf) -> Sequence[Row[Any]]:
    """Several of them, by name."""
    identity = IDENTITIES[noun]
    query = _entries(noun, time).where(among(identity.c.id, list(ids)))
    return await db.all(query.order_by(identity.c.name_key))


_CONSENTS = [column for column in der_consent.c if column.name not in ("id", "component_der_id")]


async def consents(db: Connection, der_ids: Collection[int], time: AsOf) -> Sequence[Row[Any]]:
    """The consents that held then, of some DERs."""
    query = select(der_consent.c.component_der_id, *_CONSENTS)
    return await db.all(query.where(among(der_consent.c.component_der_id, list(der_ids)), holds(der_consent, time)))


async def certificates(db: Connection, party_ids: Collection[int], time: AsOf) -> Sequence[Row[Any]]:
    """The certificates of some parties."""
    t = party_certificate
    query = select(t).where(among(t.c.party_id, list(party_ids)), holds(t, time)).order_by(t.c.lfdi)
    return await db.all(query)


async def with_certificate(db: Connection, lfdi: str, at: int | None = None) -> Sequence[Row[Any]]:
    """Whose a certificate is or will be, with the name of the party."""
    t = party_certificate
    query = select(t, party.c.name.label("party_name")).join_from(t, party)
    return await db.all(query.where(t.c.lfdi == lfdi, known(t, at), party.c.removed.is_(None)))


def _members(time: AsOf) -> Select[Any]:
    t = aggregation_member
    query = select(t, component_der.c.name.label("der_name"), aggregation.c.name.label("aggregation_name"))
    query = query.join_from(t, component_der, component_der.c.id == t.c.component_der_id)
    query = query.join(aggregation, aggregation.c.id == t.c.aggregation_id)
    return query.where(known(t, time.known), there(aggregation, time.known))


async def members_listed(db: Connection, aggregation_id: int, time: AsOf, page: Keyset) -> Following:
    """The members of an aggregation that are not over then, those to come too, by name."""
    t = aggregation_member
    query = _members(time).where(t.c.aggregation_id == aggregation_id)
    query = query.where(or_(t.c.valid_to.is_(None), t.c.valid_to > time.valid))
    return await select_following(db, query.order_by(component_der.c.name_key, t.c.valid_from, t.c.id), page)


async def members(db: Connection, aggregation_id: int, time: AsOf) -> Sequence[Row[Any]]:
    """All of those."""
    return await members_of(db, [aggregation_id], time)


async def members_of(db: Connection, aggregation_ids: Collection[int], time: AsOf) -> Sequence[Row[Any]]:
    """Those of several aggregations."""
    t = aggregation_member
    query = _members(time).where(among(t.c.aggregation_id, list(aggregation_ids)))
    query = query.where(or_(t.c.valid_to.is_(None), t.c.valid_to > time.valid))
    return await db.all(query.order_by(component_der.c.name_key, t.c.valid_from, t.c.id))


async def effective_of(
    db: Connection, aggregation_ids: Collection[int], time: AsOf, *, until: int | None = None
) -> Sequence[Row[Any]]:
    """The effective members of some aggregations at a time or, with `until`, in any part of the time from then on."""
    t = aggregation_member
    last = time.valid if until is None else until - 1
    query = _members(time).where(among(t.c.aggregation_id, list(aggregation_ids)), t.c.state == EFFECTIVE)
    query = query.where(t.c.valid_from <= last, or_(t.c.valid_to.is_(None), t.c.valid_to > time.valid))
    return await db.all(query.order_by(component_der.c.name_key, t.c.valid_from, t.c.id))


async def memberships(db: Connection, der_ids: Collection[int], time: AsOf) -> Sequence[Row[Any]]:
    """Where some DERs are members, from then on, in any aggregation."""
    t = aggregation_member
    query = _members(time).where(among(t.c.component_der_id, list(der_ids)))
    query = query.where(or_(t.c.valid_to.is_(None), t.c.valid_to > time.valid))
    return await db.all(query.order_by(t.c.id))


async def effective(db: Connection, at: int) -> Sequence[Row[Any]]:
    """Everybody who is a member of something now, and effective."""
    t = aggregation_member
    query = _members(AsOf(at)).where(t.c.state == EFFECTIVE, holds(t, AsOf(at)))
    return await db.all(query.order_by(t.c.aggregation_id, t.c.component_der_id))


async def of_accounts(db: Connection, meters: Collection[str], accounts: Collection[str]) -> Sequence[Row[Any]]:
    """Every DER, now or to come, with one of these meters or accounts: who it is and from when until when."""
    t = component_der_fact
    columns = [
        t.c[name] for name in ("component_der_id", "meter_id", "edc_account", "serial", "valid_from", "valid_to")
    ]
    query = select(*columns, component_der.c.name, component_der.c.party_id, party.c.is_test)
    query = query.join_from(t, component_der).join(party, party.c.id == component_der.c.party_id)
    query = query.where(component_der.c.removed.is_(None), known(t, None))
    return await db.all(query.where(or_(among(t.c.meter_id, list(meters)), among(t.c.edc_account, list(accounts)))))


async def at_connection(db: Connection, name: str) -> Sequence[Row[Any]]:
    """All facts of DERs that name this connection, past ones and those to come, as they are known now."""
    t = component_der_fact
    query = select(t).where(t.c.connection_name == name, known(t, None))
    return await db.all(query.order_by(t.c.component_der_id, t.c.valid_from))


async def ders_at(db: Connection, connections: Collection[str], time: AsOf) -> Sequence[Row[Any]]:
    """Every DER that is at one of these connections then, of parties that do not only rehearse."""
    query = _entries("der", time).where(among(component_der_fact.c.connection_name, list(connections)))
    return await db.all(query.where(party.c.is_test.is_(False)))


async def test_parties(db: Connection, numbers: Collection[int]) -> set[int]:
    """Which of some parties only rehearse."""
    query = select(party.c.id).where(among(party.c.id, list(numbers)), party.c.is_test)
    return {row.id for row in await db.all(query)}


async def with_serials(db: Connection, serials: Collection[str], time: AsOf) -> Sequence[Row[Any]]:
    """Every DER that has one of these serial numbers then."""
    t = component_der_fact
    query = _entries("der", time).where(among(t.c.serial, list(serials)))
    return await db.all(query)


async def parts(db: Connection, party_id: int) -> int:
    """How many DERs and aggregations a party has."""
    total = 0
    for table in (component_der, aggregation):
        query = select(func.count().label("n")).where(table.c.party_id == party_id, table.c.removed.is_(None))
        row = await db.one(query)
        total += row.n if row else 0
    return total


async def every_aggregation(db: Connection, time: AsOf) -> Sequence[Row[Any]]:
    """Every aggregation, by name."""
    return await db.all(_entries("aggregation", time).order_by(aggregation.c.name_key))


async def parties_of_kind(db: Connection, kind: str, time: AsOf) -> Sequence[Row[Any]]:
    """Every party of a kind that takes part then, in the order of their numbers."""
    query = _entries("party", time).where(party_fact.c.kind == kind, party_fact.c.status == "active")
    return await db.all(query.order_by(party.c.id))


async def ders_below(db: Connection, place_id: int, time: AsOf) -> Sequence[Row[Any]]:
    """Every DER whose connection is at a place or below it then, of parties that do not only rehearse."""
    there = select(connection.c.connection_id).where(connection.c.place_id.in_(select(below(place_id).c.id)))
    query = _entries("der", time).where(component_der_fact.c.connection_name.in_(there))
    return await db.all(query.where(party.c.is_test.is_(False)))
