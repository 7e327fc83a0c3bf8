"""The settled intervals of an aggregation over a time, calculated from rows that were read before: no database."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.judging import OnRecord, Policy, Window, verdicts_of
from sep2.operations.limit_course import LimitRun, SaidTo, course_of
from sep2.rules.market.intervals import BREACH, ENERGIES, OK, UNKNOWN, Facts, Outcome, outcome, state_of, whole
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.register import DerFacts
from sep2.rules.market.shares import WHOLE_PPM
from sep2.rules.obedience import NEEDED_SHARE, Direction, Judged, State
from sep2.store.market import seen

STATES = {State.OK: OK, State.LATE: OK, State.EXEMPT: OK, State.UNKNOWN: UNKNOWN}
OVERRIDES = ("override", "backstop")
KINDS = ("dispatch", "award")
"""What says what was instructed: the first that covers an interval counts."""
FLAWS = ("unproven", "unmeasured", "disputed", "clock")


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


class Member(NamedTuple):
    """A member with its DER, its device if it has one, and its share."""

    row: Row[Any]
    der: Row[Any]
    device: seen.DeviceOf | None
    share: float
    facts: DerFacts


class Asked(NamedTuple):
    """An award or a dispatch, and the part of each DER in it by number."""

    row: Row[Any]
    parts: Mapping[int, int]


class Devices(NamedTuple):
    """Some devices, what is on record of them, and what was said to each."""

    rows: Sequence[Row[Any]]
    known: OnRecord
    said: Mapping[int, SaidTo]


class Basis(NamedTuple):
    """All that a time is settled from."""

    starts: range
    step: int
    members: Sequence[Member]
    devices: Sequence[Devices]
    asked: Sequence[Asked]
    declared: Mapping[str, Sequence[Declared]]
    """by DER"""
    rules: Rules

    @property
    def span(self) -> tuple[int, int]:
        """From the first interval to the end of the last."""
        return self.starts[0], self.starts[-1] + self.step

    def places(self, start: int, end: int) -> range:
        """The positions of the intervals that a time touches."""
        first = (start - self.starts.start) // self.step
        last = -(-(end - self.starts.start) // self.step)
        return range(max(0, first), min(len(self.starts), last))


def rows_of(basis: Basis) -> list[dict[str, Any]]:
    """The rows of all intervals: of each member, and of the aggregation (no DER)."""
    if not basis.starts:
        return []
    asked = _at_intervals(basis, [(one.row.start, one.row.end, one) for one in basis.asked])
    verdicts, said = _judged(basis), {n: one for part in basis.devices for n, one in part.said.items()}
    facts = [_Facts(basis, one, asked, said).of_member(verdicts) for one in basis.members]
    rows: list[dict[str, Any]] = []
    for n, start in enumerate(basis.starts):
        there = [
            (one, found[n])
            for one, found in zip(basis.members, facts, strict=True)
            if one.row.valid_from <= start and (one.row.valid_to is None or start + basis.step <= one.row.valid_to)
        ]
        rows += _interval(there, start, basis.step)
    return rows


def _at_intervals(basis: Basis, several: Iterable[tuple[int, int, Any]]) -> list[list[Any]]:
    """What touches each interval, of several with a start and an end."""
    found: list[list[Any]] = [[] for _ in basis.starts]
    for start, end, one in several:
        for n in basis.places(start, end):
            found[n].append(one)
    return found


_Verdicts = Mapping[tuple[int, Direction], Sequence[Judged]]


def _judged(basis: Basis) -> _Verdicts:
    """The verdicts on each device over the intervals, in the directions that anybody is settled in."""
    ways = (False, True) if any(one.row.target_w < 0 for one in basis.asked) else (False,)
    wanted = {_directions(one, draws)[0] for one in basis.members for draws in ways}
    found: dict[tuple[int, Direction], Sequence[Judged]] = {}
    for part in basis.devices:
        window = Window(*basis.span)
        found |= verdicts_of(
            part.rows, part.known, window, policy=basis.rules.policy, length=basis.step, directions=wanted
        )
    return found


def _directions(member: Member, draws: bool) -> tuple[Direction, Direction]:
    """The direction that a member's meter is read in, then the other one that limits of it may be in."""
    both = (Direction.IMPORT, Direction.LOAD) if draws else (Direction.EXPORT, Direction.GENERATION)
    return both if member.facts.metering == "site" else (both[1], both[0])


class _Way(NamedTuple):
    """One direction of a member: how its meter is read, its agreement, and the limits that touch each interval."""

    reads: Direction
    sign: int
    agreed_w: int
    held: Sequence[Sequence[LimitRun]]
    beneath: Sequence[Sequence[LimitRun]]
    """those that would have held without overrides"""


class _Facts:
    """What is on record of a member's intervals."""

    def __init__(
        self, basis: Basis, member: Member, asked: Sequence[Sequence[Asked]], said: Mapping[int, SaidTo]
    ) -> None:
        self.basis, self.member, self.asked = basis, member, asked
        self.able: list[int | None] = [None] * len(basis.starts)
        for one in basis.declared.get(member.row.der_name, ()):
            for n in basis.places(one.start, one.end):
                start = basis.starts[n]
                if self.able[n] is None and one.start <= start and start + basis.step <= one.end:
                    self.able[n] = one.available_w
        self.courses: tuple[list[LimitRun], list[LimitRun]] | None = None
        if member.device is not None:
            to_it, at_once = said[member.device.id], basis.rules.at_once
            held = course_of(to_it, basis.span, at_once=at_once)
            beneath = held
            if to_it.has_overrides:
                beneath = course_of(to_it, basis.span, at_once=at_once, without_overrides=True)
            self.courses = held, beneath
        self.ways: dict[bool, _Way] = {}

    def of_member(self, verdicts: _Verdicts) -> list[Facts]:
        """The facts of each interval."""
        return [self._at(n, verdicts) for n in range(len(self.basis.starts))]

    def _at(self, n: int, verdicts: _Verdicts) -> Facts:
        span = self.basis.starts[n], self.basis.starts[n] + self.basis.step
        told = _told_w(self.asked[n], self.member.der.id, span)
        draws = told is not None and told < 0
        way = self.ways.get(draws) or self.ways.setdefault(draws, self._way(draws=draws))
        agreed, share = way.agreed_w, self.member.share
        if self.member.device is None:
            agreed_w = agreed * share if agreed else None
            return Facts(told, self.able[n], agreed_w, None, None, None, 0.0, UNKNOWN, 0.0)
        limit, envelope = (_mean_w(runs[n], span, agreed) for runs in (way.held, way.beneath))
        known = Facts(
            told,
            self.able[n],
            agreed * share if agreed else None,
            None if envelope is None else envelope * share,
            None if limit is None else limit * share,
            None,
            coverage=0.0,
            state=UNKNOWN,
            breach_wh=0.0,
            override_mrid=next((run.control or "" for run in way.held[n] if run.source in OVERRIDES), ""),
        )
        several = verdicts.get((self.member.device.id, way.reads))
        return known if several is None else _measured(known, several[n], way.sign, share)

    def _way(self, *, draws: bool) -> _Way:
        both = _directions(self.member, draws)
        names = [str(one) for one in sorted(both)]

        def there(runs: Sequence[LimitRun]) -> list[list[LimitRun]]:
            return _at_intervals(self.basis, [(one.start, one.end, one) for one in runs if one.direction in names])

        held, beneath = self.courses or ([], [])
        at_it = there(held)
        der = self.member.facts
        agreed = der.import_agreement_w if draws else der.export_agreement_w
        return _Way(both[0], -1 if draws else 1, agreed, at_it, at_it if beneath is held else there(beneath))


def _told_w(asked: Sequence[Asked], der_id: int, span: tuple[int, int]) -> float | None:
    """The power a DER was instructed to (W, mean of an interval); dispatch before award. None: no instruction."""
    for kind in KINDS if asked else ():
        mine = [one for one in asked if one.row.kind == kind and der_id in one.parts]
        cut = [(max(one.row.start, span[0]), min(one.row.end, span[1]), one.parts[der_id]) for one in mine]
        seconds = sum(max(0, end - start) for start, end, _ in cut)
        if seconds:
            told: float = sum(max(0, end - start) * watts for start, end, watts in cut) / (span[1] - span[0])
            return told
    return None


def _measured(known: Facts, verdict: Judged, sign: int, share: float) -> Facts:
    coverage = verdict.covered_s / verdict.duration_s
    flawed = verdict.measured_w is None or verdict.state is State.UNKNOWN or verdict.reason in FLAWS
    covered = verdict.covered_s >= NEEDED_SHARE * verdict.duration_s
    if flawed or not covered or verdict.measured_w is None:
        return known._replace(coverage=coverage)
    return known._replace(
        measured_w=sign * verdict.measured_w * share,
        coverage=coverage,
        state=STATES.get(verdict.state, BREACH),
        breach_wh=verdict.breach_wh * share,
    )


def _mean_w(runs: Sequence[LimitRun], span: tuple[int, int], agreed_w: int) -> float | None:
    """The mean of the tightest limit over an interval; a time without any counts with the agreement. None: no limit."""
    if not runs:
        return None
    if all(run.start <= span[0] and span[1] <= run.end for run in runs):
        return float(min(run.watts for run in runs))
    edges = sorted({*span, *(max(span[0], run.start) for run in runs), *(min(span[1], run.end) for run in runs)})
    total = 0.0
    for start, end in pairwise(edges):
        held = [run.watts for run in runs if run.start <= start and end <= run.end]
        total += (end - start) * min(held, default=agreed_w)
    return total / (span[1] - span[0])


def _interval(there: Sequence[tuple[Member, Facts]], start: int, step: int) -> list[dict[str, Any]]:
    """The rows of one interval, in whole W and Wh that sum to those of the aggregation."""
    facts = [one for _, one in there]
    outcomes = [outcome(one, step) for one in facts]
    energies: dict[str, tuple[int | None, list[int | None]]] = {
        name: whole([getattr(one, name) for one in outcomes]) for name in ("measured_wh", *ENERGIES)
    }
    found = []
    for n, ((member, one), made) in enumerate(zip(there, outcomes, strict=True)):
        row = _row(one, made, start, {name: parts[n] for name, (_, parts) in energies.items()})
        row["component_der_id"], row["body"] = member.der.id, _body(one)
        found.append(row)
    if there:
        total = _sum(facts, outcomes)
        row = _row(total[0], total[1], start, {name: value for name, (value, _) in energies.items()})
        found.append({**row, "component_der_id": None, "body": f'{{"members": {len(there)}}}'})
    return found


def _body(one: Facts) -> str:
    """JSON with sorted keys; its form must not change, since versions of a row are compared by this text."""
    source = "none" if one.available_w is None else "declared"
    agreed = "null" if one.agreed_w is None else round(one.agreed_w)
    measured = "null" if one.measured_w is None else float(round(one.measured_w, 3))
    return f'{{"agreed_w": {agreed}, "available_from": "{source}", "measured_w": {measured}}}'


def _row(one: Facts, made: Outcome, start: int, energies: Mapping[str, int | None]) -> dict[str, Any]:
    return {
        "start": start,
        "instructed_w": _whole_w(one.instructed_w),
        "available_w": _whole_w(one.available_w),
        "envelope_w": _whole_w(one.envelope_w),
        "limit_w": _whole_w(one.limit_w),
        "want_w": _whole_w(made.want_w),
        "coverage_ppm": round(one.coverage * WHOLE_PPM),
        "override_mrid": one.override_mrid,
        "state": one.state,
        **energies,
    }


def _whole_w(value: float | None) -> int | None:
    return None if value is None else round(value)


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
