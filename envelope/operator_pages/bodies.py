"""Bodies and answers of the engine's routes in the operator API."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sep2.rest.types import Asked, Text

ModeName = Literal["active", "contract", "hold"]
StageName = Literal["shadow", "advise", "publish"]
SafeName = Literal["defaults", "contract"]


FeederName = Annotated[str, Meta(max_length=200)]
"""the plan's folder below `feeders`; empty: the plan in the server's own folder"""


class OfFeeder(Asked, frozen=True, kw_only=True):
    """One of the server's plans."""

    feeder: FeederName = ""


class PlanStatus(Struct, frozen=True, kw_only=True):
    """Plan in the server's folder: feeder, horizon and number of connections."""

    feeder: str
    since: int = field(name="from")
    until: int
    connections: int


class CornerFigures(Struct, frozen=True, kw_only=True):
    """Verification of one kind of corner: number tried, number in violation, and worst of each kind."""

    corner: str
    scenarios: int
    violating: int
    over_v: float
    under_v: float
    overload_percent: float


class ScopeStatus(Struct, frozen=True, kw_only=True):
    """Some connections for which envelopes are held or deactivated."""

    kind: str
    name: str
    mode: ModeName


class RoundStatus(Struct, frozen=True, kw_only=True):
    """The latest round: how it ended, why, and what it stands on."""

    at: int
    ended: str
    why: str
    waiting: str
    """the run that a person may let be published; empty: none waits"""
    import_w: int
    export_w: int
    notes: list[str]
    inputs: list[str]
    late: list[str]


class EngineStatus(Struct, frozen=True, kw_only=True):
    """Mode of the engine, its plan, its published run and the verification of that run."""

    mode: ModeName
    abnormal: str
    """why the topology differs from the plan's; empty: it does not"""
    safe: SafeName
    stage: StageName
    """what becomes of a round: calculated only, for a person to publish, or published"""
    scopes: list[ScopeStatus]
    """connections for which envelopes are held or deactivated"""
    round: RoundStatus | None
    """the latest round; null: none yet"""
    run: str
    """the published run; empty: static limits, or nothing yet"""
    published: str
    plan: PlanStatus | None
    guarantee: str
    solver: str
    verification: str
    corners: list[CornerFigures]
    feeders: list[str]
    """names of the further feeders, each with a plan of its own"""


class Evaluation(OfFeeder, frozen=True, kw_only=True):
    """Decision about the engine, to be evaluated; a field that is absent stays."""

    mode: ModeName | None = None
    """of the whole feeder, or of what `connection`, `transformer` or `group` names"""
    abnormal: str | None = None
    safe: SafeName | None = None
    stage: StageName | None = None
    approved: str | None = None
    """the run that waits, and is to be published"""
    connection: str | None = None
    transformer: str | None = None
    group: str | None = None


class Decision(Evaluation, frozen=True, kw_only=True):
    """Decision about the engine to be taken, and its reason for the audit log."""

    reason: Text


class ConnectionEffect(Struct, frozen=True, kw_only=True):
    """Limits of one connection now and after the next round, W; null: no limit."""

    connection: str
    import_now_w: int | None
    import_then_w: int | None
    export_now_w: int | None
    export_then_w: int | None


class DecisionEffect(Struct, frozen=True, kw_only=True):
    """DecisionEffect of a decision: number of limits that become tighter and looser, and each connection's limits."""

    tighter: int
    looser: int
    connections: list[ConnectionEffect]


class Curtailed(Struct, frozen=True, kw_only=True):
    """Curtailed energy of one connection and direction over the whole ledger."""

    connection: str
    direction: str
    asked_kwh: float
    curtailed_kwh: float
    share_percent: float


class CurtailedEnergy(Struct, frozen=True, kw_only=True):
    """Curtailed energy of all connections, the largest part first, and its fairness by direction."""

    days: float
    jain: dict[str, float]
    worst_decile_share: dict[str, float]
    items: list[Curtailed]
