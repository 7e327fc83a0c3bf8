"""Voltage unbalance: negative over positive sequence at three-phase nodes with customers, in percent.

No linear constraint stands for it: it is evaluated by power flow at the corners that raise it most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from envelope.constraints.base_case import BaseCase
from envelope.constraints.corners import aligned_corners
from envelope.constraints.formulation import Formulation
from envelope.constraints.joint_paths import PathsOfBox
from envelope.constraints.linear import FINE_FACETS, Selection, linearise
from envelope.constraints.monitored_feeder import FINE_V, MonitoredFeeder, Sensitivity
from gridmodel.arrays import TURN, Complex, Index, Real
from gridmodel.flow import power_flow
from gridmodel.flow.kron import reduce
from gridmodel.flow.sensitivity import sensitivities

Corner = tuple[str, Real, Real]
"""kind, and parts of each port's headroom up and down, (L,)"""

NEGATIVE = np.array([1.0, TURN**2, TURN]) / 3.0
POSITIVE = np.array([1.0, TURN, TURN**2]) / 3.0
WORSE = 0.02
"""percentage points that traces may add where the base load alone is beyond the limit"""
MOST_CORNERS, CHUNK = 200, 4096
"""corners tried, and power flows solved at once"""


@dataclass(frozen=True, eq=False)
class Unbalance:
    """The unbalance of one feeder's states."""

    formulation: Formulation
    base: BaseCase
    """its base case, or that of one direction"""
    paths: PathsOfBox
    """joint paths, and which ends of the box are the same on all of them"""

    @property
    def feeder(self) -> MonitoredFeeder:
        """As the engine sees it."""
        return self.base.feeder

    @cached_property
    def nodes(self) -> Index:
        """(K,) three-phase nodes with customers."""
        grid = self.feeder.reduced.network
        used = np.unique(grid.connections.node)
        return np.array([n for n in used if set("abc") <= set(grid.nodes.phases[n])], dtype=np.intp)

    @property
    def names(self) -> list[str]:
        """(K,) such as "node n12"."""
        return [f"node {self.feeder.reduced.network.nodes.id[n]}" for n in self.nodes]

    @cached_property
    def _rows(self) -> tuple[Complex, Complex, Complex, Complex]:
        """(K, L) and (K, 3) of the negative sequence, (K, L) and (K, 3) of the positive one."""
        grid = self.feeder.reduced.network
        whole = reduce(grid)
        place = {(int(grid.terminal_node[t]), grid.terminal_phase[t]): k for k, t in enumerate(whole.node_terminal)}
        at = np.array([[place[int(n), phase] for phase in "abc"] for n in self.nodes], dtype=np.intp).reshape(-1, 3)
        found = [np.einsum("p,kpx->kx", s, rows[at]) for s in (NEGATIVE, POSITIVE) for rows in (whole.Zn, whole.Wn)]
        return found[0], found[1], found[2], found[3]

    def percent(self, i: Complex, source_v: Complex) -> Real:
        """(S, K) at port currents (S, L) and source voltages (S, 3)."""
        z2, w2, z1, w1 = self._rows
        return np.asarray(100.0 * np.abs(i @ z2.T + source_v @ w2.T) / np.abs(i @ z1.T + source_v @ w1.T))

    @cached_property
    def limit(self) -> Real:
        """(T, K) percent; where the base load alone is beyond it, that."""
        states, steps = self.paths.joint.pairs
        found = self.solved(steps, np.zeros((len(steps), self.feeder.reduced.ports)), states)
        rest = np.zeros((self.formulation.steps, len(self.nodes)))
        np.maximum.at(rest, steps, found)
        most = self.formulation.vuf_max_percent or np.inf
        return np.where(rest > most, rest + WORSE, most)

    def solved(self, steps: Index, away: Real, states: Index | None = None) -> Real:
        """(S, K) percent at (S, L) watts away from the base load, with the worst of what no limit sees on top.

        states: of the joint paths; default the base case.
        """
        states = np.zeros_like(steps) if states is None else states
        found = self._at(states, steps, away, np.zeros_like(away))
        disturbances = self.formulation.disturbances
        for state in disturbances.states:
            if state.voltages:
                found = np.maximum(found, self._at(states, steps, *disturbances.superpose(state, steps, away)))
        return found

    def spare(self, part: float) -> float:
        """Percentage points between this part of the limit and all of it."""
        return (1.0 - part) * (self.formulation.vuf_max_percent or 0.0)

    def _at(self, states: Index, steps: Index, away: Real, var: Real) -> Real:
        flow = self._flow(states, steps, away, var)
        # What has no solution is the affair of the other limits.
        return np.where(flow.converged[:, None], self.percent(flow.i, flow.source_v), 0.0)

    def _flow(self, states: Index, steps: Index, away: Real, var: Real | float = 0.0) -> power_flow.Flow:
        joint = self.paths.joint
        injected = joint.injections(states, steps, away, var)
        return power_flow.solve(self.feeder.reduced, injected, joint.source(states, steps), tol_v=FINE_V)

    def worst_states(self, steps: Index, away: Real) -> Index:
        """(S,) the state of the joint paths that adds most unbalance at these corners, in linear terms."""
        none = np.zeros_like(steps)
        flow = self._flow(none, steps, away)
        z2, w2, z1, w1 = self._rows
        negative = flow.i @ z2.T + flow.source_v @ w2.T
        positive = np.abs(flow.i @ z1.T + flow.source_v @ w1.T)
        size = np.abs(negative[None] + self._moved[:, steps]) / positive
        return np.asarray(np.where(self.paths.joint.kept[:, steps], size.max(axis=2, initial=0.0), -1.0).argmax(axis=0))

    @cached_property
    def _moved(self) -> Complex:
        """(S, T, K) change of the negative sequence in each state by all that follows the paths, V, in linear terms."""
        joint, (z2, w2, _, _) = self.paths.joint, self._rows
        follows = ~(self.paths.fixed_up & self.paths.fixed_down)
        p_w, q_var = (self.feeder.spread(move) for move in (np.where(follows, joint.move_w, 0.0), joint.move_var))
        at_rest = power_flow.solve(self.feeder.reduced, self.base.ports_va, self.base.source_v, tol_v=FINE_V).v
        di = np.conj((p_w + 1j * q_var) / at_rest)
        return np.asarray(di @ z2.T + (joint.source_v - joint.source_v[:1]) @ w2.T)

    def corners(self) -> list[Corner]:
        """Those that strain each node's unbalance most in each direction, and phases against each other."""
        together = self.feeder.port_share
        if self.formulation.guarantee.common_level:
            nothing = np.zeros_like(together)
            return [("all together", together, nothing), ("all together", nothing, together)]
        slopes = self._slopes()
        count, none = len(self.nodes), np.zeros(0, dtype=bool)
        at = Sensitivity(np.zeros((0, len(together))), slopes)
        built = linearise(
            self.feeder, at, at, wanted=Selection(none, none, np.ones(count, dtype=bool)), facets=FINE_FACETS
        )
        strength = built.rise_up.sum(axis=1) + built.rise_down.sum(axis=1)
        order = dict.fromkeys(built.corner[np.argsort(-strength, kind="stable")].tolist())
        strongest = list(order)[:MOST_CORNERS]
        own = [("sign", built.corners.up[k], built.corners.down[k]) for k in strongest]
        return [*own, *(("aligned", up, down) for up, down in aligned_corners(self.feeder))]

    def _slopes(self) -> Complex:
        """(K, L) change of the negative sequence per W at each port, V, at the horizon's mean."""
        base, feeder = self.base, self.feeder
        s = (feeder.spread(base.p_w.mean(axis=0)) + 1j * feeder.spread(base.q_var.mean(axis=0)))[None]
        flow = power_flow.solve(feeder.reduced, s, base.source_v.mean(axis=0))
        return np.asarray(self._rows[0] @ sensitivities(feeder.reduced, s, flow.v)[0])

    def away(
        self, corners: Sequence[Corner], box: tuple[Real, Real], steps: Index, states: Index | None = None
    ) -> Real:
        """(S, L) watts from the base load, of states of the joint paths, at a corner of each of these (S, C) boxes."""
        up, down = (np.stack([corner[k] for corner in corners]) for k in (1, 2))
        of, states = self.feeder.port_connection, np.zeros_like(steps) if states is None else states
        below, above = self.paths.ends(states, steps, *box)
        return np.asarray(up * above[:, of] - down * below[:, of])

    def beyond(self, corners: Sequence[Corner], box: tuple[Real, Real], steps: Index, which: Index) -> Real:
        """(n, S) largest excess over the limit, percentage points, at n corners of each box, by their numbers."""
        found = np.empty(which.shape)
        together = max(1, CHUNK // max(1, len(steps)))
        for start in range(0, len(which), together):
            part = which[start : start + together]
            every = np.tile(steps, len(part))
            away = np.concatenate([self.away([corners[k] for k in row], box, steps) for row in part])
            most = self.solved(every, away)
            if self.paths.joint.several:
                states = self.worst_states(every, away).reshape(part.shape)
                pairs = zip(part, states, strict=True)
                away = np.concatenate([self.away([corners[k] for k in row], box, steps, of) for row, of in pairs])
                most = np.maximum(most, self.solved(every, away, states.ravel()))
            over = most - self.limit[every]
            found[start : start + together] = over.max(axis=1).reshape(part.shape)
        return found

    def in_any_case(self, corners: Sequence[Corner], steps: Index) -> Real:
        """(S, K) percent that the firm minimum reaches where that is beyond the limit, else 0."""
        found = np.zeros((len(steps), len(self.nodes)))
        for corner in corners if len(steps) else ():
            away = self.away([corner] * len(steps), (self.base.lo_w[steps], self.base.hi_w[steps]), steps)
            found = np.maximum(found, self.solved(steps, away))
            if self.paths.joint.several:
                states = self.worst_states(steps, away)
                away = self.away([corner] * len(steps), (self.base.lo_w[steps], self.base.hi_w[steps]), steps, states)
                found = np.maximum(found, self.solved(steps, away, states))
        return np.where(found > (self.formulation.vuf_max_percent or np.inf), found + WORSE, 0.0)


def every_corner(corners: Sequence[Corner], steps: Index) -> Index:
    """(n, S) every corner in every step."""
    return np.tile(np.arange(len(corners), dtype=np.intp)[:, None], (1, len(steps)))
