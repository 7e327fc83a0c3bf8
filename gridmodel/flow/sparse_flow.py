"""Power flow of a whole network of any size: one sparse factorisation and the fixed point i = conj(s / v).

Nothing here grows with nodes times connections, as the reduced network does (`kron.Reduced`). One scenario costs a few
solutions with the factors; many scenarios of a small network are faster on the reduced one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

from gridmodel.arrays import Complex, Mask, Real
from gridmodel.errors import GridError
from gridmodel.flow.kron import (
    FLOATING,
    FLOATING_OHM,
    admittance,
    energised,
    incidence,
    port_nominal_v,
    refuse_dead_ports,
    watched_of,
)
from gridmodel.model.network import Network

TOLERANCE_PU = 1e-9
"""change of a port's voltage in one iteration, over its nominal, below which it has settled"""
MOST_ITERATIONS = 100
CHECK_EVERY, SLOWEST = 10, 0.9
"""over so many iterations the steps must have shrunk to this part, or the scenario has no solution"""
MOST_VALUES = 4_000_000
"""voltages that are worked on together; scenarios beyond wait"""


class SparseResult(NamedTuple):
    """S solved scenarios."""

    v: Complex
    """(S, T) voltage of every terminal to earth, V; 0 where it has no path to the source"""
    converged: Mask
    """(S,)"""


class SparseFlow:
    """A network with its admittance matrix factorised."""

    def __init__(self, network: Network) -> None:
        """Refuses a network that `kron.reduce` refuses."""
        self.network = network
        y = admittance(network)
        live = energised(network, y)
        refuse_dead_ports(network, live)
        self.watched, self.current_rows, self.back = watched_of(network, live)
        self.fixed = network.source.terminals
        free = live.copy()
        free[self.fixed] = False
        self.inner = np.flatnonzero(free)
        self.spread = incidence(network)
        self.into = self.spread[self.inner].astype(np.complex128)
        self.nominal_v = port_nominal_v(network)
        self.lu = _factors(network, y[self.inner][:, self.inner].tocsc())
        outer = -y[self.inner][:, self.fixed].toarray()
        self.w = self.lu.solve(outer) if self.lu else np.zeros((0, 3), dtype=np.complex128)
        """(inner, 3) voltage per volt of the source without any injection"""
        self._refuse_floating()

    def _refuse_floating(self) -> None:
        if self.lu is None or not self.spread.shape[1]:
            return
        every = self.into @ np.ones((self.spread.shape[1], 1))
        reached = np.abs(np.concatenate([self.lu.solve(every), self.w], axis=1)).max(axis=1)
        if not reached.max(initial=0.0) < FLOATING_OHM:
            raise GridError(f"{self.network.terminal_name(int(self.inner[int(reached.argmax())]))}: {FLOATING}")

    def solve(self, s_va: Complex, source_v: Complex | None = None) -> SparseResult:
        """Voltages for (S, L) VA injected at the ports, export positive; source_v is (3,) or (S, 3), V."""
        parts = list(self.solve_in_parts(s_va, source_v))
        return SparseResult(np.concatenate([p.v for p in parts]), np.concatenate([p.converged for p in parts]))

    def solve_in_parts(self, s_va: Complex, source_v: Complex | None = None) -> Iterator[SparseResult]:
        """The same, so many scenarios at a time that their voltages stay small."""
        s = np.atleast_2d(np.asarray(s_va, dtype=np.complex128))
        given = self.network.source.v if source_v is None else source_v
        source = np.broadcast_to(np.asarray(given, dtype=np.complex128), (len(s), 3))
        if s.shape[1] != self.spread.shape[1]:
            raise GridError(f"injections have shape {s.shape}; the network has {self.spread.shape[1]} ports")
        size = max(1, MOST_VALUES // max(1, self.spread.shape[0]))
        for start in range(0, len(s), size):
            with np.errstate(all="ignore"):
                yield self._settled(s[start : start + size], source[start : start + size])

    def _settled(self, s: Complex, source: Complex) -> SparseResult:
        v = np.zeros((len(s), self.spread.shape[0]), dtype=np.complex128)
        v[:, self.fixed] = source
        rest = source @ self.w.T
        v[:, self.inner] = rest
        running, done = np.arange(len(s)), np.zeros(len(s), dtype=np.bool_)
        moved_before = np.full(len(s), np.inf)
        for iteration in range(1, MOST_ITERATIONS + 1):
            if not len(running) or self.lu is None:
                break
            across = v[running] @ self.spread
            current = np.where(s[running] == 0.0, 0.0, np.conj(s[running] / across))
            drop = self.lu.solve(np.ascontiguousarray(self.into @ current.T)).T
            new = rest[running] + drop
            v[np.ix_(running, self.inner)] = new
            moved = (np.abs(v[running] @ self.spread - across) / self.nominal_v).max(axis=1, initial=0.0)
            settled, going = moved <= TOLERANCE_PU, np.isfinite(moved)
            if iteration % CHECK_EVERY == 0:
                going &= moved < SLOWEST * moved_before[running]
                moved_before[running] = moved
            done[running[settled]] = True
            running = running[going & ~settled]
        done |= not len(self.inner) or self.lu is None
        v[~done] = np.nan
        return SparseResult(v, done)

    def voltages(self, v: Complex) -> Real:
        """(S, N) magnitude at every watched node phase, V, to its neutral conductor where it has one."""
        at = self.watched.node_terminal
        to_neutral = np.where(self.back >= 0, v[:, self.back], 0.0)
        return np.abs(v[:, at] - to_neutral)

    def currents(self, v: Complex) -> Real:
        """(S, B) magnitude of every watched branch phase, A."""
        return np.asarray(np.abs((self.current_rows @ v.T).T))


def _factors(network: Network, y: sparse.csc_matrix) -> SuperLU | None:
    """LU factors; None where nothing but the source is left."""
    if not y.shape[0]:
        return None
    try:
        return splu(y)
    except RuntimeError as e:
        raise GridError(f"{network.name}: the admittance matrix is singular: {FLOATING}") from e
