"""Routes of the engine in the operator API: status, evaluation of a decision, the decision, curtailed energy."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct, field

from envelope.operation import mode
from envelope.operation.mode import Mode, OperatingState, StaticLimits
from envelope.operator_pages.models import folder_of, show_model, take_model
from sep2.errors import BadRequest
from sep2.rest.route import Request, Route
from sep2.rest.types import Asked, Done, Nothing, Text
from sep2.rules.roles import ENGINEER, OPERATOR, VIEWER
from sep2.store import marks

if TYPE_CHECKING:
    from envelope.operation.preview import LimitsChange, ServerView

REPORT_MARK, RUN_MARK, NO_RUN = "envelope.report", "envelope.run", "safe "
"""Marks of `envelope.operation.run_record`, repeated here so that this module does not import the engine."""
ModeName = Literal["active", "contract", "hold"]
SafeName = Literal["defaults", "contract"]


class NothingChanges(BadRequest):
    """The engine is operated like that already."""


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


class EngineStatus(Struct, frozen=True, kw_only=True):
    """Mode of the engine, its plan, its published run and the verification of that run."""

    mode: ModeName
    abnormal: str
    """why the topology differs from the plan's; empty: it does not"""
    safe: SafeName
    run: str
    """the published run; empty: static limits, or nothing yet"""
    published: str
    plan: PlanStatus | None
    guarantee: str
    solver: str
    verification: str
    corners: list[CornerFigures]


class Evaluation(Asked, frozen=True, kw_only=True):
    """Decision to evaluate; a field that is absent stays."""

    mode: ModeName | None = None
    abnormal: str | None = None
    safe: SafeName | None = None


class Decision(Asked, frozen=True, kw_only=True):
    """Decision about the engine, and its reason for the audit log; a field that is absent stays."""

    reason: Text
    mode: ModeName | None = None
    abnormal: str | None = None
    safe: SafeName | None = None


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


async def show_engine(rq: Request, asked: Nothing) -> EngineStatus:
    """Mode of the engine, its plan, its published run and the verification of that run."""
    folder = folder_of(rq.state)
    state = await asyncio.to_thread(mode.read, folder)
    said = msgspec.json.decode(await marks.value(rq.db, REPORT_MARK) or "{}")
    run = await marks.value(rq.db, RUN_MARK) or ""
    is_safe = run.startswith(NO_RUN)
    published = f"safe limits: {run.removeprefix(NO_RUN)}" if is_safe else f"envelopes of run {run}" if run else ""
    is_same = said.get("run") == run
    return EngineStatus(
        mode=state.mode.value,
        abnormal=state.abnormal,
        safe=state.safe.value,
        run="" if is_safe else run,
        published=published or "nothing yet",
        plan=await asyncio.to_thread(_plan, folder),
        guarantee=said.get("guarantee", "") if is_same else "",
        solver=said.get("solver", "") if is_same else "",
        verification=said.get("sentence", "") if is_same else "",
        corners=msgspec.convert(said.get("corners", []), list[CornerFigures]) if is_same else [],
    )


def _plan(folder: Path) -> PlanStatus | None:
    from envelope.field_rules import BadProblem
    from envelope.operation.model_in_use import BadModelFile
    from envelope.operation.plan_source import in_use
    from envelope.problem import plan_file

    try:
        saved = plan_file.read(in_use(folder)[0])
    except (BadProblem, BadModelFile):
        return None
    start = saved.fields["step_start"]
    until = int(start[-1]) + int(saved.fields["step_s"])
    return PlanStatus(feeder=saved.feeder, since=int(start[0]), until=until, connections=len(saved.connection_id))


def decided(before: OperatingState, asked: Evaluation | Decision) -> OperatingState:
    """Return the operating state after a decision; refuse one that changes nothing."""
    after = before
    if asked.mode is not None:
        after = replace(after, mode=Mode(asked.mode))
    if asked.abnormal is not None:
        after = replace(after, abnormal=asked.abnormal.strip()[:200])
    if asked.safe is not None:
        after = replace(after, safe=StaticLimits(asked.safe))
    if after == before:
        raise NothingChanges(f"mode {before.mode}, {before.safe} as safe limits")
    return after


async def evaluate_decision(rq: Request, asked: Evaluation) -> DecisionEffect:
    """Limits of every connection now and after the next round, as the decision would make them; nothing changes."""
    folder = folder_of(rq.state)
    after = decided(await asyncio.to_thread(mode.read, folder), asked)
    view = await asyncio.to_thread(_view, rq, folder)
    return _effect((await view.preview(after))[1])


def _view(rq: Request, folder: Path) -> ServerView:
    """Return the server as the engine sees it; in a thread, as importing the engine takes seconds."""
    from envelope.operation.preview import ServerView

    return ServerView(folder, rq.state.settings, rq.state.db, rq.now)


def _effect(changes: list[LimitsChange]) -> DecisionEffect:
    from envelope.operation.net_to_device import sides

    rows, tighter, looser = [], 0, 0
    for one in changes:
        now, then = sides(one.now), sides(one.then)
        for before, after in zip(now, then, strict=True):
            step = _looseness(after) - _looseness(before) if after != before else 0.0
            tighter, looser = tighter + (step < 0), looser + (step > 0)
        rows.append(
            ConnectionEffect(
                connection=one.connection_id,
                import_now_w=now[0],
                import_then_w=then[0],
                export_now_w=now[1],
                export_then_w=then[1],
            )
        )
    return DecisionEffect(tighter=tighter, looser=looser, connections=rows)


def _looseness(watts: int | None) -> float:
    return float("inf") if watts is None else watts


async def decide(rq: Request, asked: Decision) -> Done:
    """The decision is written for the next round, which a running server makes at once."""
    folder = folder_of(rq.state)
    after = decided(await asyncio.to_thread(mode.read, folder), asked)

    async def write() -> None:
        await asyncio.to_thread(mode.write, folder, after)

    rq.after.append(write)
    topology = f"abnormal ({after.abnormal})" if after.abnormal else "normal"
    return Done(
        message=f"mode {after.mode}, topology {topology}, {after.safe} as safe limits; the next round applies it"
    )


async def show_curtailed(rq: Request, asked: Nothing) -> CurtailedEnergy:
    """Curtailed energy by connection, as the engine's ledger has it."""
    return await asyncio.to_thread(_curtailed, folder_of(rq.state))


def _curtailed(folder: Path) -> CurtailedEnergy:
    from envelope.operation.cycle import LEDGER
    from envelope.schedule import Ledger

    whole = Ledger.read(folder / LEDGER).whole()
    figures = whole.figures()
    items = [
        Curtailed(
            connection=whole.connection_id[k],
            direction=str(direction),
            asked_kwh=round(float(found.asked_wh[k]) / 1e3, 3),
            curtailed_kwh=round(float(found.curtailed_wh[k]) / 1e3, 3),
            share_percent=round(100 * float(found.share[k]), 2),
        )
        for k in whole.order()
        for direction, found in whole.past.items()
        if found.asked_wh[k] > 0.0
    ]
    return CurtailedEnergy(
        days=round(whole.days, 3),
        jain={str(d): figures[d]["jain"] for d in whole.past},
        worst_decile_share={str(d): figures[d]["worst_decile_share"] for d in whole.past},
        items=items,
    )


TABLE = (
    Route("GET", "/x/envelope/status", show_engine, VIEWER),
    Route("GET", "/x/envelope/evaluate", evaluate_decision, OPERATOR),
    Route("POST", "/x/envelope/decide", decide, OPERATOR, show_engine),
    Route("GET", "/x/envelope/curtailed", show_curtailed, VIEWER),
    Route("GET", "/x/envelope/model", show_model, VIEWER),
    Route("POST", "/x/envelope/model", take_model, ENGINEER, show_model, seconded=True),
)
