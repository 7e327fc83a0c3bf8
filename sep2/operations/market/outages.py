"""What DERs and aggregations can not do for a time: said by their party, told to people, and counted in settlement."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.market import ders
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.told_times import told, told_length
from sep2.rules.webhooks import Topic
from sep2.store import webhooks
from sep2.store.connection import Connection
from sep2.store.market import outages as stored
from sep2.store.market.facts import Written

LONGEST_S = 400 * 86_400


class Outage(NamedTuple):
    """What is left of a DER or of an aggregation in [start, end), and why; one of both is named."""

    der: Row[Any] | None
    aggregation: Row[Any] | None
    start: int
    end: int
    available_w: int
    cause: str
    planned: bool = False


async def say(db: Connection, party_id: int, new: Outage, written: Written) -> int:
    """The number of a new outage; receivers of the topic `market` are told."""
    found = []
    if (new.der is None) == (new.aggregation is None):
        found.append(Fault("der", "missing" if new.der is None else "two_subjects", "", "a der, or an aggregation"))
    if not new.start < new.end <= new.start + LONGEST_S:
        found.append(Fault("end", "bad_span", told(new.end), f"at most {told_length(LONGEST_S)} after start"))
    if new.end <= written.now:
        found.append(Fault("end", "past", told(new.end), f"after now, {told(written.now)}"))
    refuse(found)
    said = {name: getattr(new, name) for name in ("start", "end", "available_w", "cause", "planned")}
    number = await stored.add(
        db,
        party_id=party_id,
        component_der_id=None if new.der is None else new.der.id,
        aggregation_id=None if new.aggregation is None else new.aggregation.id,
        recorded_at=written.now,
        recorded_by=written.by,
        **said,
    )
    subject = new.der or new.aggregation
    assert subject is not None  # it was refused else
    message = webhooks.Message(Topic.MARKET, "outage", subject.name, {"outage": number, **said})
    await webhooks.tell(db, [message], written.now)
    return number


class Left(NamedTuple):
    """What a DER has left in [start, end), W."""

    der: str
    start: int
    end: int
    watts: int


async def left(db: Connection, rows: Sequence[Row[Any]], aggregation_id: int, span: tuple[int, int]) -> list[Left]:
    """What outages leave of some DERs in a time, what was said last first; an aggregation's is spread by ratings."""
    said = await stored.touching(db, [row.id for row in rows], aggregation_id, span)
    rated = {row.id: max(ders.said_of(row).max_gen_w, ders.said_of(row).max_load_w) for row in rows}
    total, names = sum(rated.values()), {row.id: row.name for row in rows}
    found = []
    for one in reversed(said):
        if one.component_der_id in names:
            found.append(Left(names[one.component_der_id], one.start, one.end, one.available_w))
        elif one.aggregation_id is not None and total:
            found += [
                Left(names[number], one.start, one.end, one.available_w * watts // total)
                for number, watts in rated.items()
            ]
    return found
