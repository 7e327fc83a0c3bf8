"""What overrides of aggregations come to: counted for the regulator's report, and as files of an evidence pack."""

import json
from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.market import override_notices, overrides
from sep2.store.connection import Connection
from sep2.store.market import messages, outages
from sep2.store.market import overrides as stored

SAID = (
    *("notice_class", "profile", "profile_sha256", "binding", "fairness_note", "start", "end", "reason", "note"),
    *("operator", "second", "created", "import_limit_w", "export_limit_w", "gen_limit_w", "load_limit_w"),
)
ANSWERED = ("id", "party_id", "answer", "expected_w", "revised_plan", "note", "is_late", "recorded_at")
OUT = ("id", "party_id", "component_der_id", "aggregation_id", "start", "end", "available_w", "cause", "planned")


class OfOverrides(NamedTuple):
    """Overrides of aggregations that touch a time."""

    sent: int
    by_class: dict[str, int]
    by_reason: dict[str, int]
    hours: float
    """in which they held"""
    lost_planned_wh: int
    """by the plans that stood when they were sent"""
    unlike: int
    """in which not all that were alike got the same"""
    unanswered: int
    unexplained: int
    """emergencies whose reason was not given in time"""
    disputes: int


async def counted(db: Connection, span: tuple[int, int], now: int) -> OfOverrides:
    """The overrides of aggregations in [start, end), by what is known now."""
    rows = await stored.touching(db, span)
    answers = await stored.answers(db, [row.id for row in rows])
    effects = [override_notices.effect_of(row) for row in rows]
    answered = {one.market_override_id for one in answers}
    held_s = sum(max(0, min(overrides.over_at(row), span[1], now) - max(row.start, span[0])) for row in rows)
    return OfOverrides(
        sent=len(rows),
        by_class=dict(Counter(row.notice_class for row in rows)),
        by_reason=dict(Counter(row.reason for row in rows)),
        hours=held_s / 3600,
        lost_planned_wh=sum(one.lost_wh for one in effects),
        unlike=sum(not one.like_for_like for one in effects),
        unanswered=sum(row.id not in answered for row in rows),
        unexplained=sum(_is_unexplained(row, now) for row in rows),
        disputes=sum(bool(one.dispute) for one in answers),
    )


def _is_unexplained(row: Row[Any], now: int) -> bool:
    return row.reason_due is not None and row.reason_due < (now if row.reason_at is None else row.reason_at)


async def files(
    db: Connection, aggregation: Row[Any], span: tuple[int, int], as_of: int, *, der_ids: set[int]
) -> dict[str, list[dict[str, Any]]]:
    """The files of a pack that overrides and outages give, by what was known then; none where there were none."""
    rows = [one for one in await stored.touching(db, span, aggregation.id) if one.created <= as_of]
    known = {row.override_id: row for row in rows}
    own = {row.id: row.override_id for row in rows}
    told = await messages.about(db, "override_", aggregation.party_id, as_of) if rows else []
    answers = [one for one in await stored.answers(db, list(own)) if one.recorded_at <= as_of]
    out = [one for one in await outages.touching(db, der_ids, aggregation.id, span) if one.recorded_at <= as_of]
    found = {
        "overrides.json": [_override(row, as_of) for row in known.values()],
        "override_answers.json": [
            {"override": own[one.market_override_id], **{name: getattr(one, name) for name in ANSWERED}}
            for one in answers
        ],
        "override_messages.json": [
            {name: getattr(one, name) for name in ("id", "sequence", "kind", "created", "sha256")}
            | {"body": json.loads(one.body)}
            for one in told
            if json.loads(one.body).get("override") in known
        ],
        "outages.json": [{name: getattr(one, name) for name in (*OUT, "recorded_at")} for one in out],
    }
    return {name: sorted(several, key=lambda one: one["id"]) for name, several in found.items() if several}


def _override(row: Row[Any], as_of: int) -> dict[str, Any]:
    released = row.released if row.released is not None and row.released <= as_of else None
    said = {name: getattr(row, name) for name in SAID}
    return {"id": row.override_id, **said, "released": released, "effect": json.loads(row.effect)}
