"""Batched unbalanced power flow on the reduced network: the fixed point i = conj(s / v), v = Z i + w.

One matrix product per iteration for all scenarios together, in single precision until it is good to a millivolt and in
double precision after. A scenario that does not settle is marked, never raised, and leaves the batch, as does one that
has settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.errors import GridError
from gridmodel.flow.inverters import Inverters, Response
from gridmodel.flow.kernels import inject, settle, step
from gridmodel.flow.kron import Reduced, sources

BLOCK = 128  # scenarios handled together: their voltages stay in the processor's cache
SINGLE_TOL_V, SINGLE_NOMINAL_V = 1e-4, 250.0  # where single precision hands over to double, at that voltage
MOST_ITERATIONS, MOST_WITH_INVERTERS, EARLY_WITH_INVERTERS = 100, 500, 60
CHECK_EVERY = 10  # iterations between looks for scenarios to give up
SLOWEST = 0.9  # over so many iterations the steps must have shrunk to this, or the scenario has no solution
LOWEST_PU, HIGHEST_PU = 0.1, 3.0  # outside, a scenario is given up
HIGHEST_RATE = 0.9  # assumed rate of convergence while none is known


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Solved scenarios: port voltages and currents, and which of them settled."""

    v: Complex
    """(S, L) across the ports, V; NaN where not converged"""
    i: Complex
    """(S, L) injected at the ports, A; NaN where not converged"""
    converged: Mask
    """(S,)"""
    iterations: int
    """most that any scenario took in one precision"""
    source_v: Complex
    """(1 or S, 3) V"""


def solve(
    reduced: Reduced,
    s_va: Complex,
    source_v: Complex | None = None,
    *,
    inverters: Inverters | None = None,
    tol_v: float = 1e-7,
    max_iterations: int | None = None,
) -> Flow:
    """Voltages and currents for S scenarios of complex injections.

    s_va: (S, L) or (L,), VA into the network (export positive, q > 0 over-excited).
    source_v: (3,) or (S, 3), V; default the network's own.
    inverters: answer their own voltage; their power comes on top of s_va. Takes several times as long.
    tol_v: greatest remaining error of a port voltage, V, estimated from how fast it converges; 1e-3 and above stay in
    single precision and take a third of the time.
    max_iterations: default 100, with inverters 500.
    """
    s = np.atleast_2d(np.ascontiguousarray(s_va, dtype=np.complex128))
    source = sources(reduced.network, source_v)
    if s.shape[1] != reduced.ports:
        raise GridError(f"injections have shape {s.shape}; the network has {reduced.ports} ports")
    if len(source) not in (1, len(s)):
        raise GridError(f"{len(source)} source voltages for {len(s)} scenarios")
    v, i, converged = np.empty_like(s), np.empty_like(s), np.zeros(len(s), dtype=np.bool_)
    point = _FixedPoint(reduced, max_iterations or (MOST_ITERATIONS if inverters is None else MOST_WITH_INVERTERS))
    with np.errstate(all="ignore"):
        for start in range(0, len(s), BLOCK):
            part = slice(start, start + BLOCK)
            w = (source if len(source) == 1 else source[part]) @ reduced.W.T
            own = s[part] if inverters is None else s[part].copy()
            response = None if inverters is None else Response(inverters, reduced, own, part)
            whole = np.ascontiguousarray(np.broadcast_to(w, own.shape))
            v[part], converged[part] = point.settle((own, whole), tol_v, response)
            inject(own, v[part], i[part])
    return Flow(v, i, converged, point.iterations, source)


class _State(NamedTuple):
    """Scenarios to iterate: rows of the block, injections, no-load voltages, first voltages."""

    row: Index
    s: NDArray[Any]
    w: NDArray[Any]
    v: NDArray[Any]


class _FixedPoint:
    """Iterates blocks of scenarios, first in single and then in double precision."""

    def __init__(self, reduced: Reduced, max_iterations: int) -> None:
        self.zt = np.ascontiguousarray(reduced.Z.T)
        self.zt_single = self.zt.astype(np.complex64)
        self.low, self.high = LOWEST_PU * reduced.nominal_v, HIGHEST_PU * reduced.nominal_v
        self.single_tol_v = SINGLE_TOL_V * max(1.0, float(reduced.nominal_v.max(initial=0.0)) / SINGLE_NOMINAL_V)
        self.max_iterations, self.iterations = max_iterations, 0

    def settle(self, given: tuple[Complex, Complex], tol_v: float, response: Response | None) -> tuple[Complex, Mask]:
        """(n, L) voltages and (n,) whether they settled, from injections and no-load voltages.

        With a response, the injections are brought to what the inverters do in the end.
        """
        s, w = given
        single, everyone = w.astype(np.complex64), np.arange(len(s))
        # Single precision brings a scenario to about a millivolt at half the cost per iteration.
        state = _State(everyone, s.astype(np.complex64), single, single)
        start, near = self._iterate(self.zt_single, state, self.single_tol_v, response)
        if response is not None:
            response.update(s)
        if tol_v >= self.single_tol_v and (response is None or near.all()):
            return start.astype(np.complex128), near
        if response is not None:
            # Steep curves magnify the noise of single precision: what does not settle in it may in double.
            start[~near], near = single[~near], np.ones(len(s), dtype=np.bool_)
        result, done = np.full(s.shape, np.nan, dtype=np.complex128), np.zeros(len(s), dtype=np.bool_)
        if near.any():
            state = _State(everyone[near], s[near], w[near], start[near].astype(np.complex128))
            result[near], done[near] = self._iterate(self.zt, state, tol_v, response)
        if response is not None:
            response.update(s)
        return result, done

    def _iterate(
        self, zt: NDArray[Any], state: _State, tol_v: float, response: Response | None
    ) -> tuple[NDArray[Any], Mask]:
        row, s, w, start = state
        result, done, at = np.full_like(start, np.nan), np.zeros(len(s), dtype=np.bool_), np.arange(len(s))
        v, i, drop, moved = start.copy(), np.empty_like(start), np.empty_like(start), np.empty(len(s), start.real.dtype)
        inject(s, v, i)
        before, checked, settled = np.zeros(len(s)), np.full(len(s), np.inf), np.zeros(len(s), dtype=np.bool_)
        iteration = 0
        while len(at) and iteration < self.max_iterations:
            iteration += 1
            np.matmul(i, zt, out=drop)
            step(drop, w, s, v, i, moved)
            if response is not None:
                response.follow(row[at], s, v, i)
            settle(moved, before, tol_v, HIGHEST_RATE, settled)
            running, before = ~settled, moved.copy()
            if iteration % CHECK_EVERY == 0:
                # Inverters begin to respond late, at a kink: their steps may grow before they shrink.
                early = response is not None and iteration < EARLY_WITH_INVERTERS
                running &= ((moved < SLOWEST * checked) | early) & self._plausible(v)
                checked = before
            # Shrinking copies the batch: worth it once half have left. The settled ones that stay only get better.
            if 2 * np.count_nonzero(running) <= len(running):
                result[at[settled]], done[at[settled]] = v[settled], True
                at, s, w, v, i = at[running], s[running], w[running], v[running], i[running]
                before, checked, settled = before[running], checked[running], settled[running]
                drop, moved = drop[: len(at)], moved[: len(at)]
        result[at[settled]], done[at[settled]] = v[settled], True
        self.iterations = max(self.iterations, iteration)
        return result, done

    def _plausible(self, v: NDArray[Any]) -> Mask:
        size = np.abs(v)
        return np.asarray(((size > self.low) & (size < self.high)).all(axis=1))


def phasors(reduced: Reduced, flow: Flow) -> Complex:
    """(S, N) complex voltage of every watched node phase, V phase-to-neutral."""
    return flow.i @ reduced.Zn.T + flow.source_v @ reduced.Wn.T


def voltages(reduced: Reduced, flow: Flow) -> Real:
    """(S, N) voltage magnitude of every watched node phase, V phase-to-neutral."""
    return np.abs(phasors(reduced, flow))


def current_phasors(reduced: Reduced, flow: Flow) -> Complex:
    """(S, B) complex current of every watched branch phase, A into the branch at its rated side."""
    return flow.i @ reduced.H.T + flow.source_v @ reduced.Hw.T


def currents(reduced: Reduced, flow: Flow) -> Real:
    """(S, B) current magnitude of every watched branch phase, A."""
    return np.abs(current_phasors(reduced, flow))
