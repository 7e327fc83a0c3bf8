"""Overrides that stand where another one is sent or released, and carry its limit where that is the tighter one.

What they say for the rest of their time is calculated anew, from what they were asked for and what else bounds them,
and issued where it differs.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import Row

from sep2.operations import tightening
from sep2.operations.controls import issue_controls
from sep2.operations.issuing import NewControl
from sep2.operations.override_shares import limits_at
from sep2.operations.places import Place, places_of, with_curves
from sep2.rules.authority import LOOSENING, Role
from sep2.rules.timeline import Interval
from sep2.store import controls, groups, overrides
from sep2.store.connection import Connection
from sep2.store.controls import Control

NARROW = ("connection", "device")
"""Scopes of overrides of one place; all others are wide."""
ROLES = (Role.OVERRIDE, Role.WIDE_OVERRIDE)


class Scoped(Protocol):
    """An override, stored or to be sent."""

    @property
    def scope(self) -> str:
        """What kind of subject it is for."""


def role_of(row: Scoped) -> Role:
    """Which program of a place an override is sent in."""
    return Role.OVERRIDE if row.scope in NARROW else Role.WIDE_OVERRIDE


@dataclass(frozen=True)
class AtPlace:
    """The overrides that stand at one place beside one that is sent or released, the oldest first."""

    changed: Row[Any]
    """the one that is sent or released"""
    place: Place
    programs: Mapping[Role, Row[Any]]
    overrides: Sequence[Row[Any]]
    controls: Mapping[int, Sequence[Control]]
    """those of each override here that are neither over nor cancelled"""

    async def issue(self, db: Connection, now: int, *, is_sent: bool, most_ahead: int, ramp_tms: int = 0) -> list[int]:
        """Issue anew what says something else with, or without, the one that is changed; the ids of the controls."""
        issued: list[int] = []
        renewed = set[Role]()
        for one in self.overrides:
            role = role_of(one)
            new = await self._wanted(db, one, now, is_sent=is_sent, is_renewed=role in renewed)
            if new:
                renewed.add(role)  # whatever is later in the same program has to be said again, over this
                if ramp_tms and new[0].start == now:
                    new[0] = replace(new[0], ramp_tms=ramp_tms)
                issued += await self._issued(db, one, new, now, most_ahead=most_ahead)
        return issued

    async def _wanted(
        self, db: Connection, one: Row[Any], now: int, *, is_sent: bool, is_renewed: bool
    ) -> list[NewControl]:
        """What an override is to say from now on; nothing, where it says that already."""
        if not is_renewed and not _bounds(self.changed, one):
            return []
        program = self.programs[role_of(one)]
        asked = await self._asked(db, one, now, program.id)
        only = () if one.kind == LOOSENING else None
        view = await tightening.look(
            db, self.place, program.primacy, now=now, span=(asked.start, one.end), without=ROLES, only=only
        )
        beside = [self._span(other) for other in self.overrides if _bounds(other, one)]
        more = [*beside, self._span(self.changed)] if _bounds(self.changed, one) else beside
        with_it, without_it = view.tightened(asked, more)[0], view.tightened(asked, beside)[0]
        if not is_renewed and with_it == without_it:
            return []
        parts = with_it if is_sent else without_it
        new = [replace(asked, start=part.start, duration=part.end - part.start, limits=part.limits) for part in parts]
        last = max(self.controls[one.id], key=lambda part: part.latest_end)
        return [*new[:-1], replace(new[-1], randomize_duration=last.randomize_duration)]

    async def _asked(self, db: Connection, one: Row[Any], now: int, program_id: int) -> NewControl:
        """An override as it was asked for here, from now on."""
        start, first = max(now, one.start), self.controls[one.id][0]
        return NewControl(
            start=start,
            duration=one.end - start,
            limits=self.place.fits(limits_at(one, self.place)),
            modes=await with_curves(db, program_id, json.loads(one.modes), now),
            ramp_tms=first.ramp_tms if one.start > now else None,
            response_required=first.response_required,
        )

    async def _issued(
        self, db: Connection, one: Row[Any], new: Sequence[NewControl], now: int, *, most_ahead: int
    ) -> tuple[int, ...]:
        done = await issue_controls(
            db,
            self.programs[role_of(one)].id,
            new,
            now,
            source="override",
            reason=self.controls[one.id][0].reason,
            most_ahead=most_ahead,
            refuses=False,
        )
        await overrides.tie(db, one.id, done.created)
        return done.created

    def _span(self, one: Row[Any]) -> Interval:
        return Interval(one.start, one.end, self.place.fits(limits_at(one, self.place)))


def _bounds(other: Row[Any], one: Row[Any]) -> bool:
    """Whether an override says no more than another one allows: one that is less important, or was there before."""
    if other.id == one.id:
        return False
    roles = role_of(other), role_of(one)
    return roles == (Role.WIDE_OVERRIDE, Role.OVERRIDE) or (roles[0] is roles[1] and other.id < one.id)


async def others_beside(db: Connection, changed: Row[Any], now: int) -> list[AtPlace]:
    """The places where an override was issued at which others stand while it holds, or would have held."""
    by_place: dict[tuple[int | None, int | None], list[Row[Any]]] = defaultdict(list)
    for row in await overrides.beside(db, changed.id, now, changed.end):
        by_place[row.at_connection, row.at_device].append(row)
    parts = await _controls_of(db, {row.id for rows in by_place.values() for row in rows}, now)
    found = []
    for (connection_id, device_id), rows in by_place.items():
        programs = await groups.at_place(db, connection_id=connection_id, device_id=device_id)
        by_role = {Role(row.role): row for row in programs}
        own = {
            row.id: [part for part in parts[row.id] if part.device_group_id == by_role[role_of(row)].id] for row in rows
        }
        place = await _place(db, connection_id, device_id)
        found.append(AtPlace(changed, place, by_role, [row for row in rows if own[row.id]], own))
    return found


async def _controls_of(db: Connection, several: set[int], now: int) -> dict[int, list[Control]]:
    return {number: await controls.parts_of(db, await overrides.control_ids(db, number), now) for number in several}


async def _place(db: Connection, connection_id: int | None, device_id: int | None) -> Place:
    scope = "device" if connection_id is None else "connection"
    devices = await overrides.devices_in(db, scope, connection_id or device_id or 0)
    for place in places_of(devices):
        if (place.connection_id, place.device_id) == (connection_id, device_id):
            return place
    return Place("", connection_id, device_id)
