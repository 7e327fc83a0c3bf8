"""Why a limit is what it is, in a sentence: what binds, where, when, by how much, and what would relieve it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from envelope.calculation.feasible_box import DirectedBox
from envelope.calculation.solution import Solution
from envelope.explanation.binding_corner import BindingCorner, Contributor
from envelope.problem import Direction, Problem
from envelope.problem.circulating_power import circulating_w
from envelope.problem.guarantees import GUARANTEES
from envelope.schedule import EnvelopeSchedule, ScheduleSide
from envelope.schedule.codes import STATUS
from gridmodel.arrays import Index, Real

CAUSES = {
    "infeasible_base": "the base load alone",
    "infeasible_firm": "what is granted in any case",
}
ACROSS = {
    ("import", "over-voltage"): " (import on one phase lifts the others)",
    ("export", "under-voltage"): " (export on one phase lowers the others)",
}
"""effects between phases, which a single-phase view does not show"""
MOST_NAMED = 5
"""contributors named per limit"""


@dataclass(frozen=True)
class Relief:
    """Something that would make a limit larger, and about by how much."""

    what: str
    """such as "a head voltage 0.5 % lower" """
    gain_w: float
    then: str = ""
    """what holds the limit back then, where that is known and another thing than before"""


@dataclass(frozen=True)
class Explanation:
    """One limit with its reason."""

    connection_id: str
    direction: str
    start: int
    duration_s: int
    limit_w: int
    reach_w: int
    binding: str
    """such as "over-voltage at node n12, phase b", or "capacity" """
    binding_start: int
    """start of the interval that binds: later than `start` when a tightening comes early"""
    margin: float
    """V, or percent of the rating, left at the binding constraint's worst corner in the AC power flow"""
    unit: str
    shared_by: int
    """limits of that interval that the same constraint holds back"""
    relief_w: float
    """about how much this limit would grow with one volt, or ten percent of the rating, more"""
    reliefs: tuple[Relief, ...]
    """that, and what else would relieve it, each alone: by that constraint's sensitivities, or recalculated"""
    contributors: tuple[Contributor, ...]
    status: str
    circulating_w: int = 0
    """what may flow between the connection's phases, unseen by its meter; counted whatever the limits say"""

    def sentence(self) -> str:
        """All of it as a person would say it."""
        return self.reason() + self.relief()

    def reason(self) -> str:
        """The binding constraint, its place and interval, and how near it is to its limit."""
        when = f"{_clock(self.start)} to {_clock(self.start + self.duration_s)}"
        said = f"{self.connection_id} may {self.direction} {self.limit_w} W from {when}"
        if self.binding == f"no_{self.direction}_control":
            return f"{said}: there is nobody who could be told a limit, so all that it can reach is counted."
        if self.binding == "capacity":
            return f"{said}: that is all it can reach; the network does not limit it."
        if self.binding == "ceiling":
            return f"{said}, of {self.reach_w} W it could reach: the policy grants no more in this interval."
        said += f", of {self.reach_w} W it could reach: {self.binding} binds"
        said += ACROSS.get((self.direction, self.binding.split(" ")[0]), "")
        if self.binding_start != self.start:
            said += f" in the interval that begins at {_clock(self.binding_start)}"
        if self.status in CAUSES:
            said += f", which {CAUSES[self.status]} breaches; there is no flexible room."
        else:
            said += self._room() if self.unit else "."
        if self.circulating_w:
            said += f" Up to {self.circulating_w} W may flow from one of its phases to another, which no meter limits."
        return said

    def _room(self) -> str:
        share = "1 limit shares" if self.shared_by == 1 else f"{self.shared_by} limits share"
        return f", with {self.margin:.2f} {self.unit} left at its worst corner; {share} it."

    def relief(self) -> str:
        """Changes that would enlarge the limit, and the next binding constraint; empty where none is known."""
        if not self.reliefs:
            return ""
        first, *others = self.reliefs
        said = f" {first.what[0].upper()}{first.what[1:]} would allow about {first.gain_w:.0f} W more"
        said += "".join(f"; {relief.what} {relief.gain_w:.0f} W" for relief in others) + "."
        then = list(dict.fromkeys(relief.then for relief in self.reliefs if relief.then))
        return said + (f" What binds next: {', or '.join(then)}." if then else "")


def explain(problem: Problem, solution: Solution, connection: str, *, step: int, direction: str) -> Explanation:
    """The reason for one limit of a schedule, by the boxes it was taken from."""
    schedule = solution.schedule
    column = schedule.connection_id.index(connection)
    side = schedule.side(direction)
    row, at = int(side.binding.row[step, column]), int(side.binding.interval[step, column])
    found = _Found(problem, solution, side, column=column, row=row, at=at)
    return Explanation(
        connection_id=connection,
        direction=direction,
        start=int(schedule.step_start[step]),
        duration_s=schedule.step_s,
        limit_w=int(side.limit_w[step, column]),
        reach_w=int(max(problem.side(direction).capacity_w[step, column], 0.0)),
        binding=schedule.binding_text(direction, step, column),
        binding_start=int(schedule.step_start[at]),
        margin=found.margin,
        unit=found.unit,
        shared_by=found.shared_by,
        relief_w=found.reliefs[0].gain_w if found.reliefs else 0.0,
        reliefs=found.reliefs,
        contributors=found.contributors,
        status=STATUS[schedule.status[step, column]],
        circulating_w=int(circulating_w(problem)[at, column]),
    )


class _Found:
    """Margin, contributors and reliefs of a binding constraint."""

    def __init__(
        self, problem: Problem, solution: Solution, side: ScheduleSide, *, column: int, row: int, at: int
    ) -> None:
        self.margin, self.unit, self.shared_by = 0.0, "", 0
        self.contributors: tuple[Contributor, ...] = ()
        self.reliefs: tuple[Relief, ...] = ()
        if row < 0:
            return
        schedule = solution.schedule
        case, local = _locate(solution.boxes, row)
        together = GUARANTEES[problem.guarantee].common_level
        strained = BindingCorner(case, local, at, together=together)
        self.margin, self.unit = strained.margin, strained.unit
        users = [_users(schedule.side(direction), (case, row, local), at) for direction in Direction]
        self.shared_by = sum(len(columns) for columns, _, _ in users)
        use = sum(float((weight * reference).sum()) for _, weight, reference in users)
        own = case.fit.side(side.direction).reference_w
        self.contributors = _contributors(schedule, case, local, at)
        if use > 0.0 and strained.steepness > 0.0:
            watts = float(own[at, column]) / (strained.steepness * use)
            others = [c for c in self.contributors if c.connection_id != schedule.connection_id[column]]
            most = float(max(side.capacity_w[at, column] - side.limit_w[at, column], 0.0))
            told = [Relief(what, min(watts * easing, most)) for what, easing in strained.relief_options(others[:1])]
            self.reliefs = tuple(relief for relief in told if relief.gain_w >= 1.0)


def _locate(boxes: Sequence[DirectedBox], row: int) -> tuple[DirectedBox, int]:
    """The case a constraint belongs to, and its position there."""
    for case in boxes:
        if row < case.fit.rows.count:
            return case, row
        row -= case.fit.rows.count
    raise IndexError(row)


def _users(limits: ScheduleSide, of: tuple[DirectedBox, int, int], at: int) -> tuple[Index, Real, Real]:
    """(columns, coefficients, references) of the limits of one direction that the constraint holds back."""
    case, row, local = of
    # A tightening comes early: then it is an earlier interval's limit that names this one.
    columns = np.flatnonzero(((limits.binding.row == row) & (limits.binding.interval == at)).any(axis=0))
    side = case.fit.side(limits.direction)
    return columns, side.rise[local, columns], side.reference_w[at, columns]


def _contributors(schedule: EnvelopeSchedule, case: DirectedBox, local: int, at: int) -> tuple[Contributor, ...]:
    """Connections that contribute most to the constraint at its worst corner."""
    up, down = (side.rise[local] * side.room_w[at] for side in map(case.fit.side, Direction))
    total = float(up.sum() + down.sum())
    if total <= 0.0:
        return ()
    count = len(up)
    parts = np.concatenate([up, down]) / total
    order = np.argsort(-parts, kind="stable")[:MOST_NAMED]
    return tuple(
        Contributor(schedule.connection_id[k % count], list(Direction)[k // count], float(parts[k]))
        for k in order
        if parts[k] > 0.0
    )


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M UTC")
