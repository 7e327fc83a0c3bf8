"""Accepted plans in a round: what they leave members is not kept free for them, and goes to others.

Limits without any plan are calculated first. Then members with a plan are counted with less, as far as their bands are
believed, and every connection keeps at least the limit that it had, as far as it is still counted with that much.
Those limits lie inside the verified ones, so that they always fit; what is left over is allocated as the problem says.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.operation.verified_run import NotVerified, VerifiedRun, with_report
from envelope.problem import Direction, Guarantee, Problem
from envelope.problem.divided import Divided
from envelope.problem.steps import zeros_or
from envelope.schedule import EnvelopeSchedule
from gridmodel.arrays import Mask, Real
from sep2.operations.market.bands import Counted
from sep2.rules.market.bands import Member

log = logging.getLogger(__name__)
PLANNED = (Guarantee.TWO_SIDED, Guarantee.ONE_SIDED)
"""Guarantees of which limits are boxes, so that what verified before is a part of what is asked for."""


class Narrowing(NamedTuple):
    """(T, C) W that bands take from what is counted with, and where contract minimums give way to them."""

    gen_w: Real
    load_w: Real
    waived: Mask

    def __bool__(self) -> bool:
        return bool((self.gen_w > 0.0).any() or (self.load_w > 0.0).any())


def narrowing(problem: Problem, counted: Sequence[Counted]) -> Narrowing:
    """Return by how much accepted plans narrow what members of a problem's connections are counted with."""
    shape = problem.base_load_w.shape
    found = Narrowing(np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool))
    insisting = np.zeros(shape, dtype=bool)
    column = {name: k for k, name in enumerate(problem.connection_id)}
    for one in counted:
        if one.member.connection in column and one.member.credit > 0.0:
            _add(problem, column[one.member.connection], one.member, (found, insisting))
    return found._replace(waived=found.waived & ~insisting)


def _add(problem: Problem, k: int, member: Member, to: tuple[Narrowing, Mask]) -> None:
    """Add what a member's bands take at connection `k`; to: the narrowing, and where minimums do not give way."""
    found, insisting = to
    for step, start in enumerate(problem.step_start.tolist()):
        said = member.band(start, start + problem.step_s)
        if said is None:
            continue
        band, waives = said
        gen, load = member.taken_w(band, problem.flex_gen_w[step, k], problem.flex_load_w[step, k])
        found.gen_w[step, k] += gen
        found.load_w[step, k] += load
        found.waived[step, k] |= waives
        insisting[step, k] |= not waives


def with_plans(run: VerifiedRun, counted: Sequence[Counted], *, solver: str | None = None) -> VerifiedRun | None:
    """Return a verified run in which accepted plans count, or None where none narrows anything or it does not verify.

    run: the run of the same problem without plans. Nobody's limit is below that of `run`, as far as it is counted with.
    """
    asked = run.as_calculated
    if asked.guarantee not in PLANNED or isinstance(asked.reduced, Divided):
        return None
    narrowed = narrowing(asked, counted)
    if not narrowed:
        return None
    problem = _narrowed(asked, narrowed, run.schedule)
    try:
        schedule, report, _ = with_report(problem, solver)
    except NotVerified as wrong:
        log.warning("limits with accepted plans can not be calculated (%s): those without them stand", wrong)
        return None
    if not report.inside or any(np.array(report.excused) > np.array(run.report.excused) + 1e-9):
        log.warning("limits with accepted plans do not verify (%s): those without them stand", report.sentence())
        return None
    if not _is_above(problem, schedule, run.schedule):
        log.warning("with accepted plans a limit would be lower than without: limits without them stand")
        return None
    stated = problem if run.counted is None else _narrowed(run.problem, narrowed, run.schedule)
    return VerifiedRun(stated, schedule, report, problem, run.at, 1.0, run)


def _narrowed(problem: Problem, found: Narrowing, first: EnvelopeSchedule) -> Problem:
    """Return the problem with narrowed reach, and limits of the first run as floors."""
    shape = problem.base_load_w.shape
    firm_import_w, firm_export_w = (
        np.broadcast_to(zeros_or(one, shape[1]), shape) for one in (problem.firm_import_w, problem.firm_export_w)
    )
    # A contract minimum is granted whatever a plan says, unless the customer agreed that it gives way.
    granted_gen_w = np.where(found.waived, 0.0, np.where(firm_export_w > 0.0, firm_export_w + problem.load_lo_w, 0.0))
    granted_load_w = np.where(found.waived, 0.0, np.where(firm_import_w > 0.0, firm_import_w - problem.load_hi_w, 0.0))
    gen_w = np.maximum(problem.flex_gen_w - found.gen_w, np.minimum(problem.flex_gen_w, granted_gen_w))
    load_w = np.maximum(problem.flex_load_w - found.load_w, np.minimum(problem.flex_load_w, granted_load_w))
    gen_w, load_w = np.maximum(gen_w, 0.0), np.maximum(load_w, 0.0)
    narrowed = replace(
        problem,
        flex_gen_w=gen_w,
        flex_load_w=load_w,
        floor_import_w=np.where(problem.is_charger, first.load_limit_w, first.import_limit_w).astype(float),
        floor_export_w=first.export_limit_w.astype(float),
    )
    if not found.waived.any():
        return narrowed
    firm = (
        np.where(found.waived, np.minimum(watts, np.maximum(reach, 0.0)), watts).min(axis=0)
        for watts, reach in ((firm_import_w, narrowed.reach_import_w), (firm_export_w, narrowed.reach_export_w))
    )
    firm_import_w, firm_export_w = firm
    return replace(narrowed, firm_import_w=firm_import_w, firm_export_w=firm_export_w)


def _is_above(problem: Problem, schedule: EnvelopeSchedule, first: EnvelopeSchedule) -> bool:
    """Whether no limit is below that of the first run and below what its connection is counted with."""
    for direction in (Direction.IMPORT, Direction.EXPORT):
        side = problem.side(direction)
        most = np.floor(np.maximum(side.capacity_w - side.beside_w, 0.0))
        is_load = (direction == Direction.IMPORT) & problem.is_charger
        before, after = (np.where(is_load, one.load_limit_w, one.side(direction).limit_w) for one in (first, schedule))
        if (after < np.minimum(before, most)).any():
            return False
    return True
