"""The market: reviews by their clocks, aggregations, and one review with its screens and its decision."""

from typing import Annotated, Any

from msgspec import Meta

from sep2.admin.market import aggregations, overrides, plans, reviews
from sep2.admin.types import market_overrides as o
from sep2.admin.types import market_register as r
from sep2.admin.types import market_reviews as t
from sep2.desk.door import Visit
from sep2.desk.pages.sheets import body_of
from sep2.partner import plan_types as p
from sep2.rest.types import Asked

PAGE = 50
LATE = ("overdue", "alarm", "red", "amber", "paused", "green", "")
"""Clocks, the most urgent first."""


class MarketQuery(Asked, frozen=True, kw_only=True):
    """Whether decided reviews are shown too, and where the list goes on."""

    every: bool = False
    after: str | None = None


class ReviewForm(Asked, frozen=True, kw_only=True):
    """A review, and a decision about one of its DERs as it is typed; the others are ok."""

    id: str
    der: str = ""
    outcome: t.OutcomeWord = "ok"
    limit_w: Annotated[str, Meta(pattern=r"^\d{0,11}$(?!\n)")] = ""
    reason: Annotated[str, Meta(max_length=32)] = ""
    evidence: Annotated[str, Meta(max_length=400)] = ""
    note: Annotated[str, Meta(max_length=1000)] = ""


async def show_market(visit: Visit, asked: MarketQuery) -> dict[str, Any]:
    """Reviews, the most urgent first, plans that are not over, and aggregations."""
    found = await visit.ask(reviews.list_reviews, t.ReviewQuery(limit=PAGE, every=asked.every, after=asked.after))
    return {
        "found": found,
        "reviews": sorted(found.items, key=lambda one: LATE.index(one.clock)),
        "plans": await visit.ask(plans.list_plans, p.PlanQuery(limit=PAGE, start=visit.now)),
        "aggregations": await visit.ask(aggregations.list_aggregations, r.RegisterQuery(limit=PAGE)),
        "overrides": await visit.ask(overrides.list_market_overrides, o.MarketOverrideQuery(limit=PAGE)),
        "outages": await visit.ask(overrides.list_market_outages, o.OutageQuery(limit=PAGE)),
        "every": asked.every,
    }


class NoticesForm(Asked, frozen=True, kw_only=True):
    """An override of an aggregation, and words about it as they are typed: of a call, a reason or an outcome."""

    id: str
    words: Annotated[str, Meta(max_length=1000)] = ""


async def show_notices(visit: Visit, asked: NoticesForm) -> dict[str, Any]:
    """One override of an aggregation: who was told, who answered, what it does, and what is to be written down."""
    shown = await visit.ask(overrides.show_market_override, override=asked.id)
    words = asked.words.strip()
    return {
        "shown": shown,
        "words": words,
        "may": visit.may(overrides.note_override_call),
        "needs": visit.needs(overrides.note_override_call),
        "silent": any(one.must_call for one in shown.notices),
        "call": body_of(o.CallNote(note=words)) if words else "",
        "reason": body_of(o.EmergencyReason(reason=words)) if words else "",
        "outcomes": {
            one.id: body_of(o.DisputeOutcome(answer=one.id, outcome=words))
            for one in shown.answers
            if words and one.dispute == "open"
        },
    }


async def show_review(visit: Visit, asked: ReviewForm) -> dict[str, Any]:
    """One review, and what would be decided."""
    found = await visit.ask(reviews.show_review, review=asked.id)
    return {
        "review": found,
        "screens": sorted(found.screens, key=lambda one: (one.der, one.result != "fail", one.screen)),
        "asked": asked,
        "may": visit.may(reviews.decide_review) and found.state in ("in_review", "overdue"),
        "needs": visit.needs(reviews.decide_review),
        "body": body_of(_decision(asked)) if asked.der else "",
        "all_ok": body_of(t.NewDecision(others="ok")),
    }


def _decision(asked: ReviewForm) -> t.NewDecision:
    one = t.DerDecision(
        der=asked.der,
        outcome=asked.outcome,
        limit_w=int(asked.limit_w) if asked.limit_w and asked.outcome == "limited" else None,
        reason=asked.reason,
        evidence=[asked.evidence.strip()] if asked.evidence.strip() else [],
    )
    return t.NewDecision(ders=[one], others="ok", note=asked.note)
