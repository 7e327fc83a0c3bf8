"""Reliefs of a limit, each by a calculation of its own, with the constraint that binds next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from envelope.engine import calculate
from envelope.explanation.binding_corner import ABSORBING_PF, HEAD_PART, LESS_W, RELIEF_PERCENT, RELIEF_V, Contributor
from envelope.explanation.explanation import Explanation, Relief
from envelope.problem import AsForecast, Direction, FixedPowerFactor, Problem
from envelope.schedule import EnvelopeSchedule

SAME_CURRENT = 1e-3
"""of everybody's current, by which two branches may differ that count as one"""


def recalculate_reliefs(problem: Problem, schedule: EnvelopeSchedule, found: Explanation) -> Explanation:
    """The same explanation, its reliefs as whole new calculations give them: one for each."""
    if not found.unit or found.status in ("infeasible_base", "infeasible_firm"):
        return found
    reliefs = tuple(_told(found, what, changed) for what, changed in _changes(problem, schedule, found))
    return replace(found, reliefs=reliefs, relief_w=reliefs[0].gain_w if reliefs else 0.0)


def _told(found: Explanation, what: str, changed: Problem) -> Relief:
    """Gain of the limit in question with one change, and its binding then."""
    schedule = calculate(changed)
    step = int(np.searchsorted(schedule.step_start, found.start))
    column = schedule.connection_id.index(found.connection_id)
    limit_w = schedule.side(found.direction).limit_w
    then = schedule.binding_text(found.direction, step, column)
    return Relief(what, float(max(limit_w[step, column] - found.limit_w, 0)), "" if then == found.binding else then)


def _changes(problem: Problem, schedule: EnvelopeSchedule, found: Explanation) -> Iterator[tuple[str, Problem]]:
    """Possible changes, and the problem with each."""
    kind = found.binding.split(" ")[0]
    if kind == "overload":
        yield f"{RELIEF_PERCENT:g} % more rating there and in series with it", _rated(problem, found.binding)
    else:
        yield _wider(problem, kind)
    part = 1.0 - HEAD_PART if kind == "over-voltage" else 1.0 + HEAD_PART
    source_v = problem.reduced.network.source.v if problem.source_v is None else problem.source_v
    lower = "lower" if part < 1.0 else "higher"
    yield f"a head voltage {100 * HEAD_PART:g} % {lower}", replace(problem, source_v=part * source_v)
    if kind == "over-voltage" and type(problem.reactive) is AsForecast and problem.flex_gen_w.any():
        policy = FixedPowerFactor(ABSORBING_PF, absorbing=True)
        yield f"generation absorbing at power factor {ABSORBING_PF:g}", replace(problem, reactive=policy)
    others = [c for c in found.contributors if c.connection_id != found.connection_id]
    for other in others[:1]:
        said = f"{other.connection_id} {other.direction}ing {LESS_W / 1e3:g} kW less"
        yield said, _less(problem, schedule, other)


def _wider(problem: Problem, kind: str) -> tuple[str, Problem]:
    over = kind == "over-voltage"
    wider = problem.limits.widened(over_v=RELIEF_V) if over else problem.limits.widened(under_v=RELIEF_V)
    alike = ", and as much per unit at other levels" if wider.bands else ""
    which = f"an upper voltage limit {RELIEF_V:g} V higher" if over else f"a lower voltage limit {RELIEF_V:g} V lower"
    return which + alike, replace(problem, limits=wider)


def _rated(problem: Problem, binding: str) -> Problem:
    """The element that binds and those in series with it, in all their phases, or the group, with a larger rating."""
    more, name = 1.0 + RELIEF_PERCENT / 100.0, binding.removeprefix("overload of ")
    groups = tuple(
        replace(group, max_import_w=more * group.max_import_w, max_export_w=more * group.max_export_w)
        if name == f"group {group.name}"
        else group
        for group in problem.groups
    )
    reduced = problem.reduced
    at = [k for k, said in enumerate(reduced.current_names) if said == name]
    # A cable is renewed in its whole length: what carries the same current gets the same rating.
    alike = [np.abs(reduced.H - reduced.H[k]).max(axis=1) < SAME_CURRENT for k in at]
    renewed = reduced.current_branch[np.any([np.zeros(len(reduced.H)), *alike], axis=0)]
    rating_a = np.where(np.isin(reduced.current_branch, renewed), more * reduced.rating_a, reduced.rating_a)
    return replace(problem, groups=groups, reduced=replace(reduced, rating_a=rating_a))


def _less(problem: Problem, schedule: EnvelopeSchedule, other: Contributor) -> Problem:
    """The problem where another connection does a kilowatt less than it may, all the time.

    In one interval alone it would give nothing where the next one is as tight: a tightening comes early.
    """
    column = schedule.connection_id.index(other.connection_id)
    room_w = schedule.side(other.direction).room_w
    table = np.array(problem.side(other.direction).flex_w, dtype=float)
    table[:, column] = np.minimum(table[:, column], np.maximum(room_w[:, column] - LESS_W, 0.0))
    exports = other.direction == Direction.EXPORT
    return replace(problem, flex_gen_w=table) if exports else replace(problem, flex_load_w=table)
