"""How a round ends: a run or static limits are published, what is published goes on, or nothing new is published."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from envelope.operation import credit_check, market_limits, overruled, relied_modes, static_limits
from envelope.operation.assumptions import Assumptions, ViolatedAssumption, beyond_capacity
from envelope.operation.clients import Sharing, clients_at
from envelope.operation.input_ages import Inputs, InputWatch
from envelope.operation.measurements import Measured
from envelope.operation.mode import OperatingState, StaticLimits
from envelope.operation.outage_calendar import Entry
from envelope.operation.outage_return import RETURN, Outage, Return
from envelope.operation.plants import Plant
from envelope.operation.publication import publish
from envelope.operation.publication_terms import Publication, PublicationReport, PublicationTerms, both
from envelope.operation.release import Gate, Ruling, note_let_out
from envelope.operation.round_alarms import (
    EXTRACT,
    FAILED,
    INVALID,
    OPERATOR,
    TOPOLOGY,
    UNVERIFIED,
    WAITS,
    clear_alarms,
    set_alarm,
    set_assumption_alarms,
    set_finding_alarms,
    set_input_alarms,
    set_unregistered_alarms,
)
from envelope.operation.round_notes import Ending, RoundState, note
from envelope.operation.round_outcome import Controllable, Outcome
from envelope.operation.run_record import NO_RUN, note_decision, record_report, record_run, record_static
from envelope.operation.run_store import RunStore, record_of
from envelope.operation.short_term import Recent
from envelope.operation.verified_run import NotVerified, VerifiedRun
from envelope.problem import Problem
from envelope.schedule import EnvelopeSchedule, findings
from gridmodel.errors import GridError
from sep2.errors import SepError
from sep2.operations import diagrams
from sep2.operations.controls import MOST_AHEAD
from sep2.operations.market.published import withdraw
from sep2.operations.plans import forget_plan, note_plan
from sep2.store import alarms
from sep2.store.connection import Connection
from sep2.store.database import Database

log = logging.getLogger(__name__)
NO_INPUTS = Inputs()
Snapshot = Callable[[int], Problem]
"""Return the problem of the whole horizon, as it is known at a time; called off the event loop."""
Known = tuple[str, Sequence[str], Sequence[Measured]]
"""the run published before, findings about missing clients, and measurements"""


@dataclass(eq=False)
class RoundEndings:
    """State of the rounds over one feeder, and their endings."""

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
    server_mode: str = "test"
    """test or production, which decides how rounds are released where no operator does."""
    gate: Gate | None = None
    """How much more than before a round may let out by itself; None: anything."""
    input_watch: InputWatch | None = None
    """Looks at the ages of inputs; None: nobody does."""
    calendar: Callable[[], Sequence[Entry]] = tuple
    """Return planned switching and outages."""
    records: RunStore | None = None
    """Where the inputs of published numbers are kept; None: nowhere."""
    kept: tuple[str, int] = ("", 0)
    """The calculation that was kept last."""
    model: str = ""
    """Where the files of the network model in use are; empty: at the feeder's own place."""
    waiting: Callable[[], str] = str
    """Return what waits at the feeder's place while another model of it is in use; empty: nothing."""
    apart: tuple[ViolatedAssumption, ...] = ()
    """Assumptions that do not hold for some connections in the latest round."""
    safe: StaticLimits = StaticLimits.DEFAULTS
    """Limits that those get."""
    rolls: bool = False
    """Whether the plan goes on by itself."""
    devices_apart: bool = False
    """Whether its forecast is without the devices that limits bound."""
    notes: tuple[str, ...] = ()
    """What the latest problem stands on, as sentences."""
    meters_late: str = ""
    """Why its base load is no forecast, or will soon be none; empty: meters are in time."""
    drift: str = ""
    """How far what came lay outside of the forecast before; empty: it did not."""
    problem: Problem | None = None
    """Latest problem that could be read."""
    folder: Path = Path()
    """The plan's folder, with the list of plants that have no IEEE 2030.5; without a name: there is none."""
    plan: str = ""
    """Name of that folder below `feeders`; empty: the server's own."""
    others: Callable[[], Collection[str]] = tuple
    """Return the connections of the server's other plans."""
    plants: tuple[Plant, ...] = ()
    """Those of the latest round."""
    returning: Return = RETURN
    """How connections return after an outage."""
    blended: tuple[Problem, tuple[Recent, tuple[Outage, ...]], tuple[Problem, tuple[str, ...]]] | None = None
    """A problem as forecast, what was measured lately and outages, and the problem with that and sentences about it."""
    inputs: Inputs = NO_INPUTS
    """Inputs of the latest round."""
    controllable: Controllable | None = None
    verified: VerifiedRun | None = None
    """Latest run."""
    ignoring: tuple[str, ...] = ()
    """Connections with a member that ignores its limits, each with the directions."""
    standing: VerifiedRun | None = None
    """The run that is published, where the latest one is not."""
    tightened: tuple[VerifiedRun, VerifiedRun] | None = None
    """A run that waits, and what of it does not rise above the published limits."""
    unseen: bool = False
    """Whether the expected state of the latest run is not stored yet."""

    @property
    def round_state(self) -> RoundState:
        """State that every round notes."""
        said = (*self.notes, *self._said_of_plans(), *self._said_of_ignored())
        return RoundState(self.problem, self.rolls, self.inputs, said)

    def _said_of_ignored(self) -> list[str]:
        """Say where limits are ignored."""
        if not self.ignoring:
            return []
        names = findings.some(self.ignoring)
        return [f"members that ignore their limits count as if they could not be limited: {names}"]

    def _said_of_plans(self) -> list[str]:
        """Say how accepted plans count in the latest run."""
        if self.verified is None or not self.verified.planned:
            return []
        planned = self.verified.planned
        believed = sum(one.member.credit > 0.0 for one in planned)
        counts = "limits count with them" if self.verified.without_plans is not None else "limits are as without them"
        why = f", as {self.verified.uncounted}" if self.verified.uncounted else ""
        return [f"accepted plans of {len(planned)} members, {believed} of them believed: {counts}{why}"]

    async def _show_expected(self, now: int) -> None:
        """Store what is expected under a new run for operators; a failure does not hold limits back."""
        if not self.unseen or self.verified is None:
            return
        from envelope.operation.expected_state import state_of_run

        try:
            found = await asyncio.to_thread(state_of_run, self.feeder, self.verified)
            async with self.db.write() as db:
                await diagrams.keep(db, found, now)
                await record_report(db, self.verified.schedule.run_id, self.verified.report, self.plan)
            self.unseen = False
        except (SepError, GridError, ArithmeticError, ValueError, IndexError):
            log.exception("envelope of %s: the expected state is not shown", self.feeder)

    async def _publish_run(self, verified: VerifiedRun, known: Known, ruled: tuple[Ruling, str], now: int) -> Outcome:
        """Publish a run, and note it; ruled: what becomes of the latest run, and its id where that one waits."""
        ruling, waiting = ruled
        problem, schedule, report, *_ = verified
        run, no_client, measured = known
        found = [*findings.still(schedule, now, exceeds=max(report.excused) > 0.0), *no_client]
        async with self.db.write() as db:
            envelope = published = await publish(db, schedule, now, self._terms(verified, run))
            if left_out := self._left_out:
                published = both(envelope, await self._issue_static(db, sorted(left_out), self.safe, now))
            adopted = now + problem.adoption_s
            await record_run(db, schedule.run_id, adopted=adopted, previous=run, plan=self.plan)
            await market_limits.record(db, self.feeder, verified, left_out, now=now)
            await note_plan(db, self.feeder, span_of(problem), now)
            await note_let_out(db, self.feeder, schedule, now)
            await clear_alarms(db, (FAILED, UNVERIFIED), self.feeder, now)
            await set_assumption_alarms(db, self.apart, self.feeder, now)
            await set_finding_alarms(db, (*found, *published.findings), self.feeder, now)
            await set_alarm(db, OPERATOR, self.feeder, await overruled.finding(db, schedule, now), now=now)
            await self._set_common(db, problem, measured, now)
            await self._publish_modes(db, measured, now)
            await note_decision(db, self.feeder, published, now, run=schedule.run_id, before=run)
            await self._note(db, ruling, (schedule, waiting), now)
        await self._keep(verified, envelope, run, now)
        return Outcome(now, schedule, report, published, violated=self.apart, withheld=ruling.why)

    @property
    def _left_out(self) -> frozenset[str]:
        """Connections for which an assumption of the envelope does not hold."""
        return frozenset(name for one in self.apart for name in one.connections or ())

    async def _keep(self, verified: VerifiedRun, published: PublicationReport, run: str, now: int) -> None:
        """Keep what the published numbers were made of; a disk that is full does not hold limits back."""
        if self.records is None or not (published.created or published.superseded or published.defaults):
            return
        publication = Publication(verified.schedule, now, self._terms(verified, run))
        record = record_of(publication, verified.at, published.decided)
        try:
            if self.kept != (verified.schedule.run_id, verified.at):
                await asyncio.to_thread(self.records.keep_calculation, verified, self.feeder, verified.at, self.model)
                self.kept = verified.schedule.run_id, verified.at
            await asyncio.to_thread(self.records.keep_publication, record)
        except (SepError, GridError, OSError) as wrong:
            log.warning("inputs of run %s are not kept: %s", verified.schedule.run_id, wrong)

    def _terms(self, verified: VerifiedRun, run: str) -> PublicationTerms:
        """Return how a run is published; run: the one published before."""
        problem, schedule, *_ = verified
        return PublicationTerms(
            horizon_events=self.horizon_events,
            hysteresis_w=self.hysteresis_w,
            randomize_relaxing_s=self.randomize_relaxing_s,
            settle_rest=run.startswith(NO_RUN),
            again=run == schedule.run_id,
            steps_ahead=problem.hull_steps,
            rolls=self.rolls,
            adoption_s=problem.adoption_s,
            sharing=self.sharing,
            left_out=self._left_out,
        )

    async def _set_waiting(self, now: int) -> None:
        """Set the alarm about what waits at the feeder's place."""
        try:
            waiting = await asyncio.to_thread(self.waiting)
        except (SepError, GridError, OSError) as wrong:
            waiting = str(wrong)
        async with self.db.write() as db:
            await set_alarm(db, EXTRACT, self.feeder, waiting, now=now)

    async def _note(self, db: Connection, ruling: Ruling, of: tuple[EnvelopeSchedule, str], now: int) -> None:
        """Note a round; of: the schedule that was published or compared, and the run that waits for a person."""
        schedule, waiting = of
        waits = "" if ruling.is_published else ruling.why
        is_shadow = bool(waits) and ruling.is_shadow
        ended = "published" if not waits else "shadow" if is_shadow else "waiting"
        await set_alarm(db, WAITS, self.feeder, "" if is_shadow else waits, now=now)
        ending = Ending(ended, waits, schedule.run_id, "" if is_shadow else waiting, str(ruling.stage), schedule)
        await note(db, self.feeder, self.round_state, ending, now=now)

    async def _set_common(self, db: Connection, problem: Problem, measured: Sequence[Measured], now: int) -> None:
        """Set the alarms about measurements, however the round ends."""
        await set_unregistered_alarms(db, beyond_capacity(problem, measured, self.assumptions.tolerance), now)
        await self._set_input_alarms(db, now)

    async def _set_input_alarms(self, db: Connection, now: int) -> None:
        await set_input_alarms(db, self.feeder, self.inputs.late, meters=self.meters_late, drift=self.drift, now=now)

    async def _publish_modes(self, db: Connection, measured: Sequence[Measured], now: int) -> None:
        """Publish the modes that the plan's limits rely on, and keep which connections do not follow them."""
        if self.controllable is None:
            return
        stated = self.controllable.stated
        clients = await clients_at(db, stated.connection_id)
        await relied_modes.publish_modes(db, stated, clients, now, plan=self.plan)
        await credit_check.record_contradicted(db, stated, measured, self.plan)

    async def _publish_static(self, which: StaticLimits, violated: Sequence[ViolatedAssumption], now: int) -> Outcome:
        """Publish static limits for every connection; the last run is dropped and not returned to."""
        async with self.db.write() as db:
            names = await static_limits.names_of(db, self.problem, now, besides=self.others)
            published = await self._issue_static(db, names, which, now)
            await record_static(db, which, self.plan)
            await withdraw(db, self.feeder, now)
            await forget_plan(db, self.feeder, now)
            await clear_alarms(db, (FAILED, UNVERIFIED), self.feeder, now)
            await set_finding_alarms(db, published.findings, self.feeder, now)
            why = "; ".join(map(str, violated))
            await set_assumption_alarms(db, violated, self.feeder, now)
            await note_decision(db, self.feeder, published, now, limits=which, because=why)
            await note(db, self.feeder, self.round_state, Ending("static", why or f"{which} limits"), now=now)
        self.verified = self.standing = None
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
            await clear_alarms(db, (FAILED, UNVERIFIED, INVALID, TOPOLOGY), self.feeder, now)
            await set_finding_alarms(db, no_client, self.feeder, now)
            await note(db, self.feeder, self.round_state, Ending("no clients", "; ".join(no_client)), now=now)
        return Outcome(now)

    async def _keep_published(self, problem: Problem, measured: Sequence[Measured], now: int) -> Outcome:
        """Keep what is published, where the run that it comes from is no longer available."""
        async with self.db.write() as db:
            await clear_alarms(db, (FAILED, INVALID, TOPOLOGY), self.feeder, now)
            await note_plan(db, self.feeder, span_of(problem), now)
            await self._set_common(db, problem, measured, now)
            await note(db, self.feeder, self.round_state, Ending("kept", "the published schedule is held"), now=now)
        return Outcome(now)

    async def _failed(self, wrong: Exception, now: int) -> Outcome:
        """Raise an alarm for a round that published nothing."""
        code = UNVERIFIED if isinstance(wrong, NotVerified) else FAILED
        failure = str(wrong) or type(wrong).__name__
        async with self.db.write() as db:
            await alarms.raise_one(db, code, self.feeder, failure, now=now)
            await self._set_input_alarms(db, now)
            await note(db, self.feeder, self.round_state, Ending("failed", failure), now=now)
        self.db.wake()
        return Outcome(now, failure=failure)


def span_of(problem: Problem) -> tuple[int, int]:
    """Return when a plan's first step begins and its last one ends, epoch seconds."""
    return int(problem.step_start[0]), int(problem.step_start[-1]) + problem.step_s
