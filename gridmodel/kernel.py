"""The elementwise half of one iteration, compiled: everything but the matrix product in a single pass over memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inject = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], None]
Step = Callable[[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]], None]

# Reordering sums is allowed; NaN and infinity keep their meaning, for a diverging scenario must be seen.
FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}


def _step(  # noqa: PLR0917  a compiled function takes no keyword arguments
    drop: NDArray[Any], w: NDArray[Any], s: NDArray[Any], v: NDArray[Any], i: NDArray[Any], moved: NDArray[Any]
) -> None:
    """v = drop + w, i = conj(s / v); moved is how far each scenario's farthest slot went, inf where one is not finite.

    drop, w, s, v, i: (n, L); v and i are overwritten. moved: (n,).
    """
    for row in range(v.shape[0]):
        farthest = total = 0.0
        for slot in range(v.shape[1]):
            new = drop[row, slot] + w[row, slot]
            change = new - v[row, slot]
            distance = change.real * change.real + change.imag * change.imag
            farthest = max(farthest, distance)
            total += distance
            v[row, slot] = new
            p, q = s[row, slot].real, s[row, slot].imag
            scale = 1.0 / (new.real * new.real + new.imag * new.imag)
            i[row, slot] = complex((p * new.real + q * new.imag) * scale, (p * new.imag - q * new.real) * scale)
        # A comparison, since the compiler takes isfinite for granted under these flags.
        moved[row] = np.sqrt(farthest) if total < np.inf else np.inf


def _inject(s: NDArray[Any], v: NDArray[Any], i: NDArray[Any]) -> None:
    """i = conj(s / v); all (n, L)."""
    for row in range(v.shape[0]):
        for slot in range(v.shape[1]):
            p, q, new = s[row, slot].real, s[row, slot].imag, v[row, slot]
            scale = 1.0 / (new.real * new.real + new.imag * new.imag)
            i[row, slot] = complex((p * new.real + q * new.imag) * scale, (p * new.imag - q * new.real) * scale)


@cache
def step() -> Step:
    """`_step`, compiled."""
    found: Step = compiled(_step, fastmath=FAST_MATH)
    return found


@cache
def inject() -> Inject:
    """`_inject`, compiled."""
    found: Inject = compiled(_inject, fastmath=FAST_MATH)
    return found


def compiled(function: Callable[..., None], *, fastmath: set[str] | bool = False) -> Any:
    """Machine code, kept beside the function's file for the next process."""
    import numba

    return numba.njit(cache=True, fastmath=fastmath, error_model="numpy", nogil=True)(function)
