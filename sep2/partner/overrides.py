"""Overrides of a party's own aggregations: looked at, and answered."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.operations.issuing import limits_of
from sep2.operations.market import override_notices, overrides
from sep2.operations.market.overrides import Answer
from sep2.operations.overrides import state_of
from sep2.partner import override_types as t
from sep2.partner.access import party_of
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.store.market import overrides as stored

SAME = ("start", "end", "reason", "created", "released")


async def list_overrides(rq: Request, asked: t.OverrideQuery) -> Listed[t.OwnOverride]:
    """Overrides of your aggregations, the newest first."""
    which = stored.Which(party_id=party_of(rq).party_id, live_at=None if asked.over else rq.now)
    found = await stored.listed(rq.db, which, page(asked))
    notices = await stored.notices(rq.db, [row.id for row in found.rows])
    return listed(found, [t.OwnOverride(**_of(row, notices, rq.now)) for row in found.rows])


async def show_override(rq: Request, asked: Nothing) -> t.OwnOverrideShown:
    """One override: what it does to your DERs and plans, and what you have answered."""
    row = await _mine(rq)
    effect = override_notices.effect_of(row)
    answers = [one for one in await stored.answers(rq.db, [row.id]) if one.party_id == party_of(rq).party_id]
    return t.OwnOverrideShown(
        **_of(row, await stored.notices(rq.db, [row.id]), rq.now),
        **{name: getattr(row, name) for name in ("note", "binding", "reason_text")},
        fraction_ppm=effect.fraction_ppm,
        ders=[t.OwnDer(**{name: getattr(one, name) for name in t.OwnDer.__struct_fields__}) for one in effect.ders],
        not_reached=effect.not_reached,
        plans=[msgspec.to_builtins(one) for one in effect.plans],
        lost_wh=effect.lost_wh,
        answers=[_answer(one) for one in answers],
    )


async def answer_override(rq: Request, asked: t.NewAnswer) -> t.OwnOverrideShown:
    """The override with your answer; one that comes too late is kept as such."""
    row = await _mine(rq)
    said = Answer(asked.answer, asked.expected_w, asked.revised_plan, asked.note)
    await overrides.answer(rq.db, row, party_of(rq).party_id, said, now=rq.now)
    return await show_override(rq, Nothing())


async def _mine(rq: Request) -> Row[Any]:
    """The override that the path names, of the party's own aggregation; that of another is as unknown as none."""
    number = rq.ids["override"]
    row = None if number == "latest" else await overrides.find(rq.db, number)
    if row is None or row.party_id != party_of(rq).party_id:
        raise overrides.UnknownMarketOverride(number[:40])
    return row


def _of(row: Row[Any], notices: Sequence[Row[Any]], now: int) -> dict[str, Any]:
    mine = [one for one in notices if one.market_override_id == row.id and one.party_id == row.party_id]
    waits = [one.answer_by for one in mine if one.sent and one.answered_at is None]
    return {
        **{name: getattr(row, name) for name in SAME},
        "id": row.override_id,
        "aggregation": row.aggregation_name,
        "notice": row.notice_class,
        "state": state_of(row, now),
        "limits": {name: watts for name, watts in limits_of(row)._asdict().items() if watts is not None},
        "answer_by": max(waits, default=None),
    }


def _answer(row: Row[Any]) -> t.OwnAnswer:
    names = [name for name in t.OwnAnswer.__struct_fields__ if name != "late"]
    return t.OwnAnswer(late=row.is_late, **{name: getattr(row, name) for name in names})
