"""The elementwise half of one iteration, compiled: everything but the matrix product in a single pass over memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

Kernel = Callable[..., None]

# Reordering sums is allowed; NaN and infinity keep their meaning, for a diverging scenario must be seen.
TINY = float(np.finfo(np.float64).tiny)
FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}


def compiled(*, fastmath: set[str] | bool = False) -> Callable[[Kernel], Kernel]:
    """The function as machine code from its first call on, kept beside its file for the next process.

    Not before: loading the compiler takes a second, which nobody who only asks for help should wait for.
    """

    def of(function: Kernel) -> Kernel:
        @cache
        def made() -> Kernel:
            import numba

            found: Kernel = numba.njit(cache=True, fastmath=fastmath, error_model="numpy", nogil=True)(function)
            return found

        @wraps(function)
        def call(*arguments: Any) -> None:
            made()(*arguments)

        return call

    return of


@compiled(fastmath=FAST_MATH)
def step(  # noqa: PLR0917  a compiled function takes no keyword arguments
    drop: NDArray[Any], w: NDArray[Any], s: NDArray[Any], v: NDArray[Any], i: NDArray[Any], moved: NDArray[Any]
) -> None:
    """v = drop + w, i = conj(s / v); moved is how far each scenario's ports went, inf where one is not finite.

    The 8-norm over the ports: never less than the farthest, at most twice it for 256 ports, and other than a maximum it
    needs no comparison, which takes a third of the time. drop, w, s, v, i: (n, L); v and i are overwritten. moved: (n,)
    of their precision, since a double among singles would make all arithmetic double.
    """
    one = moved.dtype.type(1.0)
    for row in range(v.shape[0]):
        total = moved.dtype.type(0.0)
        for port in range(v.shape[1]):
            new = drop[row, port] + w[row, port]
            change = new - v[row, port]
            squared = change.real * change.real + change.imag * change.imag
            squared *= squared
            total += squared * squared
            v[row, port] = new
            p, q = s[row, port].real, s[row, port].imag
            scale = one / (new.real * new.real + new.imag * new.imag)
            i[row, port] = complex((p * new.real + q * new.imag) * scale, (p * new.imag - q * new.real) * scale)
        # A comparison, since the compiler takes isfinite for granted under these flags.
        moved[row] = np.sqrt(np.sqrt(np.sqrt(total))) if total < np.inf else np.inf


@compiled()
def settle(  # noqa: PLR0917  a compiled function takes no keyword arguments
    moved: NDArray[Any], before: NDArray[Any], tol_v: float, highest_rate: float, settled: NDArray[Any]
) -> None:
    """Mark scenarios whose ports are no farther than tol_v, V, from where they go.

    The steps shrink geometrically, so the rest of the series is known: moved and before are this step and the one
    before, (n,) V; highest_rate is the rate of convergence that is assumed while none is known. settled: (n,), marked.
    """
    for row in range(len(moved)):
        now, last = np.float64(moved[row]), np.float64(before[row])
        ratio = now / max(last, TINY)
        rate = ratio if ratio < highest_rate else highest_rate
        if now * rate / (1.0 - rate) <= tol_v:
            settled[row] = True


@compiled(fastmath=FAST_MATH)
def inject(s: NDArray[Any], v: NDArray[Any], i: NDArray[Any]) -> None:
    """i = conj(s / v); all (n, L)."""
    one = v.real.dtype.type(1.0)
    for row in range(v.shape[0]):
        for port in range(v.shape[1]):
            p, q, new = s[row, port].real, s[row, port].imag, v[row, port]
            scale = one / (new.real * new.real + new.imag * new.imag)
            i[row, port] = complex((p * new.real + q * new.imag) * scale, (p * new.imag - q * new.real) * scale)
