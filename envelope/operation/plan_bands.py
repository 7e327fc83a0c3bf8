"""Accepted plans in a round: what they leave members is not kept free for them, and goes to others.

Limits without any plan are calculated first. Then members with a plan are counted with less, as far as their bands are
believed, and every connection keeps at least the limit that it had, as far as it is still counted with that much.
What is left over is allocated as the problem says. Under a guarantee for any combination those limits lie inside the
verified ones, so that they fit; under one common level or a declared band, and where parts of a network meet, they need
not. Everywhere the second run is verified by itself, and where it does not verify the first one stands.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.operation.verified_run import VerifiedRun, with_report
from envelope.problem import Direction, Problem
from envelope.problem.steps import zeros_or
from envelope.schedule import EnvelopeSchedule
from gridmodel.arrays import Mask, Real
from gridmodel.errors import GridError
from sep2.errors import SepError
from sep2.operations.market.bands import Counted
from sep2.rules.market.bands import Member

log = logging.getLogger(__name__)


class Narrowing(NamedTuple):
    """(T, C) W that bands take from what is counted with, and where contract minimums give way to them."""

    gen_w: Real
    load_w: Real
    waived: Mask

    def __bool__(self) -> bool:
        return bool((self.gen_w > 0.0).any() or (self.load_w > 0.0).any())


def narrowing(problem: Problem, counted: Sequence[Counted]) -> Narrowing:
    """Return by how much accepted plans narrow what members of a problem's connections are counted with.

    A direction that cannot be limited counts with all that it can do, whatever a plan says.
    """
    shape = problem.base_load_w.shape
    found = Narrowing(np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool))
    insisting = np.zeros(shape, dtype=bool)
    column = {name: k for k, name in enumerate(problem.connection_id)}
    for one in counted:
        if one.member.connection in column and one.member.credit > 0.0:
            _add(problem, column[one.member.connection], one.member, (found, insisting))
    found.gen_w[:, ~problem.controlled(Direction.EXPORT)] = 0.0
    found.load_w[:, ~problem.controlled(Direction.IMPORT)] = 0.0
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


class Counting(NamedTuple):
    """The run that is to be published, and why accepted plans do not count in it; empty: they do, or change nothing."""

    run: VerifiedRun
    why_not: str = ""


def with_plans(run: VerifiedRun, counted: Sequence[Counted], *, solver: str | None = None) -> Counting:
    """Return a verified run in which accepted plans count, or the run that was given and why they do not.

    run: the run of the same problem without plans. Nobody's limit is below that of `run`, as far as it is counted with.
    """
    narrowed = narrowing(run.as_calculated, counted)
    if not narrowed:
        return Counting(run)
    found = _tried(run, narrowed, solver)
    if found.why_not:
        log.warning("%s: limits without plans stand", found.why_not)
    return found


def _tried(run: VerifiedRun, narrowed: Narrowing, solver: str | None) -> Counting:
    """Calculate and verify limits with narrowed members."""
    problem = _narrowed(run.as_calculated, narrowed, run.schedule)
    try:
        schedule, report, factor = with_report(problem, solver)
    except (SepError, GridError, ArithmeticError, ValueError) as wrong:
        # Whatever plans lead to, the limits without them are verified and are published.
        return Counting(run, f"limits with accepted plans can not be calculated ({wrong})")
    if not report.inside or any(np.array(report.excused) > np.array(run.report.excused) + 1e-9):
        return Counting(run, f"limits with accepted plans do not verify ({report.sentence()})")
    lower = _lowered(problem, schedule, run.schedule)
    if lower:
        return Counting(run, f"with accepted plans the limit of {lower[0]} would be lower than without")
    stated = problem if run.counted is None else _narrowed(run.problem, narrowed, run.schedule)
    return Counting(VerifiedRun(stated, schedule, report, problem, run.at, factor, run))


def _narrowed(problem: Problem, found: Narrowing, first: EnvelopeSchedule) -> Problem:
    """Return the problem with narrowed reach, and limits of the first run as floors."""
    shape = problem.base_load_w.shape
    firm_import_w, firm_export_w = (
        np.broadcast_to(zeros_or(one, shape[1]), shape) for one in (problem.firm_import_w, problem.firm_export_w)
    )
    # A contract minimum is granted whatever a plan says, unless the customer agreed that it gives way.
    granted_gen_w = np.where(found.waived, 0.0, np.where(firm_export_w > 0.0, firm_export_w + problem.load_lo_w, 0.0))
    granted_load_w = np.where(found.waived, 0.0, np.where(firm_import_w > 0.0, firm_import_w - problem.load_hi_w, 0.0))
    gen_w = np.maximum(problem.flex_gen_w - found.gen_w, np.minimum(problem.flex_gen_w, granted_gen_w)).clip(0.0)
    load_w = np.maximum(problem.flex_load_w - found.load_w, np.minimum(problem.flex_load_w, granted_load_w)).clip(0.0)
    floored = replace(
        problem,
        floor_import_w=np.where(problem.is_charger, first.load_limit_w, first.import_limit_w).astype(float),
        floor_export_w=first.export_limit_w.astype(float),
    )
    narrowed = _counting(floored, gen_w, load_w)
    if not found.waived.any():
        return narrowed
    firm = (
        np.where(found.waived, np.minimum(watts, np.maximum(reach, 0.0)), watts).min(axis=0)
        for watts, reach in (
            (firm_import_w, load_w + problem.load_hi_w),
            (firm_export_w, gen_w - problem.load_lo_w),
        )
    )
    firm_import_w, firm_export_w = firm
    return replace(narrowed, firm_import_w=firm_import_w, firm_export_w=firm_export_w)


def _counting(problem: Problem, gen_w: Real, load_w: Real) -> Problem:
    """Return the problem with so much flexible power, (T, C) W.

    A declared band takes from the sun's part of all generation what a home feeds at least and at most: there members
    keep their generation, and what their bands leave them is the most that limits grant.
    """
    if problem.declared_share is None:
        return replace(problem, flex_gen_w=gen_w, flex_load_w=load_w)
    ceiling_import_w = _ceiling_w(problem.ceiling_import_w, load_w < problem.flex_load_w, load_w + problem.load_hi_w)
    ceiling_export_w = _ceiling_w(problem.ceiling_export_w, gen_w < problem.flex_gen_w, gen_w - problem.load_lo_w)
    return replace(
        problem,
        ceiling_import_w=ceiling_import_w,
        ceiling_export_w=ceiling_export_w,
        floor_import_w=_at_most(problem.floor_import_w, ceiling_import_w),
        floor_export_w=_at_most(problem.floor_export_w, ceiling_export_w),
    )


def _at_most(floor_w: Real | None, ceiling_w: Real) -> Real | None:
    return None if floor_w is None else np.minimum(floor_w, ceiling_w)


def _ceiling_w(own: Real | None, is_less: Mask, net_w: Real) -> Real:
    """Return (T, C) W: the ceiling that the problem has itself, and where less counts, so much net power."""
    before = np.full(net_w.shape, np.inf) if own is None else own[:, None] if own.ndim == 1 else own
    return np.minimum(before, np.where(is_less, np.floor(np.maximum(net_w, 0.0)), np.inf))


def _lowered(problem: Problem, schedule: EnvelopeSchedule, first: EnvelopeSchedule) -> list[str]:
    """Return the connections with a limit below that of the first run and below what they are counted with."""
    lower = np.zeros(len(problem.connection_id), dtype=bool)
    for direction in (Direction.IMPORT, Direction.EXPORT):
        side = problem.side(direction)
        most = np.floor(np.maximum(side.capacity_w - side.beside_w, 0.0))
        if side.ceiling_w is not None:
            most = np.minimum(most, np.floor(side.ceiling_w))
        is_load = (direction == Direction.IMPORT) & problem.is_charger
        before, after = (np.where(is_load, one.load_limit_w, one.side(direction).limit_w) for one in (first, schedule))
        lower |= (after < np.minimum(before, most)).any(axis=0)
    return [name for name, is_lower in zip(problem.connection_id, lower, strict=True) if is_lower]
