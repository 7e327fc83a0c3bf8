"""Verification of a network in parts: each part at both ends of its head's band, then all of it as one network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from envelope.constraints.formulation import Formulation, formulate
from envelope.constraints.joint_paths import PathsOfBox
from envelope.medium_voltage.coordination import Coordination
from envelope.medium_voltage.head_voltage import TapRange
from envelope.medium_voltage.whole_network import WholeNetwork
from envelope.problem import Direction
from envelope.problem.guarantees import GuaranteedBox
from envelope.schedule import verified_box
from envelope.verification import Effort, VerificationReport, verify
from envelope.verification.acceptance import WORSE_PERCENT, WORSE_V
from envelope.verification.report import Finding, WorstState
from gridmodel.arrays import Complex, Index, Real
from gridmodel.flow.kron import Watched
from gridmodel.flow.sparse_flow import SparseFlow
from gridmodel.flow.taps import Tapped
from gridmodel.model.feeder import port_va
from gridmodel.model.network import Network
from gridmodel.solvers.power_grid_model import Magnitudes, Model, cannot_model

OF_A_PART = Effort(random=5, inside=1, sign=60, greedy=1)
CORNERS, SEED = 6, 1
"""random corners of the whole network per step: half of them part by part, half connection by connection"""
TOLERANCE_PU = 1e-8
BLOCK = 100
"""scenarios of the whole network that are solved together"""


@dataclass(frozen=True, eq=False)
class WholeReport:
    """Findings in the parts, and in all of them together."""

    by_part: Mapping[str, VerificationReport]
    joint: VerificationReport
    rest_va: Complex
    """(T, C) of the whole network with nothing flexible running"""
    without_flow: tuple[str, ...] = ()
    """intervals that have no power flow, which were left out"""

    @property
    def parts(self) -> VerificationReport:
        """The worst of all parts by themselves."""
        reports = list(self.by_part.values())
        return _worst_of(reports, solver=reports[0].solver)

    @property
    def combined(self) -> VerificationReport:
        """The worst of both."""
        both = _worst_of([self.parts, self.joint], solver=f"{self.parts.solver} and, as one, {self.joint.solver}")
        return replace(both, worst_states=self.joint.worst_states, without_flow=self.without_flow)


def verify_whole(
    whole: WholeNetwork,
    found: Coordination,
    stage: Callable[[str], None] = lambda _: None,
    *,
    by_part: Mapping[str, VerificationReport] | None = None,
) -> WholeReport:
    """Corners of every part with its head at either end of its band, and corners of the whole network.

    by_part: the verification of every part, where that is known.
    """
    reports = dict(by_part or {})
    for k, name in enumerate(found.problems if by_part is None else (), start=1):
        stage(f"verifying: part {k} of {len(found.problems)}")
        reports[name] = verify_part(found, name)
    stage("verifying: the whole network")
    joint = _Joint(whole, found)
    return WholeReport(reports, joint.report(stage), joint.rest)


def verify_part(found: Coordination, name: str) -> VerificationReport:
    """Corners of one part by itself, with its head at either end of its band."""
    problem, schedule, band = found.problems[name], found.schedules[name], found.bands[name]
    # A part of a circuit that is known by its admittances has no other engine: the whole circuit has.
    solver = "reduced" if problem.reduced.network.equipment is None else None
    ends = [replace(problem, source_v=band.centre_v * end[:, None], margins=()) for end in band.assumed]
    reports = [verify(at_end, schedule, solver=solver, effort=OF_A_PART) for at_end in ends]
    return _worst_of(reports, solver=reports[0].solver)


def _worst_of(reports: list[VerificationReport], *, solver: str) -> VerificationReport:
    """One report with the worst of each kind."""

    def worst(field: str) -> Finding:
        found: list[Finding] = [getattr(report, field) for report in reports]
        return max(found, key=lambda one: one.slack_units)

    excused = np.max([report.excused for report in reports], axis=0)
    return replace(
        reports[0],
        over=worst("over"),
        under=worst("under"),
        overload=worst("overload"),
        solver=solver,
        scenarios=sum(report.scenarios for report in reports),
        judged=sum(report.judged for report in reports),
        by_corner={},
        diverged=sum(report.diverged for report in reports),
        excused=(float(excused[0]), float(excused[1]), float(excused[2])),
        base_excess=tuple(one for report in reports for one in report.base_excess),
        firm_excess=tuple(one for report in reports for one in report.firm_excess),
        worst_states=(),
        unbalance=None,
        without_flow=(),
    )


class _Joint:
    """All parts at corners at once, solved as one network that was never divided."""

    def __init__(self, whole: WholeNetwork, found: Coordination) -> None:
        self.whole, self.found, network = whole, found, whole.network
        place = {name: k for k, name in enumerate(network.connections.id)}
        first = next(iter(found.problems.values()))
        self.steps, shape = first.steps, (first.steps, len(place))
        self.rest = np.zeros(shape, dtype=np.complex128)
        self.lo, self.hi, self.tan_phi = np.zeros(shape), np.zeros(shape), np.zeros(len(place))
        self.part = np.zeros(len(place), dtype=np.intp)
        self.paths = list[tuple[Index, PathsOfBox]]()
        for k, (name, problem) in enumerate(found.problems.items()):
            at = np.array([place[own] for own in problem.connection_id])
            base: Formulation = formulate(problem)
            self.rest[:, at] = base.base.p_w + 1j * base.base.q_var
            lo, hi = verified_box(problem, found.schedules[name])
            self.lo[:, at], self.hi[:, at] = lo, hi
            self.paths.append((at, base.paths.of_box(GuaranteedBox(lo, hi, (Direction.EXPORT, Direction.IMPORT)))))
            self.tan_phi[at], self.part[at] = base.base.tan_phi, k
        self.states = max(len(paths.joint.move_w) for _, paths in self.paths)
        self.said = next((paths.joint.said for _, paths in self.paths if paths.joint.several), "")
        self.rng = np.random.default_rng(SEED)

    def on_paths(self, state: int) -> tuple[Complex, Real, Real]:
        """(T, C) base load, and both ends of the boxes, in a state of the joint paths; 0 is the base case.

        A part with fewer states has its own again.
        """
        if not state:
            return self.rest, self.lo, self.hi
        rest, lo, hi, steps = self.rest.copy(), self.lo.copy(), self.hi.copy(), np.arange(self.steps)
        for at, paths in self.paths:
            joint, number = paths.joint, state % len(paths.joint.move_w)
            states = np.where(joint.kept[number], number, 0)
            down, up = paths.ends(states, steps, self.lo[:, at], self.hi[:, at])
            rest[:, at] += joint.move_w[states, steps] + 1j * joint.move_var[states, steps]
            lo[:, at], hi[:, at] = rest[:, at].real - down, rest[:, at].real + up
        return rest, lo, hi

    def report(self, stage: Callable[[str], None]) -> VerificationReport:
        """The worst of all corners and tap positions."""
        tally = None
        for network, source_pu, at in self._networks():
            solver, watched, solve = _solver(network)
            tally = tally or _Tally(self, watched, solver)
            source = source_pu * self.whole.medium.sources(self.steps)
            for count, up in enumerate(self._corners(), start=1):
                stage(f"verifying: corner {count} of the whole network")
                # At rest in every state; at each corner in the base case and in one state after the other.
                atrest = bool(np.isnan(up).any())
                for state in range(self.states) if atrest else {0, count % self.states}:
                    self._try(tally, solve, (up, at, source), state=state)
        assert tally is not None
        return tally.report()

    def _networks(self) -> Iterator[tuple[Network, float, Index]]:
        """The network with its taps at either end of their ranges, the source's voltage, and the steps."""
        network, steps = self.whole.network, np.arange(self.steps)
        grid = Tapped(network, self.whole.medium.regulators)
        for stood in self.found.ranges:
            if not grid.regulators:
                yield network, stood.source_pu, steps
                continue
            for taps, at in _positions(stood):
                yield grid.moved(taps), stood.source_pu, at

    def _corners(self) -> Iterator[Real]:
        """(T, C) where each connection is in its box, 0 lowest to 1 highest; NaN: its base load."""
        shape = self.lo.shape
        yield np.full(shape, np.nan)
        connections = self.whole.network.connections
        first = np.searchsorted(connections.port_connection, np.arange(len(connections)))
        labels = np.array([connections.port_phase[k][0] for k in first])
        for code in range(8):
            high = np.isin(labels, [phase for k, phase in enumerate("abc") if code >> k & 1])
            # Three-phase and split-phase connections go with the first phase.
            yield np.broadcast_to(high.astype(float), shape)
        for k in range(CORNERS):
            if k % 2:
                yield self.rng.integers(0, 2, shape).astype(float)
            else:
                yield self.rng.integers(0, 2, (shape[0], len(self.found.problems)))[:, self.part].astype(float)

    def _try(self, tally: _Tally, solve: _Solve, what: tuple[Real, Index, Complex], *, state: int) -> None:
        (up, at, source), (rest, lo, hi) = what, self.on_paths(state)
        away = np.where(np.isnan(up), 0.0, lo + np.nan_to_num(up) * (hi - lo) - rest.real)
        injected = rest + away - 1j * self.tan_phi * np.maximum(away, 0.0)
        s = port_va(self.whole.network, injected)
        for start in range(0, len(at), BLOCK):
            steps = at[start : start + BLOCK]
            worst = tally.note(steps, solve(s[steps], source[steps]), rest=bool(np.isnan(up).any()))
            # The worst steps of each corner are set at the file's own elements as well.
            tally.states += [WorstState(step, injected[step], source[step]) for step in worst]


_Solve = Callable[[Complex, Complex], Magnitudes]


def _solver(network: Network) -> tuple[str, Watched, _Solve]:
    """Name, places and power flow of the engine that judges a whole network."""
    flow = SparseFlow(network)
    if not cannot_model(network):
        watched = flow.watched.at_connections()
        return "power-grid-model", watched, Model(watched, tolerance_pu=TOLERANCE_PU).magnitudes

    def solve(s_va: Complex, source_v: Complex) -> Magnitudes:
        found = flow.solve(s_va, source_v)
        return Magnitudes(flow.voltages(found.v)[:, at], flow.currents(found.v), found.converged)

    at = flow.watched.voltages_at_connections()
    return "sparse", flow.watched.at_connections(), solve


def _positions(stood: TapRange) -> Iterator[tuple[Index, Index]]:
    """Every set of positions at either end of the ranges, with the steps in which it is one."""
    ends, steps = np.concatenate([stood.low, stood.high]), np.tile(np.arange(len(stood.low)), 2)
    for taps in np.unique(ends, axis=0):
        yield taps, np.unique(steps[(ends == taps).all(axis=1)])


class _Tally:
    """The worst so far; what the base load alone exceeds is the bound there."""

    def __init__(self, joint: _Joint, watched: Watched, solver: str) -> None:
        self.watched, self.solver = watched, solver
        limits = joint.whole.limits
        low, high, self.unit_v = limits.voltages_at(watched.node_nominal_v)
        shape = joint.steps, len(watched.rating_a)
        factor = np.broadcast_to(np.asarray(limits.rating_factor, dtype=float), (joint.steps,))
        self.rating = factor[:, None] * np.broadcast_to(watched.rating_a, shape)
        self.low, self.high = (np.tile(one, (joint.steps, 1)) for one in (low, high))
        self.most = self.rating.copy()
        self.worst = [Finding(-np.inf, 0, "", "")] * 3
        self.excused = np.zeros(3)
        self.scenarios = self.diverged = 0
        self.states = list[WorstState]()
        self.paths = joint.said
        self.guarantee = next(iter(joint.found.schedules.values())).guarantee

    def note(self, steps: Index, found: Magnitudes, *, rest: bool) -> set[int]:
        """Take in solved scenarios, one per step; return the worst steps."""
        worst = set[int]()
        self.scenarios, self.diverged = self.scenarios + len(steps), self.diverged + int((~found.converged).sum())
        steps, v, i = steps[found.converged], found.v_v[found.converged], found.i_a[found.converged]
        if rest:
            self._accept(steps, v, i)
        tables = (
            (v - self.high[steps]) / self.unit_v,
            (self.low[steps] - v) / self.unit_v,
            100.0 * (i - self.most[steps]) / self.rating[steps],
        )
        names = (self.watched.voltage_names, self.watched.voltage_names, self.watched.current_names)
        for which, table in enumerate(tables):
            if not table.size:
                continue
            at, element = divmod(int(np.nanargmax(table)), table.shape[1])
            worst.add(int(steps[at]))
            unit = float(self.unit_v[element]) if which < 2 else 1.0
            if table[at, element] > self.worst[which].slack_units:
                value, step = float(table[at, element]) * unit, int(steps[at])
                self.worst[which] = Finding(value, step, names[which][element], "joint", unit)
        return worst

    def _accept(self, steps: Index, v: Real, i: Real) -> None:
        """Where the base load alone exceeds a limit, it must not become worse."""
        beyond = (v - self.high[steps], self.low[steps] - v, 100.0 * (i / self.rating[steps] - 1.0))
        self.excused = np.maximum(self.excused, [max(0.0, float(np.max(b, initial=0.0))) for b in beyond])
        worse_v = WORSE_V * self.unit_v
        self.high[steps] = np.where(beyond[0] > 0.0, v + worse_v, self.high[steps])
        self.low[steps] = np.where(beyond[1] > 0.0, v - worse_v, self.low[steps])
        self.most[steps] = np.where(beyond[2] > 0.0, i + 0.01 * WORSE_PERCENT * self.rating[steps], self.most[steps])

    def report(self) -> VerificationReport:
        """All of it."""
        over, under, overload = self.worst
        excused = float(self.excused[0]), float(self.excused[1]), float(self.excused[2])
        return VerificationReport(
            over, under, overload, self.solver, self.guarantee, self.scenarios, self.scenarios,
            diverged=self.diverged, excused=excused, worst_states=tuple(self.states), paths=self.paths,
        )  # fmt: skip
