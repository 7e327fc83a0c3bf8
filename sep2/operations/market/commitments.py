"""The ledger of commitments: requested, held, denied, released, and moved from one service to another."""

from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.errors import Conflict, NotFound
from sep2.operations.market import aggregations, bands, ders
from sep2.rules.market.commitments import (
    NEXT,
    Event,
    Holder,
    Promise,
    Span,
    State,
    clashing,
    is_too_late,
    span_faults,
    without,
)
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.profile import MarketProfile
from sep2.rules.row_numbers import row_number
from sep2.rules.told_times import told, told_span
from sep2.store.connection import Connection
from sep2.store.market import commitments as stored
from sep2.store.market import dispatches, facts, register
from sep2.store.market.commitments import Which
from sep2.store.market.facts import AsOf, Written
from sep2.store.market.tables import component_der


class UnknownCommitment(NotFound):
    """There is no commitment of that number."""


class Committed(Conflict):
    """At that time the DER is held for a service that excludes this one."""


class CutOff(Conflict):
    """It begins sooner than the market's notice allows."""


class Planned(Conflict):
    """An accepted plan, award or dispatch uses the DER at that time; a newer version has to free it first."""


class CommitmentState(Conflict):
    """The commitment does not take that as it stands."""


class NotHeld(Conflict):
    """The commitment does not hold the DER for all of that time."""


class NewCommitment(NamedTuple):
    """A DER that is to serve somebody in a time."""

    der: Row[Any]
    service: str
    span: Span
    holder: Holder
    aggregation: Row[Any] | None = None
    """of a wholesale commitment"""
    program: str = ""
    """of a local or retail one"""
    basis: str = ""


async def find(db: Connection, number: str) -> Row[Any]:
    """The commitment of that number as it stands."""
    row = await stored.one(db, row_number(number))
    if row is None:
        raise UnknownCommitment(number[:40])
    return row


def promise_of(row: Row[Any]) -> Promise:
    """A stored commitment as the rules take it."""
    whose = row.aggregation_name or row.program
    return Promise(row.der_name, row.service, row.start, row.end, row.holder, whose, row.id)


async def conflicts(
    db: Connection, new: NewCommitment, profile: MarketProfile, *, beside: int | None = None
) -> list[Promise]:
    """What a commitment would clash with; beside: the number of one that does not count."""
    which = Which(new.der.id, states=[State.HELD], start=new.span.start, end=new.span.end)
    held = [promise_of(row) for row in await stored.every(db, which) if row.id != beside]
    wanted = Promise(new.der.name, new.service, *new.span, new.holder)
    return clashing(wanted, held, profile.double.exclusive)


async def check(db: Connection, new: NewCommitment, profile: MarketProfile) -> None:
    """Refuse what can not be a commitment, whoever holds the DER."""
    found = span_faults(*new.span, profile.commitment, profile.metering.interval_s)
    if new.holder is Holder.WHOLESALE and new.aggregation is None:
        found.append(Fault("aggregation", "missing", "", "the aggregation that a wholesale commitment is for"))
    if new.holder is not Holder.WHOLESALE and not new.program:
        found.append(Fault("program", "missing", "", f"the program that a {new.holder} commitment is for"))
    if new.aggregation is not None and new.holder is Holder.WHOLESALE:
        found += await _member_faults(db, new, new.aggregation)
        found += _net_metering_faults(new, profile)
    refuse(found)


async def _member_faults(db: Connection, new: NewCommitment, aggregation: Row[Any]) -> list[Fault]:
    services = aggregations.said_of(aggregation).services
    if new.service not in services:
        return [Fault("service", "not_offered", new.service, f"a service of {aggregation.name}: {', '.join(services)}")]
    rows = await register.memberships(db, [new.der.id], AsOf(new.span.start))
    for row in rows:
        until = row.valid_to or aggregations.FAR
        is_there = row.aggregation_id == aggregation.id and row.state == register.EFFECTIVE
        if is_there and row.valid_from <= new.span.start and new.span.end <= until:
            return []
    return [Fault("der", "not_member", new.der.name, f"an effective member of {aggregation.name} for all of that time")]


def _net_metering_faults(new: NewCommitment, profile: MarketProfile) -> list[Fault]:
    nem = profile.double.nem
    rule = {"energy": nem.energy, "capacity": nem.capacity}.get(new.service, nem.ancillary)
    if not ders.said_of(new.der).nem or rule == "allow":
        return []
    return [Fault("service", "net_metering", new.service, f"{profile.name} excludes it for a DER under net metering")]


async def request(db: Connection, new: NewCommitment, profile: MarketProfile, written: Written) -> int:
    """The number of a commitment that is asked for; it holds nothing yet."""
    await facts.locked(db, component_der, [new.der.id])
    await check(db, new, profile)
    return await _add(db, new, State.REQUESTED, written=written)


async def hold(db: Connection, row: Row[Any], profile: MarketProfile, written: Written) -> None:
    """Have a requested commitment hold its DER; nothing that excludes it may hold the DER then."""
    row = await _locked(db, row, Event.HOLD)
    _in_time(row.start, profile, written.now)
    der = await _der(db, row, written.now)
    new = NewCommitment(der, row.service, Span(row.start, row.end), Holder(row.holder))
    await _refuse_clashes(db, new, profile, beside=row.id)
    await _put(db, row, State.HELD, written=written)


async def deny(db: Connection, row: Row[Any], reason: str, written: Written) -> None:
    """Refuse a requested commitment, with the rule that it breaks."""
    row = await _locked(db, row, Event.DENY)
    await _put(db, row, State.DENIED, reason=reason, written=written)


async def release(db: Connection, row: Row[Any], span: Span, profile: MarketProfile, *, written: Written) -> Span:
    """The time in which a DER is no longer committed: that part of `span` which is still to come."""
    row = await _locked(db, row, Event.RELEASE)
    step = profile.metering.interval_s
    soonest = -(-written.now // step) * step if row.state == State.HELD else row.start
    taken = Span(max(span.start, row.start, soonest), min(span.end, row.end))
    if taken.start >= taken.end:
        raise NotHeld(f"{row.id} {told_span(row.start, row.end)}; nothing of that is still to come")
    await _free(db, row, taken, written)
    return taken


async def move(db: Connection, row: Row[Any], new: NewCommitment, profile: MarketProfile, *, written: Written) -> int:
    """The number of a commitment that takes a DER over from another for a time: both change, or neither."""
    row = await _locked(db, row, Event.RELEASE)
    if row.state != State.HELD:
        raise CommitmentState(f"{row.id} is {row.state}; one that is held can be moved")
    await check(db, new, profile)
    if new.span.start < row.start or row.end < new.span.end:
        raise NotHeld(f"{row.id} {told_span(row.start, row.end)}")
    _in_time(new.span.start, profile, written.now)
    rest = without(Span(row.start, row.end), new.span)
    refuse([fault._replace(path="rest") for one in rest for fault in span_faults(*one, profile.commitment, 1)])
    await _free(db, row, new.span, written)
    await _refuse_clashes(db, new, profile)
    return await _add(db, new, State.HELD, origin=row.id, written=written)


async def _refuse_clashes(
    db: Connection, new: NewCommitment, profile: MarketProfile, *, beside: int | None = None
) -> None:
    found = await conflicts(db, new, profile, beside=beside)
    if found:
        first = found[0]
        raise Committed(
            f"{first.der} is held for {first.service} ({first.holder}) {told_span(first.start, first.end)},"
            f" commitment {first.number}; {len(found)} in all"
        )


async def _free(db: Connection, row: Row[Any], taken: Span, written: Written) -> None:
    """Cut a time out of a commitment; what is left of it before keeps its number, what is left after gets its own."""
    if row.holder == Holder.WHOLESALE and row.state == State.HELD:
        await _refuse_planned(db, row, taken, written.now)
    left = without(Span(row.start, row.end), taken)
    if not left:
        await _put(db, row, State.RELEASED, written=written)
        return
    await _put(db, row, State(row.state), span=left[0], written=written)
    for span in left[1:]:
        columns = {name: getattr(row, name) for name in ("component_der_id", "aggregation_id", "service", "holder")}
        same = {"program": row.program, "basis": row.basis, "origin_id": row.id, "created": written.now}
        number = await stored.add(db, **columns, **same)
        await _state(db, number, State(row.state), span, written=written)


async def _refuse_planned(db: Connection, row: Row[Any], taken: Span, now: int) -> None:
    which = dispatches.Which(row.aggregation_id, taken.start, taken.end)
    using = [one for one in await dispatches.every(db, which) if one.target_w]
    if using:
        one = using[0]
        raise Planned(f"{one.kind} {one.iso_dispatch_id} sequence {one.sequence} {told_span(one.start, one.end)}")
    plan = await bands.using(db, row.aggregation_id, row.component_der_id, taken, now=now)
    if plan is not None:
        raise Planned(f"plan {plan.market_plan_id} version {plan.version} {told_span(plan.start, plan.end)}")


def _in_time(start: int, profile: MarketProfile, now: int) -> None:
    if is_too_late(start, now, profile.commitment):
        raise CutOff(f"{told(start)} is less than {profile.commitment.move_notice_s} s from now, {told(now)}")


async def _locked(db: Connection, row: Row[Any], event: Event) -> Row[Any]:
    """The commitment as it stands once nobody else can change those of its DER."""
    await facts.locked(db, component_der, [row.component_der_id])
    fresh = await find(db, str(row.id))
    if (State(fresh.state), event) not in NEXT:
        raise CommitmentState(f"{fresh.id} is {fresh.state}; {event} is for one that is requested or held")
    return fresh


async def _der(db: Connection, row: Row[Any], now: int) -> Row[Any]:
    found = await register.entries(db, "der", [row.component_der_id], AsOf(now))
    if not found:
        raise UnknownCommitment(f"{row.id}: {row.der_name} is in the register no more")
    return found[0]


async def _add(db: Connection, new: NewCommitment, state: State, *, origin: int | None = None, written: Written) -> int:
    number = await stored.add(
        db,
        component_der_id=new.der.id,
        aggregation_id=None if new.aggregation is None else new.aggregation.id,
        service=new.service,
        holder=str(new.holder),
        program=new.program,
        basis=new.basis,
        origin_id=origin,
        created=written.now,
    )
    await _state(db, number, state, new.span, written=written)
    return number


async def _put(
    db: Connection, row: Row[Any], state: State, *, span: Span | None = None, reason: str = "", written: Written
) -> None:
    await _state(db, row.id, state, span or Span(row.start, row.end), reason=reason, written=written)


async def _state(db: Connection, number: int, state: State, span: Span, *, reason: str = "", written: Written) -> None:
    said = {"state": str(state), "start": span.start, "end": span.end, "reason": reason}
    await stored.put(db, number, said, now=written.now, by=written.by)
