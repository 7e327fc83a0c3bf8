"""Exact sensitivities of voltages and currents to active power, at solved states."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Complex, Real
from gridmodel.flow import Flow, phasors
from gridmodel.reduce import Reduced


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
