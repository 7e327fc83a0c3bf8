"""Component DERs and their customers' consents; one at a time, or many, all or nothing."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row

from sep2.operations.market import entries
from sep2.rules import names
from sep2.rules.market.facts import Fact, amended, ended
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.register import DerFacts, Scope, der_faults
from sep2.store import connections
from sep2.store.connection import Connection
from sep2.store.market import facts, register
from sep2.store.market.facts import Written
from sep2.store.market.tables import component_der_fact, der_consent


class Consent(NamedTuple):
    """What a customer has agreed to, and until when; `document_sha256` is of what was signed."""

    scopes: Sequence[Scope]
    given_by: str
    given_at: int
    expires: int | None = None
    document_sha256: str = ""


class NewDer(NamedTuple):
    """A DER to be, of the party with this number, from a time on; path: where it stands in a sheet."""

    name: str
    party_id: int
    said: DerFacts
    start: int
    confirmed: bool = False
    consent: Consent | None = None
    path: str = ""


def said_of(row: Row[Any]) -> DerFacts:
    """What is known of a DER."""
    return msgspec.json.decode(row.body, type=DerFacts)


def _columns(said: DerFacts) -> dict[str, Any]:
    return {
        "edc_account": said.edc_account,
        "connection_name": said.connection,
        "meter_id": said.meter_id,
        "serial": said.serial,
        "lfdi": said.lfdi.upper(),
        "body": msgspec.json.encode(said).decode(),
    }


async def add_ders(db: Connection, new: Sequence[NewDer], written: Written) -> list[int]:
    """The numbers of new DERs; all of them, or Unfit with everything that is wrong with any."""
    refuse(await faults(db, new))
    numbers = await entries.add(db, "der", [(one.name, {"party_id": one.party_id}) for one in new], written)
    made = [(number, Fact(one.start, None, _columns(one.said))) for number, one in zip(numbers, new, strict=True)]
    await facts.add(db, component_der_fact, made, written)
    agreed = [
        (number, _consent(one.consent, one.start))
        for number, one in zip(numbers, new, strict=True)
        if one.consent is not None
    ]
    await facts.add(db, der_consent, agreed, written)
    return numbers


async def faults(db: Connection, new: Sequence[NewDer], *, beside: Collection[int] = ()) -> list[Fault]:
    """What is wrong with new DERs; beside: the number of the one that is changed."""
    known = await connections.known(db, [one.said.connection for one in new])
    found = [
        fault._replace(path=f"{one.path}{fault.path}")
        for one in new
        for fault in der_faults(one.said, known, confirmed=one.confirmed)
    ]
    if not beside:
        found += await _name_faults(db, new)
    return found + await _account_faults(db, new, beside)


async def _name_faults(db: Connection, new: Sequence[NewDer]) -> list[Fault]:
    taken = set(await facts.identities(db, register.IDENTITIES["der"], [names.key_of(one.name) for one in new]))
    found = []
    for one in new:
        key = names.key_of(one.name)
        if wrong := names.misfit(one.name):
            found.append(Fault(f"{one.path}der", "bad_name", one.name, wrong))
        elif key in taken:
            found.append(Fault(f"{one.path}der", "name_taken", one.name, "a name that no other DER has"))
        taken.add(key)
    return found


async def _account_faults(db: Connection, new: Sequence[NewDer], beside: Collection[int]) -> list[Fault]:
    """One open record for each meter and serial number, and for each account and serial number."""
    rows = await register.of_accounts(db, {one.said.meter_id for one in new}, {one.said.edc_account for one in new})
    rehearse = await register.test_parties(db, {one.party_id for one in new})
    there = {
        field: [((row.is_test, getattr(row, field), row.serial), Fact(row.valid_from, row.valid_to, {})) for row in rows
                if row.component_der_id not in beside]
        for field in ("meter_id", "edc_account")
    }  # fmt: skip
    found = []
    for field, several in there.items():
        held: dict[tuple[bool, str, str], list[Fact]] = {}
        for key, fact in several:
            held.setdefault(key, []).append(fact)
        for one in new:
            key = (one.party_id in rehearse, getattr(one.said, field), one.said.serial)
            if any(fact.overlaps(one.start, None) for fact in held.get(key, ())):
                bound = "one that no other DER with this serial number has at that time"
                found.append(Fault(f"{one.path}{field}", "duplicate", key[1], bound))
            held.setdefault(key, []).append(Fact(one.start, None, {}))
    return _once_per_entry(found)


def _once_per_entry(found: Sequence[Fault]) -> list[Fault]:
    """A DER whose meter is taken is named for its meter, not for its account as well."""
    seen: dict[str, Fault] = {}
    for fault in found:
        seen.setdefault(fault.path.rpartition(" ")[0] or "one", fault)
    return list(seen.values())


async def set_der(db: Connection, row: Row[Any], said: Mapping[str, Any], written: Written) -> DerFacts:
    """What is known of a DER from a time on; `confirmed` among what is said: its ratings are meant so."""
    await facts.locked(db, register.IDENTITIES["der"], [row.id])
    new = entries.with_changes(said_of(row), {name: value for name, value in said.items() if name != "confirmed"})
    asked = NewDer(row.name, row.party_id, new, written.start, bool(said.get("confirmed")))
    refuse(await faults(db, [asked], beside=[row.id]))
    await entries.put(db, component_der_fact, row.id, Fact(written.start, None, _columns(new)), written=written)
    return new


async def remove_der(db: Connection, known: Row[Any], written: Written) -> None:
    """Take a DER out of the register, once it is a member of nothing."""
    members = await register.memberships(db, [known.id], facts.AsOf(written.now))
    if members:
        raise entries.InUse(f"{known.name} is a member of {members[0].aggregation_name}")
    await entries.remove(db, "der", known, written)


async def consent(db: Connection, known: Row[Any], said: Consent, written: Written) -> None:
    """Keep what a customer has agreed to, in place of what was agreed before."""
    entries.check_span(written.start, said.expires)
    rows = await facts.of(db, der_consent, [known.id])
    new = _consent(said, written.start)
    replaced = amended(facts.as_facts(der_consent, rows), new._replace(end=None))
    replaced.added[-1] = new
    await facts.replace(db, der_consent, rows, replaced, owner=known.id, written=written)


async def revoke(db: Connection, known: Row[Any], written: Written) -> int:
    """The customer withdraws every consent from now on; how many consents held."""
    rows = await facts.of(db, der_consent, [known.id])
    current = facts.as_facts(der_consent, rows)
    gone = ended(current, written.now)
    noted = [fact._replace(said={**fact.said, "revoked_at": written.now}) for fact in gone.added]
    await facts.replace(db, der_consent, rows, gone._replace(added=noted), owner=known.id, written=written)
    return len(gone.superseded)


def _consent(said: Consent, start: int) -> Fact:
    columns = {
        "scopes": msgspec.json.encode(sorted(set(said.scopes))).decode(),
        "given_by": said.given_by,
        "given_at": said.given_at,
        "revoked_at": None,
        "document_sha256": said.document_sha256,
    }
    return Fact(start, said.expires, columns)
