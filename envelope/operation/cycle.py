"""One round of the engine: plan, assumptions, clients, calculation, verification, release, publication.

A round that fails raises an alarm and leaves the published limits in force.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envelope.operation import (
    credit_check,
    limits_in_force,
    outage_return,
    plan_bands,
    plants,
    restrictions,
    short_term,
)
from envelope.operation.assumptions import SWITCHED, ViolatedAssumption
from envelope.operation.clients import Clients, clients_at, controllability_at, with_controllability, without_client
from envelope.operation.measurements import Measured
from envelope.operation.mode import Mode, OperatingState, Stage, StaticLimits
from envelope.operation.outage_return import Outage, Return
from envelope.operation.release import Ruling, rule
from envelope.operation.restrictions import HoldingDown, Restrictions
from envelope.operation.round_endings import Known, RoundEndings, span_of
from envelope.operation.round_notes import compare
from envelope.operation.round_outcome import Controllable, Outcome
from envelope.operation.run_record import NO_RUN, published_run, published_since
from envelope.operation.verified_run import NotVerified, VerifiedRun, calculate_verified
from envelope.problem import Problem, run_id
from envelope.schedule import EnvelopeSchedule, findings
from gridmodel.errors import GridError
from sep2.errors import SepError
from sep2.operations.market import ignored_limits
from sep2.operations.market.bands import Counted, counted
from sep2.store.connection import Connection

log = logging.getLogger(__name__)

LEDGER = "envelope-ledger.csv"


@dataclass(eq=False)
class Cycle(RoundEndings):
    """Rounds over one feeder. A schedule is calculated once per problem; later rounds top up its publication."""

    async def run_once(self, now: int) -> Outcome:
        """Run one round; any failure raises an alarm and leaves the published limits as they are."""
        outcome = await self._tried(now)
        await self._set_waiting(now)
        if self.plants:
            await self._send_setpoints(now)
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

    async def _send_setpoints(self, now: int) -> None:
        """Write what plants without IEEE 2030.5 are asked for; the round has ended by then, however it did."""
        async with self.db.read() as db:
            states = {one.connection_id: await plants.state_of(db, one, now) for one in self.plants}
        try:
            await asyncio.to_thread(plants.write, self.folder, states, now)
        except OSError as wrong:
            log.warning("set-points of %s are not written: %s", self.feeder, wrong)

    async def _read_plants(self, measured: Sequence[Measured], now: int) -> None:
        """Read the plants without IEEE 2030.5, and judge them by their meters."""
        before, wrong = self.plants, ""
        try:
            self.plants = await asyncio.to_thread(plants.read, self.folder)
        except plants.BadPlants as refused:  # those known before go on being told
            wrong = str(refused)
        async with self.db.read() as db:
            wrong = wrong or await plants.unknown(db, self.plants)
            is_known = await plants.known(db, self.plan) == self.plants
            judged = await plants.judge(db, self.plants, measured, now)
        self.notes = (*self.notes, *(one.sentence() for one in judged))
        if self.plants or before or wrong or not is_known:
            async with self.db.write() as db:
                await plants.keep(db, self.plants, self.plan)
                await plants.set_plant_alarms(db, judged, wrong, now, plan=self.plan)

    async def _round(self, now: int) -> Outcome:
        state = await asyncio.to_thread(self.operating_state)
        unread = await self._read_problem(now)
        if state.mode is Mode.CONTRACT and await self._is_told(state):
            return await self._publish_static(StaticLimits.CONTRACT, (), now)
        violated, measured = await self._check_assumptions(state, now)
        if self.folder.name:
            await self._read_plants(measured, now)
        # What is held is not published anew, so that no connection of it can be left out.
        ends_all = any(one.connections is None for one in violated) or state.mode is Mode.HOLD
        if violated and ends_all and await self._is_told(state):
            return await self._publish_static(state.safe, violated, now)
        self.apart, self.safe = tuple(violated), state.safe
        if unread is not None:
            raise unread
        assert self.problem is not None
        return await self._publish_envelope(await self._blended(self.problem, measured, now), measured, state, now)

    async def _blended(self, problem: Problem, measured: Sequence[Measured], now: int) -> Problem:
        """Return the problem with what was measured lately and with outages; the same object for the same."""
        if self.input_watch is None:
            return problem
        async with self.db.read() as db:
            earlier = await short_term.read(db, self.feeder), await outage_return.read(db, self.feeder)
            outages = await outage_return.look(db, problem, earlier[1], now=now, how=self.returning)
        recent = earlier[0]
        if self.rolls and problem.scenarios is not None:
            recent = short_term.updated(recent, problem, (measured, self.inputs), now, apart=self.devices_apart)
        if (recent, outages) != earlier:
            async with self.db.write() as db:
                await short_term.keep(db, self.feeder, recent)
                await outage_return.keep(db, self.feeder, outages)
        key = recent, tuple(one._replace(silent=0) for one in outages)
        if self.blended is None or self.blended[0] is not problem or self.blended[1] != key:
            found = await asyncio.to_thread(blended, problem, recent, outages, self.returning)
            self.blended = problem, key, found
        found = self.blended[2]
        self.notes = (*self.notes, *found[1], *(one.sentence() for one in outages))
        return found[0]

    async def _is_told(self, state: OperatingState) -> bool:
        """Whether clients are told anything: a feeder that publishes by itself, or of which something is published."""
        if state.stage_in(self.server_mode) is Stage.PUBLISH:
            return True
        async with self.db.read() as db:
            return bool(await published_run(db, self.plan))

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
            if self.input_watch is not None:
                self.inputs = await self.input_watch.look(db, self.problem, now)
            if self.inputs.switched:
                return [ViolatedAssumption(SWITCHED, self.inputs.switched)], ()
            measured = await self.assumptions.read_measurements(db, self.problem, now)
            since = await published_since(db, self.plan)
        if since is None:
            return violated, measured
        comparable = [one for one in measured if one.start >= since]
        return [*violated, *self.assumptions.check_measured(self.problem, comparable, now)], measured

    async def _publish_envelope(
        self, stated: Problem, measured: Sequence[Measured], state: OperatingState, now: int
    ) -> Outcome:
        """Publish the latest run; first a new one where the problem is another one."""
        hold = state.mode is Mode.HOLD
        async with self.db.read() as db:
            run = await published_run(db, self.plan)
            clients = await clients_at(db, stated.connection_id)
            follows = await credit_check.following(db, stated, clients, measured, plan=self.plan)
            problem = await self._as_seen(db, stated, (clients, follows, state), now)
            planned = await counted(db, set(problem.connection_id), span_of(problem), now)
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
        is_current = self.verified is not None and (hold or self._is_of(problem, planned))
        if self.verified is None or not is_current:
            self.verified = await self._with_plans(problem, planned, (run, no_client), now)
            self.unseen = True
        outcome = await self._release(self.verified, (run, no_client, measured), (state, clients), now)
        if self.input_watch is not None:
            async with self.db.write() as db:
                await self.input_watch.keep(db, self.inputs, now)
        await self._show_expected(now)
        if self.ledger is not None and not is_current and outcome.published is not None:
            await asyncio.to_thread(_add_to_ledger, self.ledger, self.verified.schedule)
        return outcome

    def _is_of(self, problem: Problem, planned: Sequence[Counted]) -> bool:
        """Whether the latest run is of this problem and these plans."""
        run = self.verified
        return run is not None and run.unplanned.problem is problem and run.planned == planned

    async def _with_plans(
        self, problem: Problem, planned: Sequence[Counted], known: tuple[str, Sequence[str]], now: int
    ) -> VerifiedRun:
        """Return a run of a problem in which accepted plans count; known: the run published before, and causes."""
        run = None if self.verified is None else self.verified.unplanned
        if run is None or run.problem is not problem:
            run = await self._calculated(problem, *known, now)
        if not planned:
            return run._replace(planned=planned, uncounted="")
        found = await asyncio.to_thread(plan_bands.with_plans, run, planned, solver=self.solver)
        return found.run._replace(planned=planned, uncounted=found.why_not)

    async def _calculated(self, problem: Problem, run: str, causes: Sequence[str], now: int) -> VerifiedRun:
        # A run's name does not tell ratings apart: a run on another model counts what clients hold of this one.
        held = run if not run or self._is_same_network(problem) else f"{run} on another model"
        return await calculate_verified(self.db, problem, now, published=held, solver=self.solver, causes=causes)

    def _is_same_network(self, problem: Problem) -> bool:
        """Return whether the latest run was on the same network, as far as one is known."""
        if self.verified is None:
            return True
        before, after = self.verified.problem.reduced, problem.reduced
        return before is after or np.array_equal(before.rating_a, after.rating_a)

    async def _as_seen(
        self,
        db: Connection,
        stated: Problem,
        of: tuple[Mapping[str, Clients], tuple[bool, ...] | None, OperatingState],
        now: int,
    ) -> Problem:
        """Return the problem with what can be limited, is followed and is held down; the same object while all is."""
        clients, follows, state = of
        ignored = await ignored_limits.directions(db, set(stated.connection_id), now)
        found = controllability_at(stated, clients, self.sharing, ignored)
        self.ignoring = tuple(f"{name} ({', '.join(sorted(several))})" for name, several in sorted(ignored.items()))
        what = HoldingDown(state.scopes, await asyncio.to_thread(self.calendar), self.inputs.held(stated))
        held = await restrictions.held_down(db, stated, what, clients, now=now)
        known = self.controllable
        is_same = known is not None and known.stated is stated and known[1:3] == (found, follows)
        if known is None or not is_same or not held.same_as(known.restrictions):
            problem = credit_check.with_following(with_controllability(held.on(stated), found), follows)
            known = self.controllable = Controllable(stated, found, follows, held, problem)
        return known.problem

    async def _release(
        self, verified: VerifiedRun, known: Known, of: tuple[OperatingState, Mapping[str, Clients]], now: int
    ) -> Outcome:
        """Publish a run, or say why it is not; then what is published goes on, and may be tightened."""
        state, clients = of
        async with self.db.read() as db:
            ruling = await rule(db, self.feeder, verified.schedule, (state, self.server_mode, self.gate), now=now)
        if known[0] == verified.schedule.run_id and not ruling.is_shadow:
            ruling = ruling._replace(is_published=True, why="")
        if ruling.is_published:
            self.standing, self.tightened = verified, None
            return await self._publish_run(verified, known, (ruling, ""), now)
        if ruling.lets_tightening_pass:
            tightened = await self._tightened(verified, known, clients, now)
            if tightened is not None:
                return await self._publish_run(tightened, known, (ruling, verified.schedule.run_id), now)
        return await self._withhold(verified, known, ruling, now)

    async def _tightened(
        self, verified: VerifiedRun, known: Known, clients: Mapping[str, Clients], now: int
    ) -> VerifiedRun | None:
        """Return what of a run that waits does not rise above the published limits; None where it can't be verified."""
        if self.tightened is not None and self.tightened[0] is verified:
            return self.tightened[1]
        problem = verified.problem
        columns = range(len(problem.connection_id))
        async with self.db.read() as db:
            none = Restrictions.none(problem)
            held = await restrictions.with_published(db, problem, none, (columns, clients, now))
        try:
            found = await self._calculated(held.on(problem), known[0], known[1], now)
        except NotVerified as refused:
            log.warning("envelope of %s: a tightened run is not verified: %s", self.feeder, refused)
            return None
        self.tightened = verified, found
        return found

    async def _withhold(self, verified: VerifiedRun, known: Known, ruling: Ruling, now: int) -> Outcome:
        """Keep a run back: what is published goes on, and the run is compared with it."""
        _, schedule, report, *_ = verified
        if self.standing is not None and self.standing.schedule.run_id == known[0] and not ruling.is_shadow:
            published = await self._publish_run(self.standing, known, (ruling, schedule.run_id), now)
            return Outcome(now, schedule, report, published.published, withheld=ruling.why)
        async with self.db.write() as db:
            in_force = await limits_in_force.in_force(db, schedule.connection_id, now)
            compared = compare(schedule, in_force, now)
            await self._set_common(db, verified.problem, known[2], now)
            why = f"{ruling.why}; {compared.sentence()}"
            await self._note(db, ruling._replace(why=why), (schedule, schedule.run_id), now)
        return Outcome(now, schedule, report, withheld=why)


def blended(
    problem: Problem, recent: short_term.Recent, outages: Sequence[Outage], how: Return
) -> tuple[Problem, tuple[str, ...]]:
    """Return a problem with what was measured lately and with outages, and sentences about the former."""
    moved, said = short_term.applied(problem, recent)
    return outage_return.applied(moved, outages, how), said


def _add_to_ledger(path: Path, schedule: EnvelopeSchedule) -> None:
    """Add a run to the ledger; a ledger that cannot be written does not hold limits back."""
    from envelope.schedule import Ledger

    try:
        Ledger.read(path).with_run(schedule).write(path)
    except (OSError, GridError) as wrong:
        log.warning("curtailment of run %s is not kept: %s", schedule.run_id, wrong)
