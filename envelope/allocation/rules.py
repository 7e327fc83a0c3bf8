"""Fairness rules: allocations over a packing problem, for all time steps at once.

A packing problem is `a @ x <= b`, `0 <= x <= cap` with `a >= 0`: raising one connection never makes headroom for
another. So a fair allocation needs no solver: filling all shares at one rate until a constraint is full is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from envelope.allocation.kernels import fill
from envelope.problem import Allocation
from gridmodel.arrays import Floating, Index, Mask, Real, Single

Rule = Callable[["Packing"], Real]
"""a way to share: (T, N) of what each variable gets"""
TINY = 1e-12
CHECK_EVERY, CLOSE_ENOUGH, CHEAPEST = 10, 0.3, np.float32(1e-5)
"""rounds of prices between looks whether they are good; as good as this over the rounds that were asked for; least part
that a constraint has in all prices"""
IDLE, NEARLY_FULL, PATIENCE, OVERFULL = 1e-3, 0.9, 50, 0.03
"""part of all prices, and of headroom, below which constraints are not looked at any longer as prices are sought,
after how many rounds; part by which one of them may be overfull in the end, or all are looked at once more"""
TRACE = 0.01
"""a variable whose unit uses less of a constraint than this part of its largest user's does not take part in it"""
MUCH = 0.1
"""but it does if at its most it uses this part of what any other does: a works has a thousand times a home's size"""


@dataclass(frozen=True)
class Packing:
    """Constraints and bounds of one allocation: R constraints, N variables, T steps."""

    a: Floating
    """(R, N) what one unit of each variable uses of each constraint, never negative."""
    b: Floating
    """(T, R) headroom of each constraint; negative where the base alone breaches it."""
    cap: Real
    """(T, N) most that each variable can use."""
    reference: Real
    """(N,) or (T, N) what one share means for each variable, in its own unit, positive."""
    weight: Real | None = None
    """(N,) or (T, N) weights of the sum and of the logarithms; ones when absent."""
    price: Real | None = None
    """(T, R) prices of a similar problem's constraints, 0 where not known; rules that have prices update them"""
    most: Real | None = None
    """(N,) the most that each variable may ever use, where sizes decide who takes part in a constraint"""
    least: Real | None = None
    """(T, N) that rules of sums and logarithms give at least, feasible and within `cap`; 0 when absent"""


class Ready(NamedTuple):
    """A packing problem with nothing in it that does not matter."""

    packing: Packing
    column: Index
    """(N',) variables that are left"""
    row: Index
    """(R',) constraints that are left"""

    @property
    def is_free(self) -> bool:
        """Whether no constraint can be full or every cap is zero, so that there is nothing to share and no price."""
        return not self.packing.a.size

    def whole(self, x: Real, count: int) -> Real:
        """(T, N) from what the variables that are left get."""
        found = np.zeros((len(x), count))
        found[:, self.column] = x
        return found


def takes_part(a: Floating, most: Real | None = None) -> Mask:
    """(R, N) where a variable uses more than a trace of a constraint; most: (N,) what each may be, 0: not known."""
    by_unit = np.asarray(a > TRACE * a.max(axis=1, keepdims=True, initial=0.0))
    if most is None or not (most > 0.0).any():
        return by_unit
    # A variable that happens to have no size is still somebody's measure.
    whole = a * np.maximum(most, most[most > 0.0].min()).astype(np.float32)
    return np.asarray(by_unit | (whole > MUCH * whole.max(axis=1, keepdims=True, initial=0.0)) & (most > 0.0))


def held_by(closed: Mask, a: Floating, most: Real | None = None) -> Mask:
    """(T, N) variables that take part in any of the (T, R) constraints that are closed."""
    return np.asarray(closed.astype(np.float32) @ takes_part(a, most).astype(np.float32) > 0.0)


def prepare(packing: Packing) -> Ready:
    """The same problem with breached constraints closed, less constraints and variables that cannot matter."""
    breached = np.asarray(packing.b <= 0.0)
    cap = np.maximum(packing.cap, 0.0)
    if breached.any():
        cap = np.where(held_by(breached, packing.a, packing.most), 0.0, cap)
    column = np.flatnonzero(cap.any(axis=0))
    a, cap = packing.a[:, column], np.ascontiguousarray(cap[:, column])
    most = cap @ a.T
    b = np.where(breached, np.inf, packing.b)
    row = np.flatnonzero(np.any(most > b * (1.0 + 1e-12), axis=0))
    b = np.minimum(b, 2.0 * most + 1.0)

    def part(table: Floating) -> Real:
        return np.ascontiguousarray(np.broadcast_to(table, packing.cap.shape)[:, column])

    weight, least = (None if table is None else part(table) for table in (packing.weight, packing.least))
    price = None if packing.price is None else packing.price[:, row]
    left = Packing(np.ascontiguousarray(a[row]), b[:, row], cap, part(packing.reference), weight, price, least=least)
    return Ready(left, column, row)


def equal(packing: Packing) -> Real:
    """The same amount for everyone, up to each one's own cap, until the first constraint is full."""
    ready = prepare(packing)
    same = replace(ready.packing, reference=np.ones_like(ready.packing.cap))
    return ready.whole(_fill(same, onward=False), packing.cap.shape[1])


def proportional(packing: Packing) -> Real:
    """The same fraction of the reference for everyone, until the first constraint is full."""
    ready = prepare(packing)
    return ready.whole(_fill(ready.packing, onward=False), packing.cap.shape[1])


def max_min(packing: Packing) -> Real:
    """Lexicographic max-min of the shares: no share can grow unless a smaller one shrinks."""
    ready = prepare(packing)
    return ready.whole(_fill(ready.packing, onward=True), packing.cap.shape[1])


def _fill(packing: Packing, *, onward: bool) -> Real:
    """Raise all free shares at one rate; a full constraint freezes its users (all variables, unless `onward`)."""
    found = np.empty_like(packing.cap)
    at, b = np.ascontiguousarray(packing.a.T, dtype=float), np.ascontiguousarray(packing.b, dtype=float)
    fill(at, b, np.ascontiguousarray(packing.cap), np.ascontiguousarray(packing.reference), onward, found)
    return found


def proportional_fair(packing: Packing, rounds: int = 300) -> Real:
    """Maximum of the weighted sum of logarithms of the shares, by a multiplicative dual update."""
    return alpha_fair(packing, alpha=1.0, rounds=rounds)


def alpha_fair(packing: Packing, alpha: float = 2.0, rounds: int = 300) -> Real:
    """Alpha-fair shares: towards the sum for alpha near 0, proportional fair at 1, towards max-min as alpha grows."""
    if alpha <= 0.0:
        return max_sum(packing)
    ready = prepare(packing)
    left = ready.packing
    if ready.is_free:
        return ready.whole(left.cap, packing.cap.shape[1])
    weight = np.ones_like(left.cap) if left.weight is None else left.weight
    x, price = _priced(left, weight * left.reference ** (alpha - 1.0), alpha, rounds)
    if packing.price is not None:
        packing.price[:, ready.row] = price
    return ready.whole(_top_up(left, x), packing.cap.shape[1])


def _priced(left: Packing, gain: Real, alpha: float, rounds: int) -> tuple[Real, Real]:
    """Demand of each variable at prices at which constraints are full or worth nothing, and those prices."""
    room = np.where(left.b > 0.0, left.b, 1.0)
    first = _first_price(left, room, alpha, gain)
    if left.price is not None:
        first = np.where(left.price > 0.0, left.price, first)
    x, price = _Market(left, gain, alpha, room=room, price=first).settled(rounds)
    if np.any(x @ left.a.T > (1.0 + OVERFULL) * room):
        x, price = _Market(left, gain, alpha, room=room, price=price, patience=rounds).settled(rounds)
    return x, price


class _Market:
    """Prices of constraints under way: what is asked for at them makes full constraints dearer and others cheaper.

    Single precision is enough: whatever the prices come to, the answer is brought inside afterwards.
    """

    def __init__(
        self, left: Packing, gain: Real, alpha: float, *, room: Real, price: Real, patience: int = PATIENCE
    ) -> None:
        tables = (left.a, left.cap, gain, room, price)
        self.a, self.cap, self.gain, self.b, self.price = (np.ascontiguousarray(t, dtype=np.float32) for t in tables)
        self.least = np.zeros_like(self.cap) if left.least is None else left.least.astype(np.float32)
        self.at, self.alpha, self.patience = np.ascontiguousarray(self.a.T), alpha, patience
        self.found, self.prices = self.cap.copy(), self.price.copy()
        self.step, self.row = np.arange(len(self.cap)), np.arange(len(self.a))

    def settled(self, rounds: int) -> tuple[Real, Real]:
        """(T, N) what is asked for in the end, and (T, R) prices."""
        for turn in range(rounds):
            x = np.maximum(_answer(self.price @ self.a, self.gain, self.alpha, self.cap), self.least)
            used = (x @ self.at) / self.b
            if turn % CHECK_EVERY == CHECK_EVERY - 1:
                x, used = self._narrow(x, used, rounds, turn=turn)
                if not len(self.step):
                    break
            self.price *= np.clip(used, 0.2, 5.0) ** np.float32(self.alpha * (0.5 if turn < rounds // 2 else 0.25))
        self._note(x)
        return self.found.astype(float), self.prices.astype(float)

    def _narrow(self, x: Single, used: Single, rounds: int, *, turn: int) -> tuple[Single, Single]:
        """Lets steps go that are good enough, and constraints that do not matter, once that is half of them."""
        worth = self.price * self.b
        total = worth.sum(axis=1, keepdims=True) + np.float32(1e-30)
        # Nothing may become so cheap that it takes long to become dear again.
        np.maximum(self.price, CHEAPEST * total / self.b, out=self.price)
        idle = (worth * np.abs(1.0 - used)).sum(axis=1) / total[:, 0]
        going = (idle > CLOSE_ENOUGH / rounds) | (used.max(axis=1) > 1.0 + 10.0 * CLOSE_ENOUGH / rounds)
        # Constraints that are worth next to nothing in any step and far from full need not be looked at until the end.
        dear = ((worth > IDLE * total) | (used > NEARLY_FULL))[going].any(axis=0)
        if 2 * np.count_nonzero(going) > len(self.step):
            going[:] = True
        if turn < self.patience or 2 * np.count_nonzero(dear) > len(self.row) or not dear.any():
            dear[:] = True
        if going.all() and dear.all():
            return x, used
        self._note(x)
        self.step, self.least, x = self.step[going], self.least[going], x[going]
        self.cap, self.gain = self.cap[going], self.gain[going]
        self.row, self.a, self.at = self.row[dear], self.a[dear], np.ascontiguousarray(self.at[:, dear])
        self.b, self.price, used = (table[np.ix_(going, dear)] for table in (self.b, self.price, used))
        return x, used

    def _note(self, x: Single) -> None:
        self.found[self.step], self.prices[np.ix_(self.step, self.row)] = x, self.price


def _first_price(ready: Packing, b: Real, alpha: float, gain: Real) -> Real:
    """(T, R) prices at which a constraint shared by all its users would be about full."""
    users = np.maximum((ready.a > 0.0).sum(axis=1), 1)
    typical = np.median(ready.a, axis=1) + ready.a.mean(axis=1) + TINY
    each = b / (users * typical)
    size = np.exp(np.log(np.maximum(gain, 1e-300)).mean(axis=1, keepdims=True))
    return np.asarray(size / (np.maximum(each, 1e-9) ** alpha * typical) / max(len(users), 1), dtype=float)


def _answer(charge: Single, gain: Single, alpha: float, cap: Single) -> Single:
    """(T, N) what each variable would ask for when a unit costs `charge`."""
    with np.errstate(divide="ignore", over="ignore"):
        wish = gain / charge
        if alpha != 1.0:
            wish **= np.float32(1.0 / alpha)
    return np.asarray(np.fmin(wish, cap))


def _top_up(left: Packing, x: Real) -> Real:
    """Bring `x` inside every constraint without going below the least, then fill what is left over fairly."""
    if left.least is not None:
        return left.least + _top_up(beyond_least(left), np.maximum(x - left.least, 0.0))
    used, over = x @ left.a.T, np.ones_like(x)
    # Only users of an overfull constraint give up as much as that takes.
    for row in np.flatnonzero((used > left.b).any(axis=0)):
        much = np.maximum(used[:, row] / left.b[:, row], 1.0)[:, None]
        over[:, left.a[row] > 0.0] = np.maximum(over[:, left.a[row] > 0.0], much)
    x = np.minimum(x / over, left.cap)
    rest = Packing(left.a, np.maximum(left.b - x @ left.a.T, 0.0), np.maximum(left.cap - x, 0.0), left.reference)
    return np.asarray(np.minimum(x + _fill(rest, onward=True), left.cap), dtype=float)


def beyond_least(packing: Packing) -> Packing:
    """The problem of what comes on top of the least; rounding leaves no constraint below its least use."""
    least = np.zeros_like(packing.cap) if packing.least is None else packing.least
    b = np.maximum(packing.b - least @ packing.a.T, 1e-9 * np.abs(packing.b))
    return replace(packing, b=b, cap=np.maximum(packing.cap - least, 0.0), least=None)


def with_floor(rule: Rule, part: float) -> Rule:
    """The rule, giving each variable at least this part of what max-min would give it."""
    return partial(_floored, rule, part)


def _floored(rule: Rule, part: float, packing: Packing) -> Real:
    return rule(replace(packing, least=part * max_min(packing)))


def is_sum(rule: Rule) -> bool:
    """Whether a rule is a largest sum, with a floor or without."""
    return max_sum in (rule, *getattr(rule, "args", ()))


def max_sum(packing: Packing) -> Real:
    """Largest weighted sum, one linear programme per step with warm start (HiGHS)."""
    from envelope.allocation.linear_program import solve_steps

    ready = prepare(packing)
    left = ready.packing
    if ready.is_free:
        return ready.whole(left.cap, packing.cap.shape[1])
    weight = np.ones_like(left.cap) if left.weight is None else left.weight
    more = beyond_least(left) if left.least is not None else left
    found = solve_steps(more.a, more.b, more.cap, weight)
    return ready.whole(found if left.least is None else left.least + found, packing.cap.shape[1])


RULE_OF: dict[Allocation, Rule] = {
    Allocation.EQUAL: equal,
    Allocation.PROPORTIONAL: proportional,
    Allocation.MAX_MIN: max_min,
    Allocation.PROPORTIONAL_FAIR: proportional_fair,
    Allocation.ALPHA_FAIR: alpha_fair,
    Allocation.MAX_SUM: max_sum,
}
"""the function of each rule"""
