"""Controls: issued, listed with their status, shown with what devices answered, cancelled."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sep2.admin import curves, find, views
from sep2.admin import types as t
from sep2.admin.effects import left_out
from sep2.admin.overrides import primacies_of, subject_of
from sep2.errors import Conflict
from sep2.operations import controls, groups, guarding, in_force, plausible, reach
from sep2.operations.places import Place, places_of, programs_at, with_curves
from sep2.rest.route import Request, listed, page
from sep2.rules.authority import Role, said_by
from sep2.rules.events import shows_at_once
from sep2.rules.floors import raised
from sep2.rules.limits import Limits
from sep2.rules.protection import cuts_supply
from sep2.store import deliveries, listing_controls, overrides, responses

MOST_NOTES = 1000
"""In one answer; a group may have a hundred thousand devices."""


class ConnectionProtected(Conflict):
    """The connection is protected: bound what it draws by an override, to which a second person agrees."""


class ReachesNobody(Conflict):
    """There is no device there that the control could be sent to."""


async def issue_controls(rq: Request, asked: t.NewControls) -> t.Issued:
    """The mRIDs of the group's new controls, of those that said the same already and of those that give way."""
    group = await find.group(rq.db, rq.ids["group"])
    groups.refuse_beside_overrides(group)
    there = await overrides.devices_in(rq.db, "group", group.id)
    return await _issue(rq, group, asked, there, guards=True)


async def send_to_connection(rq: Request, asked: t.NewControls) -> t.Issued:
    """The same for one connection: they go to the operators' schedule of it, which comes before its envelope."""
    row = await find.connection(rq.db, rq.ids["connection"])
    there = await overrides.devices_in(rq.db, "connection", row.id)
    _refuse_protected(row.connection_id, row.protected, asked.controls)
    place = Place(row.connection_id, row.id, None, tuple(there))
    return await _issue(rq, await _schedule(rq, place), asked, there, least_w=place.least_load_w)


async def send_to_device(rq: Request, asked: t.NewControls) -> t.Issued:
    """The same for one device: to the schedule of the connection whose limits it holds, or else to its own."""
    row = await find.device(rq.db, rq.ids["device"])
    there = await overrides.devices_in(rq.db, "device", row.id)
    places = places_of(there)
    if not places:
        raise groups.BadGroup(f"device: {row.lfdi} stands for an aggregator, and obeys no control")
    _refuse_protected(places[0].connection_name, places[0].protected, asked.controls)
    return await _issue(rq, await _schedule(rq, places[0]), asked, there, least_w=places[0].least_load_w)


async def send_to_many(rq: Request, asked: t.ControlsForMany) -> t.IssuedToMany:
    """The same for every place of a scope, in one transaction: to the schedule of each connection or device."""
    scope, subject, number = await subject_of(rq, asked)
    places = places_of(await overrides.devices_in(rq.db, scope, number))
    cuts = _cuts_supply(asked.controls)
    out = [place for place in places if cuts and place.protected]
    places = [place for place in places if place not in out]
    if not places:
        raise ReachesNobody(subject or asked.scope)
    body = t.NewControls(controls=asked.controls, reason=asked.reason, anyway=asked.anyway)
    done = [
        await _issue(rq, await _schedule(rq, place), body, place.devices, least_w=place.least_load_w)
        for place in places
    ]
    notes = [note for one in done for note in one.notes]
    return t.IssuedToMany(
        scope=scope,
        subject=subject,
        places=len(places),
        devices=sum(one.devices for one in done),
        created=[mrid for one in done for mrid in one.created][:MOST_NOTES],
        kept=sum(len(one.kept) for one in done),
        superseded=sum(len(one.superseded) for one in done),
        notes=notes[:MOST_NOTES],
        noted=sum(one.noted for one in done),
        outranked=[other for one in done for other in one.outranked][:MOST_NOTES],
        left_out=left_out(out),
    )


def _cuts_supply(controls: Sequence[t.NewControl]) -> bool:
    return any(cuts_supply(limits_in(one), one.modes) for one in controls)


def _refuse_protected(name: str, protected: str, controls: Sequence[t.NewControl]) -> None:
    if protected not in ("", "none") and _cuts_supply(controls):
        raise ConnectionProtected(f"{name}: {protected}")


def limits_in(asked: t.NewControl) -> Limits:
    """The limits of a control that is asked for."""
    said = asked.limits
    return Limits(said.import_w, said.export_w, said.gen_w, said.load_w)


async def _schedule(rq: Request, place: Place) -> Row[Any]:
    programs = await programs_at(rq.db, place, rq.now, primacies_of(rq))
    return await find.group(rq.db, programs[Role.SCHEDULE].name)


async def _issue(
    rq: Request,
    group: Row[Any],
    asked: t.NewControls,
    there: Sequence[Row[Any]],
    *,
    least_w: int = 0,
    guards: bool = False,
) -> t.Issued:
    """Issue controls; there: the devices of which the size of a limit is judged.

    least_w: what a rule guarantees to controllable loads there. guards: whether members are looked at that one control
    for all may not bound.
    """
    utility = rq.state.settings.utility
    new = [await _new(rq, group, control, least_w) for control in asked.controls]
    if guards:
        await guarding.refuse_members(rq.db, group.id, new)
    if not asked.anyway:
        plausible.check_span(new, rq.now)
        places = places_of(there)
        for one in new:
            plausible.check_size(one.limits, places)
    house = rq.state.house
    rate_s = house.poll_rate("DERProgramList")
    notes = await reach.look(rq.db, group.id, new, rq.now, poll_rate_s=rate_s, told=house.told)
    if not asked.anyway:
        reach.refuse_too_short(notes)
    done = await controls.issue_controls(
        rq.db, group.id, new, rq.now, reason=asked.reason, most_ahead=utility.horizon_events
    )
    created = await listing_controls.mrids(rq.db, done.created)
    await reach.warn_too_short(rq.db, created, notes, rq.now)
    return t.Issued(
        created=created,
        kept=await listing_controls.mrids(rq.db, done.kept),
        superseded=await listing_controls.mrids(rq.db, done.superseded),
        devices=group.devices,
        notes=[_note(note) for note in notes[:MOST_NOTES]],
        noted=len(notes),
        group=group.name,
        reissued=await listing_controls.mrids(rq.db, done.reissued),
        outranked=await _outranked(rq, group, new),
        late_s=done.late_s,
    )


def _note(note: reach.Note) -> t.Note:
    return t.Note(lfdi=note.lfdi, connection_id=note.connection_id, code=note.code, sentence=note.sentence)


async def _outranked(rq: Request, group: Row[Any], new: Sequence[controls.NewControl]) -> list[t.Outranked]:
    """The devices for which something more important says the same meanwhile; each once, with the most important."""
    start, end = min(one.earliest_start for one in new), max(one.latest_end for one in new)
    modes = frozenset[str]().union(*(one.asks for one in new))
    found: dict[str, t.Outranked] = {}
    for row in await listing_controls.over(rq.db, group.id, max(start, rq.now), end):
        if modes & in_force.modes_of(row).keys() and row.lfdi not in found:
            source = said_by(row.role, row.source) or f"group {row.group_name}"
            found[row.lfdi] = t.Outranked(
                lfdi=row.lfdi, connection_id=row.connection_name, by=source, until=row.latest_end
            )
    return list(found.values())


async def _new(rq: Request, group: Row[Any], asked: t.NewControl, least_w: int) -> controls.NewControl:
    return controls.NewControl(
        start=rq.now if asked.start is None else asked.start,
        duration=asked.duration,
        limits=raised(limits_in(asked), least_w),
        modes=await with_curves(rq.db, group.id, await curves.taken_modes(rq, asked.modes), rq.now),
        ramp_tms=asked.ramp_tms,
        randomize_start=asked.randomize_start,
        randomize_duration=asked.randomize_duration,
        device_category=asked.device_category,
        description=asked.description,
        response_required=rq.state.settings.utility.response_required,
    )


async def list_controls(rq: Request, asked: t.ControlQuery) -> t.Listed[t.Control]:
    """Controls that are not over, of one group if so asked, earliest first."""
    group = await find.group(rq.db, asked.group) if asked.group else None
    found = await listing_controls.all_of(
        rq.db, page(asked), group_id=group.id if group else None, live_at=None if asked.over else rq.now
    )
    modes = await curves.shown_modes(rq, *(row.modes for row in found.rows))
    items = [
        views.control(row, said, rq.now, at_once=_at_once(rq)) for row, said in zip(found.rows, modes, strict=True)
    ]
    return listed(found, items)


async def show_control(rq: Request, asked: t.Nothing) -> t.ControlShown:
    """One control (by the beginning of its mRID, or `latest`) and what each of its devices answered."""
    row = await find.control(rq.db, rq.ids["control"])
    (modes,) = await curves.shown_modes(rq, row.modes)
    return views.control_shown(row, modes, await _reached(rq, row), rq.now, at_once=_at_once(rq))


async def _reached(rq: Request, control: Row[Any]) -> list[t.Reached]:
    heard: dict[str, dict[int, int]] = defaultdict(dict)
    for response in await responses.to_control(rq.db, control.id):
        heard[response.lfdi].setdefault(response.status, response.received)
    rows = await listing_controls.reached(rq.db, control.id)
    return [views.reached(row, control, heard[row.lfdi]) for row in rows]


async def cancel_control(rq: Request, asked: t.Cancel) -> t.Cancelled:
    """The control that is withdrawn, and how many notifications wait."""
    row = await find.control(rq.db, rq.ids["control"])
    done = await controls.cancel_control(rq.db, row.id, rq.now, reason=asked.reason, randomized=asked.randomized)
    return t.Cancelled(
        mrid=row.mrid,
        waiting=(await deliveries.counts(rq.db))["waiting"],
        cancelled=len(done.cancelled),
        reissued=len(done.reissued),
    )


def _at_once(rq: Request) -> bool:
    return shows_at_once(rq.state.settings.utility.profile)
