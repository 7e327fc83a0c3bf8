"""Plans and verdicts, as they are handed in and shown; W of injection, times in epoch seconds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.rest.types import Asked, Epoch, Span
from sep2.rules.market.plan_forms import Named, PlanNode
from sep2.rules.market.register import Service

Basis = Literal["forecast", "bid", "award", "dispatch"]
LARGEST_SHEET = 8_000_000


class PlanSaid(Asked, frozen=True, kw_only=True):
    """What an aggregator intends: nodes with their bands, or the same as a sheet."""

    basis: Basis = "bid"
    service: Service = "energy"
    step_s: Annotated[int, Meta(ge=1, le=86_400)]
    name: Named | None = None
    """the same name again is the next version; left out: the basis and the day"""
    day: Annotated[str, Meta(max_length=10)] = ""
    """the local day of the market that it covers whole, such as 2027-03-14"""
    waive_firm: bool = False
    """whether contract minimums give way to the band; members' customers must have consented"""
    nodes: Annotated[tuple[PlanNode, ...], Meta(max_length=5000)] = ()
    csv: Annotated[str, Meta(max_length=LARGEST_SHEET)] = ""
    """a line for each step: node or der, start, low_kw, plan_kw, high_kw (or in W)"""


class NewPlan(PlanSaid, frozen=True, kw_only=True):
    """The same, with whose it is."""

    aggregation: Named


class PlanQuery(Span, frozen=True, kw_only=True):
    """Plans of an aggregation that touch a time; with `every`, the versions that no longer hold too."""

    aggregation: Named | None = None
    start: Epoch | None = None
    end: Epoch | None = None
    every: bool = False


class VersionQuery(Asked, frozen=True, kw_only=True):
    """Which version of a plan; left out: the one that stands, or the last."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class Plan(Struct, frozen=True, kw_only=True):
    """A version of a plan with its verdict."""

    id: int
    name: str
    aggregation: str
    version: int
    basis: str
    service: str
    day: str
    start: int
    end: int
    step_s: int
    late: bool
    """it came after the market's time for it: what was planned before stands"""
    stands: bool
    """whether it is what the aggregation plans: no later version, and in time"""
    state: str
    """checking, ok, limit or cannot_tell"""
    cause: str
    recorded_at: int
    source: str
    verdict_at: int | None
    verdict_due: int


class PlanStep(Struct, frozen=True, kw_only=True):
    """What is planned in one step, and what was found of it."""

    start: int
    low_w: float
    plan_w: float
    high_w: float
    state: str
    min_w: int | None
    max_w: int | None
    binding: str
    cause: str


class PlanNodeShown(Struct, frozen=True, kw_only=True):
    """A node of a plan."""

    node: str
    steps: list[PlanStep]


class VerdictSaid(Struct, frozen=True, kw_only=True):
    """One verdict on a version; the last of them holds."""

    state: str
    cause: str
    detail: str
    recorded_at: int
    superseded_at: int | None
    run_ids: list[str]
    inputs_sha256: str
    server_version: str
    took_ms: int
    too_late: bool
    """an ok that became a limit sooner before its time than the market allows"""


class PlanShown(Plan, frozen=True, kw_only=True):
    """A version of a plan with its steps, all verdicts on it, and the plan's other versions."""

    waive_firm: bool
    profile: str
    nodes: list[PlanNodeShown]
    verdicts: list[VerdictSaid]
    versions: list[Plan]


class KeptDay(Struct, frozen=True, kw_only=True):
    """How a member kept the bands of accepted plans on a settled day, and how far the next ones are believed."""

    der: str
    day: int
    """when it began, epoch seconds"""
    tested: int
    """intervals with a band in force of which enough was measured"""
    kept: int
    worst: float
    """the greatest excess, as a part of what the member can do"""
    credit: float
    """from 0, what is planned counts for nothing, to 1, it is taken at its word"""
    target: float
    """what the credit may rise to, from the days until then"""
    until: int
    """when it ends unless another day is judged"""


class Credit(Struct, frozen=True, kw_only=True):
    """How far the plans of an aggregation are believed, member by member."""

    aggregation: str
    days: list[KeptDay]
    """of each member the last one, or all of the window; the latest first"""


class CreditQuery(Struct, frozen=True, kw_only=True):
    """Which days to show."""

    every: bool = False
    """all days of the window, not only the last one of each member"""
