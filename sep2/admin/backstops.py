"""Backstops: prepared, rehearsed, started; they end, and are listed, as overrides."""

from sep2.admin import find
from sep2.admin import types as t
from sep2.admin.overrides import answer_of, known_by, terms_of
from sep2.operations import backstops, overrides
from sep2.operations.territory import SYSTEM
from sep2.rest.route import Request
from sep2.rules.authority import BACKSTOP, DRILL
from sep2.store import backstops as stored
from sep2.store import groups, territory


async def list_backstops(rq: Request, asked: t.Nothing) -> list[t.Backstop]:
    """The backstop of the system, and those of substations whose program stands or stood; what is under way of each."""
    known = {SYSTEM: None, **(await stored.programs(rq.db))}
    found = []
    for key, group_id in sorted(known.items()):
        name = "" if key == SYSTEM else await _name(rq, key)
        scope = "system" if key == SYSTEM else "place"
        last = await stored.last_drill(rq.db, scope, name)
        found.append(
            t.Backstop(
                scope=scope,
                subject=name,
                prepared=group_id is not None,
                devices=0 if group_id is None else await stored.count(rq.db, group_id),
                running=await stored.running(rq.db, scope, name, rq.now),
                last_drill=last,
            )
        )
    return found


async def _name(rq: Request, place_id: int) -> str:
    row = await territory.one(rq.db, place_id)
    return "" if row is None else str(row.name)


async def prepare_backstop(rq: Request, asked: t.BackstopSubject) -> t.BackstopPrepared:
    """The backstop whose program stands from now on in what each device below follows."""
    scope, subject, number = await _subject(rq, asked)
    place_id = None if scope == "system" else number
    group, is_new = await backstops.prepare(rq.db, place_id, rq.now)
    shown = await groups.one(rq.db, group.id)
    assert shown is not None
    return t.BackstopPrepared(
        subject=subject or "system",
        group=shown.name,
        devices=await stored.count(rq.db, group.id),
        is_new=is_new,
        known_by=known_by(rq),
    )


async def start_backstop(rq: Request, asked: t.NewBackstop) -> t.OverrideSent:
    """The backstop that is in force: no export, no generation or the least load, of the system or of a substation."""
    end = asked.end if asked.duration is None else rq.now + asked.duration
    new = await _new(rq, asked, asked.kind, end, kind=BACKSTOP, reason=asked.reason, also=frozenset(asked.also))
    sent = await backstops.start(rq.db, new, rq.now, terms_of(rq))
    return await answer_of(rq, sent, _limits(new), seen=asked.digest)


async def rehearse_backstop(rq: Request, asked: t.NewDrill) -> t.OverrideSent:
    """A rehearsal of the backstop with a share of the places; its report is kept (`/overrides/ID/progress`)."""
    end = rq.now + asked.duration
    new = await _new(rq, asked, asked.kind, end, kind=DRILL, reason="test", share=asked.share)
    sent = await backstops.start(rq.db, new, rq.now, terms_of(rq))
    return await answer_of(rq, sent, _limits(new), seen=asked.digest)


async def _new(
    rq: Request,
    asked: t.NewBackstop | t.NewDrill,
    what: t.BackstopKind,
    end: int | None,
    *,
    kind: str,
    reason: str,
    share: int = 100,
    also: frozenset[str] = frozenset(),
) -> overrides.NewOverride:
    scope, subject, number = await _subject(rq, asked)
    return overrides.NewOverride(
        scope=scope,
        subject=subject,
        subject_id=number,
        limits=backstops.LIMITS[what],
        start=rq.now,
        end=end,
        reason=reason,
        note=asked.note,
        operator=rq.operator,
        anyway=True,
        also=also,
        kind=kind,
        share=share,
    )


async def _subject(rq: Request, asked: t.BackstopSubject) -> tuple[str, str, int]:
    if asked.place is None:
        return "system", "", 0
    row = await find.place(rq.db, asked.place)
    return "place", row.name, row.id


def _limits(new: overrides.NewOverride) -> t.Limits:
    return t.Limits(**new.limits._asdict())
