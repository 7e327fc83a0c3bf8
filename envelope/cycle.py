"""The engine's round: what is known, limits, verification, reasons, publication. A failed round withdraws nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from envelope.problem import Problem
from envelope.publish import SOURCE, Published, publish
from envelope.schedule import EnvelopeSchedule
from sep2.errors import SepError
from sep2.operations.controls import MOST_AHEAD, limits_of
from sep2.store import alarms, connections, controls, defaults, groups, marks
from sep2.store.connection import Connection
from sep2.store.database import Database

if TYPE_CHECKING:
    from envelope.verification import VerificationReport
    from sep2.extension import State

log = logging.getLogger(__name__)

FAILED, UNVERIFIED, BASE = "envelope_failed", "envelope_unverified", "envelope_infeasible_base"
RUN_MARK = "envelope.run"
LEDGER = "envelope-ledger.csv"
NAME, NOTHING_YET = "envelope", -1
"""how the work tells the server's state how far it is"""
Snapshot = Callable[[int], Problem]
"""what is known at a time: the whole horizon's problem"""


class NotVerified(SepError):
    """The limits do not keep the feeder inside its limits at every corner."""


@dataclass(frozen=True)
class Outcome:
    """What one round did; `failure` says why it published nothing."""

    at: int
    schedule: EnvelopeSchedule | None = None
    report: VerificationReport | None = None
    published: Published | None = None
    failure: str = ""


@dataclass(eq=False)
class Cycle:
    """Rounds over one feeder. A schedule is calculated once per problem; later rounds top its publication up."""

    db: Database
    feeder: str
    snapshot: Snapshot
    horizon_events: int = MOST_AHEAD
    hysteresis_w: int = 0
    solver: str | None = None
    ledger: Path | None = None
    """file that keeps what each connection had to forgo (`envelope.ledger`)"""
    done: tuple[Problem, EnvelopeSchedule, VerificationReport] | None = None

    async def run_once(self, now: int) -> Outcome:
        """One round; whatever goes wrong raises an alarm and leaves what is published as it is."""
        try:
            problem = self.snapshot(now)
            known = self.done is not None and self.done[0] is problem
            if self.done is None or not known:
                self.done = await self._calculate(problem, now)
            _, schedule, report = self.done
            async with self.db.write() as db:
                published = await publish(
                    db, schedule, now, horizon_events=self.horizon_events, hysteresis_w=self.hysteresis_w
                )
                await marks.put(db, RUN_MARK, schedule.run_id)
                await self._alarms(db, schedule, now)
        except Exception as wrong:  # a round may fail for any reason; the last valid envelope must stand
            log.exception("envelope of %s failed", self.feeder)
            return await self._failed(wrong, now)
        self.db.wake()
        if self.ledger is not None and not known:
            await asyncio.to_thread(_kept, self.ledger, schedule)
        return Outcome(now, schedule, report, published)

    async def _calculate(self, problem: Problem, now: int) -> tuple[Problem, EnvelopeSchedule, VerificationReport]:
        """Limits and their verification, off the event loop."""
        held = await self._held(problem, now)
        schedule, report = await asyncio.to_thread(_calculated, held, self.solver)
        if not report.inside:
            raise NotVerified(report.sentence())
        return problem, schedule, report

    async def _held(self, problem: Problem, now: int) -> Problem:
        """The problem with the limits that clients hold from an earlier run, when there are any."""
        async with self.db.read() as db:
            run = await marks.value(db, RUN_MARK)
            if run is None or run == run_of(problem):
                return problem
            imports, exports = await in_force(db, problem.connection_id, now)
        current = int(np.searchsorted(problem.step_start, now, side="right")) - 1
        if current > 0:
            problem = from_step(problem, current)
        return replace(problem, in_force_import_w=imports, in_force_export_w=exports)

    async def _alarms(self, db: Connection, schedule: EnvelopeSchedule, now: int) -> None:
        """Clears what no longer holds and raises what the schedule found."""
        for code in (FAILED, UNVERIFIED):
            await alarms.clear(db, code, self.feeder, now)
        if schedule.findings:
            await alarms.raise_one(db, BASE, self.feeder, "; ".join(schedule.findings), now=now)
        else:
            await alarms.clear(db, BASE, self.feeder, now)

    async def _failed(self, wrong: Exception, now: int) -> Outcome:
        code = UNVERIFIED if isinstance(wrong, NotVerified) else FAILED
        said = str(wrong) or type(wrong).__name__
        async with self.db.write() as db:
            await alarms.raise_one(db, code, self.feeder, said, now=now)
        self.db.wake()
        return Outcome(now, failure=said)


def _calculated(problem: Problem, solver: str | None) -> tuple[EnvelopeSchedule, VerificationReport]:
    from envelope.engine import calculate
    from envelope.verification import Effort, verify

    schedule = calculate(problem)
    # Nobody reads a stress with wrong phases here, and it takes as long as the rest.
    return schedule, verify(problem, schedule, solver=solver, effort=Effort())


def _kept(path: Path, schedule: EnvelopeSchedule) -> None:
    """Puts a run into the ledger; one that cannot be kept is no reason to hold limits back."""
    from envelope.ledger import Ledger
    from gridmodel.errors import GridError

    try:
        Ledger.read(path).with_run(schedule).write(path)
    except (OSError, GridError) as wrong:
        log.warning("curtailment of run %s is not kept: %s", schedule.run_id, wrong)


def run_of(problem: Problem) -> str:
    """The run id that a problem's schedule has."""
    from envelope.engine import run_id

    return run_id(problem)


def from_step(problem: Problem, first: int) -> Problem:
    """The same problem without the steps before `first`."""
    per_step = (
        "step_start", "base_load_w", "base_load_var", "flex_gen_w", "flex_load_w", "base_load_lo_w", "base_load_hi_w",
    )  # fmt: skip
    cut = {name: getattr(problem, name)[first:] for name in per_step if getattr(problem, name) is not None}
    for name in ("source_v", "base_sigma_w"):
        value = getattr(problem, name)
        if value is not None and np.ndim(value) == 2:
            cut[name] = value[first:]
    factors = [np.asarray(f) for f in (problem.limits.rating_factor, problem.limits.transformer_factor)]
    own, of_transformers = (factor[first:] if factor.ndim else factor for factor in factors)
    limits = replace(problem.limits, rating_factor=own, transformer_factor=of_transformers)
    return replace(problem, limits=limits, **cut)


async def in_force(db: Connection, names: tuple[str, ...], now: int) -> tuple[np.ndarray, np.ndarray]:
    """(C,) and (C,) loosest import and export limit that a client may hold now; 0 where nothing was published."""
    found = np.zeros((2, len(names)))
    for column, name in enumerate(names):
        known = await connections.by_name(db, name)
        group = await groups.of_connection(db, known.id) if known is not None else None
        if group is None:
            continue
        rows = [row for row in await controls.standing(db, group.id, now) if row.start <= now and row.source == SOURCE]
        default = await defaults.of_group(db, group.id)
        for limits in [limits_of(row) for row in [*rows, *([default] if default is not None else [])]]:
            for side, value in enumerate(limits[:2]):
                found[side, column] = max(found[side, column], float(value or 0))
    return found[0], found[1]


async def work(state: State) -> None:
    """The worker inside the server: rounds over the plan beside the server's files, at every step of its horizon."""
    from envelope import plan

    path = Path(state.settings.operator.token_file).parent / plan.FILE
    if not path.is_file():
        return
    state.reached[NAME] = NOTHING_YET
    found = await asyncio.to_thread(plan.load, path)
    cycle = Cycle(
        state.db,
        found.feeder,
        lambda _: found.problem,
        state.settings.utility.horizon_events,
        ledger=path.with_name(LEDGER),
    )
    await rounds(state, cycle, found.problem)


async def rounds(state: State, cycle: Cycle, problem: Problem) -> None:
    """A round now and at the start of every step; the server's clock waits for each."""
    done = state.clock.now()
    await _round(state, cycle, done)
    for at in (int(start) for start in problem.step_start):
        if at <= done:
            continue
        # Nothing is due before the next step begins.
        state.reached[NAME] = at - 1
        await state.clock.sleep_until(at)
        done = state.clock.now()
        await _round(state, cycle, done)
    state.reached.pop(NAME, None)


async def _round(state: State, cycle: Cycle, now: int) -> None:
    """One round, by one of the servers on a database; another one that takes over goes on at the next step."""
    if await state.db.leads():
        await cycle.run_once(now)
