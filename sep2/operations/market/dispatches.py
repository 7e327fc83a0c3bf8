"""Copies of awards and dispatch: taken in, spread over members, and compared with what holds for each of them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Row

from sep2.errors import NotFound
from sep2.operations.alarms import Wanted
from sep2.operations.limit_course import LimitRun, limit_course
from sep2.operations.market import aggregations, ders, messages, system_operators
from sep2.operations.market.messages import Telling
from sep2.rules.market.clocks import local_time
from sep2.rules.market.dispatching import Bound, Instruction, MemberShare, Part, spread
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.profiles import read_profile
from sep2.rules.market.shares import SplitBy
from sep2.rules.row_numbers import row_number
from sep2.rules.told_times import told
from sep2.rules.webhooks import Topic
from sep2.store import webhooks
from sep2.store.connection import Connection
from sep2.store.market import dispatches as stored
from sep2.store.market import register, seen
from sep2.store.market.facts import AsOf, Written

BEYOND_LIMIT, LATE = "dispatch_beyond_limit", "dispatch_late"
AWARD = "award"
SAID = ("kind", "issued_at", "start", "end", "target_w", "ramp_s")
OUT, IN = ("export", "generation"), ("import", "load")


class UnknownDispatch(NotFound):
    """There is no dispatch of that number."""


class House(NamedTuple):
    """Where the utility's profiles are, and whether a control shows as superseded as soon as its successor is made."""

    profiles: Path | None
    at_once: bool


class TakenIn(NamedTuple):
    """The numbers of new copies, and how many were known before."""

    numbers: list[int]
    known: int


async def find(db: Connection, number: str) -> Row[Any]:
    """The dispatch of that number."""
    row = await stored.one(db, row_number(number))
    if row is None:
        raise UnknownDispatch(number[:40])
    return row


async def take_in(
    db: Connection,
    said: Sequence[Instruction],
    source: str,
    house: House,
    *,
    written: Written,
    only: Collection[int] | None = None,
    leaves_out_others: bool = False,
) -> TakenIn:
    """Keep copies of what a system operator said; all of them, or Unfit. What is known already changes nothing.

    only: the numbers of the aggregations that it may be about; None: any. leaves_out_others: whether what is said to
    resources that no aggregation is may stand beside what is said to ours.
    """
    found = await stored.with_resource_ids(db, {one.iso_resource_id for one in said}, written.now)
    resources = {name: number for name, number in found.items() if only is None or number in only}
    if leaves_out_others and resources:
        said = [one for one in said if one.iso_resource_id in resources]
    refuse(
        [
            Fault(
                f"entry {n}: iso_resource_id", "unknown_resource", one.iso_resource_id, "the ISO id of an aggregation"
            )
            for n, one in enumerate(said, 1)
            if one.iso_resource_id not in resources
        ]
    )
    rows = await stored.with_ids(db, {one.iso_dispatch_id for one in said})
    _refuse_others(rows, only)
    before = _by_sequence(rows)
    numbers: list[int] = []
    for n, one in enumerate(said, 1):
        of_id = before.setdefault(one.iso_dispatch_id, {})
        new = {name: getattr(one, name) for name in SAID} | {"aggregation_id": resources[one.iso_resource_id]}
        sequence = _sequence(one, new, of_id, where=f"entry {n}")
        if sequence is None:
            continue
        of_id[sequence] = new
        numbers.append(await _add(db, one, new, sequence, source=source, house=house, written=written))
    await recheck(db, numbers, house, written.now)
    return TakenIn(numbers, len(said) - len(numbers))


def _refuse_others(rows: Sequence[Row[Any]], only: Collection[int] | None) -> None:
    """An id that another system operator uses can not be used by one that does not see what it is about."""
    taken = sorted({row.iso_dispatch_id for row in rows if only is not None and row.aggregation_id not in only})
    refuse([Fault("iso_dispatch_id", "taken", one, "an id that nobody else uses") for one in taken])


def _by_sequence(rows: Sequence[Row[Any]]) -> dict[str, dict[int, Mapping[str, Any]]]:
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        said = {name: getattr(row, name) for name in (*SAID, "aggregation_id")}
        found.setdefault(row.iso_dispatch_id, {})[row.sequence] = said
    return found


def _sequence(
    one: Instruction, new: Mapping[str, Any], before: Mapping[int, Mapping[str, Any]], *, where: str
) -> int | None:
    """The sequence of a new copy; None where the same is known. A known sequence never says something else."""
    last = max(before, default=0)
    if one.sequence is None:
        return None if last and before[last] == new else last + 1
    if one.sequence in before and before[one.sequence] != new:
        bound = f"what sequence {one.sequence} said before; a correction has the next, {last + 1}"
        refuse([Fault(f"{where}: sequence", "contradicts", str(one.sequence), bound)])
    return None if one.sequence in before else one.sequence


async def _add(
    db: Connection,
    one: Instruction,
    new: Mapping[str, Any],
    sequence: int,
    *,
    source: str,
    house: House,
    written: Written,
) -> int:
    row = await register.entry(db, "aggregation", new["aggregation_id"], AsOf(written.now))
    profile = read_profile(row.profile if row is not None else "custom", house.profiles)
    return await stored.add(
        db,
        **new,
        iso_dispatch_id=one.iso_dispatch_id,
        sequence=sequence,
        received_at=written.now,
        is_late=is_late(one, written.now, profile),
        source=source,
        recorded_by=written.by,
    )


def is_late(one: Instruction, received_at: int, profile: MarketProfile) -> bool:
    """Whether a copy came later than the market says: seconds after its issue, an award by a time of the day before."""
    if one.kind != AWARD:
        return received_at - one.issued_at > profile.intraday.dispatch_late_s
    day_before = datetime.fromtimestamp(one.start, profile.zone).date() - timedelta(days=1)
    return received_at > local_time(day_before, profile.day_ahead.award_by, profile.zone)


async def recheck(db: Connection, numbers: Sequence[int], house: House, now: int) -> int:
    """Compare dispatches with what holds now, and tell receivers of the topic `market` of each that changed.

    Returns how many changed. Parts that read the same are left as they are.
    """
    changed = 0
    for number in numbers:
        row = await find(db, str(number))
        parts = await parts_of(db, row, house)
        if await _same(db, number, parts):
            continue
        changed += 1
        members = {one.der_name: one.component_der_id for one in await _members(db, row)}
        rows = [{**part._asdict(), "component_der_id": members[part.der]} for part in parts]
        await stored.replace_shares(db, number, [_without(one, "der") for one in rows], now)
        await _tell(db, row, parts, now)
    return changed


async def is_old(db: Connection, row: Row[Any], house: House) -> bool:
    """Whether limits say something else by now than when a dispatch was compared with them."""
    return not await _same(db, row.id, await parts_of(db, row, house))


async def _same(db: Connection, number: int, parts: Sequence[Part]) -> bool:
    known = {part_of(one) for one in await stored.shares(db, [number])}
    return bool(known) and known == set(parts)


def part_of(row: Row[Any]) -> Part:
    """A stored part as the rules take it."""
    return Part(row.der_name, row.iso_node, row.target_w, row.limit_w, row.cause, row.binding, row.split_by)


def _without(one: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != name}


async def _tell(db: Connection, row: Row[Any], parts: Sequence[Part], now: int) -> None:
    beyond = [part for part in parts if part.cause]
    told = {
        "dispatch": row.id,
        **{name: getattr(row, name) for name in ("iso_dispatch_id", "sequence", "kind", "start", "end", "target_w")},
        "aggregation": row.aggregation_name,
        "is_late": bool(row.is_late),
        "deliverable_w": deliverable_w(parts),
        "split_by": split_by(parts),
        "beyond_limit": [
            {"der": part.der, "target_w": part.target_w, "limit_w": part.limit_w, "cause": part.cause}
            for part in beyond
        ],
    }
    kind = BEYOND_LIMIT if beyond else "dispatch_within_limits"
    await webhooks.tell(db, [webhooks.Message(Topic.MARKET, kind, row.aggregation_name, told)], now)
    aggregation = await register.entry(db, "aggregation", row.aggregation_id, AsOf(now))
    if aggregation is None:
        return
    without_ders = {name: said for name, said in told.items() if name != "beyond_limit"}
    copies = [
        Telling(number, kind, row.aggregation_name, without_ders)
        for number in await system_operators.of_market(db, aggregation.profile, now, is_test=aggregation.is_test)
    ]
    await messages.tell(db, [Telling(aggregation.party_id, kind, row.aggregation_name, told), *copies], now)


def deliverable_w(parts: Sequence[Part]) -> int:
    """What members can do of their parts within their limits, W of injection."""
    return sum(
        part.target_w if part.limit_w is None else max(-part.limit_w, min(part.limit_w, part.target_w))
        for part in parts
    )


def split_by(parts: Sequence[Part]) -> SplitBy | Literal[""]:
    """What a dispatch was spread by, declared factors or ratings; empty: it has no members."""
    return parts[0].split_by if parts else ""


async def _members(db: Connection, row: Row[Any]) -> list[Row[Any]]:
    found = await register.effective_of(db, [row.aggregation_id], AsOf(row.start))
    return [one for one in found if one.valid_to is None or row.end <= one.valid_to]


async def parts_of(db: Connection, row: Row[Any], house: House) -> list[Part]:
    """What each member has to do of a dispatch, and what holds for it then.

    It is spread by the factors that the aggregator has declared of its start, else by ratings and shares.
    """
    members = await _members(db, row)
    rated = await register.entries(db, "der", {one.component_der_id for one in members}, AsOf(row.start))
    facts = {one.id: ders.said_of(one) for one in rated}
    name = "max_load_w" if row.target_w < 0 else "max_gen_w"
    shares = [
        MemberShare(one.der_name, one.iso_node, getattr(facts[one.component_der_id], name) * one.share_ppm)
        for one in members
        if one.component_der_id in facts
    ]
    known = await register.entry(db, "aggregation", row.aggregation_id, AsOf(row.start))
    declared = {} if known is None else aggregations.said_of(known).declared_factors_ppm
    return spread(row.target_w, shares, await _bounds(db, rated, row, house), declared)


async def _bounds(db: Connection, rated: Sequence[Row[Any]], row: Row[Any], house: House) -> dict[str, Bound]:
    devices = await seen.devices_of(db, rated)
    directions = IN if row.target_w < 0 else OUT
    found = {}
    for der in rated:
        said = ders.said_of(der)
        agreed = said.import_agreement_w if row.target_w < 0 else said.export_agreement_w
        bounds = [Bound(agreed, "agreement", "interconnection agreement")] if agreed else []
        if (device := devices.get(der.id)) is not None:
            runs = await limit_course(db, device.id, (row.start, row.end), at_once=house.at_once)
            bounds += [_bound(run) for run in runs if run.direction in directions]
        found[der.name] = min(bounds, key=lambda one: one.watts or 0, default=Bound(None))
    return found


def _bound(run: LimitRun) -> Bound:
    return Bound(run.watts, run.source[:16], f"{run.group}: {run.control or 'default'}")


async def alarms(db: Connection, now: int) -> dict[str, dict[str, Wanted]]:
    """The alarms that dispatches deserve which are not over, by code and aggregation."""
    beyond: dict[str, Wanted] = {}
    late: dict[str, Wanted] = {}
    rows = [row for row in await stored.every(db, stored.Which(start=now)) if not row.is_test]
    parts = await stored.shares_by_dispatch(db, [row.id for row in rows])
    for row in rows:
        over = [one for one in parts[row.id] if one.cause]
        if over:
            causes = ", ".join(sorted({one.cause for one in over}))
            said = f"{row.kind} {row.iso_dispatch_id} of {row.target_w} W from {told(row.start)}"
            lacking = f"{len(over)} of its DERs can not do their part ({causes})"
            beyond.setdefault(row.aggregation_name, Wanted(f"{said}: {lacking}"))
        if row.is_late:
            after = row.received_at - row.issued_at
            said = f"{row.kind} {row.iso_dispatch_id} came {after} s after its issue"
            late.setdefault(row.aggregation_name, Wanted(said))
    return {BEYOND_LIMIT: beyond, LATE: late}
