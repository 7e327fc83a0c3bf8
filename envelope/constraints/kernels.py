"""Compiled loops over linear constraints, scenarios and ports."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.flow.kernels import compiled


@compiled()
def evaluate(  # noqa: PLR0917  a compiled function takes no keyword arguments
    v: NDArray[Any], i: NDArray[Any], converged: NDArray[Any],
    kind: NDArray[Any], element: NDArray[Any], east: NDArray[Any], north: NDArray[Any], sector: float,
    out: NDArray[Any],
) -> None:  # fmt: skip
    """Values of R constraints at (S, N) voltages and (S, B) complex currents; inf where the power flow diverged.

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
    """Derivatives of R constraints by (L,) port injections, from those of (N, L) voltages and (B, L) complex currents.

    kind, element: (R,) see `Rows`; east, north: (R,) its facet; out: (R, L), written.
    """
    for r in range(len(kind)):
        at = element[r]
        for port in range(out.shape[1]):
            if kind[r] == 0:
                out[r, port] = dv[at, port]
            elif kind[r] == 1:
                out[r, port] = -dv[at, port]
            else:
                out[r, port] = east[r] * di[at, port].real + north[r] * di[at, port].imag


@compiled()
def split(  # noqa: PLR0917  a compiled function takes no keyword arguments
    up: NDArray[Any], down: NDArray[Any], share: NDArray[Any], of: NDArray[Any],
    plus: NDArray[Any], minus: NDArray[Any], at_up: NDArray[Any], at_down: NDArray[Any],
) -> None:  # fmt: skip
    """Signs taken apart: what connections move a constraint by, upwards and downwards, and where its worst corner is.

    up, down: (R, L) slopes above and below the base load; share: (L,) part of its connection's power at a port, of:
    (L,) which that is. Written: plus, minus: (R, C), zero before; at_up, at_down: (R, L).
    """
    nothing = plus.dtype.type(0.0)
    for r in range(len(up)):
        for port in range(len(of)):
            plus[r, of[port]] += up[r, port] * share[port]
            minus[r, of[port]] -= down[r, port] * share[port]
        for c in range(plus.shape[1]):
            plus[r, c], minus[r, c] = max(plus[r, c], nothing), max(minus[r, c], nothing)
        for port in range(len(of)):
            # Where both ends raise a constraint, as with a power factor, its corner is the steeper; else neither.
            rises, falls = plus[r, of[port]], minus[r, of[port]]
            at_up[r, port] = share[port] if rises >= falls and rises > nothing else nothing
            at_down[r, port] = share[port] if falls > rises else nothing


@compiled()
def name(  # noqa: PLR0917  a compiled function takes no keyword arguments
    plus: NDArray[Any], minus: NDArray[Any], at_up: NDArray[Any], at_down: NDArray[Any],
    draw: NDArray[Any], negligible: float, out: NDArray[Any],
) -> None:  # fmt: skip
    """A number per constraint, the same for the same corner: sorting numbers is cheaper than sorting constraints.

    draw: (2, L) numbers of ports that stand up, and down; out: (R,), written. In plus and minus, (R, C), what is below
    this part of the constraint's largest becomes 0.
    """
    for r in range(len(out)):
        number = 0
        for port in range(at_up.shape[1]):
            if at_up[r, port] > 0.0:
                number += draw[0, port]
            if at_down[r, port] > 0.0:
                number += draw[1, port]
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
def raise_by_state(  # noqa: PLR0917  a compiled function takes no keyword arguments
    value: NDArray[Any], more: NDArray[Any], at_rest: NDArray[Any], state: NDArray[Any], step: NDArray[Any],
    most: NDArray[Any], worst: NDArray[Any],
) -> None:  # fmt: skip
    """Raise (T, R) `most` to the rise of (P, R) values over (T, R) values at rest; `worst` is the state of each.

    state, step: (P,); more: (P, R) that comes on top, or without any row. Of equal ones the first counts.
    """
    for p in range(len(value)):
        t = step[p]
        for r in range(value.shape[1]):
            rise = value[p, r] - at_rest[t, r]
            if len(more):
                rise += more[p, r]
            if rise > most[t, r]:
                most[t, r], worst[t, r] = rise, state[p]


@compiled()
def lower_by_state(  # noqa: PLR0917  a compiled function takes no keyword arguments
    value: NDArray[Any], state: NDArray[Any], step: NDArray[Any], least: NDArray[Any], lowest: NDArray[Any]
) -> None:
    """Lower (T, N) `least` to (P, N) values; `lowest` is the state of each. state, step: (P,)."""
    for p in range(len(value)):
        t = step[p]
        for n in range(value.shape[1]):
            if value[p, n] < least[t, n]:
                least[t, n], lowest[t, n] = value[p, n], state[p]
