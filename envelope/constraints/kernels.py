"""What is done once for every row or slot of every scenario, or for every share of every step, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.kernel import FAST_MATH, compiled


@compiled(fastmath=FAST_MATH)
def fill(  # noqa: C901, PLR0912, PLR0917  a compiled function takes no keyword arguments
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


@compiled()
def learn(  # noqa: PLR0917  a compiled function takes no keyword arguments
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


@compiled()
def evaluate(  # noqa: PLR0917  a compiled function takes no keyword arguments
    v: NDArray[Any], i: NDArray[Any], converged: NDArray[Any],
    kind: NDArray[Any], element: NDArray[Any], east: NDArray[Any], north: NDArray[Any], sector: float,
    out: NDArray[Any],
) -> None:  # fmt: skip
    """What (S, N) voltages and (S, B) complex currents are for R rows; inf where the power flow has not settled.

    kind, element: (R,) see `Rows`; east, north: (R,) its facet, and sector the tangent of how far off it a current
    still counts in full; out: (S, R), written.
    """
    for s in range(len(out)):
        if not converged[s]:
            out[s] = np.inf
            continue
        for r in range(len(kind)):
            if kind[r] == 0:
                out[s, r] = v[s, element[r]]
            elif kind[r] == 1:
                out[s, r] = -v[s, element[r]]
            else:
                current = i[s, element[r]]
                along = current.real * east[r] + current.imag * north[r]
                across = current.imag * east[r] - current.real * north[r]
                if abs(across) <= sector * along:
                    along = np.sqrt(along * along + across * across)
                out[s, r] = along


@compiled()
def slope(  # noqa: PLR0917  a compiled function takes no keyword arguments
    dv: NDArray[Any], di: NDArray[Any],
    kind: NDArray[Any], element: NDArray[Any], east: NDArray[Any], north: NDArray[Any],
    out: NDArray[Any],
) -> None:  # fmt: skip
    """Derivatives of R rows by (L,) slot injections, from those of (N, L) voltages and (B, L) complex currents.

    kind, element: (R,) see `Rows`; east, north: (R,) its facet; out: (R, L), written.
    """
    for r in range(len(kind)):
        at = element[r]
        for slot in range(out.shape[1]):
            if kind[r] == 0:
                out[r, slot] = dv[at, slot]
            elif kind[r] == 1:
                out[r, slot] = -dv[at, slot]
            else:
                out[r, slot] = east[r] * di[at, slot].real + north[r] * di[at, slot].imag


@compiled()
def split(  # noqa: PLR0917  a compiled function takes no keyword arguments
    up: NDArray[Any], down: NDArray[Any], share: NDArray[Any], of: NDArray[Any],
    plus: NDArray[Any], minus: NDArray[Any], at_up: NDArray[Any], at_down: NDArray[Any],
) -> None:  # fmt: skip
    """Signs taken apart: what connections move a row by, upwards and downwards, and where its worst corner is.

    up, down: (R, L) slopes above and below the base load; share: (L,) part of its connection's power at a slot, of:
    (L,) which that is. Written: plus, minus: (R, C), zero before; at_up, at_down: (R, L).
    """
    nothing = plus.dtype.type(0.0)
    for r in range(len(up)):
        for slot in range(len(of)):
            plus[r, of[slot]] += up[r, slot] * share[slot]
            minus[r, of[slot]] -= down[r, slot] * share[slot]
        for c in range(plus.shape[1]):
            plus[r, c], minus[r, c] = max(plus[r, c], nothing), max(minus[r, c], nothing)
        for slot in range(len(of)):
            # Where both ends strain a row, as with a power factor, its corner is the steeper; where none does, neither.
            rises, falls = plus[r, of[slot]], minus[r, of[slot]]
            at_up[r, slot] = share[slot] if rises >= falls and rises > nothing else nothing
            at_down[r, slot] = share[slot] if falls > rises else nothing


@compiled()
def name(  # noqa: PLR0917  a compiled function takes no keyword arguments
    plus: NDArray[Any], minus: NDArray[Any], at_up: NDArray[Any], at_down: NDArray[Any],
    draw: NDArray[Any], negligible: float, out: NDArray[Any],
) -> None:  # fmt: skip
    """A number per row that is the same for the same corner: sorting numbers is far cheaper than sorting rows.

    draw: (2, L) numbers of slots that stand up, and down; out: (R,), written. In plus and minus, (R, C), what is below
    this part of the row's largest becomes 0.
    """
    for r in range(len(out)):
        number = 0
        for slot in range(at_up.shape[1]):
            if at_up[r, slot] > 0.0:
                number += draw[0, slot]
            if at_down[r, slot] > 0.0:
                number += draw[1, slot]
        out[r] = number
        least = plus.dtype.type(0.0)
        for c in range(plus.shape[1]):
            least = max(least, plus[r, c], minus[r, c])
        least *= negligible
        for c in range(plus.shape[1]):
            if plus[r, c] < least:
                plus[r, c] = 0.0
            if minus[r, c] < least:
                minus[r, c] = 0.0


@compiled()
def stand(  # noqa: PLR0917  a compiled function takes no keyword arguments
    away: NDArray[Any], of: NDArray[Any], which: NDArray[Any], up: NDArray[Any], down: NDArray[Any], out: NDArray[Any]
) -> None:
    """Where slots stand at corners of S boxes: parts of their connection's room up, less parts of it down.

    away: (S, 2C) room above, then below the base; of: (L,) each slot's connection; which: (S,) corner of each box;
    up, down: (K, L) parts at each corner; out: (S, L), written.
    """
    count = away.shape[1] // 2
    for s in range(len(out)):
        k = which[s]
        for slot in range(len(of)):
            out[s, slot] = up[k, slot] * away[s, of[slot]] - down[k, slot] * away[s, count + of[slot]]


@compiled()
def fullest(slack: NDArray[Any], part: NDArray[Any], out: NDArray[Any]) -> None:
    """Of the rows that each connection takes part in, the one with the least slack; -1 where there is none.

    slack: (T, K); part: (K, C) whether it takes part; out: (T, C) position among the K, written.
    """
    for t in range(len(slack)):
        for c in range(part.shape[1]):
            least, out[t, c] = np.inf, -1
            for k in range(len(part)):
                if part[k, c] and slack[t, k] < least:
                    least, out[t, c] = slack[t, k], k
