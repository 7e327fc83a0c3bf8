"""From fitted boxes to a schedule in whole watts: limits, defaults, status, bindings, findings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envelope.allocation import rules as allocate
from envelope.calculation import own_corners
from envelope.calculation.binding import binding_constraints
from envelope.calculation.feasible_box import DirectedBox, FeasibleBox
from envelope.calculation.statement import (
    allocation_statement,
    control_status,
    guarantee_statement,
    reactive_range,
)
from envelope.calculation.unbalance_scaling import Scaling, unbalance_findings, without_constraint
from envelope.constraints import linear as rows
from envelope.constraints.base_case import firm_limit_w, granted_at_most_w
from envelope.constraints.formulation import Formulation
from envelope.problem import Direction, Problem, ProblemSide, TighteningLead, run_id
from envelope.schedule import Binding, EnvelopeSchedule, Infeasibility
from envelope.schedule.codes import CEILING, STATUS, UNCONTROLLED
from envelope.schedule.findings import double_counted, infeasible, uncontrolled, unsettled
from envelope.schedule.schedule import whole_w_above, whole_w_below
from gridmodel.arrays import Index, Mask, Real, Single, Watts

Boxes = tuple[DirectedBox, ...]


class FoundSide(NamedTuple):
    """One direction of the boxes that were found."""

    asked: ProblemSide
    limit_w: Real
    """(T, C) limit that is verified; inf where the connection cannot reach its limit"""
    room_w: Real
    """(T, C) headroom beyond the base load"""
    binding: Binding


class PublishedSide(NamedTuple):
    """One direction as it is published, whole watts."""

    limit_w: Watts
    """(T, C)"""
    least_w: Watts
    """(T, C) what the limit is never below: the contract minimum, and what the base load needs"""
    default_w: Watts
    """(C,)"""
    binding: Binding


def assemble(problem: Problem, formulation: Formulation, boxes: Boxes, scaling: Scaling) -> EnvelopeSchedule:
    """The schedule that fitted boxes give, with the intervals in which they were scaled down for unbalance."""
    imports, exports = (
        _at_ceiling(problem, _found(problem.side(direction), formulation, boxes, scaled=scaling.scaled))
        for direction in (Direction.IMPORT, Direction.EXPORT)
    )
    for box in boxes if problem.has_held else ():
        own_corners.open_filled(box.fit, problem.in_force_steps)
    found = _schedule(problem, formulation, boxes, (imports, exports))
    unbalanced = unbalance_findings(scaling, formulation.vuf_max_percent)
    unsettled_intervals = unsettled(max(box.fit.unsettled for box in boxes), problem.steps)
    return replace(found, findings=(*found.findings, *unsettled_intervals, *unbalanced))


def _found(asked: ProblemSide, formulation: Formulation, boxes: Boxes, *, scaled: Mask) -> FoundSide:
    """Limit, headroom and binding of one direction, from the box that decides it."""
    box = next(box.fit for box in boxes if asked.direction in box.directions)
    side = box.side(asked.direction)
    usable = asked.capacity_w - formulation.disturbances.power.capacity_used_w
    constrained = asked.flexible & (side.end_w < usable - 0.5)
    together = formulation.guarantee.common_level
    binding = without_constraint(binding_constraints(box, constrained, side, together=together), scaled)
    binding.row[asked.flexible & ~asked.controlled] = UNCONTROLLED
    limit_w = np.where(constrained, side.end_w - asked.beside_w, np.inf)
    return FoundSide(asked, limit_w, np.where(asked.flexible, side.room_w, 0.0), binding)


def _at_ceiling(problem: Problem, side: FoundSide) -> FoundSide:
    """The same direction, with limits that stand at the policy's ceiling bound by it."""
    if side.asked.ceiling_w is None:
        return side
    held = np.isfinite(side.limit_w) & side.asked.controlled
    held &= side.limit_w + side.asked.beside_w > granted_at_most_w(problem, side.asked) - 0.5
    return side._replace(binding=Binding(np.where(held, CEILING, side.binding.row), side.binding.interval))


def _published(problem: Problem, side: FoundSide, status: NDArray[np.int8]) -> PublishedSide:
    """Whole watts: never more than a neighbour in the hull allows, never beyond capacity and contract."""
    limit, binding = _with_lead(problem, side)
    firm = whole_w_above(firm_limit_w(side.asked))
    least = np.maximum(whole_w_above(side.asked.unavoidable_w), firm)
    most = np.maximum(whole_w_below(np.maximum(side.asked.capacity_w - side.asked.beside_w, 0.0)), least)
    whole = np.where(np.isfinite(limit), whole_w_below(np.where(np.isfinite(limit), limit, 0.0)), most)
    if side.asked.floor_w is not None:
        whole = np.maximum(whole, whole_w_below(side.asked.floor_w))
    whole = np.clip(whole, least, most)
    default = _default(side, whole)
    # Where limits of an earlier run do not fit, what has replaced them is the default, at once.
    too_much = status == STATUS.index("infeasible_firm")
    too_much[problem.in_force_steps if problem.has_held else 0 :] = False
    limited = np.where(too_much, np.maximum(np.minimum(whole, default), least), whole)
    return PublishedSide(limited, least, default, binding)


def _net(problem: Problem, kept: PublishedSide) -> tuple[PublishedSide, Watts]:
    """Limits of import, with the most net import that limits of a charger's load amount to, and (T, C) of load."""
    chargers, home_w = problem.is_charger, whole_w_above(problem.load_hi_w)
    limit_w, least_w = (
        np.where(chargers, np.maximum(table + home_w, 0), table) for table in (kept.limit_w, kept.least_w)
    )
    load_limit_w = np.where(chargers, kept.limit_w, np.maximum(limit_w - home_w, 0))
    return kept._replace(limit_w=limit_w, least_w=least_w), load_limit_w


def _with_lead(problem: Problem, side: FoundSide) -> tuple[Real, Binding]:
    """(T, C) limits and their bindings, a tighter one of a later step taken over as early as it must be published."""
    limit, row, interval = side.limit_w.copy(), side.binding.row.copy(), side.binding.interval.copy()
    steps = problem.steps
    for ahead in range(1, min(problem.hull_steps, steps - 1) + 1):
        now = slice(0, min(problem.steps_tightened_early, steps - ahead))
        next_ = slice(ahead, now.stop + ahead)
        tighter = side.limit_w[next_] < limit[now]
        limit[now] = np.where(tighter, side.limit_w[next_], limit[now])
        row[now] = np.where(tighter, side.binding.row[next_], row[now])
        interval[now] = np.where(tighter, side.binding.interval[next_], interval[now])
    return limit, Binding(row, interval)


def _default(side: FoundSide, published: Watts) -> Watts:
    """(C,) the default that was given, or the loosest that is inside every interval's verified box."""
    given = side.asked.default_w
    if given is not None:
        return whole_w_below(np.broadcast_to(np.asarray(given, dtype=float), published.shape[1:]))
    held_back = np.where(np.isfinite(side.limit_w), published, np.iinfo(np.int64).max).min(axis=0)
    return np.asarray(np.minimum(held_back, published.max(axis=0)), dtype=np.int64)


def _status(boxes: Boxes, *, base_only: bool) -> NDArray[np.int8]:
    """(T, C) position in STATUS: whether the base load or the firm minimum leaves a connection no headroom.

    base_only: what verified before is granted too, which stands at constraints and is no finding.
    """
    status = np.zeros(boxes[0].fit.base.p_w.shape, dtype=np.int8)
    for box in boxes:
        for broken, code in ((box.fit.infeasible, 2), (box.fit.base_infeasible, 1))[base_only:]:
            for direction in box.directions if broken.any() else ():
                side = box.fit.side(direction)
                status[allocate.held_by(broken, side.rise, side.most_w)] = code
    return status


def _schedule(
    problem: Problem, formulation: Formulation, boxes: Boxes, sides: tuple[FoundSide, FoundSide]
) -> EnvelopeSchedule:
    status = _status(boxes, base_only=_is_floored(problem))
    kept, exports = (_published(problem, side, status) for side in sides)
    imports, load_limit_w = _net(problem, kept)
    beyond = tuple(_infeasibility(box.fit, base_only=_is_floored(problem)) for box in boxes)
    return EnvelopeSchedule(
        connection_id=problem.connection_id,
        step_start=problem.step_start,
        step_s=problem.step_s,
        import_limit_w=imports.limit_w,
        export_limit_w=exports.limit_w,
        gen_limit_w=np.maximum(exports.limit_w + whole_w_below(problem.load_lo_w), 0),
        load_limit_w=load_limit_w,
        firm_import_w=whole_w_above(sides[0].asked.firm_w),
        firm_export_w=whole_w_above(sides[1].asked.firm_w),
        default_import_w=imports.default_w,
        default_export_w=exports.default_w,
        import_room_w=sides[0].room_w,
        export_room_w=sides[1].room_w,
        import_reach_w=problem.reach_import_w,
        export_reach_w=problem.reach_export_w,
        status=control_status(sides[0].asked, sides[1].asked, status),
        control_point=problem.control_points,
        reactive=reactive_range(problem, formulation, sides[1].room_w),
        pf_rule=problem.reactive.rule,
        names=tuple(itertools.chain(*(constraint_names(box.fit) for box in boxes))),
        import_binding=_moved(imports.binding, boxes[0].fit.rows.count if len(boxes) > 1 else 0),
        export_binding=exports.binding,
        guarantee=guarantee_statement(problem, formulation),
        allocation=allocation_statement(problem),
        reference=str(problem.reference),
        margin_v=problem.limits.margin_v,
        run_id=run_id(problem),
        figures=_effort(boxes),
        findings=(*infeasible(beyond, problem.step_start), *double_counted(problem), *uncontrolled(problem)),
        early_s=problem.adoption_s if problem.early == TighteningLead.ADOPTION else 0,
        import_least_w=imports.least_w,
        export_least_w=exports.least_w,
        double_counted=problem.base_includes_devices,
        infeasibility=beyond,
        firm_corners=_firm_corners(boxes),
    )


def _is_floored(problem: Problem) -> bool:
    return problem.floor_import_w is not None or problem.floor_export_w is not None


def _infeasibility(fit: FeasibleBox, *, base_only: bool) -> Infeasibility:
    """Constraints of a box that the base load or the firm minimum breaks."""
    base = fit.base_infeasible
    firm = fit.infeasible & ~base & (not base_only)
    kept = np.flatnonzero((base | firm).any(axis=0))
    units = fit.slack_unit[kept]
    # Told in V, whatever counts as much at another voltage level, and in percent.
    told = np.where(fit.rows.kind[kept] < 2, units, np.float32(1.0))
    excess = (fit.at_rest[:, kept] - fit.limit[:, kept]) / units * told
    return Infeasibility(tuple(constraint_names(fit, kept)), base[:, kept], firm[:, kept], excess, told)


def _firm_corners(cases: Sequence[DirectedBox]) -> tuple[tuple[Single, Single], ...]:
    """Corners of the constraints that the firm minimum breaks in any step, each once: (up (L,), down (L,))."""
    found = {}
    for case in cases:
        corners = case.fit.rows.corners
        for k in np.unique(case.fit.rows.corner[case.fit.infeasible.any(axis=0)]):
            found[corners.up[k].tobytes() + corners.down[k].tobytes()] = (corners.up[k], corners.down[k])
    return tuple(found.values())


def _moved(binding: Binding, by: int) -> Binding:
    """A binding whose constraints follow after so many others."""
    return Binding(np.where(binding.row >= 0, binding.row + by, binding.row), binding.interval)


def _effort(cases: Sequence[DirectedBox]) -> dict[str, float]:
    """Power flows solved, iterations, and steps that had to be scaled down."""
    return {
        "solves": float(sum(case.fit.solves for case in cases)),
        "rounds": float(max(case.fit.iterations for case in cases)),
        "scaled_down_steps": float(sum(case.fit.scaled_down for case in cases)),
    }


def constraint_names(fit: FeasibleBox, which: Index | slice = slice(None)) -> list[str]:
    """(R,) names of a box's constraints, or of some of them, such as "over-voltage at node n12, phase b"."""
    feeder, built = fit.feeder, fit.rows
    places = (feeder.reduced.voltage_names, feeder.reduced.voltage_names, feeder.current_names)
    joint = (" at ", " at ", " of ")
    of = zip(built.kind[which], built.element[which], strict=True)
    return [rows.KINDS[k] + joint[k] + places[k][e] for k, e in of]
