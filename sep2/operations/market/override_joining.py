"""Members that join an aggregation while an override of it stands follow it from then on.

Its limits stay those of all members together: they are spread anew, and what members had before only becomes less.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace
from sqlalchemy import Row

from sep2.operations import override_shares
from sep2.operations import overrides as desk
from sep2.operations.issuing import limits_of
from sep2.operations.market import curtailments, messages, override_notices, overrides
from sep2.operations.market.curtailments import At, Reached, Shared
from sep2.operations.market.messages import Telling
from sep2.operations.overrides import NewOverride, Terms
from sep2.rules.limits import Limits
from sep2.rules.market.curtailment import DerEffect, Effect
from sep2.rules.market.faults import Unfit
from sep2.rules.market.ladder import NoticeClass
from sep2.store import override_progress
from sep2.store import overrides as stored_desk
from sep2.store.connection import Connection
from sep2.store.market import overrides as stored
from sep2.store.market import register
from sep2.store.market.facts import AsOf

JOINED = "override_joined"


class Joining(NamedTuple):
    """An override of an aggregation, whom it is to reach now, and which of these places do not follow it yet."""

    row: Row[Any]
    aggregation: Row[Any]
    to: Reached
    fresh: Sequence[At]


async def look(db: Connection, row: Row[Any], now: int) -> Joining | None:
    """The members of an aggregation that do not follow its override yet; None where there are none."""
    span = max(now, row.start), row.end
    aggregation = await register.entry(db, "aggregation", row.aggregation_id, AsOf(now))
    if aggregation is None or span[0] >= span[1]:
        return None
    only = msgspec.json.decode(row.ders, type=list[str])
    try:
        to = await curtailments.reached(db, aggregation, span, only=only, node=row.node)
    except Unfit:  # nobody of those it was for is a member any more
        return None
    there = await stored_desk.sent_to(db, row.override_id)
    fresh = [one for one in to.at if (one.place.connection_id, one.place.device_id) not in there]
    new = _again(row, to, {}, now)
    told = desk.coverage_of([one.place for one in fresh], new).told
    # A device beside the holder of its connection's limits is sent nothing of a limit of import or export alone.
    fresh = [one for one in fresh if one.place in told and (new.modes or one.place.fits(new.limits).modes())]
    return Joining(row, aggregation, to, fresh) if fresh else None


async def follow(db: Connection, joining: Joining, now: int, terms: Terms) -> list[str]:
    """The DERs that follow the override from now on; their party is told which, and what each may do."""
    await db.in_turn()  # before the lock: a release takes both in this order
    await stored.locked(db, joining.row.id)
    row, to = await overrides.find(db, str(joining.row.override_id)), joining.to
    if row.released is not None or row.end <= now:
        return []
    fresh = {one.place.key for one in joining.fresh}
    share, lower = _spread(row, to, fresh)
    there = [one for one in to.at if one.place.key in fresh | lower.keys()]
    new = _again(row, to._replace(at=there), lower, now)
    told = await desk.send_more(db, row.override_id, new, now=now, terms=terms)
    joined = [name for one in joining.fresh if one.place.key in {each.place.key for each in told} for name in one.ders]
    if not joined:
        return []
    if lower:
        every = override_shares.decoded(row) | lower
        await override_progress.note(db, row.override_id, shares=override_shares.encoded(every))
    span = max(now, row.start), row.end
    found = await curtailments.effect(db, joining.aggregation, to, told, share=share, span=span, now=now)
    effect = _with(override_notices.effect_of(row), found, to)
    await stored.change(db, row.id, effect=msgspec.json.encode(effect).decode())
    await _tell(db, row, joined, found, now=now)
    return joined


def _spread(row: Row[Any], to: Reached, fresh: set[str]) -> tuple[Shared, dict[str, Limits]]:
    """How the limits are spread over all members now, and those of the places whose limits are new or become lower."""
    keeps = row.notice_class != NoticeClass.EMERGENCY
    try:
        share = curtailments.shared(to.at, limits_of(row), keeps_contracts=keeps)
    except Unfit:  # contracts of all grant more than its limits by now: who joins has what their contract grants
        share = _by_contract([one for one in to.at if one.place.key in fresh], limits_of(row))
    before = override_shares.decoded(row)
    lower = {}
    for key, limits in share.shares.items():
        least = _least(limits, before.get(key))
        if key in fresh or least != before.get(key):
            lower[key] = least
    return share, lower


def _by_contract(at: Sequence[At], limits: Limits) -> Shared:
    names = [name for name, watts in limits._asdict().items() if watts is not None]
    granted = {
        one.place.key: Limits(**{name: min(getattr(one.granted, name), getattr(one.reach, name)) for name in names})
        for one in at
    }
    return Shared(granted, {}, set(granted))


def _least(limits: Limits, before: Limits | None) -> Limits:
    if before is None:
        return limits
    return Limits(*(b if a is None else a if b is None else min(a, b) for a, b in zip(limits, before, strict=True)))


def _again(row: Row[Any], to: Reached, shares: Mapping[str, Limits], now: int) -> NewOverride:
    """The override as it is said to these places now."""
    return NewOverride(
        scope=overrides.SCOPE,
        subject=row.aggregation_name,
        subject_id=row.aggregation_id,
        limits=limits_of(row),
        modes=msgspec.json.decode(row.modes, type=dict[str, Any]),
        start=max(now, row.start),
        end=row.end,
        reason=row.reason,
        note=row.note,
        devices=to.devices,
        shares=shares,
    )


def _with(before: Effect, found: Effect, to: Reached) -> Effect:
    """The effect so far, completed with that on members that have joined or got lower limits since."""
    known = {one.der: one for one in before.ders}
    ders = known | {one.der: _joined(known.get(one.der), one) for one in found.ders}
    plans = {(one.plan, one.version): one for one in (*before.plans, *found.plans)}
    return replace(
        before,
        fraction_ppm=before.fraction_ppm | found.fraction_ppm,
        ders=list(ders.values()),
        not_reached=sorted((set(before.not_reached) | set(to.silent)) - ders.keys()),
        plans=list(plans.values()),
        lost_wh=sum(one.lost_wh for one in ders.values()),
        like_for_like=before.like_for_like and found.like_for_like,
    )


def _joined(before: DerEffect | None, now: DerEffect) -> DerEffect:
    if before is None:
        return now
    held = {"export_before_w": before.export_before_w, "import_before_w": before.import_before_w}
    return replace(now, **held, lost_wh=before.lost_wh + now.lost_wh)


async def _tell(db: Connection, row: Row[Any], joined: Sequence[str], found: Effect, *, now: int) -> None:
    told = ("der", "connection", "export_after_w", "import_after_w", "lost_wh")
    data = {
        "override": row.override_id,
        "aggregation": row.aggregation_name,
        "start": max(now, row.start),
        "end": row.end,
        "joined": list(joined),
        "ders": [{name: getattr(one, name) for name in told} for one in found.ders],
    }
    await messages.tell(db, [Telling(row.party_id, JOINED, row.aggregation_name, data)], now)
