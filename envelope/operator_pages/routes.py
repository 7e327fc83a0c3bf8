"""Routes of the engine in the operator API: status, evaluation of a decision, the decision, curtailed energy."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from envelope.operation import mode
from envelope.operation.mode import Mode, OperatingState, ScopeKind, Stage, StaticLimits
from envelope.operation.plan_folders import mark_of, names_in
from envelope.operator_pages import balance, inputs
from envelope.operator_pages.bodies import (
    ConnectionEffect,
    CornerFigures,
    Curtailed,
    CurtailedEnergy,
    Decision,
    DecisionEffect,
    EngineStatus,
    Evaluation,
    OfFeeder,
    PlanStatus,
    RoundStatus,
    ScopeStatus,
)
from envelope.operator_pages.models import folder_of, show_model, take_model
from sep2.errors import BadRequest
from sep2.operations import plans
from sep2.rest.route import Request, Route
from sep2.rest.types import Done
from sep2.rules.roles import ENGINEER, OPERATOR, VIEWER
from sep2.store import connections, groups, marks
from sep2.store.connection import Connection

if TYPE_CHECKING:
    from envelope.operation.preview import LimitsChange, ServerView

REPORT_MARK, RUN_MARK, NO_RUN = "envelope.report", "envelope.run", "safe "
"""Marks of `envelope.operation.run_record`, repeated here so that this module does not import the engine."""


class NothingChanges(BadRequest):
    """The engine is operated like that already."""


async def show_engine(rq: Request, asked: OfFeeder) -> EngineStatus:
    """Mode of the engine, its plan, its published run and the verification of that run."""
    folder = folder_of(rq.state, asked.feeder)
    state = await asyncio.to_thread(mode.read, folder)
    said = msgspec.json.decode(await marks.value(rq.db, mark_of(REPORT_MARK, asked.feeder)) or "{}")
    run = await marks.value(rq.db, mark_of(RUN_MARK, asked.feeder)) or ""
    is_safe = run.startswith(NO_RUN)
    published = f"safe limits: {run.removeprefix(NO_RUN)}" if is_safe else f"envelopes of run {run}" if run else ""
    is_same = said.get("run") == run
    plan = await asyncio.to_thread(_plan, folder)
    return EngineStatus(
        mode=state.mode.value,
        abnormal=state.abnormal,
        safe=state.safe.value,
        stage=state.stage_in(rq.state.settings.mode).value,
        scopes=[ScopeStatus(kind=one.kind.value, name=one.name, mode=one.mode.value) for one in state.scopes],
        round=await _latest_round(rq.db, "" if plan is None else plan.feeder),
        run="" if is_safe else run,
        published=published or "nothing yet",
        plan=plan,
        guarantee=said.get("guarantee", "") if is_same else "",
        solver=said.get("solver", "") if is_same else "",
        verification=". ".join(filter(None, (said.get("sentence"), said.get("beside")))) if is_same else "",
        corners=msgspec.convert(said.get("corners", []), list[CornerFigures]) if is_same else [],
        feeders=names_in(folder_of(rq.state)),
    )


async def _latest_round(db: Connection, feeder: str) -> RoundStatus | None:
    made = await plans.latest_round(db, feeder)
    if made is None:
        return None
    return msgspec.convert(made._asdict(), RoundStatus)


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


class OneScope(BadRequest):
    """Name one of connection, transformer and group that is known, and a mode for it."""


class NotWaiting(BadRequest):
    """That run does not wait to be published."""


def decided(before: OperatingState, asked: Evaluation | Decision) -> OperatingState:
    """Return the operating state after a decision; refuse one that changes nothing."""
    after = before
    named = [(kind, name) for kind in ScopeKind if (name := getattr(asked, kind.value)) is not None]
    if named and (len(named) > 1 or asked.mode is None):
        raise OneScope(", ".join(kind.value for kind, _ in named))
    if named:
        after = after.with_scope(*named[0], Mode(str(asked.mode)))
    elif asked.mode is not None:
        after = replace(after, mode=Mode(asked.mode))
    if asked.stage is not None:
        after = replace(after, stage=Stage(asked.stage))
    if asked.approved is not None:
        after = replace(after, approved=asked.approved)
    if asked.abnormal is not None:
        after = replace(after, abnormal=asked.abnormal.strip()[:200])
    if asked.safe is not None:
        after = replace(after, safe=StaticLimits(asked.safe))
    if after == before:
        raise NothingChanges(f"mode {before.mode}, {before.safe} as safe limits")
    return after


async def evaluate_decision(rq: Request, asked: Evaluation) -> DecisionEffect:
    """Limits of every connection now and after the next round, as the decision would make them; nothing changes."""
    folder = folder_of(rq.state, asked.feeder)
    after = decided(await asyncio.to_thread(mode.read, folder), asked)
    await _refuse_unknown(rq, asked)
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
    folder = folder_of(rq.state, asked.feeder)
    after = decided(await asyncio.to_thread(mode.read, folder), asked)
    await _refuse_unknown(rq, asked)

    async def write() -> None:
        await asyncio.to_thread(mode.write, folder, after)

    rq.after.append(write)
    topology = f"abnormal ({after.abnormal})" if after.abnormal else "normal"
    stage = after.stage_in(rq.state.settings.mode)
    parts = "".join(f", {one.mode} for {one.kind} {one.name}" for one in after.scopes)
    said = f"mode {after.mode}{parts}, stage {stage}, topology {topology}, {after.safe} as safe limits"
    return Done(message=f"{said}; the next round applies it")


async def _refuse_unknown(rq: Request, asked: Evaluation | Decision) -> None:
    """Refuse a run that does not wait, and a connection or group that is not registered."""
    if asked.approved is not None:
        plan = await asyncio.to_thread(_plan, folder_of(rq.state, asked.feeder))
        made = None if plan is None else await plans.latest_round(rq.db, plan.feeder)
        if made is None or not made.waiting or made.waiting != asked.approved:
            raise NotWaiting(f"approved: {asked.approved or 'empty'}; {made.waiting if made else 'nothing'} waits")
    if asked.connection is not None and await connections.by_name(rq.db, asked.connection) is None:
        raise OneScope(f"connection: {asked.connection} is not registered")
    if asked.group is not None and await groups.by_name(rq.db, asked.group) is None:
        raise OneScope(f"group: {asked.group} does not exist")


async def show_curtailed(rq: Request, asked: OfFeeder) -> CurtailedEnergy:
    """Curtailed energy by connection, as the engine's ledger has it."""
    return await asyncio.to_thread(_curtailed, folder_of(rq.state, asked.feeder))


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
    *inputs.TABLE,
    *balance.TABLE,
)
