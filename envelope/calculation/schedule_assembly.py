"""From fitted boxes to a schedule in whole watts: limits, defaults, status, bindings, findings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envelope.allocation import rules as allocate
from envelope.calculation.binding import binding_constraints
from envelope.calculation.feasible_box import DirectedBox, FeasibleBox
from envelope.calculation.statement import control_status, guarantee_statement, reactive_range
from envelope.calculation.unbalance_scaling import Scaling, unbalance_findings, without_constraint
from envelope.constraints import linear as rows
from envelope.constraints.base_case import unavoidable_w
from envelope.constraints.formulation import Formulation
from envelope.problem import Problem, TighteningLead, run_id
from envelope.problem.steps import zeros_or
from envelope.schedule import Binding, EnvelopeSchedule, Infeasibility
from envelope.schedule.codes import STATUS, UNCONTROLLED
from envelope.schedule.findings import double_counted, infeasible, uncontrolled
from envelope.schedule.schedule import whole_w_above, whole_w_below
from gridmodel.arrays import Index, Mask, Real, Single

Boxes = tuple[DirectedBox, ...]


class Side(NamedTuple):
    """One direction of what the engine found: import or export."""

    limit_w: Real
    """(T, C) net limit that is verified; inf where the connection cannot reach its limit"""
    room_w: Real
    """(T, C) room above the base load"""
    binding: Binding


class WholeSide(NamedTuple):
    """One direction as it is published, (T, C) whole watts."""

    limit_w: NDArray[np.int64]
    least_w: NDArray[np.int64]
    """what the limit is never below: the contract minimum, and what the base load needs"""
    binding: Binding


def _side(
    problem: Problem, formulation: Formulation, cases: Sequence[DirectedBox], direction: str, *, scaled: Mask
) -> Side:
    """Limit, room and binding of one direction, from the box that decides it."""
    found = cases[0].fit
    base = found.base
    up = direction == "export"
    flexible = (problem.flex_gen_w if up else problem.flex_load_w) > 0.0
    end = found.hi_w if up else -found.lo_w
    reach = problem.reach_export_w if up else problem.reach_import_w
    room = (found.hi_w - base.p_w) if up else (base.p_w - found.lo_w)
    constrained = flexible & (end < reach - formulation.disturbances.power.capacity_used_w - 0.5)
    together = formulation.guarantee.common_level
    binding = without_constraint(binding_constraints(found, constrained, up=up, together=together), scaled)
    binding.row[flexible & ~problem.controlled(direction)] = UNCONTROLLED
    return Side(np.where(constrained, end, np.inf), np.where(flexible, room, 0.0), binding)


def _published(problem: Problem, side: Side, direction: str) -> WholeSide:
    """(T, C) whole watts: never more than a neighbour in the hull allows, never beyond reach and contract."""
    limit, row, interval = side.limit_w.copy(), side.binding.row.copy(), side.binding.interval.copy()
    steps = problem.steps
    for ahead in range(1, min(problem.hull_steps, steps - 1) + 1):
        now = slice(0, min(problem.steps_led, steps - ahead))
        next_ = slice(ahead, now.stop + ahead)
        tighter = side.limit_w[next_] < limit[now]
        limit[now] = np.where(tighter, side.limit_w[next_], limit[now])
        row[now] = np.where(tighter, side.binding.row[next_], row[now])
        interval[now] = np.where(tighter, side.binding.interval[next_], interval[now])
    reach = problem.reach_export_w if direction == "export" else problem.reach_import_w
    firm = whole_w_above(zeros_or(getattr(problem, f"firm_{direction}_w"), limit.shape[1]))
    least = np.maximum(whole_w_above(unavoidable_w(problem, direction)), firm)
    most = np.maximum(whole_w_below(np.maximum(reach, 0.0)), least)
    whole = np.where(np.isfinite(limit), whole_w_below(np.where(np.isfinite(limit), limit, 0.0)), most)
    return WholeSide(np.clip(whole, least, most), least, Binding(row, interval))


def _let_go(problem: Problem, side: WholeSide, default: NDArray[np.int64], status: NDArray[np.int8]) -> WholeSide:
    """The same, but where limits of an earlier run do not fit, what has replaced them is the default, at once."""
    too_much = status == STATUS.index("infeasible_firm")
    too_much[problem.held_steps if problem.has_held else 0 :] = False
    held_down = np.maximum(np.minimum(side.limit_w, default), side.least_w)
    return side._replace(limit_w=np.where(too_much, held_down, side.limit_w))


def _default(problem: Problem, side: Side, published: NDArray[np.int64], direction: str) -> NDArray[np.int64]:
    """(C,) the default that was given, or the loosest that is inside every interval's verified box."""
    given = getattr(problem, f"default_{direction}_w")
    if given is not None:
        return whole_w_below(np.broadcast_to(np.asarray(given, dtype=float), published.shape[1:]))
    held_back = np.where(np.isfinite(side.limit_w), published, np.iinfo(np.int64).max).min(axis=0)
    return np.asarray(np.minimum(held_back, published.max(axis=0)), dtype=np.int64)


def _status(problem: Problem, cases: Sequence[DirectedBox]) -> NDArray[np.int8]:
    """(T, C) position in STATUS: whether the base load or the firm minimum leaves a connection no headroom."""
    status = np.zeros((problem.steps, len(problem.connection_id)), dtype=np.int8)
    for case in cases:
        for broken, code in ((case.fit.infeasible, 2), (case.fit.base_infeasible, 1)):
            for uses, decides in ((case.fit.rows.rise_up, case.up), (case.fit.rows.rise_down, case.down)):
                if decides and broken.any():
                    status[allocate.held_by(broken, uses)] = code
    return status


def assemble(problem: Problem, formulation: Formulation, boxes: Boxes, scaling: Scaling) -> EnvelopeSchedule:
    """The schedule that fitted boxes give, with the intervals in which they were scaled down for unbalance."""
    exports = _side(problem, formulation, [box for box in boxes if box.up], "export", scaled=scaling.scaled)
    imports = _side(problem, formulation, [box for box in boxes if box.down], "import", scaled=scaling.scaled)
    found = _schedule(problem, formulation, boxes, (imports, exports))
    unbalanced = unbalance_findings(scaling, problem.limits.vuf_max_percent)
    return replace(found, findings=(*found.findings, *unbalanced))


def _schedule(problem: Problem, formulation: Formulation, cases: Boxes, sides: tuple[Side, Side]) -> EnvelopeSchedule:
    status = _status(problem, cases)
    imports, default_import = _both(problem, sides[0], "import", status)
    exports, default_export = _both(problem, sides[1], "export", status)
    count = len(problem.connection_id)
    beyond = tuple(_infeasibility(case.fit) for case in cases)
    return EnvelopeSchedule(
        connection_id=problem.connection_id,
        step_start=problem.step_start,
        step_s=problem.step_s,
        import_limit_w=imports.limit_w,
        export_limit_w=exports.limit_w,
        gen_limit_w=np.maximum(exports.limit_w + whole_w_below(problem.load_lo_w), 0),
        load_limit_w=np.maximum(imports.limit_w - whole_w_above(problem.load_hi_w), 0),
        firm_import_w=whole_w_above(zeros_or(problem.firm_import_w, count)),
        firm_export_w=whole_w_above(zeros_or(problem.firm_export_w, count)),
        default_import_w=default_import,
        default_export_w=default_export,
        import_room_w=sides[0].room_w,
        export_room_w=sides[1].room_w,
        import_reach_w=problem.reach_import_w,
        export_reach_w=problem.reach_export_w,
        status=control_status(problem, status),
        control_point=problem.control_points,
        reactive=reactive_range(problem, formulation, sides[1].room_w),
        pf_rule=problem.reactive.rule,
        names=tuple(itertools.chain(*(constraint_names(case.fit) for case in cases))),
        import_binding=_moved(imports.binding, cases[0].fit.rows.count if len(cases) > 1 else 0),
        export_binding=exports.binding,
        guarantee=guarantee_statement(problem, formulation),
        allocation=str(problem.allocation),
        reference=str(problem.reference),
        margin_v=problem.limits.margin_v,
        run_id=run_id(problem),
        figures=_effort(cases),
        findings=(*infeasible(beyond, problem.step_start), *double_counted(problem), *uncontrolled(problem)),
        early_s=problem.adoption_s if problem.early == TighteningLead.ADOPTION else 0,
        import_least_w=imports.least_w,
        export_least_w=exports.least_w,
        double_counted=problem.base_includes_devices,
        infeasibility=beyond,
        firm_corners=_firm_corners(cases),
    )


def _infeasibility(fit: FeasibleBox) -> Infeasibility:
    """Constraints of a box that the base load or the firm minimum breaks."""
    base = fit.base_infeasible
    firm = fit.infeasible & ~base
    kept = np.flatnonzero((base | firm).any(axis=0))
    excess = (fit.at_rest[:, kept] - fit.limit[:, kept]) / fit.slack_unit[kept]
    return Infeasibility(tuple(constraint_names(fit, kept)), base[:, kept], firm[:, kept], excess)


def _firm_corners(cases: Sequence[DirectedBox]) -> tuple[tuple[Single, Single], ...]:
    """Corners of the rows that what is granted breaks in any step, each once: (up (L,), down (L,))."""
    found = {}
    for case in cases:
        corners = case.fit.rows.corners
        for k in np.unique(case.fit.rows.corner[case.fit.infeasible.any(axis=0)]):
            found[corners.up[k].tobytes() + corners.down[k].tobytes()] = (corners.up[k], corners.down[k])
    return tuple(found.values())


def _moved(binding: Binding, by: int) -> Binding:
    """A binding whose rows stand behind so many others."""
    return Binding(np.where(binding.row >= 0, binding.row + by, binding.row), binding.interval)


def _effort(cases: Sequence[DirectedBox]) -> dict[str, float]:
    """Power flows solved, iterations, and steps that had to be scaled down."""
    return {
        "solves": float(sum(case.fit.solves for case in cases)),
        "rounds": float(max(case.fit.iterations for case in cases)),
        "scaled_down_steps": float(sum(case.fit.scaled_down for case in cases)),
    }


def _both(
    problem: Problem, side: Side, direction: str, status: NDArray[np.int8]
) -> tuple[WholeSide, NDArray[np.int64]]:
    """One direction's limits, and its default."""
    found = _published(problem, side, direction)
    default = _default(problem, side, found.limit_w, direction)
    return _let_go(problem, found, default, status), default


def constraint_names(fit: FeasibleBox, which: Index | slice = slice(None)) -> list[str]:
    """(R,) names of a box's constraints, or of some of them, such as "over-voltage at node n12, phase b"."""
    feeder, built = fit.feeder, fit.rows
    places = (feeder.reduced.voltage_names, feeder.reduced.voltage_names, feeder.current_names)
    joint = (" at ", " at ", " of ")
    of = zip(built.kind[which], built.element[which], strict=True)
    return [rows.KINDS[k] + joint[k] + places[k][e] for k, e in of]
