"""Settle a time of an aggregation: its members' intervals from meters, limits and dispatch, kept as versions."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.judging import Policy, Window, verdicts_at
from sep2.operations.limit_course import LimitRun, limit_course
from sep2.operations.market import aggregations, ders, kept_bands
from sep2.operations.market.outages import left
from sep2.rules.market.intervals import BREACH, ENERGIES, OK, UNKNOWN, Facts, Outcome, outcome, state_of, whole
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.profiles import fingerprint
from sep2.rules.market.shares import WHOLE_PPM
from sep2.rules.obedience import NEEDED_SHARE, Direction, Judged, State
from sep2.store import judged
from sep2.store.connection import Connection
from sep2.store.market import dispatches, register, seen
from sep2.store.market import intervals as stored
from sep2.store.market.facts import AsOf, Written

STATES = {State.OK: OK, State.LATE: OK, State.EXEMPT: OK, State.UNKNOWN: UNKNOWN}
OVERRIDES = ("override", "backstop")
COMPARED = (
    *("instructed_w", "available_w", "want_w", "measured_wh", "coverage_ppm", "envelope_w", "limit_w"),
    *("override_mrid", "state", *ENERGIES, "body"),
)


class Declared(NamedTuple):
    """What a DER could do in a time, as its aggregator says: W of injection (or of load, where that was asked for)."""

    der: str
    start: int
    end: int
    available_w: int


class Rules(NamedTuple):
    """By what is settled: the market's profile, the utility's judge, and how its controls are superseded."""

    profile: MarketProfile
    policy: Policy
    at_once: bool


class Settled(NamedTuple):
    """How many intervals there are, and how many of them say something new."""

    intervals: int
    changed: int


class _Member(NamedTuple):
    """A member with its DER, its device if it has one, and its share."""

    row: Row[Any]
    der: Row[Any]
    device: seen.DeviceOf | None
    share: float


class _Courses(NamedTuple):
    """The limits of a device that held, and those that would have held without overrides."""

    held: Sequence[LimitRun]
    beneath: Sequence[LimitRun]


async def settle(
    db: Connection,
    row: Row[Any],
    span: tuple[int, int],
    rules: Rules,
    *,
    declared: Sequence[Declared],
    written: Written,
) -> Settled:
    """Settle every interval that lies in a time; what says the same as before is left as it is."""
    step = rules.profile.metering.interval_s
    starts = range(-(-span[0] // step) * step, span[1] - step + 1, step)
    members = await _members(db, row, span)
    before = {(one.component_der_id, one.start): one for one in await stored.of(db, row.id, *span)}
    # What was declared once holds on when late meter data is settled.
    earlier = [
        Declared(one.der_name, one.start, one.start + one.duration, one.available_w)
        for one in before.values()
        if one.der_name and one.available_w is not None
    ]
    by_der: dict[str, list[Declared]] = defaultdict(list)
    outages = await left(db, [one.der for one in members], row.id, span)
    said = [Declared(one.der, one.start, one.end, one.watts) for one in outages]
    for one in (*declared, *said, *earlier):
        by_der[one.der].append(one)
    rows = await _rows(db, members, starts, step, rules=rules, declared=by_der, aggregation_id=row.id)
    changed = [one for one in rows if _differs(before.get((one["component_der_id"], one["start"])), one)]
    old = [before[key] for one in changed if (key := (one["component_der_id"], one["start"])) in before]
    versions = {(one.component_der_id, one.start): one.version for one in old}
    fixed = {"aggregation_id": row.id, "duration": step, "recorded_at": written.now, "superseded_at": None}
    made = [
        {**fixed, "recorded_by": written.by, "version": versions.get((one["component_der_id"], one["start"]), 0) + 1}
        | one
        for one in changed
    ]
    await stored.replace(db, [one.id for one in old], made, written.now)
    await stored.add_run(
        db,
        aggregation_id=row.id,
        start=span[0],
        end=span[1],
        recorded_at=written.now,
        recorded_by=written.by,
        changed=len(changed),
        profile_sha256=fingerprint(rules.profile),
    )
    await kept_bands.judge(db, row.id, span, rules.profile, now=written.now)
    return Settled(len(rows), len(changed))


def _differs(before: Row[Any] | None, new: Mapping[str, Any]) -> bool:
    return before is None or any(getattr(before, name) != new[name] for name in COMPARED)


async def _members(db: Connection, row: Row[Any], span: tuple[int, int]) -> list[_Member]:
    found = [
        one
        for one in await register.members(db, row.id, AsOf(span[0]))
        if one.state == aggregations.EFFECTIVE and one.valid_from < span[1]
    ]
    rated = await register.entries(db, "der", {one.component_der_id for one in found}, AsOf(span[0]))
    by_id, devices = {one.id: one for one in rated}, await seen.devices_of(db, rated)
    return [
        _Member(one, by_id[one.component_der_id], devices.get(one.component_der_id), one.share_ppm / WHOLE_PPM)
        for one in found
        if one.component_der_id in by_id
    ]


async def _rows(
    db: Connection,
    members: Sequence[_Member],
    starts: range,
    step: int,
    *,
    rules: Rules,
    declared: Mapping[str, Sequence[Declared]],
    aggregation_id: int,
) -> list[dict[str, Any]]:
    """The rows of all intervals: of each member, and of the aggregation (no DER)."""
    if not starts:
        return []
    span = (starts[0], starts[-1] + step)
    ids = [one.device.id for one in members if one.device is not None]
    devices = await judged.devices(db, ids)
    verdicts = await verdicts_at(db, devices, Window(*span), policy=rules.policy, length=step)
    by_start = {(*key, one.start): one for key, several in verdicts.items() for one in several}
    courses = {
        number: _Courses(
            await limit_course(db, number, span, at_once=rules.at_once),
            await limit_course(db, number, span, at_once=rules.at_once, without_overrides=True),
        )
        for number in ids
    }
    asked = await _instructed(db, aggregation_id, span)
    rows: list[dict[str, Any]] = []
    for start in starts:
        there = [one for one in members if one.row.valid_from <= start and _lasts(one, start + step)]
        facts = [_facts(one, (start, start + step), by_start, courses, asked=asked, declared=declared) for one in there]
        rows += _interval(there, facts, start, step)
    return rows


def _lasts(member: _Member, end: int) -> bool:
    return member.row.valid_to is None or end <= member.row.valid_to


class _Asked(NamedTuple):
    """A dispatch, and the part of each DER in it by number."""

    row: Row[Any]
    parts: Mapping[int, int]


async def _instructed(db: Connection, aggregation_id: int, span: tuple[int, int]) -> list[_Asked]:
    rows = await dispatches.every(db, dispatches.Which(aggregation_id, *span))
    parts = await dispatches.shares_by_dispatch(db, [row.id for row in rows])
    return [_Asked(row, {one.component_der_id: one.target_w for one in parts[row.id]}) for row in rows]


def _told_w(asked: Sequence[_Asked], der_id: int, span: tuple[int, int]) -> float | None:
    """What a DER was told, the mean over an interval; dispatch counts before an award. None where nothing covers it."""
    for kinds in (("dispatch",), ("award",)):
        mine = [one for one in asked if one.row.kind in kinds and der_id in one.parts]
        cut = [(max(one.row.start, span[0]), min(one.row.end, span[1]), one.parts[der_id]) for one in mine]
        seconds = sum(max(0, end - start) for start, end, _ in cut)
        if seconds:
            told: float = sum(max(0, end - start) * watts for start, end, watts in cut) / (span[1] - span[0])
            return told
    return None


def _facts(
    member: _Member,
    span: tuple[int, int],
    verdicts: Mapping[tuple[int, Direction, int], Judged],
    courses: Mapping[int, _Courses],
    *,
    asked: Sequence[_Asked],
    declared: Mapping[str, Sequence[Declared]],
) -> Facts:
    told = _told_w(asked, member.der.id, span)
    said = ders.said_of(member.der)
    draws = told is not None and told < 0
    directions = (Direction.IMPORT, Direction.LOAD) if draws else (Direction.EXPORT, Direction.GENERATION)
    direction = directions[0] if said.metering == "site" else directions[1]
    agreed = said.import_agreement_w if draws else said.export_agreement_w
    able = [one.available_w for one in declared.get(member.row.der_name, ()) if _covers(one, span)]
    bare = Facts(
        told,
        able[0] if able else None,
        agreed * member.share if agreed else None,
        *(None, None, None),
        coverage=0.0,
        state=UNKNOWN,
        breach_wh=0.0,
    )
    if member.device is None:
        return bare
    names = [str(one) for one in directions]
    known = _limited(bare, courses[member.device.id], names, span, agreed_w=agreed, share=member.share)
    verdict = verdicts.get((member.device.id, direction, span[0]))
    return known if verdict is None else _measured(known, verdict, -1 if draws else 1, member.share)


def _limited(
    bare: Facts, of: _Courses, directions: Sequence[str], span: tuple[int, int], *, agreed_w: int, share: float
) -> Facts:
    limit, envelope = (_mean_w(runs, directions, span, agreed_w) for runs in of)
    overrides = [
        run.control or ""
        for run in of.held
        if run.source in OVERRIDES and run.direction in directions and run.start < span[1] and span[0] < run.end
    ]
    return bare._replace(
        limit_w=None if limit is None else limit * share,
        envelope_w=None if envelope is None else envelope * share,
        override_mrid=overrides[0] if overrides else "",
    )


def _measured(known: Facts, verdict: Judged, sign: int, share: float) -> Facts:
    flawed = verdict.measured_w is None or verdict.state is State.UNKNOWN or verdict.reason in FLAWS
    covered = verdict.covered_s >= NEEDED_SHARE * verdict.duration_s
    if flawed or not covered or verdict.measured_w is None:
        return known._replace(coverage=verdict.covered_s / verdict.duration_s)
    return known._replace(
        measured_w=sign * verdict.measured_w * share,
        coverage=verdict.covered_s / verdict.duration_s,
        state=STATES.get(verdict.state, BREACH),
        breach_wh=verdict.breach_wh * share,
    )


FLAWS = ("unproven", "unmeasured", "disputed", "clock")


def _covers(one: Declared, span: tuple[int, int]) -> bool:
    return one.start <= span[0] and span[1] <= one.end


def _mean_w(runs: Sequence[LimitRun], directions: Sequence[str], span: tuple[int, int], agreed_w: int) -> float | None:
    """The mean of the tightest limit over an interval; a time without any counts with the agreement. None: no limit."""
    mine = [run for run in runs if run.direction in directions and run.start < span[1] and span[0] < run.end]
    edges = sorted({*span, *(max(span[0], run.start) for run in mine), *(min(span[1], run.end) for run in mine)})
    total, limited = 0.0, False
    for start, end in pairwise(edges):
        held = [run.watts for run in mine if run.start <= start and end <= run.end]
        limited |= bool(held)
        total += (end - start) * min(held, default=agreed_w)
    return total / (span[1] - span[0]) if limited else None


def _interval(members: Sequence[_Member], facts: Sequence[Facts], start: int, step: int) -> list[dict[str, Any]]:
    """The rows of one interval, in whole W and Wh that sum to those of the aggregation."""
    outcomes = [outcome(one, step) for one in facts]
    energies: dict[str, tuple[int | None, list[int | None]]] = {
        name: whole([getattr(one, name) for one in outcomes]) for name in ("measured_wh", *ENERGIES)
    }
    found = []
    for n, (member, one, made) in enumerate(zip(members, facts, outcomes, strict=True)):
        row = _row(one, made, start, {name: parts[n] for name, (_, parts) in energies.items()})
        found.append({**row, "component_der_id": member.der.id, "body": _body(one)})
    if members:
        total = _sum(facts, outcomes)
        row = _row(total[0], total[1], start, {name: value for name, (value, _) in energies.items()})
        found.append({**row, "component_der_id": None, "body": json.dumps({"members": len(members)})})
    return found


def _body(one: Facts) -> str:
    source = "none" if one.available_w is None else "declared"
    agreed = None if one.agreed_w is None else round(one.agreed_w)
    measured = None if one.measured_w is None else round(one.measured_w, 3)
    said = {"agreed_w": agreed, "available_from": source, "measured_w": measured}
    return json.dumps(said, sort_keys=True)


def _row(one: Facts, made: Outcome, start: int, energies: Mapping[str, int | None]) -> dict[str, Any]:
    watts = {name: getattr(one, name) for name in ("instructed_w", "available_w", "envelope_w", "limit_w")}
    return {
        "start": start,
        **{name: None if value is None else round(value) for name, value in watts.items()},
        "want_w": None if made.want_w is None else round(made.want_w),
        "coverage_ppm": round(one.coverage * WHOLE_PPM),
        "override_mrid": one.override_mrid,
        "state": one.state,
        **energies,
    }


def _sum(facts: Sequence[Facts], outcomes: Sequence[Outcome]) -> tuple[Facts, Outcome]:
    total = Facts(
        _total([one.instructed_w for one in facts]),
        _total([one.available_w for one in facts]),
        None,
        _total([one.envelope_w for one in facts]),
        _total([one.limit_w for one in facts]),
        None,
        sum(one.coverage for one in facts) / len(facts),
        state_of([one.state for one in facts]),
        0.0,
        next((one.override_mrid for one in facts if one.override_mrid), ""),
    )
    return total, Outcome(_total([one.want_w for one in outcomes]), None, None, None, None, None)


def _total(values: Sequence[float | None]) -> float | None:
    """A sum; None where one of them is not known."""
    return None if None in values or not values else sum(value for value in values if value is not None)
