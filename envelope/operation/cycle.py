"""One round of the engine: plan, assumptions, clients, calculation, verification, publication.

A round that fails raises an alarm and leaves the published limits in force.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from envelope.operation import credit_check, overruled, relied_modes, static_limits
from envelope.operation.assumptions import Assumptions, ViolatedAssumption, beyond_capacity
from envelope.operation.clients import (
    Clients,
    Sharing,
    clients_at,
    controllability_at,
    with_controllability,
    without_client,
)
from envelope.operation.measurements import Measured
from envelope.operation.mode import Mode, OperatingState, StaticLimits
from envelope.operation.outcome import Controllable, Known, Outcome
from envelope.operation.publication import publish
from envelope.operation.publication_terms import PublicationReport, PublicationTerms, both
from envelope.operation.round_alarms import (
    EXTRACT,
    FAILED,
    INVALID,
    OPERATOR,
    UNVERIFIED,
    clear_alarms,
    set_alarm,
    set_finding_alarms,
    set_unregistered_alarms,
)
from envelope.operation.run_record import (
    NO_RUN,
    add_to_ledger,
    note_decision,
    published_run,
    published_since,
    record_report,
    record_run,
    record_static,
)
from envelope.operation.verified_run import NotVerified, VerifiedRun, calculate_verified
from envelope.problem import Problem, run_id
from envelope.schedule import findings
from gridmodel.errors import GridError
from sep2.errors import SepError
from sep2.operations import diagrams
from sep2.operations.controls import MOST_AHEAD
from sep2.operations.plans import forget_plan, note_plan
from sep2.store import alarms
from sep2.store.connection import Connection
from sep2.store.database import Database

log = logging.getLogger(__name__)

LEDGER = "envelope-ledger.csv"
Snapshot = Callable[[int], Problem]
"""Return the problem of the whole horizon, as it is known at a time; called off the event loop."""


@dataclass(eq=False)
class Cycle:
    """Rounds over one feeder. A schedule is calculated once per problem; later rounds top up its publication."""

    db: Database
    feeder: str
    snapshot: Snapshot
    horizon_events: int = MOST_AHEAD
    hysteresis_w: int = 0
    randomize_relaxing_s: int = 0
    solver: str | None = None
    ledger: Path | None = None
    """File of each connection's curtailed energy (`envelope.schedule.ledger`)."""
    operating_state: Callable[[], OperatingState] = OperatingState
    """Return the operator's decisions."""
    assumptions: Assumptions = field(default_factory=Assumptions)
    sharing: Sharing = field(default_factory=Sharing)
    """How the devices behind one connection share its limits."""
    waiting: Callable[[], str] = str
    """Return what waits at the feeder's place while another model of it is in use; empty: nothing."""
    problem: Problem | None = None
    """Latest problem that could be read."""
    controllable: Controllable | None = None
    verified: VerifiedRun | None = None
    """Latest run."""
    unseen: bool = False
    """Whether the expected state of the latest run is not stored yet."""

    async def run_once(self, now: int) -> Outcome:
        """Run one round; any failure raises an alarm and leaves the published limits as they are."""
        outcome = await self._tried(now)
        try:
            waiting = await asyncio.to_thread(self.waiting)
        except (SepError, GridError, OSError) as wrong:
            waiting = str(wrong)
        async with self.db.write() as db:
            await set_alarm(db, EXTRACT, self.feeder, waiting, now=now)
        self.db.wake()
        return outcome

    async def _tried(self, now: int) -> Outcome:
        try:
            return await self._round(now)
        except (SepError, GridError) as refused:  # its message names the cause; a traceback adds nothing
            log.warning("envelope of %s: nothing new is published: %s", self.feeder, refused)
            return await self._failed(refused, now)
        except Exception as wrong:  # a round may fail for any reason; the last valid envelope must stand
            log.exception("envelope of %s failed", self.feeder)
            return await self._failed(wrong, now)

    async def _round(self, now: int) -> Outcome:
        state = await asyncio.to_thread(self.operating_state)
        unread = await self._read_problem(now)
        if state.mode is Mode.CONTRACT:
            return await self._publish_static(StaticLimits.CONTRACT, (), now)
        violated, measured = await self._check_assumptions(state, now)
        # What is held is not published anew, so that no connection of it can be left out.
        if any(one.connections is None for one in violated) or (violated and state.mode is Mode.HOLD):
            return await self._publish_static(state.safe, violated, now)
        if unread is not None:
            raise unread
        assert self.problem is not None
        return await self._publish_envelope(self.problem, state, (measured, violated), now)

    async def _read_problem(self, now: int) -> Exception | None:
        """Read the plan's problem; return an error, which counts only once the assumptions are seen to hold."""
        try:
            self.problem = await asyncio.to_thread(self.snapshot, now)
        except Exception as wrong:
            return wrong
        return None

    async def _check_assumptions(
        self, state: OperatingState, now: int
    ) -> tuple[list[ViolatedAssumption], Sequence[Measured]]:
        """Return violated assumptions, and the measurements that were compared."""
        violated = await self.assumptions.check_declared(state.abnormal)
        if any(one.connections is None for one in violated) or self.problem is None:
            return violated, ()
        async with self.db.read() as db:
            measured = await self.assumptions.read_measurements(db, self.problem, now)
            since = await published_since(db)
        if since is None:
            return violated, measured
        comparable = [one for one in measured if one.start >= since]
        return [*violated, *self.assumptions.check_measured(self.problem, comparable, now)], measured

    async def _publish_envelope(
        self,
        stated: Problem,
        state: OperatingState,
        seen: tuple[Sequence[Measured], Sequence[ViolatedAssumption]],
        now: int,
    ) -> Outcome:
        """Publish the latest run; first a new one where the problem is another one.

        seen: measurements, and assumptions that do not hold for some connections.
        """
        (measured, violated), hold = seen, state.mode is Mode.HOLD
        async with self.db.read() as db:
            run = await published_run(db)
            clients = await clients_at(db, stated.connection_id)
            follows = await credit_check.following(db, stated, clients, measured)
        problem = self._as_seen(stated, clients, follows)
        no_client = [
            *findings.without_client(without_client(problem, clients)),
            *credit_check.not_followed(stated, follows),
        ]
        if hold and run.startswith(NO_RUN):
            return await self._publish_static(StaticLimits(run.removeprefix(NO_RUN)), (), now)
        if hold and self.verified is None and run != await asyncio.to_thread(run_id, problem):
            return await self._keep_published(problem, measured, now)
        if not clients:
            return await self._no_clients(no_client, now)
        is_current = self.verified is not None and (hold or self.verified.problem is problem)
        if self.verified is None or not is_current:
            # A run's name does not tell ratings apart: a run on another model counts what clients hold of this one.
            held = "" if not run else run if self._is_same_network(problem) else f"{run} on another model"
            self.verified = await calculate_verified(
                self.db, problem, now, published=held, solver=self.solver, causes=no_client
            )
            self.unseen = True
        known = Known(run, no_client, measured, violated)
        outcome = await self._publish_run(self.verified, problem, known, (state.safe, now))
        await self._show_expected(now)
        if self.ledger is not None and not is_current:
            await asyncio.to_thread(add_to_ledger, self.ledger, self.verified.schedule)
        return outcome

    def _is_same_network(self, problem: Problem) -> bool:
        """Return whether the latest run was on the same network, as far as one is known."""
        if self.verified is None:
            return True
        before, after = self.verified.problem.reduced, problem.reduced
        return before is after or np.array_equal(before.rating_a, after.rating_a)

    async def _show_expected(self, now: int) -> None:
        """Store what is expected under a new run for operators; a failure does not hold limits back."""
        if not self.unseen or self.verified is None:
            return
        from envelope.operation.expected_state import state_of_run

        try:
            found = await asyncio.to_thread(state_of_run, self.feeder, self.verified)
            async with self.db.write() as db:
                await diagrams.keep(db, found, now)
                await record_report(db, self.verified.schedule.run_id, self.verified.report)
            self.unseen = False
        except (SepError, GridError, ArithmeticError, ValueError, IndexError):
            log.exception("envelope of %s: the expected state is not shown", self.feeder)

    def _as_seen(self, stated: Problem, clients: Mapping[str, Clients], follows: tuple[bool, ...] | None) -> Problem:
        """Return the problem with what can be limited and is followed; the same object while all is the same."""
        found = controllability_at(stated, clients, self.sharing)
        known = self.controllable
        if known is None or known.stated is not stated or known[1:3] != (found, follows):
            problem = credit_check.with_following(with_controllability(stated, found), follows)
            known = self.controllable = Controllable(stated, found, follows, problem)
        return known.problem

    async def _publish_run(
        self,
        verified: VerifiedRun,
        problem: Problem,
        known: Known,
        how: tuple[StaticLimits, int],
    ) -> Outcome:
        """Publish a run; how: static limits where an assumption does not hold, and the time."""
        _, schedule, report = verified
        (run, no_client, measured, violated), (safe, now) = known, how
        left_out = frozenset(name for one in violated for name in one.connections or ())
        found = [*findings.still(schedule, now, exceeds=max(report.excused) > 0.0), *no_client]
        terms = PublicationTerms(
            horizon_events=self.horizon_events,
            hysteresis_w=self.hysteresis_w,
            randomize_relaxing_s=self.randomize_relaxing_s,
            settle_rest=run.startswith(NO_RUN),
            again=run == schedule.run_id,
            steps_ahead=problem.hull_steps,
            adoption_s=problem.adoption_s,
            sharing=self.sharing,
            left_out=left_out,
        )
        why = "; ".join(map(str, violated))
        async with self.db.write() as db:
            published = await publish(db, schedule, now, terms)
            if left_out:
                published = both(published, await self._issue_static(db, sorted(left_out), safe, now))
            await record_run(db, schedule.run_id, adopted=now + problem.adoption_s, previous=run)
            await note_plan(db, self.feeder, _span_of(problem), now)
            await clear_alarms(db, (FAILED, UNVERIFIED), self.feeder, now)
            await set_alarm(db, INVALID, self.feeder, why, now=now)
            await set_finding_alarms(db, (*found, *published.findings), self.feeder, now)
            await set_alarm(db, OPERATOR, self.feeder, await overruled.finding(db, schedule, now), now=now)
            await self._set_unregistered(db, problem, measured, now)
            await self._publish_modes(db, measured, now)
            await note_decision(db, self.feeder, published, now, run=schedule.run_id, before=run)
        return Outcome(now, schedule, report, published, violated=tuple(violated))

    async def _publish_modes(self, db: Connection, measured: Sequence[Measured], now: int) -> None:
        """Publish the modes that the plan's limits rely on, and keep which connections do not follow them."""
        if self.controllable is None:
            return
        stated = self.controllable.stated
        await relied_modes.publish_modes(db, stated, await clients_at(db, stated.connection_id), now)
        await credit_check.record_contradicted(db, stated, measured)

    async def _publish_static(self, which: StaticLimits, violated: Sequence[ViolatedAssumption], now: int) -> Outcome:
        """Publish static limits for every connection; the last run is dropped and not returned to."""
        async with self.db.write() as db:
            names = await static_limits.names_of(db, self.problem, now)
            published = await self._issue_static(db, names, which, now)
            await record_static(db, which)
            await forget_plan(db, self.feeder, now)
            await clear_alarms(db, (FAILED, UNVERIFIED), self.feeder, now)
            await set_finding_alarms(db, published.findings, self.feeder, now)
            why = "; ".join(map(str, violated))
            await set_alarm(db, INVALID, self.feeder, why, now=now)
            await note_decision(db, self.feeder, published, now, limits=which, because=why)
        self.verified = None
        return Outcome(now, published=published, violated=tuple(violated))

    async def _issue_static(
        self, db: Connection, names: Sequence[str], which: StaticLimits, now: int
    ) -> PublicationReport:
        basis = static_limits.FeederBasis(sharing=self.sharing)
        if self.problem is not None:
            basis = static_limits.basis_of(self.problem.connection_id, vars(self.problem), self.sharing)
        return await static_limits.publish_static(
            db, names, which, now, basis=basis, horizon_events=self.horizon_events
        )

    async def _no_clients(self, no_client: Sequence[str], now: int) -> Outcome:
        """Calculate nothing where no client is registered."""
        async with self.db.write() as db:
            await clear_alarms(db, (FAILED, UNVERIFIED, INVALID), self.feeder, now)
            await set_finding_alarms(db, no_client, self.feeder, now)
        return Outcome(now)

    async def _keep_published(self, problem: Problem, measured: Sequence[Measured], now: int) -> Outcome:
        """Keep what is published, where the run that it comes from is no longer available."""
        async with self.db.write() as db:
            await clear_alarms(db, (FAILED, INVALID), self.feeder, now)
            await note_plan(db, self.feeder, _span_of(problem), now)
            await self._set_unregistered(db, problem, measured, now)
        return Outcome(now)

    async def _set_unregistered(self, db: Connection, problem: Problem, measured: Sequence[Measured], now: int) -> None:
        beyond = beyond_capacity(problem, measured, self.assumptions.tolerance)
        await set_unregistered_alarms(db, beyond, now)

    async def _failed(self, wrong: Exception, now: int) -> Outcome:
        """Raise an alarm for a round that published nothing."""
        code = UNVERIFIED if isinstance(wrong, NotVerified) else FAILED
        failure = str(wrong) or type(wrong).__name__
        async with self.db.write() as db:
            await alarms.raise_one(db, code, self.feeder, failure, now=now)
        return Outcome(now, failure=failure)


def _span_of(problem: Problem) -> tuple[int, int]:
    """Return when a plan's first step begins and its last one ends, epoch seconds."""
    return int(problem.step_start[0]), int(problem.step_start[-1]) + problem.step_s
