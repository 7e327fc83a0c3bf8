"""Overrides of aggregations and messages to parties, as the operator API shows and takes them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sep2.admin.types.base import Limits
from sep2.admin.types.overrides import Digest, OverrideSent
from sep2.rest.types import Asked, ConnectionId, Epoch, Seconds, Span
from sep2.rules.market.curtailment import Effect
from sep2.rules.market.plan_forms import Named

Notice = Literal["planned", "forecast", "emergency"]
Words = Annotated[str, Meta(min_length=1, max_length=1000)]


class NewMarketOverride(Asked, frozen=True, kw_only=True):
    """An override of an aggregation: limits of all its members together, which are spread over them like for like.

    It has an end, said as `end` or as `duration`, a `reason` of those that overrides have, and a class of notice.
    """

    aggregation: Named
    notice: Notice
    """planned: announced ahead as the market says; forecast and emergency: at once"""
    limits: Limits = Limits()
    modes: dict[str, Any] = field(default_factory=dict)
    ders: Annotated[list[Named], Meta(max_length=10_000)] = field(default_factory=list)
    """only these members"""
    node: Annotated[str, Meta(max_length=80)] = ""
    """only members at this node of the system operator, or below this place"""
    start: Epoch | None = None
    end: Epoch | None = None
    duration: Seconds | None = None
    reason: Annotated[str, Meta(max_length=40)] = ""
    note: Annotated[str, Meta(max_length=160)] = ""
    binding: Annotated[str, Meta(max_length=200)] = ""
    """the element of the network that is beyond its limits"""
    fairness_note: Annotated[str, Meta(max_length=1000)] = ""
    """why others at that element are not curtailed as well"""
    also: Annotated[list[ConnectionId], Meta(max_length=1000)] = field(default_factory=list)
    digest: Digest = ""


class NoticeTo(Struct, frozen=True, kw_only=True):
    """A notice to a party: when it is due, how often it was sent, and whether it was answered."""

    party: str
    number: int
    """the first is 1"""
    due: int
    must_answer: bool
    sent: int
    last_sent: int | None
    answer_by: int | None
    answered_at: int | None
    next_at: int | None
    silent_at: int | None
    """since when a person has to call"""
    called_at: int | None
    called_by: str
    called_note: str

    @property
    def must_call(self) -> bool:
        """Whether a person has to call: it was asked for often enough, and nobody has answered or called since."""
        return self.silent_at is not None and self.called_at is None and self.answered_at is None


class AnswerOf(Struct, frozen=True, kw_only=True):
    """What a party says of an override; a nack is a dispute, which lifts nothing."""

    id: int
    party: str
    answer: str
    expected_w: int | None
    revised_plan: str
    note: str
    late: bool
    recorded_at: int
    dispute: str
    """open or decided; empty: it is none"""
    outcome: str
    closed_at: int | None
    closed_by: str


class MarketOverrideSent(OverrideSent, frozen=True, kw_only=True):
    """An override that was sent to an aggregation, or would be: what it does to its DERs and plans, and its notices."""

    aggregation: str
    notice: str
    binding: str
    effect: Effect
    notices: list[NoticeTo]
    reason_due: int | None


class MarketOverride(Struct, frozen=True, kw_only=True):
    """An override of an aggregation, by its number on the desk; its limits are those of all members together."""

    id: int
    aggregation: str
    party: str
    notice: str
    state: str
    """scheduled, active, released or ended"""
    answered: str
    """all, some, none: of the notices that were sent and need an answer"""
    limits: Limits
    modes: dict[str, Any]
    start: int
    end: int
    reason: str
    note: str
    binding: str
    operator: str
    second: str
    created: int
    released: int | None
    lost_wh: int
    like_for_like: bool
    reason_due: int | None
    reason_at: int | None
    disputes: int
    """that are open"""


class MarketOverrideShown(MarketOverride, frozen=True, kw_only=True):
    """One override of an aggregation with its notices, answers, effect, and what its devices answered."""

    profile: str
    fairness_note: str
    reason_text: str
    reason_by: str
    effect: Effect
    notices: list[NoticeTo]
    answers: list[AnswerOf]
    devices: int
    received: int
    started: int
    refused: int
    unanswered: int
    """devices; what they said is apart from what parties did"""


class MarketOverrideQuery(Span, frozen=True, kw_only=True):
    """Overrides of aggregations that hold or are to come; with `over` those that are over too."""

    aggregation: Named | None = None
    over: bool = False


class EmergencyReason(Asked, frozen=True, kw_only=True):
    """Why there was an emergency."""

    reason: Words


class CallNote(Asked, frozen=True, kw_only=True):
    """Whom somebody called, and what they said."""

    note: Words


class DisputeOutcome(Asked, frozen=True, kw_only=True):
    """What became of the dispute that an answer opened."""

    answer: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    outcome: Words


class MessageQuery(Span, frozen=True, kw_only=True):
    """Messages to one party, or to all; `subject`: those about one thing, such as an aggregation, by its name."""

    party: Named | None = None
    subject: Named | None = None


class MessageTo(Struct, frozen=True, kw_only=True):
    """What a party was told; `sequence` counts per party, without gaps."""

    party: str
    sequence: int
    kind: str
    subject: str
    created: int
    says: str
    """in words, with times in the utility's zone"""
    sha256: str
    body: dict[str, Any]


class OutageSaid(Struct, frozen=True, kw_only=True):
    """What a DER or an aggregation can not do for a time."""

    id: int
    party: str
    der: str
    aggregation: str
    start: int
    end: int
    available_w: int
    cause: str
    planned: bool
    recorded_at: int
    recorded_by: str


class OutageQuery(Span, frozen=True, kw_only=True):
    """Outages that are not over by `start`; left out: now."""

    party: Named | None = None
    start: Epoch | None = None
