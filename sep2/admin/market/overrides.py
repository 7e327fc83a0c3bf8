"""Overrides of aggregations: sent with their notices, shown with answers, accounted for; messages to parties."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.admin import curves, views
from sep2.admin import overrides as desk
from sep2.admin.market.common import now_of, profiles_of, require
from sep2.admin.types import market_overrides as t
from sep2.operations.market import entries, override_notices, overrides
from sep2.operations.market.overrides import NewMarketOverride
from sep2.operations.override_progress import progress
from sep2.operations.overrides import NewOverride, state_of
from sep2.partner.common import written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.rules.limits import Limits
from sep2.rules.market.ladder import NoticeClass
from sep2.rules.market.message_words import words
from sep2.rules.roles import SUPERVISOR
from sep2.store import override_progress
from sep2.store import overrides as stored_desk
from sep2.store.market import messages, outages
from sep2.store.market import overrides as stored

SAME = ("start", "end", "reason", "note", "operator", "second", "created", "released", "reason_due", "reason_at")


async def send_market_override(rq: Request, asked: t.NewMarketOverride) -> t.MarketOverrideSent:
    """The override that is sent to an aggregation: what it does to each DER and to plans, and who is told when."""
    row = await entries.find(rq.db, "aggregation", asked.aggregation, now_of(rq))
    start = rq.now if asked.start is None else asked.start
    said = NewOverride(
        scope=overrides.SCOPE,
        subject=row.name,
        subject_id=row.id,
        limits=Limits(**msgspec.structs.asdict(asked.limits)),
        modes=await curves.taken_modes(rq, asked.modes),
        start=start,
        end=asked.end if asked.duration is None else start + asked.duration,
        reason=asked.reason,
        note=asked.note,
        operator=rq.operator,
        also=frozenset(asked.also),
    )
    notice = NoticeClass(asked.notice)
    new = NewMarketOverride(said, notice, asked.binding, asked.fairness_note, asked.ders, asked.node)
    terms = desk.terms_of(rq)
    done = await overrides.send(rq.db, row, new, terms, own=profiles_of(rq), written=written(rq))
    shown = await desk.answer_of(rq, done.sent, asked.limits, seen=asked.digest)
    needs = [why for why in ("" if rq.second else done.needs_second, shown.needs_second) if why]
    if rq.second:
        await override_progress.note(rq.db, done.sent.id, second=rq.second)
    return t.MarketOverrideSent(
        **{**msgspec.structs.asdict(shown), "needs_second": "; ".join(needs), "second": rq.second or shown.second},
        aggregation=row.name,
        notice=asked.notice,
        binding=asked.binding,
        effect=done.effect,
        notices=[_notice(one) for one in await stored.notices(rq.db, [done.number])],
        reason_due=(await overrides.find(rq.db, str(done.sent.id))).reason_due,
    )


async def list_market_overrides(rq: Request, asked: t.MarketOverrideQuery) -> Listed[t.MarketOverride]:
    """Overrides of aggregations that hold or are to come, the newest first."""
    number = None
    if asked.aggregation is not None:
        number = int((await entries.identity(rq.db, "aggregation", asked.aggregation)).id)
    which = stored.Which(aggregation_id=number, live_at=None if asked.over else rq.now)
    found = await stored.listed(rq.db, which, page(asked))
    return listed(found, await _listed(rq, found.rows))


async def show_market_override(rq: Request, asked: Nothing) -> t.MarketOverrideShown:
    """One override of an aggregation, by its number on the desk or `latest`: notices, answers, and its effect."""
    row = await overrides.find(rq.db, rq.ids["override"])
    notices, answers = await stored.notices(rq.db, [row.id]), await stored.answers(rq.db, [row.id])
    of_desk = await stored_desk.one(rq.db, row.override_id)
    assert of_desk is not None  # overrides are never deleted
    found = await progress(rq.db, of_desk, rq.now)
    counts = {name: getattr(found, name) for name in ("devices", "received", "started", "refused", "unanswered")}
    same = {name: getattr(row, name) for name in ("profile", "fairness_note", "reason_text", "reason_by")}
    return t.MarketOverrideShown(
        **await _of(rq, row, notices, answers),
        **same,
        **counts,
        effect=override_notices.effect_of(row),
        notices=[_notice(one) for one in notices],
        answers=[_answer(one) for one in answers],
    )


async def explain_emergency(rq: Request, asked: t.EmergencyReason) -> t.MarketOverrideShown:
    """The override with the reason of its emergency, which parties are told."""
    row = await overrides.find(rq.db, rq.ids["override"])
    await overrides.give_reason(rq.db, row, asked.reason, written(rq))
    return await show_market_override(rq, Nothing())


async def note_override_call(rq: Request, asked: t.CallNote) -> t.MarketOverrideShown:
    """The override about whose unanswered notices somebody has called."""
    row = await overrides.find(rq.db, rq.ids["override"])
    await overrides.note_call(rq.db, row, asked.note, written(rq))
    return await show_market_override(rq, Nothing())


async def close_override_dispute(rq: Request, asked: t.DisputeOutcome) -> t.MarketOverrideShown:
    """The override with what became of a dispute that an answer opened; its party is told."""
    await require(rq, SUPERVISOR)
    row = await overrides.find(rq.db, rq.ids["override"])
    await overrides.close_dispute(rq.db, row, asked.answer, asked.outcome, written=written(rq))
    return await show_market_override(rq, Nothing())


async def list_market_messages(rq: Request, asked: t.MessageQuery) -> Listed[t.MessageTo]:
    """What parties were told, the newest first."""
    number = None if asked.party is None else int((await entries.identity(rq.db, "party", asked.party)).id)
    found = await messages.listed(rq.db, page(asked), party_id=number, subject=asked.subject)
    return listed(found, [_message(row) for row in found.rows])


async def list_market_outages(rq: Request, asked: t.OutageQuery) -> Listed[t.OutageSaid]:
    """What DERs and aggregations can not do, as their parties say: what is not over, the latest first."""
    number = None if asked.party is None else int((await entries.identity(rq.db, "party", asked.party)).id)
    start = rq.now if asked.start is None else asked.start
    found = await outages.listed(rq.db, page(asked), party_id=number, start=start)
    return listed(found, [_outage(row) for row in found.rows])


def _outage(row: Row[Any]) -> t.OutageSaid:
    names = [name for name in t.OutageSaid.__struct_fields__ if name not in ("party", "der", "aggregation")]
    whose = {"party": row.party_name, "der": row.der_name or "", "aggregation": row.aggregation_name or ""}
    return t.OutageSaid(**whose, **{name: getattr(row, name) for name in names})


def _message(row: Row[Any]) -> t.MessageTo:
    names = ("sequence", "kind", "subject", "created", "sha256")
    body = json.loads(row.body)
    said = {name: getattr(row, name) for name in names}
    return t.MessageTo(party=row.party_name, says=words(row.kind, body), body=body, **said)


async def _listed(rq: Request, rows: Sequence[Row[Any]]) -> list[t.MarketOverride]:
    numbers = [row.id for row in rows]
    notices, answers = await stored.notices(rq.db, numbers), await stored.answers(rq.db, numbers)
    return [
        t.MarketOverride(
            **await _of(
                rq,
                row,
                [one for one in notices if one.market_override_id == row.id],
                [one for one in answers if one.market_override_id == row.id],
            )
        )
        for row in rows
    ]


async def _of(rq: Request, row: Row[Any], notices: Sequence[Row[Any]], answers: Sequence[Row[Any]]) -> dict[str, Any]:
    effect = override_notices.effect_of(row)
    (modes,) = await curves.shown_modes(rq, row.modes)
    said: Mapping[str, Any] = {name: getattr(row, name) for name in SAME}
    return {
        **said,
        "id": row.override_id,
        "aggregation": row.aggregation_name,
        "party": row.party_name,
        "notice": row.notice_class,
        "state": state_of(row, rq.now),
        "answered": _answered(notices),
        "limits": views.limits(row),
        "modes": modes,
        "binding": row.binding,
        "lost_wh": effect.lost_wh,
        "like_for_like": effect.like_for_like,
        "disputes": sum(one.dispute == overrides.OPEN for one in answers),
    }


def _answered(notices: Sequence[Row[Any]]) -> str:
    sent = [one for one in notices if one.must_answer and one.sent]
    done = sum(one.answered_at is not None for one in sent)
    return "none" if not done else "all" if done == len(sent) else "some"


def _notice(row: Row[Any]) -> t.NoticeTo:
    names = [name for name in t.NoticeTo.__struct_fields__ if name not in ("party", "number")]
    return t.NoticeTo(party=row.party_name, number=row.rung, **{name: getattr(row, name) for name in names})


def _answer(row: Row[Any]) -> t.AnswerOf:
    names = [name for name in t.AnswerOf.__struct_fields__ if name not in ("party", "late")]
    return t.AnswerOf(party=row.party_name, late=row.is_late, **{name: getattr(row, name) for name in names})
