"""Intervals whose base load or firm minimum has no power flow: found, named, and left out of a calculation.

A feeder cannot carry them, or a forecast or contract is wrong. Other intervals are to have their limits all the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from envelope.constraints.formulation import Formulation, formulate
from envelope.field_rules import BadProblem
from envelope.problem import Problem, run_id
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.codes import STATUS
from envelope.schedule.findings import BASE, FIRM, NO_FLOW, some
from gridmodel.arrays import Mask, Real

MOST_NAMED = 3
"""connections that are named"""


class NoPowerFlow(BadProblem):
    """No interval has a power flow."""


class Intervals(NamedTuple):
    """Which intervals of a problem have no power flow, and what it is without them."""

    problem: Problem
    base: Mask
    """(T,) without a power flow at the base load"""
    firm: Mask
    """(T,) at what is granted in any case"""
    granted_w: Real
    """(T, C) W from the base load that are granted in any case"""

    @classmethod
    def of(cls, problem: Problem, formulation: Formulation) -> Intervals:
        """The intervals of a problem.

        formulation: that of the problem; inverters' response is left out: it may fail where the feeder does not.
        """
        responds = formulation.feeder.inverters is not None
        feeder = formulation.feeder.without_response()
        base = replace(formulation.base, feeder=feeder) if responds else formulation.base
        paths = replace(formulation.paths, base=base) if responds else formulation.paths
        fails: Mask = ~base.flow.converged
        if paths.several:
            fails[paths.pairs[1][~paths.flow.converged]] = True
        firm: Mask = np.zeros_like(fails)
        steps = np.arange(len(base.p_w))
        for end_w in (base.hi_w, base.lo_w):
            if np.any(end_w != base.p_w):
                injected = base.injections(steps, feeder.spread(end_w - base.p_w))
                firm |= ~feeder.power_flow(injected, base.source_v).converged & ~fails
        return cls(problem, fails, firm, np.maximum(base.hi_w - base.p_w, base.p_w - base.lo_w))

    @property
    def failed(self) -> Mask:
        """(T,) intervals without a power flow."""
        return np.asarray(self.base | self.firm)

    def others(self) -> Problem:
        """The problem with nothing flexible in failed intervals, and there with the base load of the nearest other.

        Raises NoPowerFlow where all failed.
        """
        if self.failed.all():
            raise NoPowerFlow(" ".join(self.sentences()))
        good = np.flatnonzero(~self.failed)
        steps = np.arange(len(self.failed))
        near = good[np.abs(steps[:, None] - good).argmin(axis=1)]
        problem, scenarios = self.problem, self.problem.scenarios
        moved = {
            name: value[near]
            for name in ("base_load_w", "base_load_var", "base_load_lo_w", "base_load_hi_w", "source_v")
            if (value := getattr(problem, name)) is not None and np.ndim(value) == 2
        }
        if scenarios is not None:
            by_step = {name: getattr(scenarios, name) for name in ("load_w", "load_var", "solar_w", "source_v")}
            paths = {name: value[:, near] for name, value in by_step.items() if value is not None}
            moved["scenarios"] = replace(scenarios, **paths)
        lost = self.failed[:, None]
        return replace(
            problem,
            **moved,
            flex_gen_w=np.where(lost, 0.0, problem.flex_gen_w),
            flex_load_w=np.where(lost, 0.0, problem.flex_load_w),
        )

    def marked(self, schedule: EnvelopeSchedule) -> EnvelopeSchedule:
        """A schedule of the other intervals as one of the whole problem: failed intervals have their status."""
        if not self.failed.any():
            return schedule
        status = schedule.status.copy()
        for which, code in ((self.firm, FIRM), (self.base, BASE)):
            status[which] = STATUS.index(code)
        findings = (*self.findings(), *schedule.findings)
        return replace(schedule, run_id=run_id(self.problem), status=status, findings=findings)

    def findings(self) -> tuple[str, ...]:
        """The sentences, each with the code of its kind before it."""
        return tuple(f"{code}: {said}" for code, said in self._said().items())

    def sentences(self) -> tuple[str, ...]:
        """Intervals without a power flow, where most of their power is, and what to check: a sentence of each kind."""
        return tuple(self._said().values())

    def _said(self) -> dict[str, str]:
        found = {}
        if self.base.any():
            most = np.abs(self.problem.base_load_w)
            said = f"the base load is more than the feeder can carry, most of it at {self._largest(most, self.base)}"
            todo = "check their forecast or readings (unit, sign), and the feeder's impedances"
            found[BASE] = f"{self._when(self.base)}: {said}; {todo}"
        if self.firm.any():
            said = f"what is granted in any case is more than the feeder can carry, most of it at {self._firm_at()}"
            todo = (
                "check their contracts, defaults and limits in force, and register clients where nobody can limit them"
            )
            found[FIRM] = f"{self._when(self.firm)}: {said}; {todo}"
        return found

    def _firm_at(self) -> str:
        return self._largest(self.granted_w, self.firm)

    def _when(self, which: Mask) -> str:
        starts = self.problem.step_start[which]
        clock = [datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%d %H:%M UTC") for at in starts]
        return f"{NO_FLOW} in {int(which.sum())} of {len(which)} intervals ({some(clock)})"

    def _largest(self, power_w: Real, which: Mask) -> str:
        most = power_w[which].max(axis=0)
        order = np.argsort(-most, kind="stable")[:MOST_NAMED]
        return ", ".join(f"{self.problem.connection_id[k]} ({most[k] / 1000.0:.1f} kW)" for k in order)


def verified_part(problem: Problem) -> Problem:
    """The problem as it is calculated and verified: without the intervals that have no power flow."""
    intervals = Intervals.of(problem, formulate(problem))
    return intervals.others() if intervals.failed.any() else problem
