"""A schedule in a few figures: how much, how evenly, how safely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from envelope.problem import Direction, Guarantee, Problem
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.codes import UNCONTROLLED
from envelope.schedule.curtailment import jain, of_schedule
from envelope.study.perfect_information import ROUNDS, most_export, most_import, without_voltage_limits
from envelope.verification import Effort, VerificationReport, verify
from gridmodel.arrays import Real

QUICK = Effort(random=5, inside=2, greedy=1)
MOST_BINDING = 3
"""elements named per direction"""

_COMPARED = ("curtailed_kwh", "worst_decile_share", "worst_decile_kwh")


def priced(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Policies with what each gives more or less than the first, %."""
    return [
        row
        | {
            f"{direction}_price_percent": 100.0 * (row[f"{direction}_kw"] / max(rows[0][f"{direction}_kw"], 1e-9) - 1.0)
            for direction in Direction
        }
        for row in rows
    ]


def possible(problem: Problem, tell: Callable[[str], None] | None = None) -> dict[str, float]:
    """Mean kW over the horizon that perfect information would let each direction have, the other one idle.

    With what is withheld of the capacity: by ratings of cables and transformers, and beyond that by voltage. tell:
    called with what is being calculated.
    """
    found = dict[str, float]()
    for direction in (Direction.EXPORT, Direction.IMPORT):
        capacity_w = problem.side(direction).flex_w
        bound = _mean_kw(_most(problem, direction, tell))
        ratings = _mean_kw(_most(without_voltage_limits(problem), direction, tell, " by ratings alone"))
        found[f"{direction}_kw"] = bound
        found[f"{direction}_withheld_by_ratings_kw"] = max(_mean_kw(capacity_w) - max(ratings, bound), 0.0)
        found[f"{direction}_withheld_by_voltage_kw"] = max(ratings - bound, 0.0)
    return found


def _most(problem: Problem, direction: Direction, tell: Callable[[str], None] | None, how: str = "") -> Real:
    """(T, C) W that perfect information would let a direction have."""

    def progress(program: int) -> None:
        if tell is not None:
            tell(f"perfect information: {direction}{how}, linear program {program} of at most {ROUNDS}")

    exports = direction is Direction.EXPORT
    return most_export(problem, tell=progress).feed_w if exports else most_import(problem, tell=progress).draw_w


def _mean_kw(power_w: Real) -> float:
    return float(power_w.sum(axis=1).mean() / 1e3)


def recovered(rows: list[dict[str, Any]], bound: Mapping[str, float]) -> list[dict[str, Any]]:
    """Policies with the part of what is possible that each recovers, 0..1; 1 where nothing is."""
    parts = {f"{d}_of_possible": f"{d}_kw" for d in ("export", "import")}
    return [row | {part: row[kw] / bound[kw] if bound[kw] else 1.0 for part, kw in parts.items()} for row in rows]


def room(schedule: EnvelopeSchedule) -> dict[str, float]:
    """Mean kW over the horizon, Jain's index and the least share of the flexible connections, per direction."""
    found: dict[str, float] = {}
    for name in Direction:
        side = schedule.side(name)
        given = side.room_w
        # Fairness is among those who can be told a limit.
        used = given[:, (given.max(axis=0) > 0.0) & ~(side.binding.row == UNCONTROLLED).any(axis=0)]
        busy = used[used.max(axis=1, initial=0.0) > 0.0] if used.size else np.zeros((0, 0))
        found[f"{name}_kw"] = float(given.sum(axis=1).mean() / 1e3)
        found[f"{name}_jain"] = float(np.mean([jain(row) for row in busy])) if len(busy) else 1.0
        found[f"{name}_least_w"] = float(used.mean(axis=0).min()) if used.size else 0.0
    return found


def held_back(schedule: EnvelopeSchedule) -> dict[str, list[dict[str, Any]]]:
    """Per direction what holds limits back most: its name, and its part of all limits below their capacity."""
    found: dict[str, list[dict[str, Any]]] = {}
    for direction in Direction:
        binding = schedule.side(direction).binding
        rows, times = np.unique(binding.row[binding.is_network], return_counts=True)
        # The two ends of a branch are constraints of their own, and one element to the reader.
        often = Counter[str]()
        for row, count in zip(rows.tolist(), times.tolist(), strict=True):
            often[schedule.name_of(direction, row)] += count
        found[direction] = [
            {"binding": name, "part": count / often.total()} for name, count in often.most_common(MOST_BINDING)
        ]
    return found


def beyond(problem: Problem, schedule: EnvelopeSchedule) -> dict[str, float] | None:
    """Violations with clients anywhere between their limits, beyond the guarantee; None where it covers that."""
    if problem.guarantee is Guarantee.TWO_SIDED:
        return None
    whole = problem.for_any_combination()
    return worst_of(verify(whole, schedule, solver="reduced", effort=QUICK))


def summarise(problem: Problem, schedule: EnvelopeSchedule, report: VerificationReport) -> dict[str, Any]:
    """Result of a run, as plain values."""
    name = problem.reduced.network.name
    return summarise_parts(name, problem, schedule, report) | {"beyond_guarantee": beyond(problem, schedule)}


def summarise_parts(
    name: str, first: Problem, schedule: EnvelopeSchedule, report: VerificationReport
) -> dict[str, Any]:
    """The same for a network whose parts were problems of their own; first: one of them, for what all share."""
    limits = first.limits
    return {
        "feeder": name,
        "connections": len(schedule.connection_id),
        "steps": first.steps,
        "guarantee": schedule.guarantee,
        "allocation": schedule.allocation,
        "reference": schedule.reference,
        "limits": {
            "v_min_v": limits.v_min_v,
            "v_max_v": limits.v_max_v,
            "source": limits.source,
            "bands": [asdict(band) for band in limits.bands],
            "vuf_max_percent": limits.vuf_max_percent,
        },
        "reactive_power": first.reactive.rule,
        **room(schedule),
        "fairness": evenness(schedule),
        "held_back": held_back(schedule),
        **schedule.figures,
        "findings": list(schedule.findings),
        "beyond_guarantee": None,
        "verified_worst": {
            **worst_of(report),
            "unbalance_percent": report.unbalance.beyond if report.unbalance else None,
            "solver": report.solver,
            "corners": report.scenarios,
            "paths": report.paths,
            "inside": report.inside,
            "within_limits": report.within_limits,
            **report.excess,
        },
        "wrong_phases": stress_of(report),
        "contingencies": [one._asdict() for one in report.contingencies],
        "run_id": schedule.run_id,
    }


def evenness(schedule: EnvelopeSchedule) -> dict[str, dict[str, float]]:
    """Per direction what was asked, what was curtailed, and how evenly the rest was granted."""
    return {direction: asdict(found) for direction, found in of_schedule(schedule).items()}


def worst_of(report: VerificationReport) -> dict[str, float]:
    """The worst of each kind, against its limit."""
    return {"over_v": report.over_v, "under_v": report.under_v, "overload_percent": report.overload_percent}


def stress_of(report: VerificationReport) -> dict[str, float] | None:
    """The same if part of the phases were wrong; None where that was not tried."""
    if report.wrong_phases is None:
        return None
    return dict(zip(("over_v", "under_v", "overload_percent"), report.wrong_phases, strict=True))


def compared(problem: Problem) -> dict[str, Any]:
    """One policy's figures, with the worst over corners of the whole box whatever the guarantee says."""
    # Figures of limits that were read from a file need no calculation.
    from envelope.engine import calculate

    schedule = calculate(problem)
    own = verify(problem, schedule, solver="reduced", effort=QUICK)
    whole = problem.for_any_combination()
    every = verify(whole, schedule, solver="reduced", effort=QUICK)
    return {
        "guarantee": str(problem.guarantee),
        "allocation": str(problem.allocation),
        **room(schedule),
        **{f"{direction}_{key}": found[key] for direction, found in evenness(schedule).items() for key in _COMPARED},
        "seconds": schedule.figures["seconds"],
        "solves": schedule.figures["solves"],
        "own_over_v": own.over_v,
        "own_under_v": own.under_v,
        "own_load_percent": own.overload_percent,
        "any_over_v": every.over_v,
        "any_under_v": every.under_v,
        "any_load_percent": every.overload_percent,
    }


def most_withheld(problem: Problem, schedule: EnvelopeSchedule, connection: str, direction: str) -> int:
    """The step in which a connection's limit is farthest below its capacity."""
    column = schedule.connection_id.index(connection)
    limit_w, asked = schedule.side(direction).limit_w, problem.side(direction)
    withheld = asked.capacity_w[:, column] - limit_w[:, column]
    return int(np.where(asked.flexible[:, column], withheld, -1.0).argmax())
