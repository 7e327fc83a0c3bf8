"""Overrides: an operator's limits over everything else, for one place or many, always until a certain time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations import standing, tightening
from sep2.operations.alarms import warn_of_inexpressible
from sep2.operations.controls import issue_controls, withdraw
from sep2.operations.coverage import Coverage, covered, drawn
from sep2.operations.issuing import LONGEST_REASON, NewControl, check_fits
from sep2.operations.override_answers import Released, Sent, Told
from sep2.operations.override_shares import encoded, shared_with
from sep2.operations.places import Place, not_reached, places_of, programs_at_each, with_curves
from sep2.operations.plausible import check_size
from sep2.operations.resuming import Ease
from sep2.operations.spread_end import issue_spread_end, programs_beside
from sep2.operations.standing import NARROW, role_of
from sep2.operations.tightening import Part, There
from sep2.rules.authority import LOOSENING, OVERRIDE, PRIMACIES, REASONS, Primacies, Role
from sep2.rules.events import Status
from sep2.rules.limits import Limits
from sep2.rules.protection import disconnects
from sep2.rules.told_times import told, told_length
from sep2.store import connections, controls, overrides
from sep2.store.connection import Connection
from sep2.store.controls import Control

SOURCE = "override"
SCOPES = ("connection", "device", "group", "place", "aggregator", "system", "aggregation")
SPREAD_S = 600
PLACES_AT_ONCE = 200
"""Places of which is looked up together what is there."""
LONGEST_SPREAD_S = 655
"""rampTms reaches no further."""
LONGEST_OVERRIDE_S = 7 * 86_400


class BadOverride(BadValue):
    """The override can not be sent so."""


class OverrideWithoutEnd(BadValue):
    """An override has an end: say for how long (`duration`) or until when (`end`), and send it again if need be."""


class OverrideTooLong(BadValue):
    """An override may not last so long; send a shorter one, and another one before it ends."""


class OverrideWithoutReason(BadValue):
    """An override has a reason out of a list."""


class OverrideLoosens(Conflict):
    """An override only tightens, and this one is tighter than what holds for nobody; set a lower limit."""


class OverrideReachesNobody(Conflict):
    """There is nobody whom the override could be sent to."""


class UnknownOverride(NotFound):
    """There is no override of that number."""


class OverrideOver(Conflict):
    """The override is over or released already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOverride:
    """An override to send; `subject` is the name, and `subject_id` the number, of what it is for."""

    scope: str
    subject: str
    subject_id: int
    limits: Limits
    modes: Mapping[str, Any] = field(default_factory=dict)
    ramp_tms: int | None = None
    start: int
    end: int | None
    reason: str
    note: str = ""
    operator: str = "operator"
    anyway: bool = False
    """also a limit far beyond the rating of what is there"""
    also: frozenset[str] = frozenset()
    """connections that are covered although they are protected, because they are named"""
    kind: str = OVERRIDE
    share: int = 100
    """of the places of its scope, percent; a drill may take fewer"""
    second: str = ""
    """who agreed to it"""
    devices: Sequence[int] = ()
    """the numbers of devices, where these say who is in the scope, and not its subject"""
    shares: Mapping[str, Limits] = field(default_factory=dict)
    """limits of each place by its key, where they are not the same; no other place is told then"""
    is_rehearsal: bool = False
    """whether nothing is sent: what it would do is found and kept, and no control is issued"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the utility's settings say of overrides."""

    most_ahead: int = 24
    longest_s: int = LONGEST_OVERRIDE_S
    spread_s: int = SPREAD_S
    """over how long an end that loosens limits at many places is spread"""
    primacies: Primacies = PRIMACIES
    response_required: int = 3


async def send(db: Connection, new: NewOverride, now: int, terms: Terms) -> Sent:
    """Send an override: one control for each place, or several where what holds there is tighter for a part of it."""
    await db.in_turn()
    end = checked(new, now, terms)
    devices = shared_with(await devices_of(db, new), new.shares)
    coverage = coverage_of(await _places(db, new, devices), new)
    places = coverage.told
    if not new.anyway and not new.shares:
        check_size(new.limits, places)
    override_id = await overrides.add(db, **columns_of(new, now, end))
    told, tightens = await _issue_at(db, override_id, new, places, now=now, terms=terms)
    asked = asked_in(devices, coverage, new)
    untold = not_reached(new.limits, asked, [one.place for one in told])
    if not told:
        raise OverrideReachesNobody(_why_nobody(untold, coverage) or new.subject or new.scope)
    if not tightens and new.kind in (OVERRIDE, LOOSENING):
        raise OverrideLoosens(_named(new.limits))
    await _renew_beside(db, override_id, now, terms)
    return Sent(override_id, tuple(told), tuple(untold), coverage.left_out, coverage.named)


async def send_more(db: Connection, override_id: int, new: NewOverride, *, now: int, terms: Terms) -> list[Told]:
    """Have more places follow an override that stands, or places that do follow it with lower limits: its `shares`.

    new: what is said of it from now on, of these places alone.
    """
    await db.in_turn()
    devices = shared_with(await devices_of(db, new), new.shares)
    coverage = coverage_of(await _places(db, new, devices), new)
    told, _ = await _issue_at(db, override_id, new, coverage.told, now=now, terms=terms)
    if told:
        await _renew_beside(db, override_id, now, terms)
    return told


async def _issue_at(
    db: Connection, override_id: int, new: NewOverride, places: Sequence[Place], *, now: int, terms: Terms
) -> tuple[list[Told], bool]:
    """What each place is told, and whether that is tighter for anybody than what would hold."""
    assert new.end is not None  # it was checked
    told, tightens = [], False
    for first in range(0, len(places), PLACES_AT_ONCE):
        several = places[first : first + PLACES_AT_ONCE]
        programs = await programs_at_each(db, several, now, terms.primacies)
        there = await tightening.there_at(db, several, now)
        for place, its_programs, is_there in zip(several, programs, there, strict=True):
            one = _Sending(db, new, place, now, new.end, terms, role_of(new))
            done, does = await one.send(its_programs, is_there)
            tightens |= does or (done is not None and done.loosens)
            if done is not None:
                told.append(done)
    await overrides.tie(db, override_id, [number for one in told for number in one.created])
    if not new.is_rehearsal:
        await warn_of_inexpressible(db, [one.program for one in told], new.limits, now, modes=set(new.modes))
    return told, tightens


async def _renew_beside(db: Connection, override_id: int, now: int, terms: Terms) -> None:
    """Issue overrides beside one of many places anew where they carry its limit."""
    row = await overrides.one(db, override_id)
    if row is None or role_of(row) is not Role.WIDE_OVERRIDE:
        return
    for other in await standing.others_beside(db, row, now):
        await other.issue(db, now, is_sent=True, most_ahead=terms.most_ahead)


async def devices_of(db: Connection, new: NewOverride) -> Sequence[Row[Any]]:
    """The devices of an override's scope."""
    if new.devices:
        return await overrides.devices_with(db, new.devices)
    return await overrides.devices_in(db, new.scope, new.subject_id)


def coverage_of(places: Sequence[Place], new: NewOverride) -> Coverage:
    """Which of the places of its scope an override is for."""
    found = covered(places, new.limits, dict(new.modes), is_named=new.scope in NARROW, also=new.also)
    return found._replace(told=tuple(drawn(found.told, new.share)))


def asked_in(devices: Sequence[Row[Any]], coverage: Coverage, new: NewOverride) -> list[Row[Any]]:
    """The devices of a scope that an override means to reach: not those left out, nor those a drill does not take."""
    out = {device.id for place in coverage.left_out for device in place.devices}
    if new.share >= 100:
        return [device for device in devices if device.id not in out]
    drawn_ids = {device.id for place in coverage.told for device in place.devices}
    return [device for device in devices if device.id in drawn_ids]


def _why_nobody(untold: Sequence[tuple[Row[Any], str]], coverage: Coverage) -> str:
    names = ", ".join(place.connection_name for place in coverage.left_out[:3])
    return "; ".join(why for _, why in untold[:3]) or (f"{names}: protected, and not named (also)" if names else "")


async def _places(db: Connection, new: NewOverride, devices: Sequence[Row[Any]]) -> list[Place]:
    if new.scope != "connection":
        return places_of(devices)
    # A connection's limits are its holder's to keep; who stands beside it is reached by its own LFDI.
    held = [place for place in places_of(devices) if place.connection_id is not None]
    row = await connections.one(db, new.subject_id)
    assert row is not None
    name = row.connection_id
    return held or [Place(f"connection {name}", new.subject_id, None, subject=name, marked=row.protected)]


@dataclass(frozen=True)
class _Sending:
    """One override on its way to one place."""

    db: Connection
    new: NewOverride
    place: Place
    now: int
    end: int
    terms: Terms
    role: Role

    async def send(self, programs: Mapping[Role, Row[Any]], there: There) -> tuple[Told | None, bool]:
        """What the place is told, if any of it can be kept there, and whether it is tighter than what would hold.

        programs: those of the place. there: what is there; it was looked up for many places, since when nothing has
        changed but for controls of groups that were cut and say the same in parts.
        """
        limits = self.place.fits(self.new.shares.get(self.place.key, self.new.limits))
        if not limits.modes() and not self.new.modes:
            return None, False
        group = programs[self.role]
        asked = await self._asked(group.id, limits)
        span = asked.earliest_start, self.end
        view = await tightening.look(self.db, self.place, group.primacy, now=self.now, span=span, there=there)
        parts, tightens = view.tightened(asked)
        if self.new.kind == LOOSENING:
            # Only other overrides bound it: the tightest of those wins all the same.
            beside = await tightening.look(
                self.db, self.place, group.primacy, now=self.now, span=span, only=standing.ROLES, there=there
            )
            parts = beside.tightened(asked)[0]
        last = view.after(asked, parts[-1].limits)
        new = [self._control(asked, part) for part in parts]
        if last.loosens and self.role is Role.WIDE_OVERRIDE and self.terms.spread_s and not last.by_control:
            new[-1] = replace(new[-1], randomize_duration=self.terms.spread_s)
        ease = Ease(self.end, self.terms.spread_s * 100) if last.loosens and last.by_control and self._is_wide else None
        done = await self._issue(group.id, new, ease)
        loosens = self.new.kind == LOOSENING and any(view.loosens(replace(asked, limits=part.limits)) for part in parts)
        replaced = tuple(view.replaced(asked, part) for part in parts)
        every, until = tuple(row.id for row in programs.values()), new[-1].latest_end
        told = Told(self.place, done, parts, replaced, last.said, until, every, group.id, loosens, view.held)
        return told, tightens

    @property
    def _is_wide(self) -> bool:
        return self.role is Role.WIDE_OVERRIDE and self.terms.spread_s > 0

    async def _asked(self, group_id: int, limits: Limits) -> NewControl:
        return NewControl(
            start=self.new.start,
            duration=self.end - self.new.start,
            limits=limits,
            modes=await with_curves(self.db, group_id, self.new.modes, self.now),
            ramp_tms=self.new.ramp_tms,
            response_required=self.terms.response_required,
        )

    def _control(self, asked: NewControl, part: Part) -> NewControl:
        return replace(asked, start=part.start, duration=part.end - part.start, limits=part.limits)

    async def _issue(self, group_id: int, new: Sequence[NewControl], ease: Ease | None = None) -> tuple[int, ...]:
        if self.new.is_rehearsal:
            return ()
        said = f"{self.new.reason}: {self.new.note}" if self.new.note else self.new.reason
        done = await issue_controls(
            self.db,
            group_id,
            new,
            self.now,
            source=SOURCE,
            reason=said,
            most_ahead=self.terms.most_ahead,
            refuses=False,
            ease=ease,
            warns=False,
        )
        return done.created


async def release(
    db: Connection, override_id: int, now: int, *, reason: str = "", spread_s: int = SPREAD_S, most_ahead: int = 24
) -> Released:
    """Withdraw an override; what it had taken the place of holds again, at many places spread over so long.

    Other overrides that took over its limit where it was the tighter one are issued anew with what still holds.
    """
    await db.in_turn()
    row = await overrides.one(db, override_id)
    if row is None:
        raise UnknownOverride(str(override_id))
    if row.released is not None or row.end <= now:
        raise OverrideOver(str(override_id))
    if not 0 <= spread_s <= LONGEST_SPREAD_S:
        raise BadOverride(f"spread: {spread_s} is outside 0..{LONGEST_SPREAD_S}")
    check_fits("reason", reason, LONGEST_REASON)
    wide_s = 0 if row.scope in NARROW or row.start > now else spread_s
    parts = await controls.parts_of(db, await overrides.control_ids(db, override_id), now)
    others = await standing.others_beside(db, row, now)
    by_group: dict[int, list[Control]] = {}
    for part in parts:
        by_group.setdefault(part.device_group_id, []).append(part)
    cancelled: list[int] = []
    again: list[int] = []
    renewed: set[int] = set()
    # All at once, so that what many places have in common is issued anew once and not at each of them.
    await controls.update_many(db, [part.id for part in parts], cancelled=now, cancelled_as=int(Status.CANCELLED))
    for group_id, several in by_group.items():
        ease = Ease(now, wide_s * 100) if wide_s else None
        done = await withdraw(db, several, now, reason=reason, ease=ease, fresh=frozenset(again))
        cancelled += done.cancelled
        again += done.reissued
        renewed |= set(done.programs)
        if wide_s and not renewed.intersection(await programs_beside(db, group_id)):
            again += await issue_spread_end(db, override_id, several, now, spread_s=wide_s)
    for other in others:
        again += await other.issue(db, now, is_sent=False, most_ahead=most_ahead, ramp_tms=wide_s * 100)
    await overrides.released(db, override_id, now)
    return Released(override_id, tuple(cancelled), tuple(again), now + wide_s)


def checked(new: NewOverride, now: int, terms: Terms) -> int:
    """The end of an override, if it can be sent."""
    if new.end is None:
        raise OverrideWithoutEnd
    if new.end <= max(now, new.start):
        raise BadOverride(f"end: {told(new.end)} is not after {told(max(now, new.start))}")
    if new.end - max(now, new.start) > terms.longest_s:
        length, longest = told_length(new.end - max(now, new.start)), told_length(terms.longest_s)
        raise OverrideTooLong(f"duration: {length}, and {longest} at most")
    if new.reason not in REASONS:
        raise OverrideWithoutReason(f"reason: {new.reason[:40]!r} is none of {', '.join(REASONS)}")
    if new.reason == "other" and not new.note.strip():
        raise OverrideWithoutReason("note: the reason other needs words of its own")
    check_fits("note", f"{new.reason}: {new.note}", LONGEST_REASON)
    if not 1 <= new.share <= 100:
        raise BadOverride(f"share: {new.share} is outside 1..100")
    if not new.limits.modes() and not new.modes:
        raise BadOverride("limits: it sets neither a limit nor a mode")
    return new.end


def columns_of(new: NewOverride, now: int, end: int) -> dict[str, Any]:
    """An override as a row."""
    limits = {f"{what}_limit_w": getattr(new.limits, f"{what}_w") for what in ("import", "export", "gen", "load")}
    return limits | {
        "scope": new.scope,
        "subject": new.subject,
        "modes": json.dumps(dict(new.modes), sort_keys=True),
        "shares": encoded(new.shares),
        "start": new.start,
        "end": end,
        "reason": new.reason,
        "note": new.note,
        "operator": new.operator,
        "created": now,
        "kind": new.kind,
        "share": new.share,
        "second": new.second,
        "review_at": end if disconnects(new.modes) else None,
    }


def _named(limits: Limits) -> str:
    return ", ".join(f"limits.{name}: {watts}" for name, watts in limits._asdict().items() if watts is not None)


def state_of(row: Row[Any], now: int) -> str:
    """scheduled, active, released or ended."""
    if row.released is not None:
        return "released"
    if row.end <= now:
        return "ended"
    return "active" if row.start <= now else "scheduled"
