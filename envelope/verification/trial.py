"""One verification under way: corners of boxes, solved and compared with the limits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from envelope.constraints.corners import CheckedCorner, corners_to_check
from envelope.constraints.formulation import Formulation
from envelope.constraints.linear import linearise, select_all
from envelope.constraints.linearisation import linearise_at_corners
from envelope.constraints.monitored_feeder import FlowResult
from envelope.problem.guarantees import GuaranteedBox
from envelope.verification.acceptance import AcceptedLimits
from envelope.verification.box_corners import BESIDE_W, At, BoxCorners, BoxesTried
from envelope.verification.climbs import ClimbSearch
from envelope.verification.contingencies import corners_with_homes_off
from envelope.verification.inverter_response import at_curve_kinks, silent_patterns, solve_with_response
from envelope.verification.report import Effort, Finding, VerificationReport, WorstState
from envelope.verification.solvers import Solver
from envelope.verification.worst_corners import WorstCorners
from gridmodel.arrays import Index, Mask, Real

PERCENT_PER_V = 10.0
"""percent of a rating that count as much as a volt where the worst states are put in order"""
CHUNK, AT_KINKS, OFF = 4000, 0.25, 4
"""scenarios solved together, part of corners from which inverters move to kinks, one of so many tried with homes off"""


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
        self.accepted, self.joint = accepted, formulation.paths
        self.feeder, self.base, self.disturbances = formulation.feeder, formulation.base, formulation.disturbances
        self.rng, steps = np.random.default_rng(effort.seed), formulation.steps
        self.within = BoxesTried(formulation, tried)
        self.rating, self.unit_v = formulation.limits.current_a, formulation.feeder.voltage_unit_v
        self.worst = WorstCorners(steps, self.feeder.reduced.ports)
        self.by_corner: dict[str, dict[str, float]] = {}
        self.scenarios = self.judged_scenarios = self.diverged = self.waiting = 0
        self.queue: list[tuple[str, At, Real]] = []
        self.to_kinks: list[tuple[At, Real, Real, Real]] = []
        """corners from which inverters move to kinks, with the least and most W away of their box"""
        self.sample: list[tuple[str, At, Real]] = []
        self.lost, self.only = np.zeros(steps, dtype=bool), np.ones(steps, dtype=bool) if only is None else only
        """(T,) whether any corner has no power flow, and steps that are tried"""
        self.matter = np.zeros_like(self.joint.kept)
        """(S, T) states of the joint paths that are worst for any constraint"""

    def run(self) -> None:
        """Tries every kind of corner."""
        plain = linearise(self.feeder, *self.formulation.sensitivities, wanted=select_all(self.feeder))
        every = At(*self.joint.pairs).only(self.only[self.joint.pairs[1]])
        self._queue("rest", every, np.zeros((len(every.steps), len(self.feeder.port_connection))))
        built, needed, band = plain, None, self.formulation.band
        for k, box in enumerate(self.boxes):
            # A box without any width has one corner, which is at rest.
            steps = np.flatnonzero(((box.lo_w < self.base.p_w) | (self.base.p_w < box.hi_w)).any(axis=1) & self.only)
            corners = BoxCorners(self.formulation, box, self.rng)
            if k == 0 or band is None:
                # Under a weaker sun the worst corners are those of the full one.
                built = linearise_at_corners(plain, self.base, box.lo_w, box.hi_w)
                needed = corners.paths.worst(built, built.evaluate(self.base.flow))
                self.matter |= self.joint.kept if needed is None else needed.states_by_step()
            if band is not None:
                ends, most = (box.lo_w[steps], box.hi_w[steps], steps), self.effort.sign // OFF
                for off in corners_with_homes_off(built, self.formulation, ends, most=most):
                    at = corners.at(steps, None if needed is None else needed.state[steps, off.row])
                    self._queue("home off", at, off.away(corners.ends(at)))
            for one in corners_to_check(self.formulation.guarantee, built, self.feeder, self.effort.sign):
                state = None if needed is None or one.row is None else needed.state[steps, one.row]
                self._try_pattern(corners, one, corners.at(steps, state))
            self._try_random(corners, steps)
        self._move_to_kinks()
        self._flush()
        self._try_all_states()
        self._search()
        self._try_all_states()
        self.try_silent()

    def try_silent(self) -> None:
        """The worst corners of each step, and a sample of others, with the inverters silent that are not counted on."""
        at, away = self.worst.of_voltages(self.sample)
        injected, source = self.joint.injections(*at, away), self.joint.source(*at)
        for silent in silent_patterns(self.feeder, self.rng):
            response = self.feeder.with_silent(silent)
            solved = solve_with_response(response, self.solver, injected, source, voltages=True)
            self._note("others silent", at, away, self._beyond(solved, at.steps))

    def solved_by(self, solver: Solver) -> Trial:
        """The worst corners of each step, and one of every hundred others, once more by another solver."""
        judge = Trial(self.formulation, self.boxes, self.effort, solver, accepted=self.accepted)
        once = self.worst.distinct(self.sample)
        for wanted in dict.fromkeys(kind for kind, *_ in once.values()):
            of_kind = [one for kind, *one in once.values() if kind == wanted]
            states, steps, away = (np.array(column) for column in zip(*of_kind, strict=True))
            judge._queue(wanted, At(states, steps), away)
        judge._flush()
        judge.try_silent()
        judge.scenarios, judge.judged_scenarios = self.scenarios, judge.scenarios
        judge.by_corner = self.by_corner
        judge.diverged += self.diverged
        return judge

    @property
    def most(self) -> tuple[float, float, float]:
        """V over, V under and percent beyond the limits, each the worst of all corners; infinite without power flow."""
        return (np.inf,) * 3 if self.lost.any() else self.report("reduced", "").worst

    def report(self, solver: str, guarantee: str) -> VerificationReport:
        """Worst findings of all corners."""
        over, under, overload = (self._finding(which) for which in range(3))
        excused, base_excess, firm_excess = self.accepted.told_apart
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
            excused=excused,
            base_excess=base_excess,
            firm_excess=firm_excess,
            paths=self.joint.said,
            worst_states=tuple(self._worst_states()),
        )

    def _worst_states(self) -> Iterator[WorstState]:
        """Connections' injections at the worst corners, the worst first, each once."""
        beyond = self.worst.beyond / np.array([[1.0], [1.0], [PERCENT_PER_V]])
        of, seen = self.feeder.port_connection, set[tuple[int, bytes]]()
        for which, step in zip(*np.unravel_index(np.argsort(-beyond, axis=None), beyond.shape), strict=True):
            away = self.worst.away[which, step]
            if not np.isfinite(beyond[which, step]) or (key := (int(step), away.tobytes())) in seen:
                continue
            seen.add(key)
            at = At(self.worst.state[which, step][None], np.array([step]))
            ports, source = self.joint.injections(*at, away[None])[0], self.joint.source(*at)[0]
            injected = np.bincount(of, ports.real, self.feeder.connections) + 1j * np.bincount(
                of, ports.imag, self.feeder.connections
            )
            yield WorstState(int(step), injected, source)

    def _finding(self, which: int) -> Finding:
        step = int(self.worst.beyond[which].argmax())
        element = int(self.worst.element[which, step])
        unit = float(self.unit_v[element]) if which < 2 else 1.0
        beyond, kind = float(self.worst.beyond[which, step]) * unit, str(self.worst.kind[which, step])
        return Finding(beyond, step, self._name(which, element), kind, unit)

    def _try_pattern(self, corners: BoxCorners, corner: CheckedCorner, at: At) -> None:
        down, up = corners.ends(at)
        away = corner.up * up - corner.down * down
        self._queue(corner.kind, at, away)
        if self.feeder.inverters is not None and self.rng.random() < AT_KINKS:
            self.to_kinks.append((at, away, -down * self.feeder.port_share, up * self.feeder.port_share))

    def _try_random(self, corners: BoxCorners, steps: Index) -> None:
        """Corners, and points inside, at random; the same for every run with the same seed."""
        if not self.formulation.guarantee.random_corners:
            return
        for kind, count in (("random", self.effort.random), ("inside", self.effort.inside)):
            for _ in range(count):
                part = self.rng.random((len(steps), self.feeder.connections))
                at = corners.at(steps)
                self._queue(kind, at, corners.between(at, np.where(part < 0.5, 0.0, 1.0) if kind == "random" else part))

    def _queue(self, kind: str, at: At, away: Real) -> None:
        """Lines up (S, L) watts away from the base load of these states."""
        self.queue.append((kind, at, away))
        self.waiting += len(at.steps)
        if self.waiting >= CHUNK:
            self._flush()

    def _move_to_kinks(self) -> None:
        """Lines up corners at which some inverters stand where their response changes, all found at once."""
        if not self.to_kinks:
            return
        where, *parts = zip(*self.to_kinks, strict=True)
        at = At(*(np.concatenate(index) for index in zip(*where, strict=True)))
        away, *box_w = (np.concatenate(part) for part in parts)
        self.to_kinks = []
        self._queue("kink", at, at_curve_kinks(self.joint, at, away, rng=self.rng, box_w=tuple(box_w)))

    def _flush(self) -> None:
        """Solves what is lined up and takes note of the worst."""
        if not self.queue:
            return
        at = At(*(np.concatenate(index) for index in zip(*(entry[1] for entry in self.queue), strict=True)))
        away = np.concatenate([entry[2] for entry in self.queue])
        kinds = np.repeat([entry[0] for entry in self.queue], [len(entry[1].steps) for entry in self.queue])
        self.queue, self.waiting = [], 0
        tables = self.solve(at, away)
        for kind in dict.fromkeys(kinds.tolist()):
            of_kind = kinds == kind
            self._note(kind, at.only(of_kind), away[of_kind], [table[of_kind] for table in tables])
        some = self.rng.choice(len(away), max(1, len(away) // 100), replace=False)
        self.sample.append(("sample", at.only(some), away[some]))

    def solve(self, at: At, away: Real) -> list[Real]:
        """Tables (S, N), (S, N), (S, B): V, V (as much per unit at another level) and percent beyond the limits.

        In steps in which the firm minimum exceeds a limit it is first asked what it reaches nearby.
        """
        found = self._compared(at, away)
        worse = self.accepted.breached[at.steps] & np.any([(table > 0.0).any(axis=1) for table in found], axis=0)
        if not worse.any():
            return found
        which, near = np.flatnonzero(worse), at.only(worse)
        index = self.within.of(near, away[which])[2]
        for k in np.unique(index):
            of_box = which[index == k]
            self.accepted.include_firm(int(k), *at.only(of_box), away[of_box])
        for table, again in zip(found, self._compared(near, away[which]), strict=True):
            table[which] = again
        return found

    def _compared(self, at: At, away: Real) -> list[Real]:
        """The same, with all that no limit in watts bounds, against what is accepted so far."""
        found = self._solved(at, away, np.zeros_like(away))
        for state in self.disturbances.states:
            more = self._solved(at, *self.disturbances.superpose(state, at.steps, away), voltages=state.voltages)
            worse = [np.maximum(a, b) for a, b in zip(found, more, strict=True)]
            found = worse if state.voltages else [*found[:2], worse[2]]
        return found

    def _solved(self, at: At, away: Real, var: Real, *, voltages: bool = True) -> list[Real]:
        injected, source = self.joint.injections(*at, away, var), self.joint.source(*at)
        found = solve_with_response(self.feeder, self.solver, injected, source, voltages=voltages)
        return self._beyond(found, at.steps)

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

    def _note(self, kind: str, at: At, away: Real, beyond: list[Real]) -> None:
        count = len(at.steps)
        self.scenarios += count
        tally = self.by_corner.setdefault(kind, {"scenarios": 0.0, "violating": 0.0})
        tally["scenarios"] += count
        bad = np.zeros(count, dtype=bool)
        for which, (table, name) in enumerate(zip(beyond, ("over_v", "under_v", "overload_percent"), strict=True)):
            lost = np.isnan(table).any(axis=1)
            bad |= lost | np.any(table > 0.0, axis=1)
            self.lost[at.steps[lost]] = True
            clean = np.where(np.isnan(table), -np.inf, table)
            tally[name] = max(tally.get(name, -np.inf), float(clean.max(initial=-np.inf)))
            self.worst.note(which, kind, at, table=clean, away=away)
        self.diverged += int(np.isnan(beyond[0]).any(axis=1).sum())
        tally["violating"] += float(bad.sum())

    def _name(self, which: int, element: int) -> str:
        return (self.feeder.reduced.voltage_names if which < 2 else self.feeder.current_names)[element]

    def _search(self) -> None:
        """From the worst corners of each kind: flip whichever connection makes it worse, until none does."""
        if not self.formulation.guarantee.random_corners:
            return
        if self.feeder.inverters is not None:
            self._climb_together()
            return
        for which in range(3):
            order = np.argsort(-self.worst.beyond[which], kind="stable")
            for step in order[: self.effort.greedy]:
                if np.isfinite(self.worst.beyond[which, step]):
                    self._climb(which, int(step))

    def _climb_together(self) -> None:
        """Climb from many corners at once, and try all that is found."""
        search = ClimbSearch(self.joint, self.within, self.worst, self.matter, self.rng)
        for which in range(3):
            for at, away in search.found(which, self.effort.climbs):
                self._queue("greedy", at, away)
            self._flush()

    def _climb(self, which: int, step: int) -> None:
        of = self.feeder.port_connection
        element, away = int(self.worst.element[which, step]), self.worst.away[which, step].copy()
        state = self.worst.state[which, step]
        low, high, _ = self.within.of(At(np.array([state]), np.array([step])), away[None])
        movable = np.flatnonzero(np.bincount(of, weights=(high - low)[0]) > 1.0)
        value = self.worst.beyond[which, step]
        for _ in range(2 * len(movable)):
            flipped = np.where(away > 0.5 * (low + high)[0], low[0], high[0])
            trial = np.where(of[None, :] == movable[:, None], flipped, away)
            at = At(np.full(len(trial), state), np.full(len(trial), step))
            tables = self.solve(at, trial)
            self._note("greedy", at, trial, tables)
            score = tables[which][:, element]
            best = int(np.nan_to_num(score, nan=-np.inf).argmax())
            if score[best] <= value + 1e-9:
                return
            value, away = float(score[best]), trial[best]

    def _try_all_states(self) -> None:
        """Try the worst corner of each kind in every step in all states of the joint paths that matter."""
        if not self.joint.several:
            return
        states, steps = (index.astype(np.intp) for index in np.nonzero(self.matter))
        for which in range(3):
            known = np.isfinite(self.worst.beyond[which])[steps]
            at = At(states[known], steps[known])
            found = At(self.worst.state[which, at.steps], at.steps)
            away = self.worst.away[which, at.steps]
            low, high, index = self.within.of(found, away)
            with np.errstate(divide="ignore", invalid="ignore"):
                part = np.where(high > low, np.clip((away - low) / (high - low), 0.0, 1.0), 0.0)
            now_low, now_high = self.within.ends(at, index)
            # A home that feeds nothing stands beside its declared band: it does so in any state.
            beside = (away < low - BESIDE_W) & (np.abs(away) < BESIDE_W)
            self._queue("path", at, np.where(beside, away, now_low + part * (now_high - now_low)))
        self._flush()
