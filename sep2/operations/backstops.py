"""The backstop: zero export or generation of the whole system or of a substation, before everything else.

Its program stands in what each device below follows, so that one control reaches them all, and no other command can
supersede it. The least controllable load differs from place to place, and protected ones are left out of it: it is sent
to each place as an override of many; so is a drill that takes only a share of the places.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from sep2.errors import BadValue
from sep2.operations import overrides, tightening
from sep2.operations.controls import issue_controls
from sep2.operations.groups import NewGroup, create_group
from sep2.operations.issuing import NewControl
from sep2.operations.override_answers import Sent, Told
from sep2.operations.overrides import NewOverride, OverrideReachesNobody, Terms
from sep2.operations.places import Place, not_reached, places_of
from sep2.operations.territory import SYSTEM
from sep2.operations.tightening import Part
from sep2.rules.authority import BACKSTOP, DRILL, Role
from sep2.rules.limits import Limits
from sep2.store import backstops as stored
from sep2.store import groups, outbox, territory
from sep2.store import overrides as stored_overrides
from sep2.store.connection import Connection

LIMITS = {"export": Limits(export_w=0), "generation": Limits(gen_w=0), "load": Limits(load_w=0)}
"""What each kind of backstop asks for; what a rule guarantees to controllable loads stays."""
LOOKED_AT = 100
"""Places of which it is looked up what holds there; beyond, it is said to be whatever held before."""
LONGEST_DRILL_S = 600
KINDS = ("substation", "subtransmission", "system")
"""Of places that have a backstop of their own."""


class BadBackstop(BadValue):
    """The backstop can not be so."""


async def prepare(db: Connection, place_id: int | None, now: int) -> tuple[Row[Any], bool]:
    """The backstop's program of a place, or of the system; and whether it was made only now, with its devices in it.

    A device finds a program that was made only now when it polls its FunctionSetAssignmentsList next.
    """
    key = SYSTEM if place_id is None else place_id
    known = (await stored.programs(db)).get(key)
    found = None if known is None else await groups.one(db, known)
    if found is not None:
        return found, False
    name, level = await _named(db, place_id)
    new = NewGroup(name=f"backstop of {name}"[:80], level=level, primacy=0)
    group_id = await create_group(db, new, now, role=Role.BACKSTOP)
    await stored.note(db, key, group_id)
    await stored.fill(db, group_id, place_id, now)
    await outbox.changed(db, "FunctionSetAssignmentsList", derp=group_id)
    made = await groups.one(db, group_id)
    assert made is not None
    return made, True


async def _named(db: Connection, place_id: int | None) -> tuple[str, str]:
    """What a backstop is called after, and its topology level."""
    if place_id is None:
        return "the system", "SY"
    row = await territory.one(db, place_id)
    if row is None or row.kind not in KINDS:
        raise BadBackstop(f"place: a backstop is for the system or for a {KINDS[0]}")
    return f"{row.kind} {row.name}", "SS"


async def start(db: Connection, new: NewOverride, now: int, terms: Terms) -> Sent:
    """Send a backstop, or rehearse it (a drill); scope: system, or place with a substation's number."""
    if new.scope not in ("system", "place"):
        raise BadBackstop(f"scope: {new.scope} is none of system, place")
    if new.kind == DRILL and (new.end or 0) - max(now, new.start) > LONGEST_DRILL_S:
        raise BadBackstop(f"duration: a drill lasts {LONGEST_DRILL_S} s at most")
    if new.kind == BACKSTOP and new.share != 100:
        raise BadBackstop("share: only a drill takes a share")
    if new.limits.load_w is not None or new.share < 100:
        await _named(db, new.subject_id if new.scope == "place" else None)
        return await overrides.send(db, new, now, terms)
    return await _to_all(db, new, now, terms)


async def _to_all(db: Connection, new: NewOverride, now: int, terms: Terms) -> Sent:
    """One control in the program that stands for it."""
    await db.in_turn()
    end = overrides.checked(new, now, terms)
    group, _ = await prepare(db, new.subject_id if new.scope == "place" else None, now)
    devices = await stored_overrides.devices_in(db, new.scope, new.subject_id)
    places = places_of(devices)
    if not places:
        raise OverrideReachesNobody(new.subject or new.scope)
    override_id = await stored_overrides.add(db, **overrides.columns_of(new, now, end))
    asked = NewControl(
        start=new.start,
        duration=end - new.start,
        limits=new.limits,
        ramp_tms=new.ramp_tms,
        randomize_duration=terms.spread_s or None,
        response_required=terms.response_required,
    )
    said = f"{new.kind}: {new.reason}" + (f": {new.note}" if new.note else "")
    done = await issue_controls(
        db, group.id, [asked], now, source=overrides.SOURCE, reason=said, most_ahead=terms.most_ahead, refuses=False
    )
    await stored_overrides.tie(db, override_id, done.created)
    told = [
        await _told(db, place, replace(asked, randomize_duration=None), now, looks=number < LOOKED_AT)
        for number, place in enumerate(places)
    ]
    whole = [
        one._replace(created=done.created if number == 0 else (), latest_end=asked.latest_end, program=group.id,
                     programs=(group.id,))
        for number, one in enumerate(told)
    ]  # fmt: skip
    return Sent(override_id, tuple(whole), tuple(not_reached(new.limits, devices, places)))


async def _told(db: Connection, place: Place, asked: NewControl, now: int, *, looks: bool) -> Told:
    """What a place is told, what that takes the place of, and what holds after it."""
    end = asked.start + asked.duration
    part = Part(asked.start, end, asked.limits)
    if not looks:
        return Told(place, (), (part,), (("what holds there",),), "what held before", end, (), 0)
    view = await tightening.look(db, place, 0, now=now, span=(asked.start, end), without=(Role.BACKSTOP,))
    return Told(place, (), (part,), (view.replaced(asked, part),), view.after(asked, part.limits).said, end, (), 0)
