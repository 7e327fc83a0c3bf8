"""Settlement, as the operator API shows it and takes it; W of injection, Wh, times in epoch seconds."""

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct, field

from sep2.admin.types.market_register import Named
from sep2.rest.types import Asked, Epoch, Span, Watts


class Available(Asked, frozen=True, kw_only=True):
    """What a DER could do in a time, as its aggregator declares it."""

    der: Named
    start: Epoch
    end: Epoch
    available_w: Watts


class NewSettlement(Asked, frozen=True, kw_only=True):
    """A local day of the market of an aggregation, or the time from start to end, at most 31 days."""

    aggregation: Named
    day: date | None = None
    start: Epoch | None = None
    end: Epoch | None = None
    available: Annotated[list[Available], Meta(max_length=5000)] = field(default_factory=list)


class SettlementQuery(Asked, frozen=True, kw_only=True):
    """A time, as it was known at some time; without a start the 30 days until its end, without an end until now."""

    start: Epoch | None = None
    end: Epoch | None = None
    known_at: Epoch | None = None


class Firm(Struct, frozen=True, kw_only=True):
    """What share of a promise is firm; None: cannot tell, so many more events are needed in all."""

    ratio: float | None
    firm_w: int | None
    events: int
    needed: int


class FirmQuery(Asked, frozen=True, kw_only=True):
    """As it was known at some time."""

    known_at: Epoch | None = None


class FirmEvent(Struct, frozen=True, kw_only=True):
    """A settled dispatch as an event: what was asked for, and the share of it that was delivered."""

    dispatch: str
    start: int
    end: int
    ordered_w: int
    ratio: float | None
    """null: nothing of it was settled or measured; it is no event then"""
    missing: int
    """intervals of it that are not known"""


class FirmCapacity(Struct, frozen=True, kw_only=True):
    """What is firm of an aggregation's promise, and the events that it follows from, the earliest first.

    The ratio is the `rank`-th smallest of the events'; `1 - quantile` of events reach it, with this confidence.
    """

    aggregation: str
    ratio: float | None
    """null: there are fewer events than `needed`"""
    firm_w: int | None
    events: int
    needed: int
    promised_w: int
    rank: int
    quantile: float
    confidence: float
    by_event: list[FirmEvent]


class Settlement(Struct, frozen=True, kw_only=True):
    """What came of a time: delivered against instructed, and the energy that limits cost, by cause."""

    aggregation: str
    start: int
    end: int
    intervals: int
    changed: int | None
    """intervals that say something new since the last time; only where it was settled just now"""
    delivered_share: float | None
    overshoot_wh: int
    missing: int
    """intervals in which something was asked and nothing is known"""
    states: dict[str, int]
    breach_wh: int
    lost_override_wh: int
    lost_envelope_wh: int
    own_shortfall_wh: int
    override_eligible: bool
    envelope_eligible: bool
    firm: Firm


class IntervalQuery(Span, frozen=True, kw_only=True):
    """The intervals in a time, each with its DERs; as they were known at some time, and without one as above."""

    start: Epoch | None = None
    end: Epoch | None = None
    known_at: Epoch | None = None


class Interval(Struct, frozen=True, kw_only=True):
    """A settled interval of a DER; without one, of the whole aggregation."""

    der: str
    start: int
    duration: int
    version: int
    instructed_w: int | None
    available_w: int | None
    want_w: int | None
    measured_wh: int | None
    coverage_ppm: int
    envelope_w: int | None
    limit_w: int | None
    override_mrid: str
    state: str
    breach_wh: int | None
    lost_override_wh: int | None
    lost_envelope_wh: int | None
    own_shortfall_wh: int | None
    is_withheld: bool
    """whether what was measured is not shown, as the customer has agreed to no telemetry"""
    recorded_at: int


class BaselineQuery(Asked, frozen=True, kw_only=True):
    """Local hours of a day, from the first to before the last; method left out: that of the market's profile."""

    day: date
    first_hour: Annotated[int, Meta(ge=0, le=23)]
    end_hour: Annotated[int, Meta(ge=1, le=24)]
    method: Annotated[str, Meta(max_length=32)] | None = None
    profile: Annotated[str, Meta(max_length=32)] = "custom"
    with_limited: bool = False


class BaselineHour(Struct, frozen=True, kw_only=True):
    """An hour of an event: what would have been drawn, and what was."""

    hour: int
    baseline_w: float
    metered_w: float | None


class BaselineShown(Struct, frozen=True, kw_only=True):
    """The load that would have been, the days that it stands on and those that were left out."""

    der: str
    day: date
    method: str
    adjustment: float
    days: list[date]
    left_out: list[date]
    hours: list[BaselineHour]
    reduced_wh: float | None
