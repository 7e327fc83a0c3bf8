"""Base case: net injection without flexible power, the firm minimum, and the headroom beyond it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from envelope.constraints.monitored_feeder import FlowResult, MonitoredFeeder, Sensitivity
from envelope.problem import Allocation, Direction, Problem, ProblemSide, ShareReference
from envelope.problem.guarantees import GuaranteedBox
from envelope.problem.own_bands import own_end_w
from envelope.problem.steps import zeros_or
from gridmodel.arrays import Complex, Index, Real, Single


@dataclass(frozen=True, eq=False)
class BaseCase:
    """Net injection, firm minimum and headroom before anything is allocated, per step."""

    feeder: MonitoredFeeder
    p_w: Real
    """(T, C) net injection with nothing flexible running"""
    q_var: Real
    lo_w: Real
    hi_w: Real
    """(T, C) box of the firm minimum"""
    room_down_w: Real
    room_up_w: Real
    """(T, C) most that the box may grow beyond it"""
    reference_down_w: Real
    reference_up_w: Real
    """(T, C) what one share means"""
    source_v: Complex
    """(T, 3)"""
    tan_phi: float | Real = 0.0
    """var absorbed per W of upward headroom used: the same, or (C,)"""
    weight: Real | None = None
    """(2C,) or (T, 2C) of each upward, then each downward end in sums and logarithms; all the same when absent"""

    @cached_property
    def ends(self) -> BoxEnds:
        """The ends of connections' boxes that can be away from the base load at any time."""
        firm, room = (
            self.away(self.lo_w, self.hi_w),
            np.concatenate([self.room_up_w, self.room_down_w], axis=1),
        )
        place = np.flatnonzero(((firm + room) > 0.0).any(axis=0))
        reference = np.concatenate([self.reference_up_w, self.reference_down_w], axis=1)
        weight = None if self.weight is None else np.asarray(self.weight[..., place])
        firm, room, reference = (np.ascontiguousarray(table[:, place]) for table in (firm, room, reference))
        return BoxEnds(place, firm, room, reference, weight)

    @cached_property
    def absorbs(self) -> bool:
        """Whether upward headroom absorbs var anywhere."""
        return bool(np.any(self.tan_phi))

    @cached_property
    def port_tan_phi(self) -> float | Real:
        """`tan_phi` of ports: the same, or (L,)."""
        return self.tan_phi if np.ndim(self.tan_phi) == 0 else np.asarray(self.tan_phi)[self.feeder.port_connection]

    @cached_property
    def ports_va(self) -> Complex:
        """(T, L) injection of every port with nothing flexible running."""
        return np.asarray(self.feeder.spread(self.p_w) + 1j * self.feeder.spread(self.q_var))

    @cached_property
    def flow(self) -> FlowResult:
        """Power flow of the base load, with nothing flexible running."""
        return self.feeder.power_flow(self.ports_va, self.source_v)

    @cached_property
    def sensitivities(self) -> tuple[Sensitivity, Sensitivity]:
        """Derivatives for injection above and below the base load, at the horizon's mean.

        What differs by step is measured as a correction while a box is fitted.
        """
        feeder = self.feeder
        mean_va, source = self.ports_va.mean(axis=0)[None], self.source_v.mean(axis=0)
        (down,) = feeder.sensitivities(mean_va, source)
        (up,) = feeder.sensitivities(mean_va, source, tan_phi=self.port_tan_phi) if self.absorbs else (down,)
        return up, down

    def injections(self, steps: Index | int, away_w: Real | Single, var: Real | float = 0.0) -> Complex:
        """(S, L) VA of ports so many watts away from the base load, with further vars; upwards at the power factor."""
        found = self.ports_va[steps] + away_w
        if self.absorbs:
            found.imag -= self.port_tan_phi * np.maximum(away_w, 0.0)
        return np.asarray(found + 1j * var if np.any(var) else found)

    def seen_by(self, feeder: MonitoredFeeder) -> BaseCase:
        """The same on a feeder that monitors less; its ends and injections are what they were."""
        found = replace(self, feeder=feeder)
        found.__dict__.update(ends=self.ends, ports_va=self.ports_va)
        return found

    def within(self, box: GuaranteedBox) -> BaseCase:
        """The same with the firm minimum of a box, and headroom in its directions only."""
        nothing = np.zeros_like(self.p_w)
        return replace(
            self,
            lo_w=box.lo_w,
            hi_w=box.hi_w,
            room_up_w=self.room_up_w if Direction.EXPORT in box.directions else nothing,
            room_down_w=self.room_down_w if Direction.IMPORT in box.directions else nothing,
        )

    def away(self, lo: Real, hi: Real) -> Real:
        """(T, 2C) W by which a box goes above, and below, the base load."""
        return np.concatenate([hi - self.p_w, self.p_w - lo], axis=1)


class BoxEnds(NamedTuple):
    """The ends of boxes that can be away from the base load: E of C upward and C downward ones."""

    place: Index
    """(E,) among the 2C, upward ones first"""
    granted_w: Real
    """(T, E) W away from the base load of the firm minimum"""
    room_w: Real
    """(T, E) most that it may become beyond that"""
    reference_w: Real
    """(T, E) what one share means"""
    weight: Real | None
    """(E,) or (T, E)"""


FILLING = (Allocation.EQUAL, Allocation.PROPORTIONAL, Allocation.MAX_MIN)
"""rules that fill shares at one rate, and so know no weights: for them a favoured share is a larger one"""


def form_base_case(problem: Problem, feeder: MonitoredFeeder, *, capacity_used_w: Real) -> BaseCase:
    """Form the base case: base load, and the firm minimum from contracts, defaults and limits still in force.

    capacity_used_w: (T, C) part of the capacity that power circulating behind a meter uses.
    """
    exports, imports = (problem.side(direction) for direction in (Direction.EXPORT, Direction.IMPORT))
    p = -problem.base_load_w
    # Circulating power is kept free as a margin; the capacity beyond it is shorter by as much.
    top, room_up = _firm_and_room(problem, exports, p, exports.capacity_w - capacity_used_w)
    bottom, room_down = _firm_and_room(problem, imports, -p, imports.capacity_w - capacity_used_w)
    top, bottom = np.maximum(top, own_end_w(problem, "export")), np.maximum(bottom, own_end_w(problem, "import"))
    network = feeder.reduced.network
    source = network.source.v if problem.source_v is None else problem.source_v
    return BaseCase(
        feeder=feeder,
        p_w=p,
        q_var=problem.reactive.constant_var(p.shape[1]) - problem.base_load_var,
        lo_w=-bottom,
        hi_w=top,
        room_down_w=room_down,
        room_up_w=room_up,
        reference_down_w=_favoured_share_w(problem, imports, room_down),
        reference_up_w=_favoured_share_w(problem, exports, room_up),
        source_v=np.broadcast_to(np.asarray(source, dtype=np.complex128), (problem.steps, 3)),
        tan_phi=problem.reactive.tan_phi_of(p.shape[1]),
        weight=_weight(problem.allocation, exports, imports),
    )


def _firm_and_room(problem: Problem, side: ProblemSide, base_w: Real, capacity_w: Real) -> tuple[Real, Real]:
    """(T, C) firm minimum and (T, C) headroom beyond it, W, positive in the direction; `base_w` is the base load's."""
    if side.ceiling_w is not None:
        capacity_w = np.where(side.controlled, np.minimum(capacity_w, granted_at_most_w(problem, side)), capacity_w)
    firm = np.where(side.flexible, np.maximum(base_w, np.minimum(_least_w(problem, side), capacity_w)), base_w)
    return firm, np.where(side.flexible, np.maximum(capacity_w - firm, 0.0), 0.0)


def _least_w(problem: Problem, side: ProblemSide) -> Real:
    """(T, C) net power below which no limit goes, that of whole watts; a late client holds an earlier step's."""
    now = side.unavoidable_w if side.floor_w is None else np.maximum(side.unavoidable_w, side.floor_w)
    own, count = now.copy(), now.shape[1]
    for back in range(1, min(problem.hull_steps, len(own) - 1) + 1):
        own[back:] = np.maximum(own[back:], now[:-back])
    least = np.maximum(own, np.maximum(firm_limit_w(side), zeros_or(side.default_w, count)))
    held = zeros_or(side.in_force_w, count)
    least[: problem.in_force_steps] = np.maximum(least[: problem.in_force_steps], held)
    least = np.ceil(least - 1e-6)
    least[:, ~side.controlled] = np.inf
    return np.asarray(least + side.beside_w)


def firm_limit_w(side: ProblemSide) -> Real:
    """(T, C) limit that the contract minimum asks for: less what comes beside the limit anyhow."""
    return np.where(side.firm_w > 0.0, np.maximum(side.firm_w - side.beside_w, 0.0), 0.0)


def granted_at_most_w(problem: Problem, side: ProblemSide) -> Real:
    """(T, C) net power up to which a policy with a ceiling grants any: the ceiling, or the firm minimum above it."""
    least_w = _least_w(problem, side)
    if side.ceiling_w is None:
        return least_w
    return np.asarray(np.maximum(np.floor(side.ceiling_w + 1e-6) + side.beside_w, least_w))


def _favoured_share_w(problem: Problem, side: ProblemSide, room: Real) -> Real:
    """(T, C) watts of one share; where shares are filled, the past makes them larger or smaller."""
    plain = _share_w(problem.reference, side, room)
    return plain if side.favour is None or problem.allocation not in FILLING else plain * side.favour


def _share_w(reference: ShareReference, side: ProblemSide, room: Real) -> Real:
    """(T, C) watts of one share, the past aside."""
    if reference is ShareReference.EQUAL:
        return np.ones_like(room)
    if reference is ShareReference.REACH:
        return np.maximum(room, 1.0)
    if reference is ShareReference.CONTRACT:
        given = zeros_or(side.contract_w, room.shape[1])
        return np.broadcast_to(np.maximum(given, 1.0), room.shape)
    return np.broadcast_to(np.maximum(room.max(axis=0, initial=0.0), 1.0), room.shape)


def _weight(allocation: Allocation, exports: ProblemSide, imports: ProblemSide) -> Real | None:
    """(2C,) weights of all headroom upwards, then downwards, for rules of sums and logarithms."""
    if allocation in FILLING or (exports.favour is None and imports.favour is None):
        return None
    ones = np.ones(len(exports.controlled))
    both = np.broadcast_arrays(*(ones if side.favour is None else side.favour for side in (exports, imports)))
    return np.concatenate(both, axis=-1)
