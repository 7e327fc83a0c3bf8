"""`sep2 envelope verify`: an audit of limits from the plan and the limits file, without calculating them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from envelope.command_line.command_frame import refusals, stages
from envelope.command_line.options import warn
from envelope.field_rules import BadProblem
from envelope.problem import Problem, plan_file, run_id
from envelope.problem.divided import Divided
from envelope.problem.file_content import LIMITS, PLAN, content_of
from envelope.problem.plan_file import Plan
from envelope.schedule import EnvelopeSchedule, read
from envelope.schedule.findings import some
from envelope.study.estimate import estimate_of
from envelope.verification import VerificationReport, verify
from envelope.verification.solvers import SOLVERS
from sep2.terminal import say, say_json


def verify_limits(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan (.npz) that the limits were calculated from.")],
    limits: Annotated[
        Path, typer.Argument(metavar="LIMITS", help="The limits (.csv or .parquet), as `run` wrote them.")
    ],
    *,
    solver: Annotated[
        str | None, typer.Option(help=f"Who solves the power flow: {', '.join(SOLVERS)}; default: an independent one.")
    ] = None,
    feeder: Annotated[
        str, typer.Option(help="The feeder's folder or file; default: the one that the plan carries.", metavar="<path>")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Verify limits by power flow at many corners, from the plan and the limits alone.

    Ends with 0 only if every corner that was tried is inside the limits, with 3 if only the base load, or what is
    granted in any case, is beyond them, and with 2 if the limits are not the plan's.
    """
    with refusals(as_json), stages(as_json) as stage:
        if solver is not None and solver not in SOLVERS:
            raise BadProblem(f"--solver {solver}: there are {', '.join(SOLVERS)}")
        stage("reading the plan and the limits")
        refuse_swapped(plan, limits)
        saved, schedule = plan_file.load(plan, feeder, as_carried=True), read(limits)
        problem = saved.problem
        refuse_other(saved, schedule)
        warn(estimate_of(problem.reduced.network, problem.reduced, problem.steps).warning)
        stage("verifying")
        report = _verified(problem, schedule, solver, stage)
    if as_json:
        say_json(json.dumps(_plain(schedule, report)))
    else:
        say(f"run {schedule.run_id}: {schedule.guarantee}.")
        if report.wrong_phases is not None:
            say(f"{report.stress_sentence()}.")
        if report.contingencies:
            say(f"{report.contingency_sentence()}.")
        say(f"{report.sentence()}.")
    raise typer.Exit(report.exit_code)


def _verified(
    problem: Problem, schedule: EnvelopeSchedule, solver: str | None, stage: Callable[[str], None]
) -> VerificationReport:
    if not isinstance(problem.reduced, Divided):
        return verify(problem, schedule, solver=solver)
    if solver is not None:
        raise BadProblem("--solver: the network is verified in parts and as one, by the solvers that can")
    # It takes the rooms of the calculation, which an audit of one feeder does without.
    from envelope.medium_voltage.divided import verify_divided

    return verify_divided(problem, schedule, stage)


def refuse_swapped(plan: Path, limits: Path) -> None:
    """Refuse a plan and limits that were given the other way round, with the command that was meant."""
    if (content_of(plan), content_of(limits)) == (LIMITS, PLAN):
        meant = f"sep2 envelope verify {limits} {plan}"
        raise BadProblem(f"{plan} is {LIMITS} and {limits} is {PLAN}: the plan comes first: {meant}")


def refuse_other(plan: Plan, schedule: EnvelopeSchedule) -> None:
    """Refuse limits that were calculated from another problem than the plan's, here or where the plan was saved."""
    problem = plan.problem
    if schedule.run_id not in {run_id(problem), plan.run_id}:
        raise BadProblem(
            f"run_id: the limits are those of run {schedule.run_id}; the plan gives run {run_id(problem)}: "
            "limits are verified with the plan that was saved in the same run"
        )
    if schedule.connection_id != problem.connection_id:
        raise BadProblem(f"connection_point: {_other_connections(schedule.connection_id, problem.connection_id)}")
    if schedule.step_s != problem.step_s or not np.array_equal(schedule.step_start, problem.step_start):
        raise BadProblem("start: the limits are not for the plan's intervals")


def _other_connections(limited: tuple[str, ...], planned: tuple[str, ...]) -> str:
    """How the connections of limits differ from the plan's."""
    if missing := [name for name in planned if name not in set(limited)]:
        return f"{len(missing)} of the plan's {len(planned)} connections have no limits: {some(missing)}"
    if more := [name for name in limited if name not in set(planned)]:
        return f"{len(more)} connections with limits are not in the plan: {some(more)}"
    return "the limits are not in the order of the plan's connections"


def _plain(schedule: EnvelopeSchedule, report: VerificationReport) -> dict[str, object]:
    return {
        "run_id": schedule.run_id,
        "guarantee": schedule.guarantee,
        "inside": report.inside,
        "within_limits": report.within_limits,
        **report.excess,
        "over_v": report.over_v,
        "under_v": report.under_v,
        "overload_percent": report.overload_percent,
        "unbalance_percent": None if report.unbalance is None else report.unbalance.beyond,
        "solver": report.solver,
        "corners": report.scenarios,
        "paths": report.paths,
        "judged": report.judged,
        "sentence": report.sentence(),
    }
