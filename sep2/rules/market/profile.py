"""A market's rules as data: what a MarketProfile holds, and its bounds.

Amounts are W, Wh and seconds; times of day are local to `time_zone`. Where each value comes from stands in the file
beside it (`sources`).
"""

from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

Watts = Annotated[int, Meta(ge=0, le=10_000_000_000)]
Seconds = Annotated[int, Meta(ge=0, le=366 * 86_400)]
Interval = Literal[300, 900, 1800, 3600]
Days = Annotated[int, Meta(ge=0, le=3660)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=100_000)]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
ChangeClass = Literal["notify", "abbreviated", "full"]
DoubleRule = Literal["exclude", "allow"]
Pair = tuple[str, str]


class Roles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who bids for an aggregation and who dispatches it, unless its registration says otherwise."""

    market_agent: str
    dispatch_agent: str
    may_be: tuple[str, ...]


class Review(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The distribution utility's review of an aggregation and its clock."""

    clock: Literal["calendar", "business"]
    days: Days
    completeness_days: Days
    """in which a submission may be found incomplete; afterwards it counts as complete"""
    pauses_allowed: bool
    late: Literal["escalate", "report_no_objection"]
    amber: Share
    red: Share
    alarm: Share
    """shares of the counted days at which the clock turns amber, red, and raises an alarm"""
    dispute_days: Days
    pre_registration: tuple[str, ...]
    reasons: tuple[str, ...]
    """for which a DER may be refused or limited"""


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What kind of review each change of an aggregation needs."""

    add_member: ChangeClass
    remove_member: ChangeClass
    capability_up: ChangeClass
    capability_down: ChangeClass
    meter_swap: ChangeClass
    firmware: ChangeClass
    abbreviated_days: Days
    withdraw_days: Days


class Size(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of size; 0 is no bound."""

    min_aggregation_w: Watts
    min_der_w: Watts
    max_multi_node_w: Watts
    max_ancillary_w: Watts


class Location(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Over which nodes an aggregation may spread, and how sure the model must be of where a DER is."""

    scope: Literal["single", "multi"]
    factors: bool
    """whether distribution factors are registered"""
    remap: Literal["never", "yearly", "quarterly"]
    min_confidence: Share


class NetMetering(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a DER under net energy metering may sell in addition."""

    energy: DoubleRule
    capacity: DoubleRule
    ancillary: DoubleRule
    edc_statement: bool


class Double(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may not be sold twice: pairs of services that exclude each other in the same interval."""

    nem: NetMetering
    exclusive: tuple[Pair, ...]


class Metering(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how often delivery is metered, and when it is settled."""

    levels: tuple[Literal["site", "submeter", "device"], ...]
    interval_s: Interval
    settle_after_s: Seconds
    resettle_days: tuple[Days, ...]


class Telemetry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often an aggregation reports, by its class; missing so many reports makes it stale."""

    regulation_s: Seconds
    large_s: Seconds
    small_s: Seconds
    quantities: tuple[str, ...]
    stale_after: Count


class DayAhead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The local times of the day before delivery, and how long a plan's check may take."""

    deliverable_at: TimeOfDay
    plan_by: TimeOfDay
    verdict_s: Seconds
    iso_offer_close: TimeOfDay
    iso_result_at: TimeOfDay
    award_by: TimeOfDay
    envelope_at: TimeOfDay


class Intraday(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The clocks of the day of delivery."""

    offer_change_before_s: Seconds
    refresh_s: Seconds
    dispatch_s: Seconds
    verdict_s: Seconds
    dispatch_late_s: Seconds


class OverrideRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an override is announced and must be acknowledged."""

    planned: tuple[Seconds, ...]
    """seconds ahead of a planned override at which it is announced, the earliest first"""
    ack_planned_s: Seconds
    ack_forecast_s: Seconds
    ack_emergency_s: Seconds
    repeat_s: Seconds
    phone_after: Count
    two_person: tuple[Literal["planned", "forecast", "emergency"], ...]
    reason_due_s: Seconds
    notify: tuple[Literal["aggregator", "iso"], ...]
    penalty_excused: bool


class CommitmentRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How late and in what blocks a DER may move from one service to another."""

    move_notice_s: Seconds
    min_block_s: Seconds


class ComplianceRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tolerance and coverage with which the utility's judge is called for this market."""

    tolerance_w: Watts
    tolerance_part: Share
    coverage: Share
    grace: Literal["desk"]


class CreditRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a plan's band is believed, by how plans were kept."""

    window_days: Days
    min_intervals: Count
    q0: Annotated[float, Meta(ge=0, lt=1)]
    rise_per_day: Share
    hard_breach_part: Share
    hard_days: Days


class FirmRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of what is promised counts as firm."""

    quantile: Annotated[float, Meta(gt=0, lt=1)]
    confidence: Annotated[float, Meta(gt=0, lt=1)]
    window_events: Count


class MakeWholeRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether energy lost to the utility's limits is eligible for compensation."""

    override_eligible: bool
    envelope_eligible: bool
    count_recovery_s: Seconds


class Adjust(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a baseline is adjusted by the hours before an event."""

    kind: Literal["none", "additive", "ratio"]
    hours: Annotated[int, Meta(ge=0, le=24)] = 0
    skip: Annotated[int, Meta(ge=0, le=24)] = 0
    low: Annotated[float, Meta(ge=0)] = 0.0
    high: Annotated[float, Meta(ge=0)] = 10.0


class BaselineRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The load that would have been: which method, over which days."""

    load: str
    weekend: str
    alternatives: tuple[str, ...]
    window_days: Days
    adjust: Adjust
    drop_event_days: bool
    drop_limited_days: bool


class Privacy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What others see, and how long facts are kept."""

    conflict_names: Literal["class", "name"]
    der_detail_to_iso: bool
    keep_years: Annotated[int, Meta(ge=1, le=100)]


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a value comes from."""

    mark: Literal["published", "press", "unverified", "own"]
    """published: found in a public source. press: in the trade press only. unverified: to be checked against the tariff
    before anybody relies on it. own: our default, which the utility may set as it likes."""
    note: str


class MarketProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one market."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    title: str
    time_zone: str
    holidays: tuple[date, ...]
    in_force_from: date
    roles: Roles
    review: Review
    change: Change
    size: Size
    location: Location
    double: Double
    metering: Metering
    telemetry: Telemetry
    day_ahead: DayAhead
    intraday: Intraday
    override: OverrideRules
    commitment: CommitmentRules
    compliance: ComplianceRules
    credit: CreditRules
    firm: FirmRules
    make_whole: MakeWholeRules
    baseline: BaselineRules
    privacy: Privacy
    sources: dict[str, Source]
    """by the value's name, such as `review.days`, or that of its table"""

    def __post_init__(self) -> None:
        if not self.review.amber <= self.review.red <= self.review.alarm:
            raise ValueError("review: amber, red and alarm must not fall")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"time_zone: {self.time_zone!r} is not known, such as America/New_York") from None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which its days begin."""
        return ZoneInfo(self.time_zone)
