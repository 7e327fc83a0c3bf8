"""Overrides are withdrawn before their end: at all of their places, or at some of them."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations import standing
from sep2.operations.controls import withdraw
from sep2.operations.issuing import LONGEST_REASON, check_fits
from sep2.operations.override_answers import Released
from sep2.operations.overrides import LONGEST_SPREAD_S, SPREAD_S, BadOverride, OverrideOver, UnknownOverride
from sep2.operations.places import Place
from sep2.operations.resuming import Ease
from sep2.operations.spread_end import issue_spread_end, programs_beside
from sep2.operations.standing import NARROW, AtPlace
from sep2.rules.events import Status
from sep2.store import controls, overrides
from sep2.store.connection import Connection
from sep2.store.controls import Control


async def stands_at(db: Connection, override_id: int, now: int) -> dict[str, int]:
    """The places at which an override stands, by their keys, each with the number of its program there."""
    parts = await controls.parts_of(db, await overrides.control_ids(db, override_id), now)
    live = {part.device_group_id for part in parts}
    return {
        Place("", row.connection_id, row.end_device_id).key: row.id
        for row in await overrides.places_of(db, override_id)
        if row.id in live
    }


class Withdrawn(NamedTuple):
    """The controls that were withdrawn, and those that were issued anew."""

    cancelled: list[int]
    again: list[int]


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
    done = await _withdrawn(db, row, parts, now, reason=reason, spread_s=wide_s)
    again = done.again + await _again(db, others, now, most_ahead=most_ahead, spread_s=wide_s)
    await overrides.released(db, override_id, now)
    return Released(override_id, tuple(done.cancelled), tuple(again), now + wide_s)


async def release_at(
    db: Connection, override_id: int, groups: Collection[int], now: int, *, reason: str, most_ahead: int
) -> Withdrawn:
    """Withdraw an override from some of its programs, by their numbers; at its other places it stands."""
    await db.in_turn()
    row = await overrides.one(db, override_id)
    if row is None or row.released is not None or row.end <= now:
        return Withdrawn([], [])
    every = await controls.parts_of(db, await overrides.control_ids(db, override_id), now)
    parts = [part for part in every if part.device_group_id in groups]
    there = {program.id for program in await overrides.places_of(db, override_id)} & set(groups)
    others = [
        one
        for one in await standing.others_beside(db, row, now)
        if there & {program.id for program in one.programs.values()}
    ]
    done = await _withdrawn(db, row, parts, now, reason=reason, spread_s=0)
    again = done.again + await _again(db, others, now, most_ahead=most_ahead, spread_s=0)
    return Withdrawn(done.cancelled, again)


async def _withdrawn(
    db: Connection, row: Row[Any], parts: Sequence[Control], now: int, *, reason: str, spread_s: int
) -> Withdrawn:
    """Withdraw controls of an override; what they had taken the place of holds again."""
    by_group: dict[int, list[Control]] = {}
    for part in parts:
        by_group.setdefault(part.device_group_id, []).append(part)
    cancelled: list[int] = []
    again: list[int] = []
    renewed: set[int] = set()
    # All at once, so that what many places have in common is issued anew once and not at each of them.
    await controls.update_many(db, [part.id for part in parts], cancelled=now, cancelled_as=int(Status.CANCELLED))
    for group_id, several in by_group.items():
        ease = Ease(now, spread_s * 100) if spread_s else None
        done = await withdraw(db, several, now, reason=reason, ease=ease, fresh=frozenset(again))
        cancelled += done.cancelled
        again += done.reissued
        renewed |= set(done.programs)
        if spread_s and not renewed.intersection(await programs_beside(db, group_id)):
            again += await issue_spread_end(db, row.id, several, now, spread_s=spread_s)
    return Withdrawn(cancelled, again)


async def _again(db: Connection, others: Sequence[AtPlace], now: int, *, most_ahead: int, spread_s: int) -> list[int]:
    """Issue overrides beside it anew, with what still holds."""
    found: list[int] = []
    for other in others:
        found += await other.issue(db, now, is_sent=False, most_ahead=most_ahead, ramp_tms=spread_s * 100)
    return found
