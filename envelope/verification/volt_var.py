"""Inverters that answer their own voltage, credited to voltages: what they do, and what lies between corners.

A box is measured at its corners with the answer on. Where an answer begins or ends, a curve has a kink: a neighbour who
feeds a little less may absorb so much less that a voltage rises. Such states are looked for as limits are calculated
and tried when they are verified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from envelope.constraints.base_case import Base
from envelope.constraints.monitored_feeder import Values, Watched, monitor
from envelope.constraints.volt_var_credit import without_credit
from envelope.problem.margins import ConstraintCoefficients
from envelope.problem.problem import Problem
from envelope.schedule.findings import UNCREDITED
from envelope.schedule.schedule import EnvelopeSchedule
from envelope.verification.solvers import Solver
from gridmodel.arrays import Complex, Index, Real

TURNS = 4
"""steps towards the point where an inverter's own voltage is at a kink"""
ROUNDS, BEYOND_V, CLEAR = 8, 0.05, 0.5
"""of looking for what is worse than a corner, volts kept free beyond what was found, and the part of the declared
margin that what is found must leave, for others may look elsewhere"""


@dataclass(frozen=True)
class Kept:
    """Volts kept free of all voltage rows for what was found beyond the corners that a box was measured at."""

    over_v: float
    under_v: float

    def per_row(self, rows: ConstraintCoefficients, at_rest: Real, limit: Real) -> Real:
        """The same for every row of a kind."""
        return np.broadcast_to(np.array([self.over_v, self.under_v, 0.0])[rows.kind], at_rest.shape)

    def said(self) -> str:
        """The policy says it."""
        return ""


def under_way(problem: Problem) -> bool:
    """Whether this is a round of `searched`."""
    return any(isinstance(margin, Kept) for margin in problem.margins)


def searched(problem: Problem) -> EnvelopeSchedule:
    """Limits that also hold between their corners, or without any credit where that does not come out.

    A row's worst corner can be another one than where the answer is off: each round looks for it as a verification does
    and keeps free what it finds.
    """
    from envelope.engine import calculate
    from envelope.problem.serialization import run_id
    from envelope.verification.report import Effort
    from envelope.verification.verification import verify

    search = Effort(random=20, inside=5, sign=100, greedy=1, judge_all=True, wrong_phases=0.0)
    kept, looked = Kept(0.0, 0.0), 0.0
    for turn in range(ROUNDS if _settles(problem) else 0):
        found = calculate(replace(problem, margins=(*problem.margins, kept)))
        report = verify(problem, found, solver="reduced", effort=replace(search, seed=100 + turn))
        looked += report.scenarios
        spare = CLEAR * problem.limits.margin_v
        if report.inside and max(report.over_v, report.under_v) <= -spare:
            figures = found.figures | {"solves": found.figures["solves"] + 2.0 * looked}
            return replace(found, run_id=run_id(problem), figures=figures)
        kept = Kept(kept.over_v + _more(report.over_v + spare), kept.under_v + _more(report.under_v + spare))
    plain = calculate(replace(problem, reactive=without_credit(problem)))
    said = f"{UNCREDITED}: limits that count on volt-var did not hold between their corners; they do without it"
    return replace(plain, run_id=run_id(problem), findings=(*plain.findings, said))


def _settles(problem: Problem) -> bool:
    """Whether the answers come to rest where nothing flexible runs; too steep a curve swings."""
    from envelope.constraints.base_case import at_rest, granted

    return bool(at_rest(granted(problem, monitor(problem))).converged.all())


def _more(beyond_v: float) -> float:
    return beyond_v + BEYOND_V if beyond_v > 0.0 else 0.0


def judged(watched: Watched, solver: Solver, s_va: Complex, source_v: Complex, *, voltages: bool) -> Values:
    """Values by a solver that is told what inverters answer: voltages, if wanted, with that, currents without it."""
    values = solver(s_va, source_v)
    if watched.inverters is None or not voltages:
        return values
    answer = np.nan_to_num(watched.answer_var(s_va, source_v))
    answered = solver(s_va + 1j * answer, source_v)
    return Values(answered.v_v, values.i_a, values.converged & answered.converged)


def at_kinks(base: Base, steps: Index, away: Real, *, rng: np.random.Generator, box_w: tuple[Real, ...]) -> Real:
    """(S, L) W away from the base: corners from which some inverters have moved to where their answer changes.

    box_w: (S, L) least and most W away.
    """
    watched, inverters = base.feeder, base.feeder.inverters
    if inverters is None or inverters.volt_var is None:
        return away
    slot = inverters.slot
    slope = watched.reduced.Z[slot, slot].real / inverters.reference_v
    edges = inverters.reference_v * np.array([v for v, _ in inverters.volt_var.points])
    chosen = rng.random((len(steps), len(slot))) < 0.5
    edge = edges[rng.integers(len(edges), size=chosen.shape)]
    low, high = (end[:, slot] for end in box_w)
    moved = away.copy()
    for _ in range(TURNS):
        v = np.abs(watched.answering(base.injections(steps, moved), base.source_v[steps]).v[:, slot])
        off = np.where(np.isfinite(v), v - edge, 0.0)
        moved[:, slot] = np.where(chosen, np.clip(moved[:, slot] - off / slope, low, high), moved[:, slot])
    return moved
