"""Sensitivities of voltages and currents to active power, at solved states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Complex, Real
from gridmodel.flow.kron import Reduced
from gridmodel.flow.power_flow import Flow, phasors

TOLERANCE = 1e-8  # of a sensitivity, relative to the greatest
SINGLE_TOLERANCE = 1e-6  # what single precision can give
TERMS = 12  # of the series, before the linear system is solved directly instead


def sensitivities(
    reduced: Reduced,
    s_va: Complex,
    v: Complex,
    *,
    direction: Complex | float = 1.0,
    dtype: type[np.floating] = np.float64,
) -> NDArray[np.complexfloating]:
    """di/dp at solved states: (S, L, L) complex, A of port current j per W injected at port k.

    s_va, v: (S, L) injections and the port voltages they solve to. Multiply by Z, Zn or H for voltages and currents, or
    use `voltage_rows` and `current_rows`.
    direction: change of complex power per watt, scalar or (L,): 1 keeps q, 1 + 1j*tan(phi) keeps a power factor.
    dtype: float64 is exact to 1e-8, float32 to 1e-6 at half the time.
    """
    s, v = np.atleast_2d(s_va), np.atleast_2d(v)
    # i = conj(s/v), v = Z i + w differentiate to di = conj(ds/v) - d conj(Z di) with d = conj(s/v^2): the same fixed
    # point as the power flow's, so the series converges as fast as that did.
    # Where nothing settles there is no voltage either: not finite is the answer, and no warning.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        d, start = np.conj(s / v**2), np.conj(direction / v)
    single = reduced.Z.astype(np.complex64)
    found = np.empty((len(s), *reduced.Z.shape), dtype=np.complex64 if dtype is np.float32 else np.complex128)
    for k, (row, first) in enumerate(zip(d, start, strict=True)):
        # From its first two terms: Z times a diagonal matrix is no matrix product.
        x = np.diag(first) - row[:, None] * np.conj(reduced.Z * first)
        coarse = (row.astype(np.complex64), first.astype(np.complex64))
        fine = _series(single, coarse, x.astype(np.complex64), SINGLE_TOLERANCE)
        if fine is not None and dtype is not np.float32:
            fine = _series(reduced.Z, (row, first), fine.astype(np.complex128), TOLERANCE)
        found[k] = _direct(reduced.Z, row, first) if fine is None else fine
    return found


def _series(
    z: NDArray[np.complexfloating],
    state: tuple[NDArray[np.complexfloating], NDArray[np.complexfloating]],
    x: NDArray[np.complexfloating],
    tolerance: float,
) -> NDArray[np.complexfloating] | None:
    """(L, L) limit of x <- diag(start) - d conj(z x), in state (d, start); None where it does not settle soon."""
    d, start = state
    enough, before = tolerance * float(np.abs(start).max()), 0.0
    for _ in range(TERMS):
        new = d[:, None] * -np.conj(z @ x)
        new.flat[:: len(d) + 1] += start
        change = float(np.abs(new - x).max())
        x = new
        # The changes shrink geometrically: what is still to come is the next one and a little.
        if change * (min(1.0, change / before) if before else 1.0) <= enough:
            return x
        before = change
    return None


def _direct(z: Complex, d: Complex, start: Complex) -> Complex:
    """(L, L) from the real 2L x 2L linear system; for states near the limit of what the network can carry."""
    ports, k = len(d), np.arange(len(d))
    zr, zi, dr, di = z.real, z.imag, d.real[:, None], d.imag[:, None]
    system = np.empty((2 * ports, 2 * ports))
    # x + d conj(Z x) with x split into real and imaginary parts.
    system[:ports, :ports] = dr * zr + di * zi
    system[:ports, ports:] = di * zr - dr * zi
    system[ports:, :ports] = di * zr - dr * zi
    system[ports:, ports:] = -di * zi - dr * zr
    system.flat[:: 2 * ports + 1] += 1.0
    right = np.zeros((2 * ports, ports))
    right[k, k], right[k + ports, k] = start.real, start.imag
    x = np.linalg.solve(system, right)
    return np.asarray(x[:ports] + 1j * x[ports:])


def voltage_rows(reduced: Reduced, flow: Flow, di_dp: NDArray[np.complexfloating]) -> Real:
    """(S, N, L) d|V|/dp of every watched node phase, V per W."""
    u = phasors(reduced, flow)
    with np.errstate(divide="ignore", invalid="ignore"):
        direction = np.conj(u) / np.abs(u)
    found = np.empty((len(u), len(reduced.Zn), reduced.ports))
    for k, (row, m) in enumerate(zip(direction, di_dp, strict=True)):
        seen = row[:, None] * reduced.Zn
        # Only the real part of the complex product is wanted: two real products instead of four.
        found[k] = seen.real @ m.real - seen.imag @ m.imag
    return found


def current_rows(reduced: Reduced, di_dp: NDArray[np.complexfloating]) -> Complex:
    """(S, B, L) dI/dp of every watched branch phase, complex A per W (project on a facet's direction for a row)."""
    return np.asarray(reduced.H @ di_dp)
