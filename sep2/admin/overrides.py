"""Overrides: sent, listed, shown and released."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.admin import curves, effects, find, views
from sep2.admin import types as t
from sep2.errors import Conflict
from sep2.operations import in_force, overrides, standing
from sep2.operations.approvals import SamePerson, is_same
from sep2.operations.market import overrides as market_overrides
from sep2.operations.override_answers import Sent, Told
from sep2.operations.override_progress import progress
from sep2.operations.override_terms import primacies_by, terms_by
from sep2.operations.overrides import Terms
from sep2.operations.places import is_told
from sep2.rest.route import Request, listed, page
from sep2.rules import second_person
from sep2.rules.authority import LOOSENING, OVERRIDE, Primacies, Role
from sep2.rules.days import LocalTime
from sep2.rules.limits import Limits
from sep2.rules.roles import ENGINEER
from sep2.store import controls, listing_controls, override_progress
from sep2.store import overrides as stored

MOST_PLACES = 100
"""Places that an answer describes one by one; beyond, they are counted."""
MOST_NOTES = 1000
ENGINE = "Envelopes go on below it, and give the freed room to nobody."
HELD_ON = (
    "A disconnect does not end by itself: it is held on until somebody releases it, and is overdue after its end. It "
    "comes back where the server is lost for longer than an hour."
)
UNVERIFIED = (
    "It lets them have more than envelopes, schedules or defaults hold, and no network model was asked whether there "
    "is room; alarm operator_control says where the engine finds none."
)
ISOLATION = "This is not isolation. Work needs a visible open point, a test and an earth."


class NothingToReview(Conflict):
    """Nobody has to look at this override, or somebody has."""


async def send_override(rq: Request, asked: t.NewOverride) -> t.OverrideSent:
    """The override that is sent: whom it covers, what it takes the place of, until when, and what holds after it."""
    if asked.release:
        rq.caller.require(ENGINEER, change=True)
    scope, subject, number = await subject_of(rq, asked)
    start = rq.now if asked.start is None else asked.start
    end = asked.end if asked.duration is None else start + asked.duration
    limits = asked.limits
    new = overrides.NewOverride(
        scope=scope,
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
        also=frozenset(asked.also),
        kind=LOOSENING if asked.release else OVERRIDE,
    )
    sent = await overrides.send(rq.db, new, rq.now, terms_of(rq))
    return await answer_of(rq, sent, asked.limits, seen=asked.digest)


async def extend_override(rq: Request, asked: t.Extend) -> t.OverrideSent:
    """An override that goes on from the end of another one, with the same limits, for the same reason."""
    row = await find.override(rq.db, rq.ids["override"])
    if row.released is not None or row.end <= rq.now:
        raise overrides.OverrideOver(str(row.id))
    if row.kind != OVERRIDE:
        raise overrides.BadOverride(f"kind: a {row.kind} is not extended; start another one")
    number = await _subject_again(rq, row)
    limits = Limits(*effects.row_limits(row))
    new = overrides.NewOverride(
        scope=row.scope,
        subject=row.subject,
        subject_id=number,
        limits=limits,
        modes=json.loads(row.modes),
        start=row.end,
        end=asked.end if asked.duration is None else row.end + asked.duration,
        reason=row.reason,
        note=row.note,
        operator=rq.operator,
        anyway=True,
        also=await _named_before(rq, row),
    )
    sent = await overrides.send(rq.db, new, rq.now, terms_of(rq))
    since = max(row.start, row.created)
    return await answer_of(rq, sent, t.Limits(**limits._asdict()), seen=asked.digest, since=since)


async def _named_before(rq: Request, row: Row[Any]) -> frozenset[str]:
    """The protected connections that an override of many covers, because they were named."""
    if row.scope in standing.NARROW:
        return frozenset()
    return frozenset(await stored.protected_in(rq.db, row.id))


async def _subject_again(rq: Request, row: Row[Any]) -> int:
    scope = msgspec.convert(row.scope, t.Scope)
    return (await subject_of(rq, t.NewOverride(scope=scope, subject=row.subject)))[2]


def terms_of(rq: Request) -> Terms:
    """What the settings say of overrides."""
    return terms_by(rq.state.settings.utility)


def primacies_of(rq: Request) -> Primacies:
    """The primacies that programs of places get."""
    return primacies_by(rq.state.settings.utility)


async def subject_of(rq: Request, asked: t.NewOverride | t.ControlsForMany) -> tuple[str, str, int]:
    """The scope, the name and the number of what an override, or a control, is for; a place may be called by its kind.

    A system that is registered as a place may be named; without a name it is every device there is.
    """
    match asked.scope:
        case "connection":
            row = await find.connection(rq.db, asked.subject)
            return asked.scope, row.connection_id, row.id
        case "device":
            row = await find.device(rq.db, asked.subject)
            return asked.scope, row.lfdi, row.id
        case "group":
            row = await find.group(rq.db, asked.subject)
            return asked.scope, row.name, row.id
        case "aggregator":
            row = await find.client(rq.db, asked.subject)
            return asked.scope, row.name, row.id
        case "aggregation":
            said = f"sep2 override send --aggregation {asked.subject[:80]}"
            raise overrides.BadOverride(f"scope: an aggregation gets its override by `{said}`")
        case "system" if not asked.subject:
            return asked.scope, "", 0
    row = await find.place(rq.db, asked.subject)
    if asked.scope not in ("place", row.kind):
        raise overrides.BadOverride(f"scope: {row.name} is a {row.kind}, and not a {asked.scope}")
    return "place", row.name, row.id


async def answer_of(rq: Request, sent: Sent, asked: t.Limits, *, seen: str, since: int | None = None) -> t.OverrideSent:
    """An override that is sent, with its effect; seen: the digest of the effect that was looked at before."""
    row = await stored.one(rq.db, sent.id)
    assert row is not None
    shown = await effects.effects_of(rq, sent)
    digest = await effects.digest_of(rq, row, sent, shown)
    changed = effects.check_digest(seen, digest, row.reason)
    act = await effects.act_of(rq, row, sent, shown, since=max(rq.now, row.start) if since is None else since)
    need = second_person.need_of(act, effects.policy_of(rq))
    needs, review = await effects.settle(rq, row, need, second_person.review_by(rq.now, local_of(rq)))
    row = await stored.one(rq.db, sent.id)
    assert row is not None
    devices = [device for one in sent.told for device in one.place.devices]
    limits = Limits(asked.import_w, asked.export_w, asked.gen_w, asked.load_w)
    modes = json.loads(row.modes)
    notes = effects.notes_of(sent, modes)
    can_be_told = {device.id for device in devices if modes or is_told(device, limits)}
    programs = {program for one in sent.told for program in one.programs}
    at_once = await stored.subscribed(rq.db, sorted({device.client_id for device in devices}), programs)
    told = can_be_told & at_once
    issued = [number for one in sent.told for number in one.created]
    return t.OverrideSent(
        **await _of(rq, row),
        connections=sum(one.place.connection_id is not None for one in sent.told),
        devices=len(devices),
        places=[_place(one) for one in sent.told[:MOST_PLACES]],
        untold=[
            t.Untold(lfdi=device.lfdi, connection_id=device.connection_name, why=why) for device, why in sent.untold
        ],
        notes=notes[:MOST_NOTES],
        noted=len(notes),
        replaces=_counted(source for one in sent.told for source in one.replaces),
        after=_counted(one.after for one in sent.told),
        until=max(one.latest_end for one in sent.told),
        told_at_once=len(told),
        told_by_polling=len(can_be_told - told),
        known_by=rq.now if told == can_be_told else known_by(rq),
        controls=await listing_controls.mrids(rq.db, issued[:MOST_PLACES]),
        warning=" ".join([*await _warnings(rq, row, sent), *([changed] if changed else [])]),
        effects=shown,
        left_out=effects.left_out(sent.left_out),
        named=list(sent.named),
        floors=dict(list(effects.floors_of(sent, asked).items())[:MOST_PLACES]),
        engine=ENGINE,
        undo=f"sep2 override release {row.id}",
        needs_second=needs,
        review=review,
        digest=digest,
    )


def local_of(rq: Request) -> LocalTime:
    """The utility's local time."""
    return rq.state.settings.utility.local


async def _warnings(rq: Request, row: Row[Any], sent: Sent) -> list[str]:
    """What an operator has to know beside: that nothing is isolated, and which groups outrank the override."""
    said = [ISOLATION] if row.reason == "network_access" else []
    said += [HELD_ON] if row.review_at is not None else []
    said += [UNVERIFIED] if any(one.loosens for one in sent.told) else []
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


def known_by(rq: Request) -> int:
    """When a client that polls at the rates it was told knows of a change at the latest."""
    return rq.now + max(rq.state.house.poll_rate(name) for name in ("DERProgramList", "FunctionSetAssignmentsList"))


def _place(one: Told) -> t.PlaceTold:
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
    live_at = None if asked.over or asked.unreviewed else rq.now
    found = await stored.listed(rq.db, page(asked), live_at=live_at, unreviewed=asked.unreviewed)
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
    spread_s = terms.spread_s if asked.spread is None else asked.spread
    done = await overrides.release(
        rq.db,
        row.id,
        rq.now,
        reason=asked.reason,
        spread_s=spread_s,
        most_ahead=terms.most_ahead,
    )
    # What it would do can be looked at before the reason that parties are told is written down.
    reason = asked.reason or ("to be given" if rq.only_trying else "")
    await market_overrides.follow_release(rq.db, row.id, reason, rq.now)
    changed = await stored.one(rq.db, row.id)
    assert changed is not None
    digest = f"{row.id}-{len(done.cancelled)}-{row.end}"
    effects.check_digest(asked.digest, digest, "")
    wide = await effects.is_wide(rq, row.scope, row.subject)
    need = second_person.need_of_release(
        is_own=is_same(row.holder or row.operator, rq.operator),
        is_wide=wide,
        at_once=wide and spread_s == 0 and row.start <= rq.now,
        policy=effects.policy_of(rq),
    )
    return t.OverrideReleased(
        **await _of(rq, changed),
        cancelled=len(done.cancelled),
        reissued=len(done.reissued),
        until=done.until,
        known_by=known_by(rq),
        needs_second="" if rq.second else need.before,
        digest=digest,
    )


async def review_override(rq: Request, asked: t.Review) -> t.Override:
    """An override that one person sent alone, and that another one has looked at now."""
    row = await find.override(rq.db, rq.ids["override"])
    if row.review_by is None or row.reviewed is not None:
        raise NothingToReview(str(row.id))
    if is_same(row.operator, rq.operator):
        raise SamePerson(f"{rq.operator} sent it")
    await override_progress.note(rq.db, row.id, reviewed=rq.now, reviewer=rq.operator)
    changed = await stored.one(rq.db, row.id)
    assert changed is not None
    return t.Override(**await _of(rq, changed))


async def show_progress(rq: Request, asked: t.Nothing) -> t.Progress:
    """How far an override, a backstop or a drill has come: answers of its devices, and power held back by when."""
    row = await find.override(rq.db, rq.ids["override"])
    if row.report:
        return msgspec.structs.replace(msgspec.json.decode(row.report, type=t.Progress), kept=True)
    found = await progress(rq.db, row, rq.now)
    said = found._asdict() | {"silent": list(found.silent)}
    return t.Progress(id=row.id, kind=row.kind, state=overrides.state_of(row, rq.now), kept=False, **said)


async def _of(rq: Request, row: Row[Any]) -> dict[str, Any]:
    (modes,) = await curves.shown_modes(rq, row.modes)
    return {
        "id": row.id,
        "scope": row.scope,
        "subject": row.subject,
        "state": overrides.state_of(row, rq.now),
        "limits": views.limits(row),
        "modes": modes,
        "start": row.start,
        "end": row.end,
        "reason": row.reason,
        "note": row.note,
        "operator": row.operator,
        "created": row.created,
        "released": row.released,
        "kind": row.kind,
        "share": row.share,
        "holder": row.holder or row.operator,
        "second": row.second,
        "review_by": row.review_by,
        "reviewed": row.reviewed,
        "reviewer": row.reviewer,
    }
