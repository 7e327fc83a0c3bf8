"""Parties: aggregators, system operators and others, their contacts, agreements and certificates."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.errors import Conflict, NotFound
from sep2.operations.market import entries
from sep2.rules.market.facts import Fact, ended
from sep2.rules.market.faults import refuse
from sep2.rules.market.register import PartyFacts, party_faults
from sep2.store.connection import Connection
from sep2.store.market import facts, register
from sep2.store.market.facts import Written
from sep2.store.market.tables import party_certificate, party_fact


class CertificateTaken(Conflict):
    """An LFDI is that of one party at a time."""


class NoSuchCertificate(NotFound):
    """The party has no such certificate."""


def said_of(row: Row[Any]) -> PartyFacts:
    """What is known of a party."""
    return msgspec.json.decode(row.body, type=PartyFacts)


def _columns(said: PartyFacts) -> dict[str, Any]:
    return {"kind": said.kind, "status": said.status, "body": msgspec.json.encode(said).decode()}


async def add_party(db: Connection, name: str, said: PartyFacts, written: Written) -> int:
    """The number of a new party."""
    await entries.check_name(db, "party", name)
    refuse(party_faults(said))
    (number,) = await entries.add(db, "party", [(name, {"is_test": said.test})], written)
    await facts.add(db, party_fact, [(number, Fact(written.start, None, _columns(said)))], written)
    return number


async def set_party(db: Connection, row: Row[Any], said: Mapping[str, Any], written: Written) -> None:
    """Have what is named hold of a party from a time on."""
    new = entries.with_changes(said_of(row), said)
    refuse(party_faults(new))
    await entries.put(db, party_fact, row.id, Fact(written.start, None, _columns(new)), written=written)


async def remove_party(db: Connection, known: Row[Any], written: Written) -> None:
    """Take a party out of the register, once nothing is its own any more."""
    if number := await register.parts(db, known.id):
        raise entries.InUse(f"{known.name} has {number} DERs or aggregations")
    await entries.remove(db, "party", known, written)


async def add_certificate(db: Connection, party: Row[Any], lfdi: str, purpose: str, *, written: Written) -> None:
    """Have a certificate stand for a party from a time on."""
    for row in await register.with_certificate(db, lfdi):
        if row.valid_to is None or row.valid_to > written.start:
            raise CertificateTaken(f"{lfdi} is that of {row.party_name}")
    new = Fact(written.start, None, {"lfdi": lfdi, "purpose": purpose})
    await facts.add(db, party_certificate, [(party.id, new)], written)


async def remove_certificate(db: Connection, party: Row[Any], lfdi: str, written: Written) -> None:
    """Have a certificate stand for a party no longer from a time on."""
    rows = [row for row in await facts.of(db, party_certificate, [party.id]) if row.lfdi == lfdi]
    if not rows:
        raise NoSuchCertificate(f"{party.name}: {lfdi}")
    gone = ended(facts.as_facts(party_certificate, rows), written.start)
    await facts.replace(db, party_certificate, rows, gone, owner=party.id, written=written)
