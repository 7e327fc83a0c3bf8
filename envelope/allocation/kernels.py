"""Compiled loops of the allocation rules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.flow.kernels import FAST_MATH, compiled


@compiled(fastmath=FAST_MATH)
def fill(  # noqa: C901, PLR0912, PLR0917  a compiled function takes no keyword arguments
    at: NDArray[Any], b: NDArray[Any], cap: NDArray[Any], reference: NDArray[Any], onward: bool, x: NDArray[Any]
) -> None:
    """Raise all free shares at one rate; a constraint that fills up freezes its users (all variables, unless `onward`).

    at: (N, R) use of each constraint by each variable; b: (T, R); cap, reference: (T, N); x: (T, N), written.
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
        # Below this no connection uses the constraint: what is left are rounding errors, in watts or in volts.
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
