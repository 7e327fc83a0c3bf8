"""A low-voltage feeder as the medium voltage sees it: what its head can draw or feed while customers keep limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from envelope.constraints.corners import aligned_corners
from envelope.constraints.formulation import Formulation
from envelope.constraints.linear import Selection, linearise
from envelope.constraints.monitored_feeder import FINE_V, Sensitivity
from envelope.field_rules import BadProblem
from gridmodel.arrays import Complex, Mask, Real
from gridmodel.flow import power_flow
from gridmodel.flow.kron import reduce
from gridmodel.flow.sensitivity import sensitivities

WIDER = 0.01
"""part of a box's width kept on either side for corners that were not tried"""


class NoFlow(BadProblem):
    """Some corners of feeders' boxes have no power flow."""

    def __init__(self, detail: str, steps: Mask) -> None:
        super().__init__(detail)
        self.steps = steps
        """(T,) in which"""


class NoFlowAtRest(NoFlow):
    """Some intervals have no power flow with nothing flexible running."""

    def __init__(self, fault: NoFlow, at_base: Mask) -> None:
        super().__init__(fault.detail, fault.steps)
        self.at_base = at_base
        """(T,) in which there is none at the base load, at one of the feeders at least"""


@dataclass(frozen=True, eq=False)
class HeadBox:
    """Least and most that flows from a feeder into the medium voltage, per phase; each may be reached on its own."""

    lo_va: Complex
    hi_va: Complex
    """(T, 3) W + j var"""
    sum_lo_w: Real
    sum_hi_w: Real
    """(T,) of the three phases together"""


class FeederHead:
    """The head of a feeder: what flows there in every state of its customers, by AC power flow."""

    def __init__(self, name: str, formulation: Formulation) -> None:
        network = formulation.feeder.reduced.network
        if "source" in network.branches.kind:
            detail = "has a source impedance of its own, which the medium voltage stands for"
            raise BadProblem(f"feeder {name}: {detail}; see gridmodel.model.combine.stiff")
        self.name, self.formulation = name, formulation
        self.feeder, self.base = formulation.feeder, formulation.base
        whole = reduce(network)
        rows = np.zeros((3, len(network.terminal_node)), dtype=np.complex128)
        for phase, terminal in enumerate(network.source.terminals):
            for branch, place in np.argwhere(network.branches.terminals == terminal):
                at = network.branches.terminals[branch]
                np.add.at(rows[phase], at[at >= 0], network.branches.y_s[branch, place, at >= 0])
        seen = rows[:, whole.node_terminal]
        self.per_a, self.per_v = seen @ whole.Zn, seen @ whole.Wn

    @property
    def no_load(self) -> Complex:
        """(N, 3) customers' voltages per volt at the head without any load; rows that differ in size alone, once."""
        w = self.feeder.reduced.Wn
        largest = np.take_along_axis(w, np.abs(w).argmax(axis=1)[:, None], axis=1)
        direction = np.round(w / largest, 6)
        return w[np.unique(direction, axis=0, return_index=True)[1]]

    def box(self, lo_w: Real, hi_w: Real, sources: Sequence[Complex]) -> HeadBox:
        """Over all states between (T, C) lo and hi, with the head at each of these voltages, (T, 3)."""
        states, shape = np.concatenate(list(self._states(lo_w, hi_w))), (-1, len(lo_w), 3)
        corners = len(states) // len(lo_w)
        powers = [self.power_va(states, np.tile(source, (corners, 1))) for source in sources]
        flat = np.concatenate(powers).reshape(shape)
        total, more = flat.real.sum(axis=2), self._forecast_w
        lo, hi = (f(flat.real, axis=0) + 1j * f(flat.imag, axis=0) for f in (np.min, np.max))
        wide = WIDER * (hi - lo) + more
        spare = WIDER * (total.max(axis=0) - total.min(axis=0)) + more.sum(axis=1)
        return HeadBox(lo - wide, hi + wide, total.min(axis=0) - spare, total.max(axis=0) + spare)

    def _states(self, lo_w: Real, hi_w: Real) -> Iterator[Complex]:
        """(T, L) VA at the corners of the box, with each thing that no limit sees on top."""
        at, of, steps = self.base, self.feeder.port_connection, np.arange(len(lo_w))
        disturbances = self.formulation.disturbances
        for up, down in (*self._strongest, *aligned_corners(self.feeder)):
            away = up * (hi_w - at.p_w)[:, of] - down * (at.p_w - lo_w)[:, of]
            for w, var in ((away, 0.0), *(disturbances.superpose(state, steps, away) for state in disturbances.states)):
                q = self.feeder.spread(at.q_var) - at.port_tan_phi * np.maximum(w, 0.0) + var
                yield self.feeder.spread(at.p_w) + w + 1j * q

    def power_va(self, s_va: Complex, source_v: Complex) -> Complex:
        """(S, 3) W + j var from the head into the medium voltage; NoFlow where there is none."""
        flow = power_flow.solve(self.feeder.reduced, s_va, source_v, tol_v=FINE_V)
        if not flow.converged.all():
            failed = np.asarray(~flow.converged.reshape(-1, len(self.base.p_w)).all(axis=0))
            raise NoFlow(f"feeder {self.name}: no power flow at a corner of its box; see its own verification", failed)
        return np.asarray(-source_v * np.conj(flow.i @ self.per_a.T + source_v @ self.per_v.T))

    def _slopes(self, direction: Complex) -> Complex:
        """(3, L) change of the power at the head per unit of power at each port, at the horizon's mean."""
        at = self.base
        s = self.feeder.spread(at.p_w.mean(axis=0)) + 1j * self.feeder.spread(at.q_var.mean(axis=0))
        source = at.source_v.mean(axis=0)
        flow = power_flow.solve(self.feeder.reduced, s[None], source)
        di = sensitivities(self.feeder.reduced, s[None], flow.v, direction=direction)[0]
        return np.asarray(-source[:, None] * np.conj(self.per_a @ di))

    @cached_property
    def _strongest(self) -> list[tuple[Real, Real]]:
        """Corners with most and least active and reactive power in each phase, and most and least of all three."""
        rows = []
        for direction in (np.asarray(1.0 - 1j * self.base.port_tan_phi), np.asarray(1.0 + 0.0j)):
            slopes = self._slopes(direction)
            rows.append(np.concatenate([slopes.real, slopes.imag, slopes.real.sum(axis=0)[None]]))
        nothing, every = np.zeros((0, rows[0].shape[1]), dtype=np.complex128), np.ones(7, dtype=bool)
        wanted = Selection(every, every, np.zeros(0, dtype=bool))
        built = linearise(self.feeder, Sensitivity(rows[0], nothing), Sensitivity(rows[1], nothing), wanted=wanted)
        return list(zip(built.corners.up, built.corners.down, strict=True))

    @cached_property
    def _forecast_w(self) -> Real:
        """(T, 3) W that forecast errors and the joint paths add on either side."""
        error, count, joint = self.formulation.forecast_error, self.feeder.connections, self.formulation.paths
        slopes = self._slopes(np.asarray(1.0 + 0.0j))
        moved = np.abs((self.feeder.spread(joint.move_w) @ slopes.T).real).max(axis=0)
        if error is None:
            return np.asarray(moved)
        part = np.abs(slopes) @ np.eye(count)[self.feeder.port_connection]
        sigma = np.broadcast_to(error.sigma_w, (self.formulation.steps, count))
        return np.asarray(moved + error.z * np.sqrt(sigma**2 @ (part.T**2)))
