"""Entries of the market's register: found by name, named, renamed and removed."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Row, Table

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations.naming import BadName, NameTaken
from sep2.rules import names
from sep2.rules.market.facts import Fact, amended, ended
from sep2.rules.told_times import told
from sep2.store.connection import Connection
from sep2.store.market import facts
from sep2.store.market.facts import AsOf, Written
from sep2.store.market.register import FACTS, IDENTITIES, entry

T = TypeVar("T", bound=msgspec.Struct)


class UnknownParty(NotFound):
    """There is no party of that name."""


class UnknownDer(NotFound):
    """There is no component DER of that name."""


class UnknownAggregation(NotFound):
    """There is no aggregation of that name."""


class NotThen(NotFound):
    """It is in the register, and nothing of it held at that time, as it was known then."""


class InUse(Conflict):
    """Something depends on it."""


class EndsBeforeStart(BadValue):
    """What holds from a time holds until a later one."""


UNKNOWN: Mapping[str, type[NotFound]] = {
    "party": UnknownParty,
    "der": UnknownDer,
    "aggregation": UnknownAggregation,
}


async def identity(db: Connection, noun: str, name: str, at: int | None = None) -> Row[Any]:
    """The entry of that name, as it was known then."""
    key = names.key_of(name)
    found = await facts.identities(db, IDENTITIES[noun], [key], at)
    if key not in found:
        raise UNKNOWN[noun](name[:80])
    return found[key]


async def find(db: Connection, noun: str, name: str, time: AsOf) -> Row[Any]:
    """The entry of that name with what held of it then."""
    known = await identity(db, noun, name, time.known)
    row = await entry(db, noun, known.id, time)
    if row is None:
        raise NotThen(known.name)
    return row


async def add(db: Connection, noun: str, new: Sequence[tuple[str, Mapping[str, Any]]], written: Written) -> list[int]:
    """The numbers of new entries; new: the names and other columns. Names are to be checked before."""
    rows = [
        {"name": name, "name_key": names.key_of(name), "created": written.now, "removed": None, **columns}
        for name, columns in new
    ]
    return await facts.add_identity(db, IDENTITIES[noun], rows)


async def check_name(db: Connection, noun: str, name: str, *, beside: int | None = None) -> None:
    """Refuse a name that can not be one, or that something else of the kind has."""
    if wrong := names.misfit(name):
        raise BadName(f"name: {wrong}")
    taken = await facts.identities(db, IDENTITIES[noun], [names.key_of(name)])
    if any(row.id != beside for row in taken.values()):
        raise NameTaken(f"{noun} {name}")


async def rename(db: Connection, noun: str, known: Row[Any], name: str) -> None:
    """Call an entry so from now on."""
    await check_name(db, noun, name, beside=known.id)
    await facts.change_identity(db, IDENTITIES[noun], known.id, name=name, name_key=names.key_of(name))


async def remove(db: Connection, noun: str, known: Row[Any], written: Written) -> None:
    """Nothing of an entry holds from now on; what held can still be looked up as of an earlier time."""
    table = FACTS[noun]
    rows = await facts.of(db, table, [known.id])
    ended_now = ended(facts.as_facts(table, rows), written.now)
    await facts.replace(db, table, rows, ended_now, owner=known.id, written=written)
    await facts.change_identity(db, IDENTITIES[noun], known.id, removed=written.now)


async def put(db: Connection, table: Table, owner: int, new: Fact, *, written: Written) -> None:
    """Have a fact hold in its time, in place of what was said of that time."""
    check_span(new.start, new.end)
    rows = await facts.of(db, table, [owner])
    await facts.replace(db, table, rows, amended(facts.as_facts(table, rows), new), owner=owner, written=written)


def check_span(start: int, end: int | None) -> None:
    """Refuse a time that ends before it begins."""
    if end is not None and end <= start:
        raise EndsBeforeStart(f"valid_to: {told(end)} is not after valid_from {told(start)}")


def with_changes(known: T, said: Mapping[str, Any]) -> T:
    """A struct with the fields that are named; others stay."""
    return msgspec.structs.replace(known, **{name: value for name, value in said.items() if value is not None})
