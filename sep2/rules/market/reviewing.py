"""The review of an aggregation: its states, the class of a change, what a submission lacks, what a decision needs."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from sep2.errors import Conflict
from sep2.rules.market.clocks import Clock, Pause
from sep2.rules.market.faults import Fault
from sep2.rules.market.profile import MarketProfile, Review
from sep2.rules.market.register import DerFacts, PartyFacts


class State(StrEnum):
    """Where a review stands."""

    SUBMITTED = "submitted"
    INCOMPLETE = "incomplete"
    IN_REVIEW = "in_review"
    PAUSED = "paused"
    APPROVED = "approved"
    APPROVED_LIMITED = "approved_limited"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    DISPUTED = "disputed"


class Event(StrEnum):
    """What happens to a review."""

    FIND_INCOMPLETE = "find_incomplete"
    RESUBMIT = "resubmit"
    COMPLETE = "complete"
    PAUSE = "pause"
    RESUME = "resume"
    DECIDE = "decide"
    WITHDRAW = "withdraw"
    DISPUTE = "dispute"
    CLOSE_DISPUTE = "close_dispute"


class WrongState(Conflict):
    """A review does not take that in the state that it is in."""


DECIDED = frozenset({State.APPROVED, State.APPROVED_LIMITED, State.REJECTED})
APPROVED = frozenset({State.APPROVED, State.APPROVED_LIMITED})
OPEN = frozenset({State.SUBMITTED, State.INCOMPLETE, State.IN_REVIEW, State.PAUSED})
FROM: Mapping[Event, frozenset[State]] = {
    Event.FIND_INCOMPLETE: frozenset({State.SUBMITTED, State.IN_REVIEW}),
    Event.RESUBMIT: frozenset({State.INCOMPLETE}),
    Event.COMPLETE: frozenset({State.SUBMITTED}),
    Event.PAUSE: frozenset({State.IN_REVIEW}),
    Event.RESUME: frozenset({State.PAUSED}),
    Event.DECIDE: frozenset({State.IN_REVIEW}),
    Event.WITHDRAW: OPEN,
    Event.DISPUTE: DECIDED,
    Event.CLOSE_DISPUTE: frozenset({State.DISPUTED}),
}
"""The states in which each event may happen."""

Outcome = Literal["ok", "limited", "rejected"]
SEVERITY = ("notify", "abbreviated", "full")
SUBMISSION = "registration"
"""The change that is the first review of an aggregation."""


class Terms(Struct, frozen=True, kw_only=True):
    """The rules of a review as they were when it was submitted; they never change for it."""

    review: Review
    days: int
    time_zone: str
    holidays: tuple[date, ...]
    min_confidence: float
    telemetry_s: int
    """how often the aggregation has to report"""


class Decided(NamedTuple):
    """What is decided of one DER: an outcome, and for one that is not ok the reason and its evidence."""

    der: str
    outcome: Outcome
    limit_w: int | None = None
    reason: str = ""
    evidence: Sequence[str] = ()


def check(state: State, event: Event) -> None:
    """Refuse an event that a review does not take in its state."""
    if state not in FROM[event]:
        raise WrongState(f"{event.value} in state {state.value}; it takes {', '.join(sorted(FROM[event]))}")


def terms_of(profile: MarketProfile, kind: str, telemetry_class: str) -> Terms:
    """What is kept of a profile with a review of this kind: full or abbreviated."""
    days = profile.review.days if kind == "full" else profile.change.abbreviated_days
    return Terms(
        review=profile.review,
        days=days,
        time_zone=profile.time_zone,
        holidays=profile.holidays,
        min_confidence=profile.location.min_confidence,
        telemetry_s=getattr(profile.telemetry, f"{telemetry_class}_s"),
    )


def clock_of(terms: Terms, complete_at: int, pauses: Sequence[Pause]) -> Clock:
    """The clock of a review that is complete since then."""
    zone, only_business = ZoneInfo(terms.time_zone), terms.review.clock == "business"
    return Clock(complete_at, terms.days, zone, only_business, terms.holidays, pauses)


def changes_of(before: DerFacts, after: DerFacts) -> set[str]:
    """What has changed of a DER, in the words of a profile's `change`."""
    found = set()
    ratings = [(getattr(before, name), getattr(after, name)) for name in ("max_gen_w", "max_load_w")]
    if any(new > old for old, new in ratings):
        found.add("capability_up")
    if any(new < old for old, new in ratings):
        found.add("capability_down")
    if (before.meter_id, before.esi_id) != (after.meter_id, after.esi_id):
        found.add("meter_swap")
    if before.firmware != after.firmware:
        found.add("firmware")
    if before.connection != after.connection or before.edc_account != after.edc_account:
        found.add("add_member")  # at another place it is another DER
    return found


def class_of(profile: MarketProfile, changes: Collection[str]) -> str:
    """How such changes are treated: notify, abbreviated or full; the strictest of them."""
    classes = ["full" if one == SUBMISSION else str(getattr(profile.change, one)) for one in changes]
    return max(classes, key=SEVERITY.index, default="notify")


def missing(party: PartyFacts, ders: Mapping[str, DerFacts], consents: Collection[str], now: int) -> list[Fault]:
    """What a submission lacks before it can be reviewed.

    consents: the names of DERs whose customers agree to the registration.
    """
    found = []
    if party.status != "active":
        found.append(Fault("party", "party_not_active", party.status, "active (sep2 party set --status active)"))
    agreement = party.agreement
    if agreement is None or (agreement.expires is not None and agreement.expires <= now):
        found.append(Fault("agreement", "no_agreement", "", "a signed agreement that has not ended"))
    if not ders:
        found.append(Fault("members", "no_members", "", "at least one DER"))
    found += [
        Fault(name, "no_consent", "", "the customer's consent to `registration`")
        for name in sorted(ders)
        if name not in consents
    ]
    return found


def decision_faults(
    decided: Sequence[Decided],
    asked: Collection[str],
    failed: Mapping[str, Collection[str]],
    terms: Terms,
) -> list[Fault]:
    """What is wrong with a decision: each DER is named once; what is not ok has a reason of the profile and evidence.

    failed: by DER, the screens that failed; a DER that they failed for is not ok unless evidence answers it.
    """
    names = [one.der for one in decided]
    found = [Fault(name, "not_asked", "", "a DER of this review") for name in names if name not in asked]
    found += [Fault(name, "decided_twice", "", "each DER once") for name in sorted(set(names)) if names.count(name) > 1]
    found += [Fault(name, "not_decided", "", "ok, limited or rejected") for name in sorted(set(asked) - set(names))]
    for one in decided:
        found += _one_decision(one, failed.get(one.der, ()), terms.review)
    return found


def outcome_of(decided: Sequence[Decided]) -> State:
    """What a review comes to: approved with limits where some DER is limited or refused, rejected where all are."""
    outcomes = {one.outcome for one in decided}
    if outcomes == {"rejected"}:
        return State.REJECTED
    return State.APPROVED if outcomes == {"ok"} else State.APPROVED_LIMITED


def _one_decision(one: Decided, failed: Collection[str], review: Review) -> list[Fault]:
    found = []
    if one.outcome != "ok" and one.reason not in review.reasons:
        bound = f"one of {', '.join(review.reasons)}"
        found.append(Fault(f"{one.der}: reason", "reason_unknown", one.reason, bound))
    if one.outcome != "ok" and not one.evidence:
        found.append(Fault(f"{one.der}: evidence", "no_evidence", "", "what shows it, such as a screen"))
    if one.outcome == "limited" and one.limit_w is None:
        found.append(Fault(f"{one.der}: limit_w", "no_limit", "", "the limit in W"))
    if one.outcome != "limited" and one.limit_w is not None:
        found.append(Fault(f"{one.der}: limit_w", "limit_not_meant", str(one.limit_w), "only with the outcome limited"))
    return found


class ScreensUnanswered(Conflict):
    """A DER that a screen failed for can not be approved without an answer."""


def unanswered(decided: Sequence[Decided], failed: Mapping[str, Collection[str]]) -> list[str]:
    """The DERs and screens that a decision passes over: ok, and no evidence names the screen."""
    return [
        f"{one.der}: {screen}"
        for one in decided
        if one.outcome == "ok"
        for screen in sorted(failed.get(one.der, ()))
        if not any(screen in said for said in one.evidence)
    ]
