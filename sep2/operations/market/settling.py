"""Settle a time of an aggregation: its members' intervals from meters, limits and dispatch, kept as versions."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Self

from sqlalchemy import Row

from sep2.errors import Conflict
from sep2.operations.judging import Window, on_record
from sep2.operations.limit_course import said_to
from sep2.operations.market import aggregations, ders, ignored_limits, kept_bands
from sep2.operations.market.outages import left
from sep2.operations.market.settled_facts import Asked, Basis, Declared, Devices, Member, Rules, rows_of
from sep2.rules.market.intervals import ENERGIES
from sep2.rules.market.profiles import fingerprint
from sep2.rules.market.shares import WHOLE_PPM
from sep2.store import judged
from sep2.store.connection import Connection
from sep2.store.market import dispatches, register, seen
from sep2.store.market import intervals as stored
from sep2.store.market.facts import AsOf, Written

__all__ = ["Declared", "Prepared", "Rules", "Settled", "SettledMeanwhile", "calculated", "keep", "question"]
COMPARED = (
    *("instructed_w", "available_w", "want_w", "measured_wh", "coverage_ppm", "envelope_w", "limit_w"),
    *("override_mrid", "state", *ENERGIES, "body"),
)
_BEFORE, _NOW = attrgetter(*COMPARED), itemgetter(*COMPARED)
TOGETHER = 200
"""Devices that are read at once."""


class SettledMeanwhile(Conflict):
    """The same time was settled meanwhile; once more, it compares with that."""


class Settled(NamedTuple):
    """How many intervals there are, and how many of them say something new."""

    intervals: int
    changed: int


class Prepared(NamedTuple):
    """What is to be kept of a time: rows that say something new, and which of those before they replace."""

    aggregation_id: int
    span: tuple[int, int]
    step: int
    rules: Rules
    changed: Sequence[dict[str, Any]]
    """with their versions"""
    old: Sequence[int]
    """in their order"""
    intervals: int
    limits: ignored_limits.Settled
    last_run: int
    """the number of the last settlement of it that was known"""

    @property
    def of_the_whole(self) -> Self:
        """The same with the aggregation's own rows alone: enough for what is said of it, and small."""
        again = [one for one in self.changed if one["version"] > 1]
        old = [number for one, number in zip(again, self.old, strict=True) if one["component_der_id"] is None]
        own = [one for one in self.changed if one["component_der_id"] is None]
        return self._replace(changed=own, old=old, limits=self.limits._replace(tested={}))


class Question(NamedTuple):
    """All that a time is settled from, as it is on record now."""

    aggregation_id: int
    span: tuple[int, int]
    basis: Basis
    known: Sequence[Row[Any]]
    """what was settled of it before"""
    last_run: int


async def question(
    db: Connection, row: Row[Any], span: tuple[int, int], rules: Rules, *, declared: Sequence[Declared]
) -> Question:
    """All that a time is settled from; others are answered meanwhile."""
    step = rules.profile.metering.interval_s
    starts = range(-(-span[0] // step) * step, span[1] - step + 1, step)
    members = await _members(db, row, span)
    known = await stored.of(db, row.id, *span)
    by_der: dict[str, list[Declared]] = defaultdict(list)
    outages = await left(db, [one.der for one in members], row.id, span)
    for one in (*declared, *(Declared(one.der, one.start, one.end, one.watts) for one in outages)):
        by_der[one.der].append(one)
    # What was declared once holds on when late meter data is settled.
    for earlier in known:
        if earlier.der_name and earlier.available_w is not None:
            end = earlier.start + earlier.duration
            by_der[earlier.der_name].append(Declared(earlier.der_name, earlier.start, end, earlier.available_w))
    devices = await _devices(db, members, starts, step)
    basis = Basis(starts, step, members, devices, await _instructed(db, row.id, span), by_der, rules)
    return Question(row.id, span, basis, known, await _last_run(db, row.id, span))


async def calculated(asked: Question) -> Prepared:
    """What settling a time comes to; it asks nobody and is done beside the loop, outside of any transaction."""
    changed, old, number, limits = await asyncio.to_thread(_compared, asked.basis, asked.known)
    basis = asked.basis
    return Prepared(
        asked.aggregation_id, asked.span, basis.step, basis.rules, changed, old, number, limits, asked.last_run
    )


_Rows = list[dict[str, Any]]


def _compared(basis: Basis, known: Sequence[Row[Any]]) -> tuple[_Rows, list[int], int, ignored_limits.Settled]:
    """Rows that say something new, the numbers of those before, how many rows there are, and tested limits."""
    before = {(one.component_der_id, one.start): one for one in known}
    rows, old = rows_of(basis), list[int]()
    changed: _Rows = []
    for one in rows:
        earlier = before.get((one["component_der_id"], one["start"]))
        if earlier is None:
            changed.append({**one, "version": 1})
        elif _BEFORE(earlier) != _NOW(one):
            changed.append({**one, "version": earlier.version + 1})
            old.append(earlier.id)
    return changed, old, len(rows), ignored_limits.tested_of(basis, rows)


async def keep(db: Connection, found: Prepared, written: Written) -> Settled:
    """Keep what settling came to; SettledMeanwhile where somebody else has settled any of that time since."""
    if await _last_run(db, found.aggregation_id, found.span) != found.last_run:
        raise SettledMeanwhile(f"{found.span[0]} to {found.span[1]}")
    fixed = {"aggregation_id": found.aggregation_id, "duration": found.step, "superseded_at": None}
    who: dict[str, Any] = {**fixed, "recorded_at": written.now, "recorded_by": written.by}
    await stored.replace(db, found.old, [who | one for one in found.changed], written.now)
    await stored.add_run(
        db,
        aggregation_id=found.aggregation_id,
        start=found.span[0],
        end=found.span[1],
        recorded_at=written.now,
        recorded_by=written.by,
        changed=len(found.changed),
        profile_sha256=fingerprint(found.rules.profile),
    )
    profile = found.rules.profile
    await kept_bands.judge(db, found.aggregation_id, found.span, profile, now=written.now)
    await ignored_limits.judge(db, found.aggregation_id, found.limits, profile.credit, now=written.now)
    return Settled(found.intervals, len(found.changed))


async def _last_run(db: Connection, aggregation_id: int, span: tuple[int, int]) -> int:
    return await stored.last_run(db, aggregation_id, *span)


async def _members(db: Connection, row: Row[Any], span: tuple[int, int]) -> list[Member]:
    found = [
        one
        for one in await register.members(db, row.id, AsOf(span[0]))
        if one.state == aggregations.EFFECTIVE and one.valid_from < span[1]
    ]
    rated = await register.entries(db, "der", {one.component_der_id for one in found}, AsOf(span[0]))
    by_id, devices = {one.id: one for one in rated}, await seen.devices_of(db, rated)
    return [
        Member(
            one,
            by_id[one.component_der_id],
            devices.get(one.component_der_id),
            one.share_ppm / WHOLE_PPM,
            ders.said_of(by_id[one.component_der_id]),
        )
        for one in found
        if one.component_der_id in by_id
    ]


async def _devices(db: Connection, members: Sequence[Member], starts: range, step: int) -> list[Devices]:
    """What is on record of the members' devices over the intervals."""
    ids = sorted({one.device.id for one in members if one.device is not None}) if starts else []
    found = []
    for first in range(0, len(ids), TOGETHER):
        some = ids[first : first + TOGETHER]
        span = starts[0], starts[-1] + step
        rows = await judged.devices(db, some)
        found.append(Devices(rows, await on_record(db, rows, Window(*span)), await said_to(db, some, span)))
        await asyncio.sleep(0)
    return found


async def _instructed(db: Connection, aggregation_id: int, span: tuple[int, int]) -> list[Asked]:
    rows = await dispatches.every(db, dispatches.Which(aggregation_id, *span))
    parts = await dispatches.shares_by_dispatch(db, [row.id for row in rows])
    return [Asked(row, {one.component_der_id: one.target_w for one in parts[row.id]}) for row in rows]
