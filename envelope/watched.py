"""The feeder as the engine sees it: power flow values and exact sensitivities at the rows that can matter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridmodel import flow as power_flow
from gridmodel.feeder import slot_share
from gridmodel.reduce import Reduced
from gridmodel.sensitivity import current_rows, sensitivities, voltage_rows

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.intp]


class Values(NamedTuple):
    """Results of S power flows at the watched places."""

    v_v: Array
    """(S, N) voltage magnitudes at connections, V; inf where the scenario did not settle"""
    i_a: Complex
    """(S, B) branch currents, A"""
    converged: NDArray[np.bool_]


class Sensitivity(NamedTuple):
    """Derivatives at one state with respect to the active injection of each slot."""

    dv: Array
    """(N, L) V per W"""
    di: Complex
    """(B, L) A per W"""


@dataclass(frozen=True, eq=False)
class Watched:
    """A reduced network that watches customers' voltages and one branch per distinct current."""

    reduced: Reduced

    @classmethod
    def of(cls, reduced: Reduced) -> Watched:
        """Watches the voltages at connections, and of branches that carry the same current the weakest one."""
        at_connections = reduced.voltages_at_connections()
        return cls(reduced.watching(voltages=at_connections, currents=weakest_branches(reduced)))

    @property
    def connections(self) -> int:
        """Number of connections, C."""
        return len(self.reduced.network.connections)

    @property
    def slot_connection(self) -> Index:
        """(L,) connection that each slot belongs to."""
        return self.reduced.network.connections.slot_connection

    @cached_property
    def slot_share(self) -> Array:
        """(L,) part of its connection's power that a slot carries when the split is balanced."""
        return slot_share(self.reduced.network)

    @cached_property
    def one_of(self) -> NDArray[np.bool_]:
        """(L,) slots of connections whose power may be on any one of them (unknown phase)."""
        unknown = np.array([phase == "unknown" for phase in self.reduced.network.connections.phase])
        return np.asarray(unknown[self.slot_connection])

    def spread(self, power: Array) -> Array:
        """(S, L) slot powers of (S, C) connection powers, evenly split."""
        return np.asarray(power[..., self.slot_connection] * self.slot_share)

    def values(self, p_w: Array, q_var: Array, source_v: Complex | None) -> Values:
        """Power flow at (S, L) slot injections; `source_v` is (3,) or (S, 3)."""
        found = power_flow.solve(self.reduced, p_w + 1j * q_var, source_v)
        v = power_flow.voltages(self.reduced, found)
        i = power_flow.current_phasors(self.reduced, found)
        v[~found.converged] = np.inf
        i[~found.converged] = np.inf
        return Values(v, i, found.converged)

    def sensitivity(self, p_w: Array, q_var: Array, source_v: Complex | None, *, tan_phi: float = 0.0) -> Sensitivity:
        """Exact derivatives at one state, (L,) injections, when each W injected absorbs `tan_phi` var."""
        s = (p_w + 1j * q_var)[None, :]
        found = power_flow.solve(self.reduced, s, source_v)
        by_p = sensitivities(self.reduced, s, found.v, direction=np.asarray(1.0 - 1j * tan_phi))
        return Sensitivity(voltage_rows(self.reduced, found, by_p)[0], np.asarray(current_rows(self.reduced, by_p)[0]))


def weakest_branches(reduced: Reduced) -> Index:
    """Positions of the watched currents left when, of those that carry the same current, the lowest rating stays."""
    seen = np.concatenate([reduced.H, reduced.Hw * np.abs(reduced.network.source.v).mean() / 10.0], axis=1)
    size = np.abs(seen).max(initial=1e-12)
    rounded = np.round(np.concatenate([seen.real, seen.imag], axis=1) / size, 6).astype(np.float64) * 1e6
    phase = np.unique(np.array(reduced.current_phase), return_inverse=True)[1]
    # One number per row, the same for the same row: sorting numbers is far cheaper than sorting rows.
    draw = np.random.default_rng(0).integers(-(2**40), 2**40, rounded.shape[1] + 1)
    with np.errstate(over="ignore"):
        key = rounded.astype(np.int64) @ draw[:-1] + phase * draw[-1]
    group = np.unique(key, return_inverse=True)[1]
    order = np.lexsort((reduced.rating_a, group.ravel()))
    first = np.concatenate([[True], np.diff(group.ravel()[order]) != 0]) if len(order) else np.zeros(0, dtype=bool)
    return np.sort(order[first]).astype(np.intp)
