"""Batched unbalanced power flow on the reduced network: the fixed point i = conj(s / v), v = Z i + w.

One matrix product per iteration for all scenarios together. A scenario that does not settle is marked, never raised,
and leaves the batch at once; so does one that has settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Complex, Mask, Real
from gridmodel.errors import GridError
from gridmodel.reduce import Reduced, sources

BLOCK = 512  # scenarios handled together: their voltages stay in the processor's cache
LOWEST_PU, HIGHEST_PU = 0.1, 3.0  # outside, a scenario is given up


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Solved scenarios: slot voltages and currents, and which of them settled."""

    v: Complex
    """(S, L) across the slots, V; NaN where not converged"""
    i: Complex
    """(S, L) injected at the slots, A; NaN where not converged"""
    converged: Mask
    """(S,)"""
    iterations: int
    """most that any scenario took"""
    source_v: Complex
    """(1 or S, 3) V"""


def solve(
    reduced: Reduced,
    s_va: Complex,
    source_v: Complex | None = None,
    *,
    tol_v: float = 1e-7,
    max_iterations: int = 100,
    dtype: type[np.complexfloating] = np.complex128,
) -> Flow:
    """Voltages and currents for S scenarios of complex injections.

    s_va: (S, L) or (L,), VA into the network (export positive, q > 0 over-excited).
    source_v: (3,) or (S, 3), V; default the network's own.
    tol_v: a scenario has settled when no slot voltage moves by more, V.
    dtype: complex64 is twice as fast and good to about 1e-4 V (use tol_v >= 1e-3 with it).
    """
    s = np.atleast_2d(np.asarray(s_va, dtype=dtype))
    source = sources(reduced, source_v)
    if s.shape[1] != reduced.slots:
        raise GridError(f"injections have shape {s.shape}; the network has {reduced.slots} slots")
    if len(source) not in (1, len(s)):
        raise GridError(f"{len(source)} source voltages for {len(s)} scenarios")
    w = np.broadcast_to(source @ reduced.W.T, s.shape).astype(dtype, copy=False)
    v = np.full(s.shape, np.nan, dtype=dtype)
    converged = np.zeros(len(s), dtype=np.bool_)
    point = _FixedPoint(reduced, tol_v, max_iterations, dtype)
    with np.errstate(all="ignore"):
        for start in range(0, len(s), BLOCK):
            part = slice(start, start + BLOCK)
            v[part], converged[part] = point.settle(s[part], w[part])
        i = np.conj(s / v)
    return Flow(v, i, converged, point.iterations, source)


class _FixedPoint:
    """Iterates blocks of scenarios; remembers the most iterations needed."""

    def __init__(self, reduced: Reduced, tol_v: float, max_iterations: int, dtype: type[np.complexfloating]) -> None:
        self.zt = np.ascontiguousarray(reduced.Z.T.astype(dtype))
        self.low, self.high = LOWEST_PU * reduced.nominal_v, HIGHEST_PU * reduced.nominal_v
        self.tol_v, self.max_iterations, self.iterations = tol_v, max_iterations, 0

    def settle(self, s: Complex, w: Complex) -> tuple[Complex, Mask]:
        result = np.full(s.shape, np.nan, dtype=s.dtype)
        done = np.zeros(len(s), dtype=np.bool_)
        at, v = np.arange(len(s)), w
        for iteration in range(1, self.max_iterations + 1):
            new = np.conj(s / v) @ self.zt + w
            moved = np.abs(new - v).max(axis=1, initial=0.0)
            settled = moved <= self.tol_v
            size = np.abs(new)
            running = ~settled & ((size > self.low) & (size < self.high)).all(axis=1)
            result[at[settled]], done[at[settled]] = new[settled], True
            self.iterations = max(self.iterations, iteration)
            if not running.any():
                break
            v = new
            if not running.all():
                at, s, w, v = at[running], s[running], w[running], new[running]
        return result, done


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


def sensitivities(
    reduced: Reduced,
    s_va: Complex,
    v: Complex,
    *,
    direction: Complex | float = 1.0,
    dtype: type[np.floating] = np.float64,
) -> NDArray[np.complexfloating]:
    """Exact di/dp at solved states: (S, L, L) complex, A of slot current j per W injected at slot k.

    s_va, v: (S, L) injections and the slot voltages they solve to. The derivative of i = conj(s/v), v = Z i + w is
    one real 2L x 2L linear system per state. Multiply by Z, Zn or H for voltages and currents, or use
    `voltage_rows` and `current_rows`.
    direction: change of complex power per watt, scalar or (L,): 1 keeps q, 1 + 1j*tan(phi) keeps a power factor.
    dtype: float32 halves the time and is good to about 1e-5 of a sensitivity.
    """
    s, v = np.atleast_2d(s_va), np.atleast_2d(v)
    # di = conj(ds/v) - d conj(dv), d = conj(s/v^2), dv = Z di.
    d = np.conj(s / v**2)
    start = np.conj(direction / v)
    parts = reduced.Z.real.astype(dtype), reduced.Z.imag.astype(dtype)
    return np.stack([_di_dp(parts, row, first) for row, first in zip(d, start, strict=True)])


def _di_dp(z: tuple[NDArray[Any], NDArray[Any]], d: Complex, start: Complex) -> NDArray[np.complexfloating]:
    (zr, zi), slots, k = z, len(d), np.arange(len(d))
    dr, di = d.real[:, None].astype(zr.dtype), d.imag[:, None].astype(zr.dtype)
    system = np.empty((2 * slots, 2 * slots), dtype=zr.dtype)
    # i + d conj(Z i) with i split into real and imaginary parts.
    system[:slots, :slots] = dr * zr + di * zi
    system[:slots, slots:] = di * zr - dr * zi
    system[slots:, :slots] = di * zr - dr * zi
    system[slots:, slots:] = -di * zi - dr * zr
    system.flat[:: 2 * slots + 1] += 1.0
    right = np.zeros((2 * slots, slots), dtype=zr.dtype)
    right[k, k], right[k + slots, k] = start.real, start.imag
    x = np.linalg.solve(system, right)
    return np.asarray(x[:slots] + 1j * x[slots:])


def voltage_rows(reduced: Reduced, flow: Flow, di_dp: NDArray[np.complexfloating]) -> Real:
    """(S, N, L) d|V|/dp of every watched node phase, V per W."""
    u = phasors(reduced, flow)
    direction = np.conj(u) / np.abs(u)
    return np.stack([((row[:, None] * reduced.Zn) @ m).real for row, m in zip(direction, di_dp, strict=True)])


def current_rows(reduced: Reduced, di_dp: NDArray[np.complexfloating]) -> Complex:
    """(S, B, L) dI/dp of every watched branch phase, complex A per W (project on a facet's direction for a row)."""
    return np.asarray(reduced.H @ di_dp)
