"""Who gets which part of the room: allocations over a packing problem, for all time steps at once.

A packing problem is `a @ x <= b`, `0 <= x <= cap` with `a >= 0`: raising one connection's room never makes room for
another. That is why a fair allocation needs no solver: filling all shares at one rate until a row is full is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rule = Callable[["Packing"], Array]
"""a way to share: (T, N) of what each variable gets"""
TINY = 1e-12
TRACE = 0.01
"""whoever uses a row by less than this part of its largest user is not held to account for it"""


@dataclass(frozen=True)
class Packing:
    """Rows and bounds of one allocation: R rows, N variables, T steps."""

    a: Array
    """(R, N) what one unit of each variable uses of each row, never negative."""
    b: Array
    """(T, R) room of each row; negative where the base alone breaches it."""
    cap: Array
    """(T, N) most that each variable can use."""
    reference: Array
    """(N,) or (T, N) what one share means for each variable, in its own unit, positive."""
    weight: Array | None = None
    """(N,) or (T, N) weights of the sum and of the logarithms; ones when absent."""


def takes_part(a: Array) -> Array:
    """(R, N) 1 where a variable uses more than a trace of a row, 0 elsewhere."""
    return np.asarray(a > TRACE * a.max(axis=1, keepdims=True, initial=0.0), dtype=float)


class Allocation(StrEnum):
    """The fairness rules by name."""

    EQUAL = "equal"
    PROPORTIONAL = "proportional"
    MAX_MIN = "max-min"
    PROPORTIONAL_FAIR = "proportional-fair"
    ALPHA_FAIR = "alpha-fair"
    MAX_SUM = "max-sum"


def prepare(packing: Packing) -> Packing:
    """The same problem with nothing negative, breached rows closed, and rows that cannot bind left out."""
    breached = np.asarray(packing.b <= 0.0)
    starved = (breached.astype(float) @ takes_part(packing.a)) > 0.0
    cap = np.where(starved, 0.0, np.maximum(packing.cap, 0.0))
    b = np.where(breached, np.inf, packing.b)
    binding = np.asarray(cap @ packing.a.T > b * (1.0 + 1e-12)).any(axis=0)
    reference = np.broadcast_to(packing.reference, cap.shape)
    weight = None if packing.weight is None else np.broadcast_to(packing.weight, cap.shape)
    return Packing(packing.a[binding], b[:, binding], cap, reference, weight)


def equal(packing: Packing) -> Array:
    """The same amount for everyone, up to each one's own cap, until the first row is full."""
    ready = prepare(packing)
    return _fill(Packing(ready.a, ready.b, ready.cap, np.ones_like(ready.cap)), onward=False)


def proportional(packing: Packing) -> Array:
    """The same fraction of the reference for everyone, until the first row is full."""
    return _fill(prepare(packing), onward=False)


def max_min(packing: Packing) -> Array:
    """Lexicographic max-min of the shares: nobody can get more without someone poorer getting less."""
    return _fill(prepare(packing), onward=True)


def _fill(ready: Packing, *, onward: bool) -> Array:
    """Raise all free shares at one rate; rows that fill up freeze who uses them (all, unless `onward`)."""
    a, b, cap, reference = ready.a, ready.b, ready.cap, ready.reference
    x = np.zeros_like(cap)
    free = cap > 0.0
    scale = np.maximum(b, 1e-9)
    for _ in range(4 * cap.shape[1] + 64):
        if not free.any():
            break
        rate = np.where(free, reference, 0.0)
        use = rate @ a.T
        left = np.maximum(b - x @ a.T, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(use > TINY, left / use, np.inf).min(axis=1, initial=np.inf)
        x = np.where(free, np.minimum(x + np.minimum(step, 1e15)[:, None] * rate, cap), x)
        free &= x < cap * (1.0 - 1e-12)
        full = np.asarray((b - x @ a.T <= 1e-9 * scale) & (use > TINY))
        if not onward:
            free &= ~np.any(full, axis=1, keepdims=True)
        elif full.any():
            free &= (full.astype(float) @ a) <= 0.0
    return x


def proportional_fair(packing: Packing, rounds: int = 300) -> Array:
    """Maximum of the weighted sum of logarithms of the shares, by a multiplicative dual update."""
    return alpha_fair(packing, alpha=1.0, rounds=rounds)


def alpha_fair(packing: Packing, alpha: float = 2.0, rounds: int = 300) -> Array:
    """Alpha-fair shares: towards the sum for alpha near 0, proportional fair at 1, towards max-min as alpha grows."""
    if alpha <= 0.0:
        return max_sum(packing)
    ready = prepare(packing)
    share_a = ready.a
    open_rows = ready.b > 0.0
    b = np.where(open_rows, ready.b, 1.0)
    gain = (np.ones_like(ready.cap) if ready.weight is None else ready.weight) * ready.reference ** (alpha - 1.0)
    price = _first_price(ready, b, alpha, gain)
    x = np.zeros_like(ready.cap)
    for turn in range(rounds):
        x = _answer(price @ share_a, gain, alpha, ready.cap)
        used = (x @ share_a.T) / b
        price *= np.clip(used, 0.2, 5.0) ** (alpha * (0.5 if turn < rounds // 2 else 0.25))
        price = np.maximum(price, 1e-30)
    return _top_up(ready, x)


def _first_price(ready: Packing, b: Array, alpha: float, gain: Array) -> Array:
    """(T, R) prices at which a row shared by all its users would be about full."""
    users = np.maximum((ready.a > 0.0).sum(axis=1), 1)
    typical = np.median(ready.a, axis=1) + ready.a.mean(axis=1) + TINY
    each = b / (users * typical)
    size = np.exp(np.log(np.maximum(gain, 1e-300)).mean(axis=1, keepdims=True))
    return np.asarray(size / (np.maximum(each, 1e-9) ** alpha * typical) / max(len(users), 1), dtype=float)


def _answer(charge: Array, gain: Array, alpha: float, cap: Array) -> Array:
    """(T, N) what each variable would ask for when a unit costs `charge`."""
    with np.errstate(divide="ignore", over="ignore"):
        wish = np.where(charge > 0.0, (gain / charge) ** (1.0 / alpha), np.inf)
    return np.minimum(wish, cap)


def _top_up(ready: Packing, x: Array) -> Array:
    """Bring `x` inside every row, then fill what is left over fairly."""
    used = x @ ready.a.T
    with np.errstate(divide="ignore", invalid="ignore"):
        over = np.where(used > ready.b, ready.b / used, 1.0).min(axis=1, initial=1.0)
    x = x * over[:, None]
    rest = Packing(ready.a, ready.b - x @ ready.a.T, ready.cap - x, ready.reference)
    return np.asarray(x + _fill(_non_negative(rest), onward=True), dtype=float)


def _non_negative(packing: Packing) -> Packing:
    return Packing(packing.a, np.maximum(packing.b, 0.0), np.maximum(packing.cap, 0.0), packing.reference)


def max_sum(packing: Packing) -> Array:
    """Largest weighted sum, one linear programme per step with warm start (HiGHS)."""
    from envelope.maxsum import solve_steps

    ready = prepare(packing)
    weight = np.ones_like(ready.cap) if ready.weight is None else ready.weight
    return solve_steps(ready.a, ready.b, ready.cap, weight)


RULES: dict[Allocation, Rule] = {
    Allocation.EQUAL: equal,
    Allocation.PROPORTIONAL: proportional,
    Allocation.MAX_MIN: max_min,
    Allocation.PROPORTIONAL_FAIR: proportional_fair,
    Allocation.ALPHA_FAIR: alpha_fair,
    Allocation.MAX_SUM: max_sum,
}


def jain(share: Array) -> float:
    """Jain's index of a vector of shares: 1 when all are equal, 1/n when one takes all; 1 for no shares at all."""
    total = float(share.sum())
    return 1.0 if total <= 0.0 else total**2 / (len(share) * float((share**2).sum()))
