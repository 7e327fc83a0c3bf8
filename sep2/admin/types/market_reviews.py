"""Reviews of aggregations, as the operator API shows and takes them; times in epoch seconds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sep2.rest.types import Asked, Span, Text
from sep2.rules.market.register import Watts

Words = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", max_length=400)]
OutcomeWord = Literal["ok", "limited", "rejected"]


class ReviewQuery(Span, frozen=True, kw_only=True):
    """Reviews that are not decided, or every one; of one aggregation if so asked."""

    every: bool = False
    aggregation: str | None = None


class MarketReview(Struct, frozen=True, kw_only=True):
    """The utility's review of an aggregation or of a change of it."""

    id: int
    aggregation: str
    party: str
    profile: str
    kind: str
    """full or abbreviated"""
    changes: list[str]
    state: str
    """incomplete, in_review, overdue, paused, approved, approved_limited, rejected, disputed or withdrawn"""
    clock: str
    """green, amber, red, alarm, overdue or paused; empty: no clock runs"""
    elapsed_days: int
    days: int
    submitted_at: int
    submitted_by: str
    complete_at: int | None
    due_at: int | None
    missing: list[str]
    ders: int
    failed: int
    """DERs that some screen failed for"""
    decided_at: int | None
    decided_by: str
    second: str


class ReviewedDer(Struct, frozen=True, kw_only=True):
    """A DER of a review, with what was decided of it."""

    der: str
    change: str
    outcome: str
    """ok, limited or rejected; empty: not decided"""
    limit_w: int | None
    reason: str
    evidence: list[str]


class Screen(Struct, frozen=True, kw_only=True):
    """What a screen says of a DER, or of all of them where none is named."""

    screen: str
    der: str
    result: str
    """pass, fail or cannot_tell"""
    cause: str
    detail: str
    binding: str
    limit_w: int | None
    run_id: str
    recorded_at: int


class ReviewPause(Struct, frozen=True, kw_only=True):
    """A time in which the clock of a review stood."""

    start: int
    end: int | None
    asked_for: str
    answer: str
    operator: str


class DisputeShown(Struct, frozen=True, kw_only=True):
    """An objection to a decided review."""

    id: int
    raised_at: int
    raised_by: str
    about: str
    basis: str
    stay: bool
    regulator_ref: str
    state: str
    outcome: str
    closed_at: int | None


class ReviewShown(MarketReview, frozen=True, kw_only=True):
    """One review with everything that belongs to it."""

    note: str
    reasons: list[str]
    """for which a DER may be limited or refused"""
    per_der: list[ReviewedDer]
    screens: list[Screen]
    pauses: list[ReviewPause]
    disputes: list[DisputeShown]
    profile_sha256: str
    letter_sha256: str
    """empty: no letter is written before it is decided"""


class Incomplete(Asked, frozen=True, kw_only=True):
    """What a submission lacks."""

    missing: Annotated[list[Words], Meta(min_length=1, max_length=50)]


class PauseReview(Asked, frozen=True, kw_only=True):
    """What is asked for while the clock stands."""

    asked_for: Words


class ResumeReview(Asked, frozen=True, kw_only=True):
    """What has come of what was asked for."""

    answer: Annotated[str, Meta(max_length=400)] = ""


class DerDecision(Asked, frozen=True, kw_only=True):
    """What is decided of one DER."""

    der: str
    outcome: OutcomeWord
    limit_w: Watts | None = None
    reason: Annotated[str, Meta(max_length=32)] = ""
    evidence: Annotated[list[Words], Meta(max_length=20)] = field(default_factory=list)


class NewDecision(Asked, frozen=True, kw_only=True):
    """What is decided of every DER of a review; `others`: of those that are not named."""

    ders: list[DerDecision] = field(default_factory=list)
    others: Literal["ok"] | None = None
    note: Annotated[str, Meta(max_length=1000)] = ""
    digest: Annotated[str, Meta(max_length=64)] = ""


class ReviewDecided(ReviewShown, frozen=True, kw_only=True):
    """A review that is decided; or, on trial, what it would come to."""

    outcome: str
    needs_second: str
    digest: str


class NewDispute(Asked, frozen=True, kw_only=True):
    """An objection to a decided review."""

    raised_by: Text
    about: Words
    basis: Words
    stay: bool = False
    regulator_ref: Annotated[str, Meta(max_length=80)] = ""


class CloseDispute(Asked, frozen=True, kw_only=True):
    """What became of a dispute; `state`: what the review comes to by it, left out: what was decided stands."""

    outcome: Words
    state: Literal["approved", "approved_limited", "rejected"] | None = None


class Letter(Struct, frozen=True, kw_only=True):
    """A letter about a review, as it was made."""

    review: int
    made_at: int
    sha256: str
    html: str
