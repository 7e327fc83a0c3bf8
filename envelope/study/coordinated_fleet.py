"""A coordinated fleet: an aggregator that keeps constraints on sums of its inverters, while all others keep boxes.

Limits of single connections must hold whatever the others do. One that steers several inverters can keep the network's
own constraints instead: what one of them feeds on a phase may lower the voltage of another phase. Its members' limits
of the schedule stay as a fallback for a silent aggregator: the rest of the feeder counts on no more than these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from envelope.constraints.formulation import Formulation, formulate
from envelope.constraints.linear import FINE_FACETS, Corners, LinearConstraints, linearise, select_all
from envelope.constraints.linearisation import linearise_at_corners
from envelope.constraints.monitored_feeder import COARSE_V
from envelope.constraints.sensitivity_series import sensitivities_at
from envelope.engine import calculate
from envelope.field_rules import BadProblem, Numbers
from envelope.problem import Direction, Problem
from envelope.problem.guarantees import GuaranteedBox
from envelope.problem.own_bands import own_end_w
from envelope.schedule import EnvelopeSchedule, verified_box
from gridmodel.arrays import Complex, Index, Mask, Real, Single

FALLBACK = 0.7
"""part of their limits without a fleet that its members keep as a fallback"""
ROUNDS = 8
"""linear programs of the plan, each with constraints taken anew where the last one led"""
KEPT = 0.1
"""kept free of each constraint's target for what sensitivities are off by, in units of slack"""
SKIES, CLOUDS, BEYOND = 16, (0.0, 0.3, 1.0), 1.2
"""other skies under which the plan is tried and tightened, parts of the forecast's sun that each member may have under
them, and by how much more than what exceeds"""
NEAR = 0.5
"""constraints with less headroom are taken anew, in units of slack (V, percent of the rating)"""
TOGETHER = 2048
"""power flows solved at once"""
KILO = 1e3


class SumConstraints(NamedTuple):
    """Constraints on the members' generation in one step: K of them, F members."""

    coefficient: Real
    """(K, F) V or A per W that a member generates; negative where it relieves"""
    budget: Real
    """(K,) V or A that their sum may come to; never negative, so that a fleet at rest breaks none"""


@dataclass(frozen=True, eq=False)
class FleetPlan:
    """Generation that a fleet may have together; T steps, F members."""

    members: Index
    """(F,) their connections"""
    constraints: tuple[SumConstraints, ...]
    """(T,)"""
    deliverable_w: Real
    """(T, F) the most that they can deliver together under the forecast's sky: told to a market, judged by its sum"""
    fallback_w: Real
    """(T, F) net export limits that hold for each while its aggregator is silent"""
    beyond: tuple[float, float, float]
    """V over, V under and percent of a rating beyond the limits at the worst corner of the others; negative: inside"""

    def dispatch(self, step: int, available_w: Real) -> Real:
        """Return the most that the members may generate of what is (F,) W available to them, in one step."""
        return most_within(self.constraints[step], available_w)


class FleetStudy(NamedTuple):
    """Limits of all connections, and the plan of the fleet beside them."""

    problem: Problem
    """with the ceiling of the members' fallback"""
    schedule: EnvelopeSchedule
    """boxes of all connections; a member's is its fallback"""
    fleet: FleetPlan


def coordinate(problem: Problem, members: Mask, fallback: float = FALLBACK) -> FleetStudy:
    """Calculate limits of all connections, and the plan of a fleet of (C,) members beside them.

    fallback: part of the export limits that members would have without a fleet, which they keep while their aggregator
    is silent; the less, the more is left to the others.
    """
    chosen = np.asarray(members, dtype=bool)
    if chosen.shape != (len(problem.connection_id),):
        raise BadProblem(f"members has shape {chosen.shape}; expected one value per connection")
    if not (chosen & (problem.flex_gen_w > 0.0).any(axis=0)).any():
        raise BadProblem("members: no connection with controllable generation is among them")
    Numbers(low=0.0, high=1.0)("fallback", fallback)
    plain = calculate(problem)
    ceiling_w = np.where(chosen, fallback * plain.export_limit_w, np.inf)
    if problem.ceiling_export_w is not None:
        ceiling_w = np.minimum(ceiling_w, np.broadcast_to(problem.ceiling_export_w.T, ceiling_w.T.shape).T)
    stated = replace(problem, ceiling_export_w=ceiling_w)
    schedule = calculate(stated)
    return FleetStudy(stated, schedule, _Search(stated, schedule, chosen).found())


def most_within(constraints: SumConstraints, available_w: Real) -> Real:
    """Return (F,) W of the largest sum inside constraints, by a linear program."""
    from scipy.optimize import linprog

    matters = np.maximum(constraints.coefficient, 0.0) @ available_w > constraints.budget
    if not matters.any():
        return available_w.copy()
    found = linprog(
        -np.ones(len(available_w)),
        A_ub=constraints.coefficient[matters] * KILO,
        b_ub=constraints.budget[matters],
        bounds=np.column_stack([np.zeros(len(available_w)), available_w / KILO]),
    )
    return np.clip(np.asarray(found.x) * KILO, 0.0, available_w)


class _Measured(NamedTuple):
    """P constraints, each in one step, at its worst corner of the others while the fleet generates as planned."""

    step: Index
    row: Index
    value: Real
    """(P,)"""
    coefficient: Single
    """(P, F) derivative there"""


class _Search:
    """One plan under way."""

    def __init__(self, problem: Problem, schedule: EnvelopeSchedule, members: Mask) -> None:
        self.formulation: Formulation = formulate(problem)
        self.members, self.steps = np.flatnonzero(members), problem.steps
        self.sun_w = problem.flex_gen_w[:, self.members]
        self.fallback_w = schedule.export_limit_w[:, self.members].astype(float)
        base, feeder = self.formulation.base, self.formulation.feeder
        lo_w, hi_w = verified_box(problem, schedule)
        # What members feed is planned; beside them are all others, and their own chargers, at their worst.
        resting = np.maximum(own_end_w(problem, Direction.EXPORT), base.p_w)
        self.box = GuaranteedBox(lo_w, np.where(members, resting, hi_w), (Direction.EXPORT, Direction.IMPORT))
        plain = linearise(feeder, *self.formulation.sensitivities, wanted=select_all(feeder), facets=FINE_FACETS)
        self.rows: LinearConstraints = linearise_at_corners(plain, base, lo_w, hi_w)
        self.unit = self.rows.slack_unit(feeder)
        self.target, self.limit = (self._right_hand_side(margin) for margin in (1.0, 0.0))
        at_rest = self.rows.evaluate(self.formulation.base_flow)
        self.needed = self.formulation.paths.of_box(self.box).worst(self.rows, at_rest)
        up_w, down_w = self.box.hi_w - base.p_w, base.p_w - self.box.lo_w
        others = up_w @ self.rows.rise_up.T + down_w @ self.rows.rise_down.T
        extra = 0.0 if self.needed is None else self.needed.extra
        self.left = self.target - KEPT * self.unit - at_rest - extra - others
        """(T, R) what each constraint leaves to the fleet, by the first sensitivities"""
        self.coefficient = self._of_members(self.rows.sensitivity)
        self.strained = np.zeros(self.left.shape, dtype=bool)
        """(T, R) constraints that came near their limit at a corner of another one"""
        self.taken: list[dict[int, tuple[Real, float]]] = [{} for _ in range(problem.steps)]
        """(T,) by constraint what was measured last, as coefficients and what they leave"""

    def found(self) -> FleetPlan:
        """Return the plan: allocate, measure, take constraints anew, repeat."""
        planned_w = self._planned(self.sun_w)
        for _ in range(ROUNDS):
            measured = self._measured(planned_w)
            left = (measured.coefficient * planned_w[measured.step]).sum(axis=1) - self._excess(measured)
            for k, (step, row) in enumerate(zip(measured.step.tolist(), measured.row.tolist(), strict=True)):
                self.taken[step][row] = measured.coefficient[k].astype(float), float(left[k])
            planned_w = self._planned(self.sun_w)
        rng = np.random.default_rng(0)
        for _ in range(SKIES):
            self._tighten(self._planned(self.sun_w * self._sky(rng)))
        planned_w = self._planned(self.sun_w)
        return FleetPlan(
            members=self.members,
            constraints=tuple(self._constraints(step) for step in range(self.steps)),
            deliverable_w=planned_w,
            fallback_w=self.fallback_w,
            beyond=self._beyond(planned_w),
        )

    def _sky(self, rng: np.random.Generator) -> Real:
        """(T, F) part of the forecast's sky over each member: clouds over some, or a part of them off."""
        return rng.choice(CLOUDS, self.sun_w.shape)

    def _tighten(self, planned_w: Real) -> None:
        """Lower what constraints leave by what they exceed while the fleet generates so."""
        measured = self._measured(planned_w)
        excess = self._excess(measured)
        for k in np.flatnonzero(excess > 0.0):
            step, row = int(measured.step[k]), int(measured.row[k])
            own, left = self.taken[step].get(row, (self.coefficient[row].astype(float), self.left[step, row]))
            self.taken[step][row] = own, float(left - BEYOND * excess[k])

    def _excess(self, measured: _Measured) -> Real:
        """(P,) by which values exceed their target less what is kept free of it."""
        return np.asarray(measured.value - self.target[measured.step, measured.row] + KEPT * self.unit[measured.row])

    def _right_hand_side(self, margin: float) -> Real:
        """(T, R) limits less their margins."""
        formulation, rows = self.formulation, self.rows
        hard = rows.right_hand_sides(formulation.limits.bounds(margin=0.0))
        found = rows.right_hand_sides(formulation.limits.bounds(margin=margin))
        before = rows.evaluate(formulation.base_flow)
        return found - sum(
            (reserve.per_row(rows, before, hard) for reserve in formulation.reserves), np.zeros_like(hard)
        )

    def _of_members(self, sensitivity: Single) -> Single:
        """(P, F) derivatives by members of (P, L) derivatives by ports."""
        feeder = self.formulation.feeder
        found = np.zeros((len(sensitivity), feeder.connections), dtype=np.float32)
        np.add.at(found.T, feeder.port_connection, (sensitivity * feeder.port_share).T)
        return found[:, self.members]

    def _constraints(self, step: int) -> SumConstraints:
        """Return the constraints of a step: as measured last, else by the first sensitivities."""
        coefficient, left = self.coefficient.astype(float), self.left[step].copy()
        for row, (own, budget) in self.taken[step].items():
            coefficient[row], left[row] = own, budget
        budget = np.maximum(left, 0.0)
        matters = np.maximum(coefficient, 0.0) @ self.sun_w[step] > budget
        return SumConstraints(coefficient[matters], budget[matters])

    def _planned(self, available_w: Real) -> Real:
        """(T, F) W of the largest sum in each step."""
        return np.array([most_within(self._constraints(step), available_w[step]) for step in range(self.steps)])

    def _near(self, planned_w: Real) -> tuple[Index, Index]:
        """Return the steps and constraints with little headroom where the fleet generates as planned."""
        slack: Real = self.left - planned_w @ self.coefficient.T
        for at, constraints in enumerate(self.taken):
            for which, (own, budget) in constraints.items():
                slack[at, which] = budget - own @ planned_w[at]
        sunny: Mask = np.asarray((self.sun_w > 0.0).any(axis=1))
        near = ((slack < NEAR * self.unit) | self.strained) & sunny[:, None]
        step, row = np.divmod(np.flatnonzero(near), near.shape[1])
        return step, row

    def _measured(self, planned_w: Real) -> _Measured:
        """Measure the constraints that are near, each at its worst corner of the others, by power flow."""
        step, row = self._near(planned_w)
        value, coefficient = np.empty(len(step)), np.empty((len(step), len(self.members)), dtype=np.float32)
        for part, injected, source_v in self._corners(step, row, planned_w):
            rows = self.rows.only(row[part])
            flow = self.formulation.feeder.power_flow(injected, source_v, tol_v=COARSE_V)
            whole = self.rows.evaluate(flow)
            value[part] = whole[np.arange(len(whole)), row[part]]
            near = whole > self.target[step[part]] - NEAR * self.unit
            np.logical_or.at(self.strained, step[part], near)
            rise, _ = sensitivities_at(self.formulation.base, rows, injected, source_v)
            coefficient[part] = self._of_members(rise)
        return _Measured(step, row, value, coefficient)

    def _corners(self, step: Index, row: Index, planned_w: Real) -> Iterator[tuple[slice, Complex, Complex]]:
        """Yield (P', L) VA of ports and (P', 3) V of the source at the corners of some constraints, part by part."""
        paths, of = self.formulation.paths, self.formulation.feeder.port_connection
        corners: Corners = self.rows.corners
        for start in range(0, len(step), TOGETHER):
            part = slice(start, start + TOGETHER)
            at, which = step[part], self.rows.corner[row[part]]
            state = np.zeros(len(at), dtype=np.intp) if self.needed is None else self.needed.state[at, row[part]]
            down_w, up_w = paths.of_box(self.box).ends(state, at, self.box.lo_w[at], self.box.hi_w[at])
            fleet_w = np.zeros(up_w.shape)
            fleet_w[:, self.members] = planned_w[at]
            away_w = corners.up[which] * up_w[:, of] - corners.down[which] * down_w[:, of]
            away_w = away_w + self.formulation.feeder.spread(fleet_w)
            yield part, paths.injections(state, at, away_w), paths.source(state, at)

    def _beyond(self, planned_w: Real) -> tuple[float, float, float]:
        """Return how far each kind goes beyond its limit, with the fleet as planned, at half of it and at rest."""
        worst = np.full(3, -np.inf)
        step, row = self._near(planned_w)
        for share in (1.0, 0.5, 0.0):
            for part, injected, source_v in self._corners(step, row, share * planned_w):
                flow = self.formulation.feeder.power_flow(injected, source_v, tol_v=COARSE_V)
                excess = (self.rows.evaluate(flow) - self.limit[step[part]]) / self.unit
                for kind in range(3):
                    of_kind = excess[:, self.rows.kind == kind]
                    worst[kind] = max(worst[kind], float(of_kind.max(initial=-np.inf)))
        return float(worst[0]), float(worst[1]), float(worst[2])
