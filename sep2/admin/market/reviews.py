"""Reviews of aggregations: the list, one with all its screens, and what reviewers do with it."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.admin.market.common import now_of, office_of, profiles_of, require
from sep2.admin.types import market_reviews as t
from sep2.operations.market import entries, grouping, letters, messages, reviews, screening, system_operators
from sep2.partner.common import written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.rules.market.clocks import ClockState
from sep2.rules.market.faults import Fault, Unfit
from sep2.rules.market.reviewing import OPEN, Decided, State
from sep2.rules.roles import REVIEWER, SUPERVISOR
from sep2.rules.webhooks import Topic
from sep2.store import webhooks
from sep2.store.market import register
from sep2.store.market import reviews as stored

OVERDUE = "overdue"


async def list_reviews(rq: Request, asked: t.ReviewQuery) -> Listed[t.MarketReview]:
    """Reviews, the newest first; those that are decided only if so asked."""
    of = None
    if asked.aggregation is not None:
        of = await entries.identity(rq.db, "aggregation", asked.aggregation)
    states = () if asked.every else tuple(OPEN)
    found = await stored.listed(rq.db, page(asked), states=states, aggregation_id=0 if of is None else of.id)
    return listed(found, await _listed(rq, found.rows))


async def show_review(rq: Request, asked: Nothing) -> t.ReviewShown:
    """One review with its DERs, screens, pauses and disputes."""
    return await _shown(rq, await reviews.find(rq.db, rq.ids["review"]))


async def submit_aggregation(rq: Request, asked: Nothing) -> t.ReviewShown:
    """The review of the aggregation that is handed in: its clock runs, or it says what is missing."""
    row = await entries.find(rq.db, "aggregation", rq.ids["aggregation"], now_of(rq))
    number = await reviews.submit(rq.db, row, own=profiles_of(rq), written=written(rq))
    return await _again(rq, number)


async def find_incomplete(rq: Request, asked: t.Incomplete) -> t.ReviewShown:
    """The review, which waits until what is missing has come."""
    row = await _locked(rq)
    await reviews.find_incomplete(rq.db, row, asked.missing, rq.now)
    await _tell_party(rq, row, "review_incomplete", {"review": row.id, "missing": asked.missing})
    return await _again(rq, row.id)


async def screen_review(rq: Request, asked: Nothing) -> t.ReviewShown:
    """The review, screened anew; the engine answers soon after, where there is one."""
    row = await _locked(rq)
    await reviews.screen_again(rq.db, row, own=profiles_of(rq), written=written(rq))
    return await _again(rq, row.id)


async def pause_review(rq: Request, asked: t.PauseReview) -> t.ReviewShown:
    """The review, whose clock stands until it is resumed; where the market's rules let it be paused."""
    row = await _locked(rq)
    await reviews.pause(rq.db, row, asked.asked_for, written(rq))
    return await _again(rq, row.id)


async def resume_review(rq: Request, asked: t.ResumeReview) -> t.ReviewShown:
    """The review, whose clock goes on."""
    row = await _locked(rq)
    await reviews.resume(rq.db, row, asked.answer, rq.now)
    return await _again(rq, row.id)


async def withdraw_review(rq: Request, asked: Nothing) -> t.ReviewShown:
    """The review that is not decided any more; what was proposed stays proposed."""
    row = await reviews.find(rq.db, rq.ids["review"], locks=True)
    await reviews.withdraw(rq.db, row, written(rq))
    return await _again(rq, row.id)


async def decide_review(rq: Request, asked: t.NewDecision) -> t.ReviewDecided:
    """The decided review, with its letter; where a DER is rejected, a supervisor has to agree."""
    row = await _locked(rq)
    decision = reviews.Decision(await _decided(rq, row, asked), asked.note, rq.second)
    outcome = await reviews.check_decision(rq.db, row, decision)
    rejected = [one.der for one in decision.ders if one.outcome == "rejected"]
    needs = ""
    if rejected and rq.second:
        await require(rq, SUPERVISOR, rq.second)
    elif rejected:
        needs = f"{', '.join(rejected[:5])} would be rejected; a supervisor has to agree"
    if not needs:
        await _carry_out(rq, row, decision)
    after = await reviews.find(rq.db, str(row.id))
    shown = msgspec.structs.asdict(await _shown(rq, after))
    return t.ReviewDecided(**shown, outcome=outcome, needs_second=needs, digest=_digest(row, decision))


async def _carry_out(rq: Request, row: Row[Any], decision: reviews.Decision) -> None:
    state = await reviews.decide(rq.db, row, decision, written(rq))
    sha256 = await letters.write_letter(rq.db, row.id, office_of(rq), rq.now)
    await grouping.follow(rq.db, rq.now)
    told = {"review": row.id, "aggregation": row.aggregation_name, "outcome": state, "letter_sha256": sha256}
    message = webhooks.Message(Topic.MARKET, "review_decided", row.aggregation_name, told)
    await webhooks.tell(rq.db, [message], rq.now)
    await _tell_party(rq, row, "review_decided", told, also_iso=True)


async def _tell_party(rq: Request, row: Row[Any], kind: str, data: dict[str, Any], *, also_iso: bool = False) -> None:
    """Have the party of a review's aggregation be told something of it; also_iso: and its market's operators."""
    aggregation = await register.entry(rq.db, "aggregation", row.aggregation_id, now_of(rq))
    if aggregation is None:
        return
    market = aggregation.profile, rq.now
    isos = await system_operators.of_market(rq.db, *market, is_test=aggregation.is_test) if also_iso else []
    tellings = [messages.Telling(one, kind, row.aggregation_name, data) for one in (aggregation.party_id, *isos)]
    await messages.tell(rq.db, tellings, rq.now)


async def _decided(rq: Request, row: Row[Any], asked: t.NewDecision) -> list[Decided]:
    named = {one.der for one in asked.ders}
    found = [Decided(one.der, one.outcome, one.limit_w, one.reason, one.evidence) for one in asked.ders]
    if asked.others is not None:
        about = await stored.ders(rq.db, [row.id])
        found += [Decided(one.name, asked.others) for one in about if one.name not in named]
    if not found:
        raise Unfit([Fault("ders", "not_decided", "", "what is decided of each DER, or others=ok")])
    return found


def _digest(row: Row[Any], decision: reviews.Decision) -> str:
    said = msgspec.json.encode([row.id, [list(one) for one in decision.ders], decision.note])
    return hashlib.sha256(said).hexdigest()[:16]


async def dispute_review(rq: Request, asked: t.NewDispute) -> t.ReviewShown:
    """The decided review that somebody objects to."""
    row = await reviews.find(rq.db, rq.ids["review"], locks=True)
    said = reviews.Objection(asked.raised_by, asked.about, asked.basis, asked.stay, asked.regulator_ref)
    await reviews.dispute(rq.db, row, said, rq.now)
    return await _again(rq, row.id)


async def close_dispute(rq: Request, asked: t.CloseDispute) -> t.ReviewShown:
    """The review with what became of the dispute."""
    await require(rq, SUPERVISOR)
    row = await reviews.find(rq.db, rq.ids["review"], locks=True)
    state = None if asked.state is None else State(asked.state)
    await reviews.close_dispute(rq.db, row, asked.outcome, state=state, written=written(rq))
    await _tell_party(rq, row, "review_dispute_closed", {"review": row.id, "outcome": asked.outcome})
    return await _again(rq, row.id)


async def show_letter(rq: Request, asked: Nothing) -> t.Letter:
    """The letter about a decided review, as it was made."""
    row = await reviews.find(rq.db, rq.ids["review"])
    found = await letters.letter_of(rq.db, row)
    return t.Letter(review=row.id, made_at=found.made_at, sha256=found.sha256, html=found.html)


async def _locked(rq: Request) -> Row[Any]:
    """The review, for a reviewer to change."""
    await require(rq, REVIEWER)
    return await reviews.find(rq.db, rq.ids["review"], locks=True)


async def _again(rq: Request, number: int) -> t.ReviewShown:
    return await _shown(rq, await reviews.find(rq.db, str(number)))


async def _listed(rq: Request, rows: Sequence[Row[Any]]) -> list[t.MarketReview]:
    numbers = [row.id for row in rows]
    pauses, ders = await stored.pauses(rq.db, numbers), await stored.ders(rq.db, numbers)
    failed = screening.failed_of(ders, await stored.screens(rq.db, numbers))
    counts = Counter(one.review_id for one in ders)
    return [
        t.MarketReview(**_of(row, pauses, rq.now), ders=counts[row.id], failed=len(failed.get(row.id, ())))
        for row in rows
    ]


def _of(row: Row[Any], pauses: Sequence[Row[Any]], now: int) -> dict[str, Any]:
    stands = reviews.standing(row, pauses, now)
    state = OVERDUE if row.state == State.IN_REVIEW and stands.clock is ClockState.OVERDUE else row.state
    plain = ("id", "profile", "kind", "submitted_at", "submitted_by", "complete_at", "decided_at", "decided_by")
    return {
        **{name: getattr(row, name) for name in (*plain, "second")},
        "aggregation": row.aggregation_name,
        "party": row.party_name,
        "changes": msgspec.json.decode(row.changes),
        "state": state,
        "clock": stands.clock or "",
        "elapsed_days": stands.elapsed_days,
        "days": stands.days,
        "due_at": stands.due_at,
        "missing": msgspec.json.decode(row.missing),
    }


async def _shown(rq: Request, row: Row[Any]) -> t.ReviewShown:
    pauses, screens = await stored.pauses(rq.db, [row.id]), await stored.screens(rq.db, [row.id])
    ders, letter = await stored.ders(rq.db, [row.id]), await stored.letter(rq.db, row.id)
    return t.ReviewShown(
        **_of(row, pauses, rq.now),
        ders=len(ders),
        failed=len(screening.failed_of(ders, screens).get(row.id, ())),
        note=row.note,
        reasons=list(reviews.terms_of(row).review.reasons),
        per_der=[_der(one) for one in ders],
        screens=[_screen(one) for one in screens],
        pauses=[
            t.ReviewPause(**{name: getattr(one, name) for name in t.ReviewPause.__struct_fields__}) for one in pauses
        ],
        disputes=[
            t.DisputeShown(**{name: getattr(one, name) for name in t.DisputeShown.__struct_fields__})
            for one in await stored.disputes(rq.db, row.id)
        ],
        profile_sha256=row.profile_sha256,
        letter_sha256="" if letter is None else letter.sha256,
    )


def _der(row: Row[Any]) -> t.ReviewedDer:
    return t.ReviewedDer(
        der=row.name,
        change=row.change,
        outcome=row.outcome,
        limit_w=row.limit_w,
        reason=row.reason,
        evidence=msgspec.json.decode(row.evidence),
    )


def _screen(row: Row[Any]) -> t.Screen:
    names = ("screen", "result", "cause", "detail", "binding", "limit_w", "run_id", "recorded_at")
    return t.Screen(der=row.der_name or "", **{name: getattr(row, name) for name in names})
