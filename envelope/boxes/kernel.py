"""What is done once for every row of every scenario, or for every share of every step, compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.kernel import FAST_MATH, compiled

Kernel = Callable[..., None]


def _fill(  # noqa: C901, PLR0912, PLR0917  a compiled function takes no keyword arguments
    at: NDArray[Any], b: NDArray[Any], cap: NDArray[Any], reference: NDArray[Any], onward: bool, x: NDArray[Any]
) -> None:
    """Raise all free shares at one rate; rows that fill up freeze who uses them (all, unless `onward`).

    at: (N, R) use of each row by each variable; b: (T, R); cap, reference: (T, N); x: (T, N), written.
    """
    variables, rows = at.shape
    for t in range(len(b)):
        left, use = b[t].copy(), np.zeros(rows)
        free, count = cap[t] > 0.0, 0
        for i in range(variables):
            x[t, i] = 0.0
            if free[i]:
                count += 1
                for r in range(rows):
                    use[r] += reference[t, i] * at[i, r]
        # Below this nobody uses the row: what is left are rounding errors of those who did, in watts or in volts.
        nothing = np.maximum(1e-12, 1e-10 * use)
        for _ in range(variables + rows + 1):
            if count == 0:
                break
            time = 1e15
            for r in range(rows):
                if use[r] > nothing[r]:
                    time = min(time, max(left[r], 0.0) / use[r])
            for r in range(rows):
                left[r] -= time * use[r]
            for i in range(variables):
                if not free[i]:
                    continue
                x[t, i] += time * reference[t, i]
                if x[t, i] >= cap[t, i] * (1.0 - 1e-12):
                    for r in range(rows):
                        left[r] += (x[t, i] - cap[t, i]) * at[i, r]
                        use[r] -= reference[t, i] * at[i, r]
                    x[t, i], free[i] = cap[t, i], False
                    count -= 1
            for r in range(rows):
                if count == 0 or use[r] <= nothing[r] or left[r] > 1e-9 * max(b[t, r], 1e-9):
                    continue
                for i in range(variables):
                    if free[i] and (at[i, r] > 0.0 or not onward):
                        for k in range(rows):
                            use[k] -= reference[t, i] * at[i, k]
                        free[i] = False
                        count -= 1


def _learn(  # noqa: PLR0917  a compiled function takes no keyword arguments
    position: NDArray[Any], value: NDArray[Any], rise: NDArray[Any],
    at_rest: NDArray[Any], aim: NDArray[Any], closed: NDArray[Any], scale: NDArray[Any],
    gain: NDArray[Any], known: NDArray[Any], steep: NDArray[Any], worst: NDArray[Any], near: NDArray[Any],
    covered: float,
    best: NDArray[Any], found: NDArray[Any], least: NDArray[Any], error: NDArray[Any],
    over: NDArray[Any], wrong: NDArray[Any],
) -> None:  # fmt: skip
    """What S scenarios say of R rows in T' steps: measured gains, errors of prediction, excess over the aims.

    position: (S,) step of each scenario; value, rise: (S, R) measured, and by the slopes. at_rest, aim, closed, gain,
    known, steep, worst: (T', R), see `Fit`; scale: (R,); near: (T',) units of slack within which an error counts.
    Written: best (rise of the corner that speaks), found (gain there), least, error: (T', R); over, wrong: (T',).
    """
    for s in range(len(position)):
        t = position[s]
        for r in range(len(scale)):
            moved, unit, up, most = value[s, r] - at_rest[t, r], scale[r], rise[s, r], worst[t, r]
            excess = (value[s, r] - aim[t, r]) / unit
            if not closed[t, r]:
                over[t] = max(over[t], excess)
            if most <= 1e-3 * unit:
                continue
            # Whatever corner it was, the row's worst is no milder.
            least[t, r] = max(least[t, r], moved / most)
            if up < covered * most or up <= best[t, r] or up <= 1e-3 * unit:
                continue
            off = abs(moved - gain[t, r] * known[t, r] - steep[t, r] * (up - known[t, r])) / unit
            best[t, r], found[t, r] = up, min(max(moved / up, 0.2), 2.0 * gain[t, r])
            wrong[t] = max(wrong[t], off)
            # What is far from its limit may be predicted badly; what is predicted badly and near is looked at again.
            error[t, r] = off if not closed[t, r] and excess > -near[t] - off else 0.0


@cache
def fill() -> Kernel:
    """`_fill`, compiled."""
    found: Kernel = compiled(_fill, fastmath=FAST_MATH)
    return found


@cache
def learn() -> Kernel:
    """`_learn`, compiled."""
    found: Kernel = compiled(_learn)
    return found
