"""Reviews of aggregations: handed in, completed, paused, decided, disputed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row

from sep2.errors import Conflict, NotFound
from sep2.operations.market import aggregations, ders, parties, screening
from sep2.operations.market.aggregations import APPROVED, PROPOSED, REFUSED, UNDER_REVIEW
from sep2.rules.market import reviewing
from sep2.rules.market.clocks import Clock, ClockState, Pause
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.profiles import fingerprint, read_profile
from sep2.rules.market.register import DerFacts
from sep2.rules.market.reviewing import OPEN, SUBMISSION, Decided, Event, State, Terms
from sep2.rules.row_numbers import row_number
from sep2.store.connection import Connection
from sep2.store.market import register, reviews
from sep2.store.market.facts import AsOf, Written
from sep2.store.market.register import EFFECTIVE


class UnknownReview(NotFound):
    """There is no review of that number."""


class ReviewOpen(Conflict):
    """The aggregation is under review already."""


class NothingToReview(Conflict):
    """Nothing has changed of the aggregation that needs a review."""


class PausesNotAllowed(Conflict):
    """The market's rules let no review be paused."""


class TooLate(Conflict):
    """The time in which that can be done is over."""


class NoDispute(NotFound):
    """There is no open dispute about this review."""


class Standing(NamedTuple):
    """How a review stands: its clock, when it is due, and how many of its days have passed."""

    clock: ClockState | None
    due_at: int | None
    elapsed_days: int
    days: int


async def find(db: Connection, number: str, *, locks: bool = False) -> Row[Any]:
    """The review of that number."""
    row = await reviews.one(db, row_number(number), locks=locks)
    if row is None:
        raise UnknownReview(number[:40])
    return row


def terms_of(row: Row[Any]) -> Terms:
    """The rules of a review, as they were at its submission."""
    return msgspec.json.decode(row.terms, type=Terms)


def standing(row: Row[Any], pauses: Sequence[Row[Any]], now: int) -> Standing:
    """How a review stands now; one that is not complete has no clock, one that is decided keeps its due date."""
    terms = terms_of(row)
    if row.complete_at is None:
        return Standing(None, None, 0, terms.days)
    clock = _clock(row, pauses)
    seen_at = now if row.decided_at is None else row.decided_at
    state = clock.state(seen_at, terms.review) if row.decided_at is None else None
    return Standing(state, clock.due_at(), clock.elapsed_days(seen_at), terms.days)


def _clock(row: Row[Any], pauses: Sequence[Row[Any]]) -> Clock:
    mine = [Pause(one.start, one.end) for one in pauses if one.review_id == row.id]
    return reviewing.clock_of(terms_of(row), row.complete_at, mine)


async def submit(db: Connection, row: Row[Any], *, own: Path | None, written: Written) -> int:
    """The number of the review of an aggregation: a new one, or the one that was incomplete.

    What is new is reviewed: all members at first, later those that were added. own: the utility's profiles.
    """
    there = await reviews.open_of(db, row.id, OPEN)
    if there is not None and there.state != State.INCOMPLETE:
        raise ReviewOpen(f"{row.name}: review {there.id} is {there.state}")
    changes = await _proposed(db, row, written.now)
    if not changes and there is None:
        raise NothingToReview(row.name)
    if there is not None:
        reviewing.check(State(there.state), Event.RESUBMIT)
        await reviews.add_ders(db, there.id, changes)
        return await _complete(db, there.id, own=own, written=written)
    return await open_review(db, row, changes, own=own, written=written)


async def open_review(
    db: Connection, row: Row[Any], changes: Mapping[int, str], *, own: Path | None, written: Written
) -> int:
    """The number of a new review of these changes, by the numbers of the DERs."""
    profile = read_profile(row.profile, own)
    kind = "full" if reviewing.class_of(profile, set(changes.values())) == "full" else "abbreviated"
    terms = reviewing.terms_of(profile, kind, aggregations.said_of(row).telemetry_class)
    number = await reviews.add(
        db,
        aggregation_id=row.id,
        kind=kind,
        changes=msgspec.json.encode(sorted(set(changes.values()))).decode(),
        state=State.SUBMITTED,
        submitted_by=written.by,
        submitted_at=written.now,
        profile=profile.name,
        profile_sha256=fingerprint(profile),
        terms=msgspec.json.encode(terms).decode(),
    )
    await reviews.add_ders(db, number, changes)
    if row.status == PROPOSED:
        await aggregations.set_status(db, row, UNDER_REVIEW, written)
    return await _complete(db, number, own=own, written=written)


async def _proposed(db: Connection, row: Row[Any], now: int) -> dict[int, str]:
    """The members that are not effective yet, each with what kind of change it is."""
    what = SUBMISSION if row.status in (PROPOSED, UNDER_REVIEW) else "add_member"
    members = await register.members(db, row.id, AsOf(now))
    return {one.component_der_id: what for one in members if one.state == PROPOSED}


async def _complete(db: Connection, number: int, *, own: Path | None, written: Written) -> int:
    """Begin the clock of a submission that lacks nothing; else say what it lacks."""
    row = await reviews.one(db, number, locks=True)
    assert row is not None  # it was made, or looked up, in this transaction
    subject = await screening.subject_of(db, row, read_profile(row.profile, own), written.now)
    lacking = await _missing(db, subject, written.now)
    missing = msgspec.json.encode([str(one) for one in lacking]).decode()
    if lacking:
        await reviews.change(db, number, state=State.INCOMPLETE, missing=missing)
        return number
    await reviews.change(db, number, state=State.IN_REVIEW, complete_at=written.now, missing="[]")
    await screening.screen(db, subject, written)
    return number


async def _missing(db: Connection, subject: screening.Subject, now: int) -> list[Fault]:
    party = await register.entry(db, "party", subject.aggregation.party_id, AsOf(now))
    assert party is not None  # a party with aggregations is not removed
    consents = {
        one.component_der_id
        for one in await register.consents(db, [row.id for row in subject.ders], AsOf(now))
        if "registration" in msgspec.json.decode(one.scopes)
    }
    agreed = {row.name for row in subject.ders if row.id in consents}
    said = {row.name: ders.said_of(row) for row in subject.ders}
    return reviewing.missing(parties.said_of(party), said, agreed, now)


async def find_incomplete(db: Connection, row: Row[Any], lacking: Sequence[str], now: int) -> None:
    """A reviewer finds a submission incomplete, in the days that the profile gives for that; its clock ends."""
    reviewing.check(State(row.state), Event.FIND_INCOMPLETE)
    terms = terms_of(row)
    pauses = await reviews.pauses(db, [row.id])
    if _clock(row, pauses).elapsed_days(now) > terms.review.completeness_days:
        raise TooLate(f"{terms.review.completeness_days} days after submission it counts as complete")
    missing = msgspec.json.encode(list(lacking)).decode()
    await reviews.change(db, row.id, state=State.INCOMPLETE, missing=missing, complete_at=None)


async def screen_again(db: Connection, row: Row[Any], *, own: Path | None, written: Written) -> None:
    """Look with every screen anew; the engine looks soon after."""
    reviewing.check(State(row.state), Event.DECIDE)
    subject = await screening.subject_of(db, row, read_profile(row.profile, own), written.now)
    await screening.screen(db, subject, written)


async def pause(db: Connection, row: Row[Any], asked_for: str, written: Written) -> None:
    """Stop the clock until something that is asked for has come, where the market allows it."""
    if not terms_of(row).review.pauses_allowed:
        raise PausesNotAllowed(row.profile)
    reviewing.check(State(row.state), Event.PAUSE)
    await reviews.add_pause(db, review_id=row.id, start=written.now, asked_for=asked_for, operator=written.by)
    await reviews.change(db, row.id, state=State.PAUSED)


async def resume(db: Connection, row: Row[Any], answer: str, now: int) -> None:
    """Let the clock go on."""
    reviewing.check(State(row.state), Event.RESUME)
    await reviews.end_pauses(db, row.id, now, answer)
    await reviews.change(db, row.id, state=State.IN_REVIEW)


async def withdraw(db: Connection, row: Row[Any], written: Written) -> None:
    """End a review that is not decided; what was proposed stays proposed."""
    reviewing.check(State(row.state), Event.WITHDRAW)
    await reviews.end_pauses(db, row.id, written.now, "withdrawn")
    await reviews.change(db, row.id, state=State.WITHDRAWN, decided_at=written.now, decided_by=written.by)
    aggregation = await register.entry(db, "aggregation", row.aggregation_id, AsOf(written.now))
    if aggregation is not None and aggregation.status == UNDER_REVIEW:
        await aggregations.set_status(db, aggregation, PROPOSED, written)


class Decision(NamedTuple):
    """What is decided of every DER, with a note, and who agreed to it."""

    ders: Sequence[Decided]
    note: str = ""
    second: str = ""


async def check_decision(db: Connection, row: Row[Any], decision: Decision) -> State:
    """What a review would come to; refuses a decision that lacks something."""
    reviewing.check(State(row.state), Event.DECIDE)
    about = await reviews.ders(db, [row.id])
    failed = await screening.failed(db, row.id)
    names = [one.name for one in about]
    refuse(reviewing.decision_faults(decision.ders, names, failed, terms_of(row)))
    if passed_over := reviewing.unanswered(decision.ders, failed):
        raise reviewing.ScreensUnanswered("; ".join(passed_over[:10]))
    return reviewing.outcome_of(decision.ders)


async def decide(db: Connection, row: Row[Any], decision: Decision, written: Written) -> State:
    """Decide a review: members become effective or refused, and the aggregation approved."""
    state = await check_decision(db, row, decision)
    by_name = {one.name: one for one in await reviews.ders(db, [row.id])}
    for one in decision.ders:
        await reviews.decide_der(
            db,
            by_name[one.der].id,
            outcome=one.outcome,
            limit_w=one.limit_w,
            reason=one.reason,
            evidence=msgspec.json.encode(list(one.evidence)).decode(),
        )
    said = {"decided_at": written.now, "decided_by": written.by, "second": decision.second, "note": decision.note}
    await reviews.change(db, row.id, state=state, **said)
    await _take_effect(db, row, decision, state, written=written)
    return state


async def _take_effect(db: Connection, row: Row[Any], decision: Decision, state: State, *, written: Written) -> None:
    """Members are effective or refused; an aggregation that was under review is approved, or proposed again."""
    aggregation = await register.entry(db, "aggregation", row.aggregation_id, AsOf(written.now))
    assert aggregation is not None  # an aggregation under review is not removed
    numbers = {one.name: one.component_der_id for one in await reviews.ders(db, [row.id])}
    states = {numbers[one.der]: REFUSED if one.outcome == "rejected" else EFFECTIVE for one in decision.ders}
    await aggregations.set_members(db, aggregation, states, written)
    if aggregation.status == UNDER_REVIEW:
        status = PROPOSED if state is State.REJECTED else APPROVED
        await aggregations.set_status(db, aggregation, status, written)


class Objection(NamedTuple):
    """What somebody disputes, on what ground, and whether the earlier state is to hold until that is decided."""

    raised_by: str
    about: str
    basis: str
    stay: bool = False
    regulator_ref: str = ""


async def dispute(db: Connection, row: Row[Any], said: Objection, now: int) -> int:
    """The number of a dispute about a decided review, in the days that the profile gives for that."""
    reviewing.check(State(row.state), Event.DISPUTE)
    terms = terms_of(row)
    limit = reviewing.clock_of(terms, row.decided_at, ())._replace(days=terms.review.dispute_days, only_business=False)
    due = limit.due_at()
    if due is not None and now > due:
        raise TooLate(f"{terms.review.dispute_days} days after the decision")
    number = await reviews.add_dispute(db, review_id=row.id, raised_at=now, state="open", **said._asdict())
    await reviews.change(db, row.id, state=State.DISPUTED)
    return number


async def close_dispute(db: Connection, row: Row[Any], outcome: str, *, state: State | None, written: Written) -> None:
    """Keep what became of the dispute; state: what the review comes to by it, None: what was decided stands."""
    reviewing.check(State(row.state), Event.CLOSE_DISPUTE)
    there = [one for one in await reviews.disputes(db, row.id) if one.state == "open"]
    if not there:
        raise NoDispute(str(row.id))
    closed = {"outcome": outcome, "closed_at": written.now, "closed_by": written.by, "state": "decided"}
    await reviews.close_dispute(db, there[-1].id, **closed)
    decided = [
        Decided(one.name, one.outcome, one.limit_w, one.reason, msgspec.json.decode(one.evidence))
        for one in await reviews.ders(db, [row.id])
    ]
    await reviews.change(db, row.id, state=state or reviewing.outcome_of(decided))


class DerChange(NamedTuple):
    """A DER whose entry was changed, and what it said before and after."""

    der: Row[Any]
    before: DerFacts
    after: DerFacts


async def follow_change(db: Connection, change: DerChange, *, own: Path | None, written: Written) -> list[int]:
    """The reviews that a change of a DER opens, one for each aggregation that it is an effective member of."""
    der, changes = change.der, reviewing.changes_of(change.before, change.after)
    if not changes:
        return []
    opened = []
    for member in await register.memberships(db, [der.id], AsOf(written.now)):
        if member.state != EFFECTIVE:
            continue
        aggregation = await register.entry(db, "aggregation", member.aggregation_id, AsOf(written.now))
        if aggregation is None or aggregation.status not in aggregations.TAKES_PART:
            continue
        profile = read_profile(aggregation.profile, own)
        if reviewing.class_of(profile, changes) == "notify":
            continue
        opened.append(await _open_or_join(db, aggregation, der, _strictest(profile, changes), own=own, written=written))
    return opened


def _strictest(profile: MarketProfile, changes: set[str]) -> str:
    severity = {one: reviewing.SEVERITY.index(reviewing.class_of(profile, [one])) for one in changes}
    return max(sorted(changes), key=severity.__getitem__)


async def _open_or_join(
    db: Connection, aggregation: Row[Any], der: Row[Any], change: str, *, own: Path | None, written: Written
) -> int:
    there = await reviews.open_of(db, aggregation.id, OPEN)
    if there is None:
        return await open_review(db, aggregation, {der.id: change}, own=own, written=written)
    await reviews.add_ders(db, there.id, {der.id: change})
    if there.state == State.IN_REVIEW:
        await screen_again(db, there, own=own, written=written)
    return int(there.id)
