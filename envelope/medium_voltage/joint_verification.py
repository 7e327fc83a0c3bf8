"""The audit of a coordination: medium and low voltage as one network, solved at corners of all envelopes together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from envelope.constraints.formulation import formulate
from envelope.field_rules import BadProblem
from envelope.medium_voltage.coordination import Coordination
from envelope.medium_voltage.head_voltage import MediumVoltage, TapRange
from envelope.medium_voltage.operator_limits import OperatorLimit
from envelope.medium_voltage.report import JointReport, Part
from envelope.problem import Allocation, GroupLimit, Problem, Scenarios
from envelope.schedule import Binding, EnvelopeSchedule, verified_box
from envelope.schedule.codes import CAPACITY
from envelope.schedule.schedule import whole_w_above
from envelope.verification import Effort, verify
from gridmodel.arrays import Index, Real
from gridmodel.flow.kron import Reduced, reduce
from gridmodel.flow.taps import Tapped
from gridmodel.model import admittance as build
from gridmodel.model.combine import joined
from gridmodel.model.devices import CHARGER, SITE
from gridmodel.model.network import Network

FAR_W = 1e9
"""a sum that is never reached"""
EFFORT = Effort(random=10, inside=2, sign=60, greedy=1)


def verify_jointly(
    medium: MediumVoltage,
    found: Coordination,
    *,
    solver: str = "power-grid-model",
    effort: Effort = EFFORT,
) -> JointReport:
    """Verify corners of all envelopes with the taps at both ends of their range, in every state of the network."""
    _refuse(medium, found)
    source, parts = medium.sources(next(iter(found.problems.values())).steps), []
    breached = np.any([(schedule.status > 0).any(axis=1) for schedule in found.schedules.values()], axis=0)
    excused = {True: _excused(found, np.flatnonzero(breached), effort), False: (0.0, 0.0, 0.0)}
    for network in _networks(medium, found):
        problem, schedule = _joined(medium, found, network)
        grid = Tapped(network, medium.states()[0].regulators)
        for stood in found.ranges:
            for taps, at in _positions(stood):
                whole = replace(problem, reduced=reduce(grid.moved(taps)), source_v=stood.source_pu * source)
                for of in (False, True):
                    if len(steps := at[breached[at] == of]):
                        report = verify(_only(whole, steps), _cut(schedule, steps), solver=solver, effort=effort)
                        parts.append(Part(report, excused[of]))
    return JointReport(tuple(parts))


def _excused(found: Coordination, steps: Index, effort: Effort) -> tuple[float, float, float]:
    """V over, V under and percent by which the firm minimum exceeds limits, at the ends of the heads' bands."""
    worst = [0.0, 0.0, 0.0]
    for name, problem in found.problems.items() if len(steps) else ():
        base, band = formulate(problem).base, found.bands[name]
        # Taken as limits, and as base loads only where it is less.
        own = _exact([problem], problem.reduced, [(base.lo_w, base.hi_w)], problem.connection_id)
        schedule = _schedule([found.schedules[name]], problem.connection_id, (base.lo_w, base.hi_w))
        plain = replace(schedule, status=np.zeros_like(schedule.status))
        for end in band.assumed:
            at_end = _only(replace(own, source_v=band.centre_v * end[:, None]), steps)
            trial = verify(at_end, _cut(plain, steps), solver="reduced", effort=effort)
            beyond = [max(w, 0.0) + e for w, e in zip(trial.worst, trial.excused, strict=True)]
            worst = [max(pair) for pair in zip(worst, beyond, strict=True)]
    return worst[0], worst[1], worst[2]


def _networks(medium: MediumVoltage, found: Coordination) -> Iterator[Network]:
    """The joined network with the switched capacitors in each of their states."""
    low = {name: problem.reduced.network.equipment for name, problem in found.problems.items()}
    known = {name: equipment for name, equipment in low.items() if equipment is not None}
    for state in medium.states():
        upper = state.network.equipment
        if upper is None or len(known) < len(low):
            raise BadProblem("a joined audit needs the equipment of the medium voltage and of every feeder")
        # Connections that are no feeder inject nothing here, and stand at another voltage than customers.
        heads = tuple(c for c in upper.connections if c.id in known)
        yield build.network(joined(replace(upper, connections=heads), known))


def _positions(stood: TapRange) -> Iterator[tuple[Index, Index]]:
    """Every set of positions at either end of the ranges, with the steps in which it is one."""
    ends, steps = np.concatenate([stood.low, stood.high]), np.tile(np.arange(len(stood.low)), 2)
    for taps in np.unique(ends, axis=0):
        yield taps, np.unique(steps[(ends == taps).all(axis=1)])


def _joined(medium: MediumVoltage, found: Coordination, network: Network) -> tuple[Problem, EnvelopeSchedule]:
    """All feeders as one problem, with limits that let all of their boxes be used."""
    problems, schedules = list(found.problems.values()), list(found.schedules.values())
    boxes = [verified_box(problem, schedule) for problem, schedule in zip(problems, schedules, strict=True)]
    names = tuple(f"{name}/{own}" for name, problem in found.problems.items() for own in problem.connection_id)
    problem = _exact(problems, reduce(network), boxes, names)
    lo, hi = (np.concatenate([box[end] for box in boxes], axis=1) for end in (0, 1))
    return replace(problem, groups=tuple(_group(limit, found) for limit in medium.limits)), _schedule(
        schedules, names, (lo, hi)
    )


def _exact(
    problems: list[Problem], reduced: Reduced, boxes: list[tuple[Real, Real]], names: tuple[str, ...]
) -> Problem:
    """Feeders side by side whose capacity is exactly these (T, C) boxes of theirs."""
    first, nothing = problems[0], np.zeros((problems[0].steps, len(names)))
    if reduced.network.connections.id != names:
        raise BadProblem("the joined network's connections are not the feeders'")
    lo, hi = (np.concatenate([box[end] for box in boxes], axis=1) for end in (0, 1))
    load = np.concatenate([problem.base_load_w for problem in problems], axis=1)
    paths = side_by_side(problems)
    least = load if paths is None else np.minimum(load, paths.load_lo_w)
    most = load if paths is None else np.maximum(load, paths.load_hi_w)
    points = [problem.control_points or (SITE,) * len(problem.connection_id) for problem in problems]
    at = tuple(point for own in points for point in own)
    # A limit of a charger's load comes beside the base load.
    most = np.where(np.array(at) == CHARGER, load, most)
    return Problem(
        reduced, first.step_start, first.step_s,
        base_load_w=load,
        base_load_var=np.concatenate([problem.base_load_var for problem in problems], axis=1),
        flex_gen_w=np.maximum(hi + least, nothing),
        flex_load_w=np.maximum(-lo - most, nothing),
        scenarios=paths,
        control_point=at,
        adoption_s=0,
        reactive=first.reactive,
        flex_split=_splits(problems),
        limits=replace(first.limits, vuf_max_percent=None),
        guarantee=first.guarantee,
        allocation=Allocation.EQUAL,  # which coincident limits have too
    )  # fmt: skip


def _refuse(medium: MediumVoltage, found: Coordination) -> None:
    """Refuse feeders that one verification cannot cover together."""
    first = next(iter(found.problems.values()))
    for name, problem in found.problems.items():
        pairs = [(getattr(problem.limits, f.name), getattr(first.limits, f.name)) for f in fields(problem.limits)]
        if problem.guarantee is not first.guarantee:
            raise BadProblem(f"feeder {name}: one audit needs the same guarantee for all feeders")
        if not all(np.array_equal(a, b) for a, b in pairs):
            raise BadProblem(f"feeder {name}: one audit needs the same limits for all feeders")
        if problem.scenarios is not None and _reading(problem) != _reading(first):
            raise BadProblem(f"feeder {name}: one audit needs joint paths of one share and reading for all")
        if problem.reactive != first.reactive and problem.reactive.rule != "as forecast":
            raise BadProblem(f"feeder {name}: one audit needs the same reactive power policy for all feeders")
    if medium.other_va is not None and np.any(medium.other_va):
        raise BadProblem("other_va: a joined audit knows customers of the feeders only")


def _reading(problem: Problem) -> tuple[float, bool, bool] | None:
    """How joint paths are read: share that limits hold for, extremes together, own bands."""
    paths = problem.scenarios
    return None if paths is None else (paths.share, paths.coincide, paths.bands)


def side_by_side(problems: Sequence[Problem]) -> Scenarios | None:
    """Joint paths of feeders side by side, the first of each together and so on; None where none has any.

    A feeder with fewer paths or moments has its own again; one without any has its base load on all of them. Head
    voltages come from the medium voltage.
    """
    known = [problem.scenarios for problem in problems if problem.scenarios is not None]
    if not known:
        return None
    paths, moments = (max(getattr(one, name) for one in known) for name in ("paths", "moments"))
    parts = [_repeated(problem, paths, moments) for problem in problems]
    load, var, solar = (np.concatenate(tables, axis=3) for tables in zip(*parts, strict=True))
    return replace(known[0], load_w=load, load_var=var, solar_w=solar if solar.any() else None, source_v=None)


def _repeated(problem: Problem, paths: int, moments: int) -> tuple[Real, Real, Real]:
    """(K, T, M, C) base load, its var and passive solar of one feeder on so many paths and moments."""
    own = problem.scenarios
    if own is None:
        shape = paths, problem.steps, moments, len(problem.connection_id)
        load, var = (np.broadcast_to(t[None, :, None], shape) for t in (problem.base_load_w, problem.base_load_var))
        return load, var, np.zeros(shape)
    path, moment = np.arange(paths) % own.paths, np.arange(moments) * own.moments // moments
    solar = np.zeros_like(own.load_w) if own.solar_w is None else own.solar_w
    load, var, solar = (table[path][:, :, moment] for table in (own.load_w, own.load_var, solar))
    return load, var, solar


def _splits(problems: list[Problem]) -> tuple[str, ...] | None:
    if all(problem.flex_split is None for problem in problems):
        return None
    return tuple(
        split for problem in problems for split in (problem.flex_split or ("balanced",) * len(problem.connection_id))
    )


def _group(limit: OperatorLimit, found: Coordination) -> GroupLimit:
    """An operator's limit over the connections of its feeders."""
    members = tuple(f"{name}/{own}" for name in limit.feeders for own in found.problems[name].connection_id)
    draw, feed = (np.where(np.isfinite(most), most, FAR_W) for most in (limit.max_import_w, limit.max_export_w))
    return GroupLimit(limit.name, members, float(np.max(draw)), float(np.max(feed)))


def _schedule(schedules: list[EnvelopeSchedule], names: tuple[str, ...], box: tuple[Real, Real]) -> EnvelopeSchedule:
    """Limits that let all of a box be used, with nothing else but what a verification looks at."""
    limits = whole_w_above(np.maximum(-box[0], 0.0)), whole_w_above(np.maximum(box[1], 0.0))
    nothing, none = np.zeros(limits[0].shape, dtype=np.int64), np.zeros(limits[0].shape)
    free = Binding(np.full(nothing.shape, CAPACITY, dtype=np.intp), nothing.astype(np.intp))
    return replace(
        schedules[0], connection_id=names,
        import_limit_w=limits[0], export_limit_w=limits[1], load_limit_w=limits[0], gen_limit_w=limits[1],
        firm_import_w=nothing[0], firm_export_w=nothing[0], default_import_w=nothing[0], default_export_w=nothing[0],
        import_room_w=none, export_room_w=none, import_reach_w=none, export_reach_w=none,
        status=np.concatenate([schedule.status for schedule in schedules], axis=1),
        names=(), import_binding=free, export_binding=free, guarantee="all feeders together", infeasibility=(),
        firm_corners=(), findings=(),
        import_least_w=None, export_least_w=None, double_counted=None, reactive=None,
        control_point=tuple(point for s in schedules for point in s.control_point or (SITE,) * len(s.connection_id)),
    )  # fmt: skip


def _only(problem: Problem, at: Index) -> Problem:
    """Some steps of a problem."""
    limits = problem.limits
    parts: dict[str, Any] = {
        name: np.asarray(getattr(limits, name))[at]
        for name in ("rating_factor", "transformer_factor")
        if np.ndim(getattr(limits, name)) == 1
    }
    source = None if problem.source_v is None else problem.source_v[at]
    paths = problem.scenarios
    if paths is not None:
        solar = None if paths.solar_w is None else paths.solar_w[:, at]
        paths = replace(paths, load_w=paths.load_w[:, at], load_var=paths.load_var[:, at], solar_w=solar)
    return replace(
        problem, step_start=problem.step_start[at], source_v=source, scenarios=paths, limits=replace(limits, **parts),
        base_load_w=problem.base_load_w[at], base_load_var=problem.base_load_var[at],
        flex_gen_w=problem.flex_gen_w[at], flex_load_w=problem.flex_load_w[at],
    )  # fmt: skip


def _cut(schedule: EnvelopeSchedule, at: Index) -> EnvelopeSchedule:
    """Some steps of a schedule."""
    free = schedule.import_binding
    binding = Binding(free.row[at], free.interval[at])
    return replace(
        schedule, step_start=schedule.step_start[at], status=schedule.status[at],
        import_limit_w=schedule.import_limit_w[at], export_limit_w=schedule.export_limit_w[at],
        load_limit_w=schedule.load_limit_w[at], gen_limit_w=schedule.gen_limit_w[at],
        import_binding=binding, export_binding=binding,
    )  # fmt: skip
