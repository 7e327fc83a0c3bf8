"""Compiled loops over the corners and constraints of a box."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.flow.kernels import compiled


@compiled()
def learn(  # noqa: PLR0917  a compiled function takes no keyword arguments
    position: NDArray[Any], value: NDArray[Any], rise: NDArray[Any],
    at_rest: NDArray[Any], aim: NDArray[Any], closed: NDArray[Any], scale: NDArray[Any],
    gain: NDArray[Any], known: NDArray[Any], steep: NDArray[Any], worst: NDArray[Any], near: NDArray[Any],
    covered: float,
    best: NDArray[Any], found: NDArray[Any], least: NDArray[Any], error: NDArray[Any],
    over: NDArray[Any], wrong: NDArray[Any],
) -> None:  # fmt: skip
    """Measure R constraints in T' steps by S scenarios: corrections, prediction errors, excess over the targets.

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


@compiled()
def stand(  # noqa: PLR0917  a compiled function takes no keyword arguments
    away: NDArray[Any], of: NDArray[Any], which: NDArray[Any], up: NDArray[Any], down: NDArray[Any], out: NDArray[Any]
) -> None:
    """Where ports stand at corners of S boxes: parts of their connection's room up, less parts of it down.

    away: (S, 2C) room above, then below the base; of: (L,) each port's connection; which: (S,) corner of each box;
    up, down: (K, L) parts at each corner; out: (S, L), written.
    """
    count = away.shape[1] // 2
    for s in range(len(out)):
        k = which[s]
        for port in range(len(of)):
            out[s, port] = up[k, port] * away[s, of[port]] - down[k, port] * away[s, count + of[port]]


@compiled()
def fullest(  # noqa: PLR0917  a compiled function takes no keyword arguments
    slack: NDArray[Any], part: NDArray[Any], use: NDArray[Any], equal: float, much: float, out: NDArray[Any]
) -> None:
    """Of the rows that each connection takes part in, the one with the least slack; -1 where there is none.

    Rows within `equal` of the least slack, or of none, are equally full: of them, those count in which a watt of the
    connection uses at least the part `much` of what it uses of any.
    slack: (T, K); part: (K, C) whether it takes part; use: (K, C) of a row per W; out: (T, C) position among the K,
    written.
    """
    for t in range(len(slack)):
        for c in range(part.shape[1]):
            least, most = np.inf, 0.0
            for k in range(len(part)):
                if part[k, c]:
                    least = min(least, slack[t, k])
            full = max(least, 0.0) + equal if least > -np.inf else least
            for k in range(len(part)):
                if part[k, c] and slack[t, k] <= full:
                    most = max(most, use[k, c])
            least, out[t, c] = np.inf, -1
            for k in range(len(part)):
                tied = part[k, c] and slack[t, k] <= full and use[k, c] >= much * most
                if tied and (out[t, c] < 0 or slack[t, k] < least):
                    least, out[t, c] = slack[t, k], k
