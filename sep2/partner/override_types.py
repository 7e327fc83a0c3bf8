"""Overrides of a party's aggregations, and messages to it; W, times in epoch seconds."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from sep2.rest.types import Asked, Span
from sep2.rules.market.plan_forms import Named

SignedWatts = Annotated[int, Meta(ge=-10_000_000_000, le=10_000_000_000)]


class OverrideQuery(Span, frozen=True, kw_only=True):
    """Overrides of your aggregations that hold or are to come; with `over` those that are over too."""

    over: bool = False


class OwnDer(Struct, frozen=True, kw_only=True):
    """What one of your DERs may do while the override holds, at its tightest; null: it is not bounded."""

    der: str
    connection: str
    export_before_w: int | None
    export_after_w: int | None
    import_before_w: int | None
    import_after_w: int | None
    lost_wh: int


class OwnAnswer(Struct, frozen=True, kw_only=True):
    """What you said of it."""

    answer: str
    expected_w: int | None
    revised_plan: str
    note: str
    late: bool
    recorded_at: int
    dispute: str
    outcome: str


class OwnOverride(Struct, frozen=True, kw_only=True):
    """An override of one of your aggregations; limits are those of all its members together."""

    id: int
    aggregation: str
    notice: str
    """planned, forecast or emergency"""
    state: str
    """scheduled, active, released or ended"""
    limits: dict[str, int]
    start: int
    end: int
    reason: str
    created: int
    released: int | None
    answer_by: int | None
    """until when the last notice of it wants an answer; null: it has one, or none was sent yet"""


class OwnOverrideShown(OwnOverride, frozen=True, kw_only=True):
    """The same with what it does to your DERs and plans, and what you have answered."""

    note: str
    binding: str
    reason_text: str
    fraction_ppm: dict[str, int]
    ders: list[OwnDer]
    not_reached: list[str]
    """members that have no device here: you have them follow"""
    plans: list[dict[str, Any]]
    lost_wh: int
    answers: list[OwnAnswer]


class NewAnswer(Asked, frozen=True, kw_only=True):
    """What you say of an override. A nack opens a dispute, and lifts nothing."""

    answer: Literal["ack", "nack", "partial"]
    expected_w: SignedWatts | None = None
    """what the aggregation will do with it, W of injection"""
    revised_plan: Annotated[str, Meta(max_length=80)] = ""
    """the plan that you hand in because of it, by its name"""
    note: Annotated[str, Meta(max_length=1000)] = ""


class MessagesQuery(Asked, frozen=True, kw_only=True):
    """Messages after one that you have; 0: from the first on."""

    after: Annotated[int, Meta(ge=0, le=2**62)] = 0
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class Message(Struct, frozen=True, kw_only=True):
    """What you were told; numbers follow each other without gaps, and nothing is ever changed."""

    sequence: int
    kind: str
    subject: str
    created: int
    says: str
    """in words, with times in the utility's zone"""
    sha256: str
    """of the body, as JSON with sorted keys and without blanks"""
    body: dict[str, Any]


class Messages(Struct, frozen=True, kw_only=True):
    """Messages in their order, and the number of the last one there is."""

    messages: list[Message]
    last: int


class Keys(Struct, frozen=True, kw_only=True):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, Any]]


class WebhookSaid(Asked, frozen=True, kw_only=True):
    """Where copies of your messages go; with `new_secret` the answer holds the secret that signs them from now on."""

    url: Annotated[str, Meta(min_length=1, max_length=1024)]
    enabled: bool = True
    new_secret: bool = False


class Webhook(Struct, frozen=True, kw_only=True):
    """A receiver of copies of your messages, and how it stands."""

    name: Named
    url: str
    enabled: bool
    created_at: int
    delivered_at: int | None
    failures: int
    error: str


class WebhookSet(Webhook, frozen=True, kw_only=True):
    """A receiver that was made or changed; its secret is shown this once, empty where it stays as it was."""

    secret: str
    created: bool
    """whether it is new"""
