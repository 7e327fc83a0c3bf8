"""Screens of the market's reviews: whether the plan's feeder hosts DERs at their full power.

The plan's problem is calculated again with the power that the DERs may reach in place of what the plan counts, all
others within their reach. A DER passes where no step limits it below its nameplate; else its limit is the tightest of
them, by the problem's own allocation, and the constraint that binds there is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from envelope.field_rules import BadProblem
from envelope.operation.plan_folders import planned_in
from envelope.problem import Problem, plan_file
from envelope.schedule import EnvelopeSchedule
from gridmodel.errors import GridError
from sep2.rules.market.screens import DerAsked, Result, ReviewAsked, ScreenResult, no_engine
from sep2.settings import Settings

WHOLE_PPM = 1_000_000
TOLERANCE_W = 1.0


class _Direction(NamedTuple):
    """One direction of power: the schedule's limits of devices, and what a DER reaches."""

    name: str
    limits: str
    nameplate: str


_DIRECTIONS = (_Direction("export", "gen_limit_w", "max_gen_w"), _Direction("import", "load_limit_w", "max_load_w"))


class PlanScreens:
    """The screens of the plans in the server's folder."""

    def review(self, settings: Settings, asked: ReviewAsked) -> Sequence[ScreenResult]:
        """Return the results of `mapping`, `hosting_node` and `hosting_feeder`; `cannot_tell` without a plan."""
        folders = planned_in(Path(settings.operator.token_file).parent)
        if not folders:
            return no_engine(asked.ders, "no_plan", "there is no plan in the server's folder: sep2 envelope run")
        found, left, wrong = list[ScreenResult](), list(asked.ders), ""
        for folder in folders:
            path = folder / plan_file.FILE
            try:
                names = set(plan_file.read(path).connection_id)
                here = {one.der for one in left if one.connection in names}
                if here:
                    found += [one for one in screen(plan_file.load(path).problem, asked) if one.der in here]
                    left = [one for one in left if one.der not in here]
            except (BadProblem, GridError) as refused:
                wrong = str(refused)[:300]
        if wrong:
            return [*found, *no_engine(left, "bad_plan", wrong)]
        return [*found, *no_engine(left, "not_in_model", "its connection is not in the feeder of a plan")]


SCREENS = PlanScreens()


def screen(problem: Problem, asked: ReviewAsked) -> list[ScreenResult]:
    """Return the results on a problem; DERs of connections outside it are not judged."""
    column = {name: n for n, name in enumerate(problem.connection_id)}
    inside = [one for one in asked.ders if one.connection in column]
    outside = [one for one in asked.ders if one.connection not in column]
    found = no_engine(outside, "not_in_model", "its connection is not in the feeder of the plan")
    found += [_mapped(problem, column[one.connection], one, asked) for one in inside]
    if not inside:
        return found
    there = [one for one in asked.others if one.connection in column]
    for name, members in (("hosting_node", inside), ("hosting_feeder", [*inside, *there])):
        schedule = _calculated(_with_members(problem, column, members))
        found += [_hosted(_passed(name, one, schedule, asked), schedule, column[one.connection], one) for one in inside]
    return found


def _mapped(problem: Problem, column: int, one: DerAsked, asked: ReviewAsked) -> ScreenResult:
    """Return whether the phases that were registered are those of the model."""
    modelled = problem.reduced.network.connections.phase[column].upper()
    said = one.phases.upper()
    passed = ScreenResult(screen="mapping", der=one.der, result=Result.PASS, inputs_sha256=asked.sha256)
    if modelled == "UNKNOWN":
        detail = "the model does not know the phase of its connection"
        return replace(passed, result=Result.CANNOT_TELL, cause="phase_unknown", detail=detail)
    if said and set(said) != set(modelled) and said != "S":
        detail = f"registered: phase {said}, in the model: {modelled}"
        return replace(passed, result=Result.FAIL, cause="phase", detail=detail)
    detail = f"its connection is in the model, phase {modelled}" + ("" if said else "; no phase is registered")
    return replace(passed, detail=detail)


def _with_members(problem: Problem, column: dict[str, int], members: Sequence[DerAsked]) -> Problem:
    """Return the problem in which every member reaches its nameplate; what the plan counts beyond stays."""
    gen, load = np.array(problem.flex_gen_w, dtype=float), np.array(problem.flex_load_w, dtype=float)
    sums: dict[int, list[float]] = {}
    for one in members:
        part = one.share_ppm / WHOLE_PPM
        total = sums.setdefault(column[one.connection], [0.0, 0.0])
        total[0] += one.max_gen_w * part
        total[1] += one.max_load_w * part
    for position, (gen_w, load_w) in sums.items():
        gen[..., position] = np.maximum(gen[..., position], gen_w)
        load[..., position] = np.maximum(load[..., position], load_w)
    return replace(problem, flex_gen_w=gen, flex_load_w=load)


def _calculated(problem: Problem) -> EnvelopeSchedule:
    from envelope.engine import calculate

    return calculate(problem)


def _passed(name: str, one: DerAsked, schedule: EnvelopeSchedule, asked: ReviewAsked) -> ScreenResult:
    return ScreenResult(
        screen=name, der=one.der, result=Result.PASS, run_id=schedule.run_id, inputs_sha256=asked.sha256
    )


def _hosted(found: ScreenResult, schedule: EnvelopeSchedule, column: int, one: DerAsked) -> ScreenResult:
    """Return the result with what the tightest step allows a DER; found: that it passed, with no detail."""
    for direction, limits, nameplate in _DIRECTIONS:
        wanted_w = getattr(one, nameplate) * one.share_ppm / WHOLE_PPM
        course = np.asarray(getattr(schedule, limits))[:, column]
        step = int(np.argmin(course))
        if course[step] < wanted_w - TOLERANCE_W:
            return replace(
                found,
                result=Result.FAIL,
                cause="network_limit",
                detail=f"{direction}: {int(course[step])} of {int(wanted_w)} W at the tightest of {len(course)} steps",
                binding=schedule.binding_text(direction, step, column),
                limit_w=max(0, int(course[step])),
            )
    return replace(found, detail=f"at full power in all {len(schedule.step_start)} steps of the plan")
