"""A search for worse corners where inverters respond: many climbs at once, from the worst corners and at random.

Each flat part of a curve has worst corners of its own, and a climb from one ends at its own. So
climbs begin at random corners too, and where they end is tried in every other interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envelope.constraints.joint_paths import JointPaths
from envelope.constraints.monitored_feeder import COARSE_V, larger
from envelope.verification.box_corners import At, BoxesTried
from envelope.verification.worst_corners import WorstCorners
from gridmodel.arrays import Complex, Index, Mask, Real

ROUNDS, GAIN, CHUNK = 8, 1e-3, 4000
"""turns of a climb at most; V, or part of a rating in thousandths, that one is to gain; power flows solved together"""
WIDTH_W = 1.0
"""least width of what may be moved"""
NEAR = np.array([1.5, 1.5, 10.0])
"""V, V and percent from their limit within which worst corners are climbed from"""
PATTERNS, AT_RANDOM = 8, 4
"""patterns of each kind that are tried in every interval, and one of so many more climbs that begins at random"""


class Ends(NamedTuple):
    """(n, L) W from the base load, lowest and highest."""

    low: Real
    high: Real


class Climbs:
    """Climbs for one kind of limit: 0 over-voltage, 1 under-voltage, 2 load; L ports, C connections."""

    def __init__(self, joint: JointPaths, which: int) -> None:
        self.joint, self.which, self.feeder = joint, which, joint.base.feeder
        self.rating = np.abs(self.feeder.rating_a)

    def top(self, at: At, element: Index, ends: Ends, away: Real) -> tuple[Real, Real]:
        """(n, L) corners at which no connection's other end alone is worse for (n,) elements, and (n,) their values.

        away: (n, L) corners to begin at.
        """
        away, going = away.copy(), np.arange(len(away))
        middle, width = 0.5 * (ends.low + ends.high), ends.high - ends.low
        of = self.feeder.port_connection
        movable = np.stack([np.bincount(of, row, self.feeder.connections) for row in width]) > WIDTH_W
        for _ in range(ROUNDS):
            now = self._values(at.only(going), element[going], away[going])
            flipped = np.where(away[going] > middle[going], ends.low[going], ends.high[going])
            gain = self._gains(at.only(going), element[going], (away[going], flipped), movable[going]) - now[:, None]
            better = gain.max(axis=1) > GAIN
            going, gain, flipped, now = going[better], gain[better], flipped[better], now[better]
            if not len(going):
                break
            # All that helps at once; where that helps less than the best one alone, only that one.
            many = np.where((gain > GAIN)[:, of], flipped, away[going])
            one = np.where((gain == gain.max(axis=1, keepdims=True))[:, of], flipped, away[going])
            together = self._values(at.only(going), element[going], many) >= now + gain.max(axis=1)
            away[going] = np.where(together[:, None], many, one)
        return away, self._values(at, element, away)

    def _gains(self, at: At, element: Index, both: tuple[Real, Real], movable: Mask) -> Real:
        """(n, C) values with each connection in turn at its other end; -inf for those that can not be moved."""
        (away, flipped), of = both, self.feeder.port_connection
        found = np.full(movable.shape, -np.inf)
        place, connection = np.nonzero(movable)
        for start in range(0, len(place), CHUNK):
            part = slice(start, start + CHUNK)
            who = place[part]
            moved = np.where(of[None, :] == connection[part, None], flipped[who], away[who])
            found[who, connection[part]] = self._values(at.only(who), element[who], moved)
        return found

    def _values(self, at: At, element: Index, away: Real) -> Real:
        """(n,) V of elements, negative for under-voltage, or thousandths of a rating; -inf without a power flow."""
        injected, source = self.joint.injections(*at, away), self.joint.source(*at)
        answered = self.feeder.power_flow_with_response(injected, source, tol_v=COARSE_V)
        reduced = self.feeder.reduced
        if self.which < 2:
            value = np.abs(_at(answered.i, reduced.Zn[element]) + _at(source, reduced.Wn[element]))
            value = value if self.which == 0 else -value
        else:
            value = self._loads(element, injected, source, answered.i)
        return np.where(answered.converged & np.isfinite(value), value, -np.inf)

    def _loads(self, element: Index, injected: Complex, source: Complex, answered_a: Complex) -> Real:
        """(n,) thousandths of their ratings."""
        reduced, feeder = self.feeder.reduced, self.feeder.without_response()
        plain = feeder.power_flow(injected, source, tol_v=COARSE_V).i_a[np.arange(len(element)), element]
        is_branch = element < len(reduced.H)
        branch = np.where(is_branch, element, 0)
        amps = _at(answered_a, reduced.H[branch]) + _at(source, reduced.Hw[branch])
        most = np.where(is_branch & self.feeder.adds_var, larger(plain, amps), plain)
        return np.asarray(1000.0 * np.abs(most) / self.rating[element])


def _at(values: Complex, rows: Complex) -> Complex:
    """(n,) products of rows that belong together."""
    return np.asarray(np.einsum("nl,nl->n", values, rows))


@dataclass(frozen=True, eq=False)
class ClimbSearch:
    """A search of one verification: from the worst corners that it knows, in states of the joint paths that matter."""

    joint: JointPaths
    within: BoxesTried
    worst: WorstCorners
    matter: Mask
    """(S, T)"""
    rng: np.random.Generator

    def found(self, which: int, most: int) -> Iterator[tuple[At, Real]]:
        """Corners to try for one kind of limit, (n, L) W from the base load; most: intervals that are climbed from.

        Climbs begin at the worst corners of intervals near their limit, and at random ones in any state. The patterns
        of ports that they end at are tried in every such interval and state.
        """
        known = np.flatnonzero(self.worst.beyond[which] > -NEAR[which])
        if not len(known) or not most:
            return
        states, steps = np.nonzero(self.matter[:, known])
        every = At(states, known[steps])
        box = self.within.of(At(self.worst.state[which, known], known), self.worst.away[which, known])[2]
        low, high = self.within.ends(every, box[steps])
        order = np.argsort(-self.worst.beyond[which, known], kind="stable")[:most]
        some = self.rng.choice(len(every.steps), min(-(-len(order) // AT_RANDOM), len(every.steps)), replace=False)
        side = self.rng.random((len(some), self.joint.base.feeder.connections)) < 0.5
        again = np.where(side[:, self.joint.base.feeder.port_connection], low[some], high[some])
        begin = At(self.worst.state[which, known[order]], known[order])
        at = At(*(np.concatenate(both) for both in zip(begin, every.only(some), strict=True)))
        ends = Ends(*self.within.ends(at, np.concatenate([box[order], box[steps[some]]])))
        away = np.concatenate([self.worst.away[which, begin.steps], again])
        top, value = Climbs(self.joint, which).top(at, self.worst.element[which, at.steps], ends, away)
        yield at, top
        for up in distinct_patterns(ends, top, value)[:PATTERNS]:
            yield every, np.where(up, high, low)


def distinct_patterns(ends: Ends, away: Real, value: Real) -> Mask:
    """(K, L) which ports are at their upper end at (n, L) corners, each once, that of the largest value first."""
    up = (away > 0.5 * (ends.low + ends.high))[np.argsort(-value, kind="stable")]
    return np.asarray(up[np.sort(np.unique(up, axis=0, return_index=True)[1])])
