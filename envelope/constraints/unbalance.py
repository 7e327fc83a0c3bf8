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
        rest = self.solved(
            np.arange(self.formulation.steps), np.zeros((self.formulation.steps, self.feeder.reduced.ports))
        )
        most = self.formulation.vuf_max_percent or np.inf
        return np.where(rest > most, rest + WORSE, most)

    def solved(self, steps: Index, away: Real) -> Real:
        """(S, K) percent at (S, L) watts away from the base, with the worst of what no limit sees on top."""
        found = self._at(steps, away, np.zeros_like(away))
        disturbances = self.formulation.disturbances
        for state in disturbances.states:
            if state.voltages:
                found = np.maximum(found, self._at(steps, *disturbances.superpose(state, steps, away)))
        return found

    def spare(self, part: float) -> float:
        """Percentage points between this part of the limit and all of it."""
        return (1.0 - part) * (self.formulation.vuf_max_percent or 0.0)

    def _at(self, steps: Index, away: Real, var: Real) -> Real:
        source = self.base.source_v[steps]
        flow = power_flow.solve(self.feeder.reduced, self.base.injections(steps, away, var), source, tol_v=FINE_V)
        # What has no solution is the affair of the other limits.
        return np.where(flow.converged[:, None], self.percent(flow.i, source), 0.0)

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

    def away(self, corners: Sequence[Corner], box: tuple[Real, Real], steps: Index) -> Real:
        """(S, L) watts from the base at a corner of each of these (S, C) boxes."""
        up, down = (np.stack([corner[k] for corner in corners]) for k in (1, 2))
        (lo, hi), of, p = box, self.feeder.port_connection, self.base.p_w[steps]
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
        """(S, K) percent that the firm minimum reaches where that is beyond the limit, else 0."""
        found = np.zeros((len(steps), len(self.nodes)))
        for corner in corners if len(steps) else ():
            away = self.away([corner] * len(steps), (self.base.lo_w[steps], self.base.hi_w[steps]), steps)
            found = np.maximum(found, self.solved(steps, away))
        return np.where(found > (self.formulation.vuf_max_percent or np.inf), found + WORSE, 0.0)


def every_corner(corners: Sequence[Corner], steps: Index) -> Index:
    """(n, S) every corner in every step."""
    return np.tile(np.arange(len(corners), dtype=np.intp)[:, None], (1, len(steps)))
