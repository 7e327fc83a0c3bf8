"""Corners of a box, solved and compared with the limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envelope.constraints.corners import corners_to_check
from envelope.constraints.formulation import Formulation
from envelope.constraints.linear import linearise, select_all
from envelope.constraints.linearisation import linearise_at_corners
from envelope.constraints.monitored_feeder import FlowResult
from envelope.problem.guarantees import GuaranteedBox
from envelope.schedule import EnvelopeSchedule
from envelope.verification.acceptance import AcceptedLimits, accepted_limits
from envelope.verification.contingencies import corners_with_homes_off
from envelope.verification.inverter_response import at_curve_kinks, silent_patterns, solve_with_response
from envelope.verification.report import Effort, Finding, VerificationReport
from envelope.verification.solvers import Solver, independent_solver, solver_of
from envelope.verification.unbalance import verify_unbalance
from gridmodel.arrays import Index, Mask, Real

CHUNK, AT_KINKS, OFF = 4000, 0.25, 4
"""scenarios solved together; the part of the corners from which inverters are moved to kinks of their curves; one of
so many corners is tried with homes off"""


def try_corners(
    formulation: Formulation,
    schedule: EnvelopeSchedule,
    box: tuple[Real, Real],
    *,
    solver: str | None,
    effort: Effort,
) -> VerificationReport:
    """Power flow at the corners of what clients may do under a schedule, on the network as the model says it is.

    box: (T, C) lowest and highest net injection while clients keep the schedule (`envelope.schedule.verified_box`).
    """
    judge = solver or independent_solver(formulation.feeder)
    trial = try_all(formulation, schedule, box, solver="reduced" if not effort.judge_all else judge, effort=effort)
    if not effort.judge_all and judge != "reduced":
        trial = trial.solved_by(solver_of(formulation.feeder, judge))
    unbalanced = verify_unbalance(formulation, trial.boxes, effort, judge=judge)
    return replace(trial.report(judge, schedule.guarantee), unbalance=unbalanced)


def try_all(
    formulation: Formulation, schedule: EnvelopeSchedule, box: tuple[Real, Real], *, solver: str, effort: Effort
) -> Trial:
    """The trial of all corners by one solver, with the worst of each step."""
    return try_boxes(
        formulation, schedule, formulation.boxes(*box, schedule.export_limit_w), solver=solver, effort=effort
    )


def try_boxes(
    formulation: Formulation,
    schedule: EnvelopeSchedule,
    boxes: tuple[GuaranteedBox, ...],
    *,
    solver: str = "reduced",
    effort: Effort,
    only: Mask | None = None,
) -> Trial:
    """The trial of all corners of these boxes; only: (T,) steps that are tried, all where it is None."""
    accepted = accepted_limits(formulation, schedule, most=effort.sign)
    trial = Trial(formulation, boxes, effort, solver_of(formulation.feeder, solver), accepted=accepted, only=only)
    trial.run()
    return trial


class _Worst:
    """Worst of the three kinds in each step, and where it was found."""

    def __init__(self, steps: int, ports: int) -> None:
        self.beyond = np.full((3, steps), -np.inf)
        self.element = np.zeros((3, steps), dtype=np.intp)
        self.away = np.zeros((3, steps, ports))
        self.kind = np.full((3, steps), "", dtype=object)

    def note(self, which: int, kind: str, steps: Index, *, table: Real, away: Real) -> None:
        """Keeps what is worse than before; (S, E) against (S, L)."""
        element = table.argmax(axis=1)
        beyond = table[np.arange(len(steps)), element]
        order = np.argsort(beyond, kind="stable")
        last = order[np.unique(steps[order][::-1], return_index=True)[1] * -1 + len(order) - 1]
        worse = last[beyond[last] > self.beyond[which, steps[last]]]
        at = steps[worse]
        self.beyond[which, at], self.element[which, at] = beyond[worse], element[worse]
        self.away[which, at], self.kind[which, at] = away[worse], kind


class Trial:
    """One verification under way."""

    def __init__(
        self,
        formulation: Formulation,
        tried: tuple[GuaranteedBox, ...],
        effort: Effort,
        solver: Solver,
        *,
        accepted: AcceptedLimits,
        only: Mask | None = None,
    ) -> None:
        self.formulation, self.boxes, self.effort, self.solver = formulation, tried, effort, solver
        self.feeder, self.base = formulation.feeder, formulation.base
        self.disturbances, steps = formulation.disturbances, formulation.steps
        self.rng = np.random.default_rng(effort.seed)
        self.rating, self.unit_v = formulation.limits.current_a, formulation.feeder.voltage_unit_v
        self.worst = _Worst(steps, self.feeder.reduced.ports)
        self.lost = np.zeros(steps, dtype=bool)
        """(T,) whether any corner has no power flow"""
        self.by_corner: dict[str, dict[str, float]] = {}
        self.scenarios = self.judged_scenarios = self.diverged = self.waiting = 0
        self.queue: list[tuple[str, Index, Real]] = []
        self.sample: list[tuple[str, Index, Real]] = []
        self.accepted = accepted
        self.only = np.ones(steps, dtype=bool) if only is None else only
        """(T,) steps that are tried"""

    def run(self) -> None:
        """Tries every kind of corner."""
        plain = linearise(self.feeder, *self.formulation.sensitivities, wanted=select_all(self.feeder))
        built, everyone = plain, np.flatnonzero(self.only)
        self._queue("rest", everyone, np.zeros((len(everyone), len(self.feeder.port_connection))))
        for k, (lo, hi, _) in enumerate(self.boxes):
            # A box without any width has one corner, which is at rest.
            steps = np.flatnonzero(((lo < self.base.p_w) | (self.base.p_w < hi)).any(axis=1) & self.only)
            if k == 0 or self.formulation.band is None:
                # Under a weaker sun the worst corners are those of the full one.
                built = linearise_at_corners(plain, self.base, lo, hi)
            for kind, up, down in corners_to_check(self.formulation.guarantee, built, self.feeder, self.effort.sign):
                self._try_pattern(kind, up, down, (lo[steps], hi[steps], steps))
            if self.formulation.band is not None:
                box, most = (lo[steps], hi[steps], steps), self.effort.sign // OFF
                for away in corners_with_homes_off(built, self.formulation, box, most=most):
                    self._queue("home off", steps, away)
            self._try_random(lo[steps], hi[steps], steps)
        self._flush()
        self._search()
        self.try_silent()

    def solved_by(self, solver: Solver) -> Trial:
        """The worst corners of each step, and one of every hundred others, once more by another solver."""
        judge = Trial(self.formulation, self.boxes, self.effort, solver, accepted=self.accepted)
        chosen = [(kind, *corner) for kind, *table in self.sample for corner in zip(*table, strict=True)]
        for which in range(3):
            chosen += [(self.worst.kind[which, s], s, self.worst.away[which, s]) for s in self._known(which)]
        once = {(int(step), away.tobytes()): (kind, step, away) for kind, step, away in chosen}
        for wanted in dict.fromkeys(kind for kind, _, _ in once.values()):
            of_kind = [(step, away) for kind, step, away in once.values() if kind == wanted]
            judge._queue(wanted, np.array([step for step, _ in of_kind]), np.array([away for _, away in of_kind]))
        judge._flush()
        judge.try_silent()
        judge.scenarios, judge.judged_scenarios = self.scenarios, judge.scenarios
        judge.by_corner = self.by_corner
        judge.diverged += self.diverged
        return judge

    @property
    def most(self) -> tuple[float, float, float]:
        """V over, V under and percent beyond the limits, each the worst of all corners; infinite without power flow."""
        over, under, load = (self._finding(which).beyond for which in range(3))
        return (np.inf, np.inf, np.inf) if self.lost.any() else (over, under, load)

    def report(self, solver: str, guarantee: str) -> VerificationReport:
        """Worst findings of all corners."""
        over, under, overload = (self._finding(which) for which in range(3))
        return VerificationReport(
            over,
            under,
            overload,
            solver,
            guarantee,
            scenarios=self.scenarios,
            judged=self.judged_scenarios or self.scenarios,
            by_corner=self.by_corner,
            diverged=self.diverged,
            excused=self.accepted.excess,
            base_excess=self.accepted.base_excess,
            firm_excess=self.accepted.firm_excess,
        )

    def _finding(self, which: int) -> Finding:
        step = int(self.worst.beyond[which].argmax())
        element = int(self.worst.element[which, step])
        unit = float(self.unit_v[element]) if which < 2 else 1.0
        beyond, kind = float(self.worst.beyond[which, step]) * unit, str(self.worst.kind[which, step])
        return Finding(beyond, step, self._name(which, element), kind, unit)

    def _try_pattern(self, kind: str, up: Real, down: Real, box: tuple[Real, Real, Index]) -> None:
        lo, hi, steps = box
        of, p = self.feeder.port_connection, self.base.p_w[steps]
        away = up * (hi - p)[:, of] - down * (p - lo)[:, of]
        self._queue(kind, steps, away)
        if self.feeder.inverters is not None and self.rng.random() < AT_KINKS:
            box_w = ((end - p)[:, of] * self.feeder.port_share for end in (lo, hi))
            self._queue("kink", steps, at_curve_kinks(self.base, steps, away, rng=self.rng, box_w=tuple(box_w)))

    def _try_random(self, lo: Real, hi: Real, steps: Index) -> None:
        """Corners, and points inside, at random; the same for every run with the same seed."""
        if not self.formulation.guarantee.random_corners:
            return
        of, share, p = self.feeder.port_connection, self.feeder.port_share, self.base.p_w[steps]
        for kind, count in (("random", self.effort.random), ("inside", self.effort.inside)):
            for _ in range(count):
                where = self.rng.random(p.shape)
                where = np.where(where < 0.5, 0.0, 1.0) if kind == "random" else where
                self._queue(kind, steps, ((lo + where * (hi - lo) - p)[:, of]) * share)

    def _queue(self, kind: str, steps: Index, away: Real) -> None:
        """Lines up (S, L) watts away from the base in these steps."""
        self.queue.append((kind, steps, away))
        self.waiting += len(steps)
        if self.waiting >= CHUNK:
            self._flush()

    def try_silent(self) -> None:
        """The worst corners of each step, and a sample of others, with the inverters silent that are not counted on."""
        places = [(int(step), self.worst.away[which, step]) for which in (0, 1) for step in self._known(which)]
        corners = [*places, *(corner for _, *table in self.sample for corner in zip(*table, strict=True))]
        if not corners:
            return
        steps, away = np.array([step for step, _ in corners]), np.array([away for _, away in corners])
        injected, source = self.base.injections(steps, away), self.base.source_v[steps]
        for silent in silent_patterns(self.feeder, self.rng):
            feeder = self.feeder.with_silent(silent)
            found = solve_with_response(feeder, self.solver, injected, source, voltages=True)
            self._note("others silent", steps, away, self._beyond(found, steps))

    def _known(self, which: int) -> Index:
        """Steps in which some corner was tried for a kind of limit."""
        return np.flatnonzero(np.isfinite(self.worst.beyond[which]))

    def _flush(self) -> None:
        """Solves what is lined up and takes note of the worst."""
        if not self.queue:
            return
        steps = np.concatenate([entry[1] for entry in self.queue])
        away = np.concatenate([entry[2] for entry in self.queue])
        kinds = np.repeat([entry[0] for entry in self.queue], [len(entry[1]) for entry in self.queue])
        self.queue, self.waiting = [], 0
        tables = self.solve(steps, away)
        for kind in dict.fromkeys(kinds.tolist()):
            of_kind = kinds == kind
            self._note(kind, steps[of_kind], away[of_kind], [table[of_kind] for table in tables])
        some = self.rng.choice(len(steps), max(1, len(steps) // 100), replace=False)
        self.sample.append(("sample", steps[some], away[some]))

    def solve(self, steps: Index, away: Real) -> list[Real]:
        """Tables (S, N), (S, N), (S, B): V, V (as much per unit at another level) and percent beyond the limits."""
        found = self._solved(steps, away, np.zeros_like(away))
        for state in self.disturbances.states:
            more = self._solved(steps, *self.disturbances.superpose(state, steps, away), voltages=state.voltages)
            worse = [np.maximum(a, b) for a, b in zip(found, more, strict=True)]
            found = worse if state.voltages else [*found[:2], worse[2]]
        return found

    def _solved(self, steps: Index, away: Real, var: Real, *, voltages: bool = True) -> list[Real]:
        injected, source = self.base.injections(steps, away, var), self.base.source_v[steps]
        return self._beyond(solve_with_response(self.feeder, self.solver, injected, source, voltages=voltages), steps)

    def _beyond(self, values: FlowResult, steps: Index) -> list[Real]:
        """Solved values against the limits."""
        v, i = values.v_v, np.abs(values.i_a)
        with np.errstate(invalid="ignore"):
            found = [
                (v - self.accepted.bounds.high_v[steps]) / self.unit_v,
                (self.accepted.bounds.low_v[steps] - v) / self.unit_v,
                100.0 * (i - self.accepted.bounds.current_a[steps]) / self.rating[steps],
            ]
        for table in found:
            table[~values.converged] = np.nan
        return found

    def _note(self, kind: str, steps: Index, away: Real, beyond: list[Real]) -> None:
        self.scenarios += len(steps)
        tally = self.by_corner.setdefault(kind, {"scenarios": 0.0, "violating": 0.0})
        tally["scenarios"] += len(steps)
        bad = np.zeros(len(steps), dtype=bool)
        for which, (table, name) in enumerate(zip(beyond, ("over_v", "under_v", "overload_percent"), strict=True)):
            lost = np.isnan(table).any(axis=1)
            bad |= lost | np.any(table > 0.0, axis=1)
            self.lost[steps[lost]] = True
            clean = np.where(np.isnan(table), -np.inf, table)
            tally[name] = max(tally.get(name, -np.inf), float(clean.max(initial=-np.inf)))
            self.worst.note(which, kind, steps, table=clean, away=away)
        self.diverged += int(np.isnan(beyond[0]).any(axis=1).sum())
        tally["violating"] += float(bad.sum())

    def _name(self, which: int, element: int) -> str:
        return (self.feeder.reduced.voltage_names if which < 2 else self.feeder.current_names)[element]

    def _search(self) -> None:
        """From the worst corners of each kind: flip whichever connection makes it worse, until none does."""
        if not self.formulation.guarantee.random_corners:
            return
        for which in range(3):
            order = np.argsort(-self.worst.beyond[which], kind="stable")
            for step in order[: self.effort.greedy]:
                if np.isfinite(self.worst.beyond[which, step]):
                    self._climb(which, int(step))

    def _climb(self, which: int, step: int) -> None:
        of = self.feeder.port_connection
        element, away = int(self.worst.element[which, step]), self.worst.away[which, step].copy()
        low, high = self._ends(step, away)
        movable = np.flatnonzero(np.bincount(of, weights=high - low) > 1.0)
        value = self.worst.beyond[which, step]
        for _ in range(2 * len(movable)):
            flipped = np.where(away > 0.5 * (low + high), low, high)
            trial = np.where(of[None, :] == movable[:, None], flipped, away)
            at = np.full(len(trial), step)
            tables = self.solve(at, trial)
            self._note("greedy", at, trial, tables)
            score = tables[which][:, element]
            best = int(np.nan_to_num(score, nan=-np.inf).argmax())
            if score[best] <= value + 1e-9:
                return
            value, away = float(score[best]), trial[best]

    def _ends(self, step: int, away: Real) -> tuple[Real, Real]:
        """(L,) both ends, W from the base, of the box that a corner belongs to."""
        of, share, p = self.feeder.port_connection, self.feeder.port_share, self.base.p_w[step]
        found = []
        for lo, hi, _ in self.boxes:
            low, high = ((end[step] - p)[of] * share for end in (lo, hi))
            outside = np.maximum(away - high, low - away).max(initial=0.0)
            found.append((outside, low, high))
        _, low, high = min(found, key=lambda entry: entry[0])
        return low, high
