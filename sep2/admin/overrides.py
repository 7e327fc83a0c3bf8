"""Overrides: sent, listed, shown and released."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from sep2.admin import curves, find, views
from sep2.admin import types as t
from sep2.operations import in_force, overrides, standing
from sep2.operations.overrides import Sent, Terms
from sep2.rest.route import Request, listed, page
from sep2.rules.authority import Primacies, Role
from sep2.rules.limits import Limits
from sep2.store import controls, listing_controls
from sep2.store import overrides as stored

MOST_PLACES = 100
"""Places that an answer describes one by one; beyond, they are counted."""
ISOLATION = "This is not isolation. Work needs a visible open point, a test and an earth."


async def send_override(rq: Request, asked: t.NewOverride) -> t.OverrideSent:
    """The override that is sent: whom it covers, what it takes the place of, until when, and what holds after it."""
    subject, number = await subject_of(rq, asked)
    start = rq.now if asked.start is None else asked.start
    end = asked.end if asked.duration is None else start + asked.duration
    limits = asked.limits
    new = overrides.NewOverride(
        scope=asked.scope,
        subject=subject,
        subject_id=number,
        limits=Limits(limits.import_w, limits.export_w, limits.gen_w, limits.load_w),
        modes=await curves.taken_modes(rq, asked.modes),
        ramp_tms=asked.ramp_tms,
        start=start,
        end=end,
        reason=asked.reason,
        note=asked.note,
        operator=rq.operator,
        anyway=asked.anyway,
    )
    return await _sent(rq, await overrides.send(rq.db, new, rq.now, terms_of(rq)))


def terms_of(rq: Request) -> Terms:
    """What the settings say of overrides."""
    utility = rq.state.settings.utility
    return Terms(
        most_ahead=utility.horizon_events,
        longest_s=utility.overrides.longest_s,
        spread_s=utility.overrides.spread_s,
        primacies=primacies_of(rq),
        response_required=utility.response_required,
    )


def primacies_of(rq: Request) -> Primacies:
    """The primacies that programs of places get."""
    ranks = rq.state.settings.utility.primacy
    return Primacies(ranks.override, ranks.wide_override, ranks.schedule, ranks.connection)


async def subject_of(rq: Request, asked: t.NewOverride | t.ControlsForMany) -> tuple[str, int]:
    """The name and the number of what an override, or a control, is for."""
    match asked.scope:
        case "connection":
            row = await find.connection(rq.db, asked.subject)
            return row.connection_id, row.id
        case "device":
            row = await find.device(rq.db, asked.subject)
            return row.lfdi, row.id
        case "group":
            row = await find.group(rq.db, asked.subject)
            return row.name, row.id
        case "place":
            row = await find.place(rq.db, asked.subject)
            return row.name, row.id
        case "aggregator":
            row = await find.client(rq.db, asked.subject)
            return row.name, row.id
    return "", 0


async def _sent(rq: Request, sent: Sent) -> t.OverrideSent:
    row = await stored.one(rq.db, sent.id)
    assert row is not None
    devices = [device for one in sent.told for device in one.place.devices]
    programs = {program for one in sent.told for program in one.programs}
    at_once = await stored.subscribed(rq.db, sorted({device.client_id for device in devices}), programs)
    told = {device.id for device in devices} & at_once
    issued = [number for one in sent.told for number in one.created]
    return t.OverrideSent(
        **await _of(rq, row),
        connections=sum(one.place.connection_id is not None for one in sent.told),
        devices=len(devices),
        places=[_place(one) for one in sent.told[:MOST_PLACES]],
        untold=[
            t.Untold(lfdi=device.lfdi, connection_id=device.connection_name, why=why) for device, why in sent.untold
        ],
        replaces=_counted(source for one in sent.told for source in one.replaces),
        after=_counted(one.after for one in sent.told),
        until=max(one.latest_end for one in sent.told),
        told_at_once=len(told),
        known_by=rq.now if len(told) == len(devices) else _known_by(rq),
        controls=await listing_controls.mrids(rq.db, issued[:MOST_PLACES]),
        warning=" ".join(await _warnings(rq, row, sent)),
    )


async def _warnings(rq: Request, row: Row[Any], sent: Sent) -> list[str]:
    """What an operator has to know beside: that nothing is isolated, and which groups outrank the override."""
    said = [ISOLATION] if row.reason == "network_access" else []
    said += await _narrower(rq, row)
    worst = max(primacies_of(rq).override, primacies_of(rq).wide_override)
    if not await listing_controls.any_group_above(rq.db, worst):
        return said
    asks = {mode for one in sent.told for part in one.parts for mode in part.limits.modes()} | json.loads(
        row.modes
    ).keys()
    above: set[str] = set()
    for program in {one.program for one in sent.told}:
        found = await listing_controls.over(rq.db, program, max(row.start, rq.now), row.end)
        above |= {one.group_name for one in found if one.role == Role.GROUP and asks & in_force.modes_of(one).keys()}
    if above:
        said.append(
            f"Controls of {', '.join(f'group {name}' for name in sorted(above)[:5])} outrank it by their primacy."
        )
    return said


async def _narrower(rq: Request, row: Row[Any]) -> list[str]:
    """That overrides of single places go before one of many there, also where they were sent before it."""
    if row.scope in standing.NARROW:
        return []
    found = await stored.beside(rq.db, row.id, rq.now, row.end)
    names = sorted({f"override {one.id} of {one.subject}" for one in found if one.scope in standing.NARROW})
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    goes = "goes" if len(names) == 1 else "go"
    return [f"Where both hold, {', '.join(names[:5])}{more} {goes} before it, with the tighter limits of both."] * bool(
        names
    )


def _known_by(rq: Request) -> int:
    """When a client that polls at the rates it was told knows of a change at the latest."""
    return rq.now + max(rq.state.house.poll_rate(name) for name in ("DERProgramList", "FunctionSetAssignmentsList"))


def _place(one: overrides.Told) -> t.PlaceTold:
    return t.PlaceTold(
        place=one.place.name,
        devices=[device.lfdi for device in one.place.devices],
        parts=[
            t.OverridePart(start=part.start, end=part.end, limits=_limits(part.limits), replaces=list(replaces))
            for part, replaces in zip(one.parts, one.replaced, strict=True)
        ],
        replaces=list(one.replaces),
        after=one.after,
    )


def _limits(limits: Limits) -> t.Limits:
    return t.Limits(**limits._asdict())


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


async def list_overrides(rq: Request, asked: t.OverrideQuery) -> t.Listed[t.Override]:
    """Overrides that are to come or hold, the newest first."""
    found = await stored.listed(rq.db, page(asked), live_at=None if asked.over else rq.now)
    return listed(found, [t.Override(**await _of(rq, row)) for row in found.rows])


async def show_override(rq: Request, asked: t.Nothing) -> t.OverrideShown:
    """One override, by its number or `latest`, with the controls that it is issued as now."""
    row = await find.override(rq.db, rq.ids["override"])
    parts = await controls.parts_of(rq.db, await stored.control_ids(rq.db, row.id), rq.now)
    places = await stored.places_of(rq.db, row.id)
    return t.OverrideShown(
        **await _of(rq, row),
        controls=[part.mrid for part in parts if part.successor_created is None],
        places=[place.name for place in places],
        devices=sum(place.devices for place in places),
    )


async def release_override(rq: Request, asked: t.Release) -> t.OverrideReleased:
    """The override that is withdrawn; what it had taken the place of holds again, of many places spread over a time."""
    row = await find.override(rq.db, rq.ids["override"])
    terms = terms_of(rq)
    done = await overrides.release(
        rq.db,
        row.id,
        rq.now,
        reason=asked.reason,
        spread_s=terms.spread_s if asked.spread is None else asked.spread,
        most_ahead=terms.most_ahead,
    )
    changed = await stored.one(rq.db, row.id)
    assert changed is not None
    return t.OverrideReleased(
        **await _of(rq, changed),
        cancelled=len(done.cancelled),
        reissued=len(done.reissued),
        until=done.until,
        known_by=_known_by(rq),
    )


async def _of(rq: Request, row: Row[Any]) -> dict[str, Any]:
    (modes,) = await curves.shown_modes(rq, row.modes)
    return {
        "id": row.id,
        "scope": row.scope,
        "subject": row.subject,
        "state": _state(row, rq.now),
        "limits": views.limits(row),
        "modes": modes,
        "start": row.start,
        "end": row.end,
        "reason": row.reason,
        "note": row.note,
        "operator": row.operator,
        "created": row.created,
        "released": row.released,
    }


def _state(row: Row[Any], now: int) -> str:
    if row.released is not None:
        return "released"
    if row.end <= now:
        return "ended"
    return "active" if row.start <= now else "scheduled"
