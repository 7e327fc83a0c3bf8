"""Voltage unbalance: negative over positive sequence at three-phase nodes with customers, in percent.

No row of the engine limits it. Its own worst corners are solved when a box is found; where they leave the limit, the
rooms of that interval give way together. A verification tries the same corners again, and random ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from envelope.calculation.feasible_box import Case
from envelope.constraints.base_case import Base
from envelope.constraints.corners import aligned_corners
from envelope.constraints.disturbances import Unseen
from envelope.constraints.linear import FINE_FACETS, Wanted, build
from envelope.constraints.monitored_feeder import FINE_V, Sensitivity, Watched
from envelope.problem.policies import Guarantee
from envelope.problem.problem import Problem
from envelope.schedule.schedule import NETWORK, Binding
from gridmodel import flow as power_flow
from gridmodel.arrays import TURN, Complex, Index, Mask, Real
from gridmodel.build import network
from gridmodel.equipment import Connection
from gridmodel.reduce import Reduced, reduce
from gridmodel.sensitivity import sensitivities

Corner = tuple[str, Real, Real]
"""kind, and parts of each slot's room up and down, (L,)"""

NEGATIVE = np.array([1.0, TURN**2, TURN]) / 3.0
POSITIVE = np.array([1.0, TURN, TURN**2]) / 3.0
AIM, ENOUGH = 0.985, 0.995
"""part of the limit that a box is brought to, and that it may use; the rest is for corners that are not tried"""
WORSE = 0.02
"""percentage points that traces may add where the base load alone is beyond the limit"""
MOST_CORNERS, CLOSE, NEAR, CHUNK = 200, 40, 6, 4096
"""corners tried; of those, per interval, for a smaller room; while its largest part is sought; power flows at once"""
HALVINGS, LAST = 8, 6
"""of the interval in which it is looked for; rounds with all close corners thereafter"""


@dataclass(frozen=True, eq=False)
class Unbalance:
    """The unbalance of one feeder's states."""

    problem: Problem
    base: Base

    @property
    def feeder(self) -> Watched:
        """As the engine sees it."""
        return self.base.feeder

    @cached_property
    def nodes(self) -> Index:
        """(K,) three-phase nodes with customers."""
        grid = self.problem.reduced.network
        used = np.unique(grid.connections.node)
        return np.array([n for n in used if set("abc") <= set(grid.nodes.phases[n])], dtype=np.intp)

    @property
    def names(self) -> list[str]:
        """(K,)"""
        return [f"node {self.problem.reduced.network.nodes.id[n]}" for n in self.nodes]

    @cached_property
    def _rows(self) -> tuple[Complex, Complex, Complex, Complex]:
        """(K, L) and (K, 3) of the negative sequence, (K, L) and (K, 3) of the positive one."""
        grid = self.problem.reduced.network
        whole = reduce(grid)
        place = {(int(grid.terminal_node[t]), grid.terminal_phase[t]): k for k, t in enumerate(whole.node_terminal)}
        at = np.array([[place[int(n), phase] for phase in "abc"] for n in self.nodes], dtype=np.intp).reshape(-1, 3)
        found = [np.einsum("p,kpx->kx", s, rows[at]) for s in (NEGATIVE, POSITIVE) for rows in (whole.Zn, whole.Wn)]
        return found[0], found[1], found[2], found[3]

    def percent(self, i: Complex, source_v: Complex) -> Real:
        """(S, K) at slot currents (S, L) and source voltages (S, 3)."""
        z2, w2, z1, w1 = self._rows
        return np.asarray(100.0 * np.abs(i @ z2.T + source_v @ w2.T) / np.abs(i @ z1.T + source_v @ w1.T))

    @cached_property
    def limit(self) -> Real:
        """(T, K) percent; where the base load alone is beyond it, that."""
        rest = self.solved(np.arange(self.problem.steps), np.zeros((self.problem.steps, self.feeder.reduced.slots)))
        most = self.problem.limits.vuf_max_percent or np.inf
        return np.where(rest > most, rest + WORSE, most)

    def solved(self, steps: Index, away: Real) -> Real:
        """(S, K) percent at (S, L) watts away from the base, with the worst of what no limit sees on top."""
        found = self._at(steps, away, np.zeros_like(away))
        unseen = Unseen(self.problem, self.feeder)
        for state in unseen.states:
            if state.voltages:
                found = np.maximum(found, self._at(steps, *unseen.on_top(state, steps, away)))
        return found

    def spare(self, part: float) -> float:
        """Percentage points between this part of the limit and all of it."""
        return (1.0 - part) * (self.problem.limits.vuf_max_percent or 0.0)

    def _at(self, steps: Index, away: Real, var: Real) -> Real:
        source = self.base.source_v[steps]
        flow = power_flow.solve(self.feeder.reduced, self.base.injections(steps, away, var), source, tol_v=FINE_V)
        # What has no solution is the affair of the other limits.
        return np.where(flow.converged[:, None], self.percent(flow.i, source), 0.0)

    def corners(self) -> list[Corner]:
        """Those that strain each node's unbalance most in each direction, and phases against each other."""
        together = self.feeder.slot_share
        if self.problem.guarantee is Guarantee.COINCIDENT:
            nothing = np.zeros_like(together)
            return [("all together", together, nothing), ("all together", nothing, together)]
        slopes = self._slopes()
        count, none = len(self.nodes), np.zeros(0, dtype=bool)
        at = Sensitivity(np.zeros((0, len(together))), slopes)
        built = build(self.feeder, at, at, wanted=Wanted(none, none, np.ones(count, dtype=bool)), facets=FINE_FACETS)
        strength = built.plus.sum(axis=1) + built.minus.sum(axis=1)
        order = dict.fromkeys(built.corner[np.argsort(-strength, kind="stable")].tolist())
        strongest = list(order)[:MOST_CORNERS]
        own = [("sign", built.corners.up[k], built.corners.down[k]) for k in strongest]
        return [*own, *(("aligned", up, down) for up, down in aligned_corners(self.feeder))]

    def _slopes(self) -> Complex:
        """(K, L) change of the negative sequence per W at each slot, V, at the horizon's mean."""
        base, feeder = self.base, self.feeder
        s = (feeder.spread(base.p_w.mean(axis=0)) + 1j * feeder.spread(base.q_var.mean(axis=0)))[None]
        flow = power_flow.solve(feeder.reduced, s, base.source_v.mean(axis=0))
        return np.asarray(self._rows[0] @ sensitivities(feeder.reduced, s, flow.v)[0])

    def away(self, corners: Sequence[Corner], box: tuple[Real, Real], steps: Index) -> Real:
        """(S, L) watts from the base at a corner of each of these (S, C) boxes."""
        up, down = (np.stack([corner[k] for corner in corners]) for k in (1, 2))
        (lo, hi), of, p = box, self.feeder.slot_connection, self.base.p_w[steps]
        return np.asarray(up * (hi - p)[:, of] - down * (p - lo)[:, of])

    def beyond(self, corners: Sequence[Corner], box: tuple[Real, Real], steps: Index, which: Index) -> Real:
        """(n, S) largest excess over the limit, percentage points, at n corners of each box, by their numbers."""
        found = np.empty(which.shape)
        together = max(1, CHUNK // max(1, len(steps)))
        for start in range(0, len(which), together):
            part = which[start : start + together]
            away = np.concatenate([self.away([corners[k] for k in row], box, steps) for row in part])
            over = self.solved(np.tile(steps, len(part)), away) - np.tile(self.limit[steps], (len(part), 1))
            found[start : start + together] = over.max(axis=1).reshape(part.shape)
        return found

    def in_any_case(self, corners: Sequence[Corner], steps: Index) -> Real:
        """(S, K) percent that what is granted in any case comes to where that is beyond the limit, else 0."""
        found = np.zeros((len(steps), len(self.nodes)))
        for corner in corners if len(steps) else ():
            away = self.away([corner] * len(steps), (self.base.lo_w[steps], self.base.hi_w[steps]), steps)
            found = np.maximum(found, self.solved(steps, away))
        return np.where(found > (self.problem.limits.vuf_max_percent or np.inf), found + WORSE, 0.0)


def _all(corners: Sequence[Corner], steps: Index) -> Index:
    """(n, S) every corner in every step."""
    return np.tile(np.arange(len(corners), dtype=np.intp)[:, None], (1, len(steps)))


class Restrained(NamedTuple):
    """(T,) each."""

    scaled: Mask
    """intervals whose rooms were scaled down"""
    closed: Mask
    """intervals without any: there the base load alone, or what is granted in any case, is beyond the limit"""


def restrain(problem: Problem, cases: Sequence[Case]) -> Restrained:
    """Scales rooms down in the cases' boxes, interval by interval, until unbalance is inside its limit."""
    scaled, closed = np.zeros(problem.steps, dtype=bool), np.zeros(problem.steps, dtype=bool)
    if problem.limits.vuf_max_percent is None:
        return Restrained(scaled, closed)
    for case in cases:
        fit, steps = case.fit, np.arange(problem.steps)
        seen = Unbalance(problem, fit.base)
        if not len(seen.nodes):
            continue
        corners = _of_case(seen.corners(), case)
        over = seen.beyond(corners, (fit.lo_w, fit.hi_w), steps, _all(corners, steps)) + seen.spare(ENOUGH)
        steps = np.flatnonzero(over.max(axis=0) > 0.0)
        part = _largest(seen, corners, case, steps, over=over[:, steps])
        granted = fit.base.ends.granted_w[steps]
        fit.grow(steps, granted + part[:, None] * (fit.away_w[steps] - granted))
        scaled[steps], closed[steps[part == 0.0]] = True, True
    return Restrained(scaled, closed)


def _of_case(corners: list[Corner], case: Case) -> list[Corner]:
    """Without repetition where only one end of the box moves."""
    if case.up and case.down:
        return corners
    return list({(up if case.up else down).tobytes(): (kind, up, down) for kind, up, down in corners}.values())


def _box(case: Case, steps: Index, part: Real) -> tuple[Real, Real]:
    """(S, C) ends with this part of each interval's room."""
    fit, base = case.fit, case.fit.base
    lo, hi = (granted + part[:, None] * (end - granted) for granted, end in (
        (base.lo_w[steps], fit.lo_w[steps]), (base.hi_w[steps], fit.hi_w[steps])))  # fmt: skip
    return lo, hi


def _largest(seen: Unbalance, corners: list[Corner], case: Case, steps: Index, *, over: Real) -> Real:
    """(S,) largest part of the rooms that was found to be inside; 0 where nothing is. `over`: (n, S) at the whole."""
    part = np.ones(len(steps))
    # A smaller room is strained most by one of the corners that strained the whole one.
    close = np.argsort(-over, axis=0, kind="stable")[:CLOSE]
    over = np.take_along_axis(over, close, axis=0)
    for _ in range(LAST):
        still = np.flatnonzero((over.max(axis=0, initial=-np.inf) > 0.0) & (part > 0.0))
        if not len(still):
            return part
        near = np.take_along_axis(close[:, still], np.argsort(-over[:, still], axis=0, kind="stable")[:NEAR], axis=0)
        part[still] = _halved(seen, corners, case, steps[still], near=near, high=part[still])
        box = _box(case, steps[still], part[still])
        over[:, still] = seen.beyond(corners, box, steps[still], close[:, still]) + seen.spare(ENOUGH)
    part[over.max(axis=0, initial=-np.inf) > 0.0] = 0.0
    return part


def _halved(seen: Unbalance, corners: list[Corner], case: Case, steps: Index, *, near: Index, high: Real) -> Real:
    """(S,) largest part below `high` at which the near corners, (n, S), are inside the aim."""
    low = np.zeros(len(steps))
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        inside = (seen.beyond(corners, _box(case, steps, middle), steps, near) + seen.spare(AIM)).max(axis=0) <= 0.0
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


def without_row(binding: Binding, steps: Mask) -> Binding:
    """What holds limits back in these steps is no row."""
    return Binding(np.where(steps[:, None] & (binding.row >= 0), NETWORK, binding.row), binding.interval)


def said(problem: Problem, found: Restrained) -> tuple[str, ...]:
    """What a person should know."""
    most, lines = problem.limits.vuf_max_percent, []
    if found.closed.any():
        lines.append(
            f"infeasible_base: in {int(found.closed.sum())} intervals the base load alone, or what is granted in any "
            f"case, is unbalanced by more than {most:g} %; there is no flexible room"
        )
    if found.scaled.any():
        lines.append(f"unbalance: the rooms of {int(found.scaled.sum())} intervals were scaled down to keep {most:g} %")
    return tuple(lines)


class Looked(NamedTuple):
    """The worst that a verification found."""

    beyond: float
    """percentage points, negative inside"""
    step: int
    element: str
    corner: str


class Effort(Protocol):
    """How much to try; `verification.Effort` is one."""

    @property
    def random(self) -> int:
        """Random corners per interval."""
        ...

    @property
    def seed(self) -> int:
        """Of their generator."""
        ...


def looked(
    problem: Problem, base: Base, boxes: Sequence[tuple[Real, Real]], effort: Effort, *, judge: str
) -> Looked | None:
    """The worst over all corners of some boxes and random ones, each interval's worst by `judge`; None: no limit."""
    seen = Unbalance(problem, base)
    if problem.limits.vuf_max_percent is None or not len(seen.nodes):
        return None
    rng, steps = np.random.default_rng(effort.seed), np.arange(seen.problem.steps)
    of, share = seen.feeder.slot_connection, seen.feeder.slot_share
    solved = independent if judge == "power-grid-model" else Unbalance.solved
    best = Looked(-np.inf, 0, "", "")
    for box in boxes:
        corners = seen.corners()
        for _ in range(0 if seen.problem.guarantee is Guarantee.COINCIDENT else effort.random):
            up = np.where(rng.random(seen.feeder.connections)[of] < 0.5, share, 0.0)
            corners.append(("random", up, share - up))
        worst = seen.beyond(corners, box, steps, _all(corners, steps)).argmax(axis=0)
        away = seen.away([corners[k] for k in worst], box, steps)
        found, most = solved(seen, steps, away), seen.limit.copy()
        broken = np.flatnonzero((found > most).any(axis=1))
        most[broken] = np.maximum(most[broken], seen.in_any_case(corners, broken))
        over = np.nan_to_num(found - most, nan=-np.inf)
        at, node = divmod(int(over.argmax()), over.shape[1])
        best = max(best, Looked(float(over[at, node]), at, seen.names[node], corners[worst[at]][0]))
    return best


def independent(seen: Unbalance, steps: Index, away: Real) -> Real:
    """(S, K) percent by power-grid-model, read off three-phase connections without power at the nodes."""
    from gridmodel.audit import Model

    probed, slots = _probed(seen)
    s = np.zeros((len(away), probed.slots), dtype=np.complex128)
    own = seen.feeder.reduced.slots
    s[:, :own] = seen.base.injections(steps, away)
    v = Model(probed).solve(s, seen.base.source_v[steps]).flow.v[:, slots]
    return np.asarray(100.0 * np.abs(v @ NEGATIVE) / np.abs(v @ POSITIVE))


def _probed(seen: Unbalance) -> tuple[Reduced, Index]:
    """The feeder with a connection that draws nothing at each node, and those (K, 3) slots."""
    grid = seen.problem.reduced.network
    assert grid.equipment is not None
    more = tuple(Connection(f"probe {k}", grid.nodes.id[n], "abc") for k, n in enumerate(seen.nodes))
    probed = reduce(network(replace(grid.equipment, connections=(*grid.equipment.connections, *more))))
    own = seen.feeder.reduced.slots
    return probed, (own + np.arange(3 * len(more))).reshape(-1, 3)
