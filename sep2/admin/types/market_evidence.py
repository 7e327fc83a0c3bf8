"""Evidence packs and the regulator's report, as the operator API shows them; times in epoch seconds."""

from msgspec import Struct

from sep2.admin.types.market_register import Named
from sep2.rest.types import Asked, Epoch, Span


class NewEvidence(Asked, frozen=True, kw_only=True):
    """The time that a pack is about, and when it has to have been known; left out: when it was settled last."""

    aggregation: Named
    start: Epoch
    end: Epoch
    as_of: Epoch | None = None


class EvidenceQuery(Span, frozen=True, kw_only=True):
    """Packs of one aggregation, or all."""

    aggregation: Named | None = None


class Evidence(Struct, frozen=True, kw_only=True):
    """A signed pack: what it is about, and the SHA-256 of its manifest."""

    id: int
    aggregation: str
    start: int
    end: int
    as_of: int
    manifest_sha256: str
    made_at: int
    made_by: str


class EvidenceFile(Evidence, frozen=True, kw_only=True):
    """A pack with its bytes (base64 in JSON)."""

    content: bytes


class MarketReportQuery(Asked, frozen=True, kw_only=True):
    """The time of a report."""

    start: Epoch
    end: Epoch


class ReviewsReported(Struct, frozen=True, kw_only=True):
    """Reviews of the time: how many, how they ended, for which reasons, and how long they took."""

    submitted: int
    decided: int
    late: int
    outcomes: dict[str, int]
    reasons: dict[str, int]
    median_days: float | None


class AggregationReported(Struct, frozen=True, kw_only=True):
    """What limits cost an aggregation, in Wh, and what part of what it was asked for."""

    aggregation: str
    party: str
    profile: str
    settled_h: float
    limited_h: float
    instructed_wh: int
    lost_override_wh: int
    lost_envelope_wh: int
    own_shortfall_wh: int
    lost_part: float | None
    unknown: int


class OverridesReported(Struct, frozen=True, kw_only=True):
    """Overrides of aggregations: how many, why, how long, and whether they were fair, answered and explained."""

    sent: int
    by_class: dict[str, int]
    by_reason: dict[str, int]
    hours: float
    lost_planned_wh: int
    unlike: int
    """in which not all that were alike got the same"""
    unanswered: int
    unexplained: int
    """emergencies whose reason was not given in time"""
    disputes: int


class MarketReport(Struct, frozen=True, kw_only=True):
    """For the regulator: counts, clocks, reasons, hours, kWh and fairness; no customer."""

    start: int
    end: int
    parties: int
    ders: int
    aggregations: dict[str, int]
    reviews: ReviewsReported
    commitments: dict[str, int]
    dispatches: int
    late_dispatches: int
    beyond_limit: int
    overrides: OverridesReported
    by_aggregation: list[AggregationReported]
    fairness_spread: float | None
    """between the largest and the smallest part that was lost"""
