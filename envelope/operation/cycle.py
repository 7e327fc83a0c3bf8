"""The engine's round: what is known, its premises, limits, verification, publication. A failure withdraws nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from envelope.operation import assumptions as premises
from envelope.operation import clients, limits_in_force, overruled, static_limits
from envelope.operation import net_to_device as seen
from envelope.operation.assumptions import Broken, Premises
from envelope.operation.clients import Sharing
from envelope.operation.measurements import Measured
from envelope.operation.mode import Mode, Operating, Safe
from envelope.operation.publication import Published, Terms, publish
from envelope.problem import Problem
from envelope.schedule import EnvelopeSchedule, findings
from sep2.errors import SepError
from sep2.operations.controls import MOST_AHEAD
from sep2.store import alarms, audits, marks
from sep2.store.connection import Connection
from sep2.store.database import Database

if TYPE_CHECKING:
    from envelope.verification import VerificationReport

log = logging.getLogger(__name__)

FAILED, UNVERIFIED, INVALID = "envelope_failed", "envelope_unverified", "envelope_invalid"
BASE, FIRM, LOOSE = "envelope_infeasible_base", "infeasible_firm", "default_looser_than_envelope"
NO_SAFE, UNREGISTERED, NO_CLIENT = "no_safe_limits", "unregistered_device", "no_client"
OPERATOR = "operator_control"
OF_FINDING = {
    findings.BASE: BASE,
    findings.FIRM: FIRM,
    findings.LOOSE: LOOSE,
    findings.NO_SAFE: NO_SAFE,
    findings.NO_CLIENT: NO_CLIENT,
}
RUN_MARK, SINCE_MARK = "envelope.run", "envelope.since"
"""which run is published, and since when every client has limits of ours"""
LEDGER = "envelope-ledger.csv"
NO_RUN = "safe "
"""how the mark begins while limits are published that no run has calculated"""
Snapshot = Callable[[int], Problem]
"""what is known at a time: the whole horizon's problem; it is asked for off the event loop"""


class NotVerified(SepError):
    """The limits do not keep the feeder inside its limits at every corner."""


@dataclass(frozen=True)
class Outcome:
    """What one round did; `failure` says why it published nothing, `broken` why it published safe limits."""

    at: int
    schedule: EnvelopeSchedule | None = None
    report: VerificationReport | None = None
    published: Published | None = None
    failure: str = ""
    broken: tuple[Broken, ...] = ()


@dataclass(eq=False)
class Cycle:
    """Rounds over one feeder. A schedule is calculated once per problem; later rounds top its publication up."""

    db: Database
    feeder: str
    snapshot: Snapshot
    horizon_events: int = MOST_AHEAD
    hysteresis_w: int = 0
    randomize_relaxing_s: int = 0
    solver: str | None = None
    ledger: Path | None = None
    """file that keeps what each connection had to forgo (`envelope.schedule.ledger`)"""
    operating: Callable[[], Operating] = Operating
    """what the operator has decided"""
    premises: Premises = field(default_factory=Premises)
    sharing: Sharing = field(default_factory=Sharing)
    """how several devices behind one connection share its limits"""
    done: tuple[Problem, EnvelopeSchedule, VerificationReport] | None = None
    known: Problem | None = None
    """the latest problem that could be had"""
    counted: tuple[Problem, clients.Told, Problem] | None = None
    """a problem, what can be told at its connections, and the problem with that"""

    async def run_once(self, now: int) -> Outcome:
        """One round; whatever goes wrong raises an alarm and leaves what is published as it is."""
        try:
            outcome = await self._round(now)
        except Exception as wrong:  # a round may fail for any reason; the last valid envelope must stand
            log.exception("envelope of %s failed", self.feeder)
            return await self._failed(wrong, now)
        self.db.wake()
        return outcome

    async def _round(self, now: int) -> Outcome:
        operating = await asyncio.to_thread(self.operating)
        wrong = await self._look(now)
        if operating.mode is Mode.CONTRACT:
            return await self._safe(Safe.CONTRACT, (), now)
        broken = await self.premises.declared(operating.abnormal)
        seen: Sequence[Measured] = ()
        if not broken and self.known is not None:
            async with self.db.read() as db:
                seen = await self.premises.measured(db, self.known, now)
                broken = await self._breached(db, self.known, seen, now)
        if broken:
            return await self._safe(operating.safe, broken, now)
        if wrong is not None:
            raise wrong
        assert self.known is not None
        return await self._envelope(self.known, seen, now, hold=operating.mode is Mode.HOLD)

    async def _look(self, now: int) -> Exception | None:
        """Asks what is known; what stood in the way is dealt with once the premises are seen to hold."""
        try:
            self.known = await asyncio.to_thread(self.snapshot, now)
        except Exception as wrong:
            return wrong
        return None

    async def _breached(self, db: Connection, problem: Problem, seen: Sequence[Measured], now: int) -> list[Broken]:
        """Premises that measurements contradict, of the time since every client has had limits of ours."""
        since = await marks.value(db, SINCE_MARK)
        if since is None:
            return []
        return self.premises.breached(problem, [one for one in seen if one.start >= int(since)], now)

    async def _safe(self, which: Safe, broken: Sequence[Broken], now: int) -> Outcome:
        """Safe limits for everyone; what a run has calculated is over, and is not gone back to."""
        terms = Terms(self.horizon_events)
        async with self.db.write() as db:
            names = await static_limits.names_of(db, self.known, now)
            known = static_limits.Known(sharing=self.sharing)
            if self.known is not None:
                known = static_limits.known_of(names, vars(self.known), self.sharing)
            published = await static_limits.publish_safe(db, names, which, now, known=known, terms=terms)
            await marks.put(db, RUN_MARK, f"{NO_RUN}{which}")
            for code in (FAILED, UNVERIFIED):
                await alarms.clear(db, code, self.feeder, now)
            await self._found(db, published.findings, now)
            why = "; ".join(map(str, broken))
            await _set(db, INVALID, self.feeder, why, now=now)
            await self._note(db, "publish_safe_limits", published, now, limits=which, because=why)
        self.done = None
        return Outcome(now, published=published, broken=tuple(broken))

    async def _envelope(self, problem: Problem, seen: Sequence[Measured], now: int, *, hold: bool) -> Outcome:
        """What the last run has calculated, topped up; a new run first where the problem is another one."""
        async with self.db.read() as db:
            run = await marks.value(db, RUN_MARK) or ""
            at = await clients.clients_at(db, problem.connection_id)
        problem = self._counted(problem, clients.told_at(problem, at, self.sharing))
        unclaimed = findings.without_client(clients.without_client(problem, at))
        if hold and run.startswith(NO_RUN):
            return await self._safe(Safe(run.removeprefix(NO_RUN)), (), now)
        if hold and self.done is None and run != await asyncio.to_thread(run_of, problem):
            return await self._left(problem, seen, now)
        if not at:
            return await self._nobody(unclaimed, now)
        is_known = self.done is not None and (hold or self.done[0] is problem)
        if self.done is None or not is_known:
            self.done = await self._calculate(problem, run, now, unclaimed)
        _, schedule, report = self.done
        said = findings.still(schedule, now, exceeds=max(report.excused) > 0.0)
        said += unclaimed
        async with self.db.write() as db:
            published = await publish(
                db,
                schedule,
                now,
                horizon_events=self.horizon_events,
                hysteresis_w=self.hysteresis_w,
                randomize_relaxing_s=self.randomize_relaxing_s,
                settle_rest=run.startswith(NO_RUN),
                again=run == schedule.run_id,
                steps_ahead=problem.hull_steps,
                adoption_s=problem.adoption_s,
                sharing=self.sharing,
            )
            await self._stands(
                db, schedule.run_id, anew=run.startswith(NO_RUN), adopted=now + problem.adoption_s, now=now
            )
            await self._found(db, (*said, *published.findings), now)
            await _set(db, OPERATOR, self.feeder, await overruled.said(db, schedule, now), now=now)
            await self._unregistered(db, problem, seen, now)
            await self._note(db, "publish_envelope", published, now, run=schedule.run_id, before=run)
        if self.ledger is not None and not is_known:
            await asyncio.to_thread(_kept, self.ledger, schedule)
        return Outcome(now, schedule, report, published)

    async def _stands(self, db: Connection, run_id: str, *, anew: bool, adopted: int, now: int) -> None:
        """Which run is published, since when every client has limits of ours, and that nothing stands in its way."""
        if anew or await marks.value(db, SINCE_MARK) is None:
            await marks.put(db, SINCE_MARK, str(adopted))
        await marks.put(db, RUN_MARK, run_id)
        for code in (FAILED, UNVERIFIED, INVALID):
            await alarms.clear(db, code, self.feeder, now)

    def _counted(self, problem: Problem, told: clients.Told) -> Problem:
        """The problem with what can be told; the same object for as long as both are the same."""
        if self.counted is None or self.counted[0] is not problem or self.counted[1] != told:
            self.counted = problem, told, clients.counted(problem, told)
        return self.counted[2]

    async def _nobody(self, unclaimed: Sequence[str], now: int) -> Outcome:
        """Where nobody is registered there is nothing to calculate: whatever is said, nobody hears it."""
        async with self.db.write() as db:
            for code in (FAILED, UNVERIFIED, INVALID):
                await alarms.clear(db, code, self.feeder, now)
            await self._found(db, unclaimed, now)
        return Outcome(now)

    async def _left(self, problem: Problem, seen: Sequence[Measured], now: int) -> Outcome:
        """What stands is held as it is: the run that said it is not at hand any more."""
        async with self.db.write() as db:
            for code in (FAILED, INVALID):
                await alarms.clear(db, code, self.feeder, now)
            await self._unregistered(db, problem, seen, now)
        return Outcome(now)

    async def _calculate(
        self, problem: Problem, run: str, now: int, unclaimed: Sequence[str]
    ) -> tuple[Problem, EnvelopeSchedule, VerificationReport]:
        """Limits and their verification, off the event loop; unclaimed: what a failure may be due to."""
        counted = problem
        if run and run != await asyncio.to_thread(run_of, problem):
            async with self.db.read() as db:
                counted = await with_held(db, problem, now)
        schedule, report = await asyncio.to_thread(_calculated, counted, self.solver)
        if not report.inside and counted.has_held:
            # What clients hold can not be mended by leaving it in force: what follows it can be right.
            schedule, report = await asyncio.to_thread(_calculated, without_held(counted), self.solver)
            schedule = replace(schedule, findings=(*schedule.findings, findings.HELD))
        if not report.inside:
            raise NotVerified("; ".join([report.sentence(), *unclaimed]))
        return problem, schedule, report

    async def _note(self, db: Connection, verb: str, published: Published, now: int, **decided: str) -> None:
        """Write what was decided, and how many controls that changed, into the audit log; nothing where none did."""
        counts = {name: getattr(published, name) for name in ("created", "superseded", "defaults", "connections")}
        if any(counts[name] for name in ("created", "superseded", "defaults")):
            detail = json.dumps({"answered": decided | counts}, sort_keys=True)
            said = audits.Entry(now, "engine", verb, f"/feeders/{self.feeder}", detail, via="engine")
            await audits.add(db, said)

    async def _found(self, db: Connection, found: Sequence[str], now: int) -> None:
        """Raises what was found, and clears what no longer is."""
        for finding, code in OF_FINDING.items():
            await _set(db, code, self.feeder, findings.with_code(found, finding), now=now)

    async def _unregistered(self, db: Connection, problem: Problem, seen: Sequence[Measured], now: int) -> None:
        """Connections that are measured beyond their reach have something behind them that nobody has registered."""
        beyond = premises.beyond_reach(problem, seen, self.premises.tolerance)
        if not beyond:
            return
        standing = {row.subject for row in await alarms.standing(db) if row.code == UNREGISTERED}
        for name, said in beyond.items():
            if said or name in standing:
                await _set(db, UNREGISTERED, name, said, now=now)

    async def _failed(self, wrong: Exception, now: int) -> Outcome:
        code = UNVERIFIED if isinstance(wrong, NotVerified) else FAILED
        said = str(wrong) or type(wrong).__name__
        async with self.db.write() as db:
            await alarms.raise_one(db, code, self.feeder, said, now=now)
        self.db.wake()
        return Outcome(now, failure=said)


async def _set(db: Connection, code: str, subject: str, said: str, *, now: int) -> None:
    """Raise an alarm, or clear it where there is nothing to say."""
    if said:
        await alarms.raise_one(db, code, subject, said, now=now)
    else:
        await alarms.clear(db, code, subject, now)


async def with_held(db: Connection, problem: Problem, now: int) -> Problem:
    """The rest of a problem's horizon, with the limits that clients may still hold from an earlier run."""
    adoption_s = problem.adoption_s
    current = int(np.searchsorted(problem.step_start, now, side="right")) - 1
    rest = limits_in_force.from_step(problem, current) if current > 0 else problem
    until = max(now, int(rest.step_start[0])) + adoption_s
    touched = max(int(np.searchsorted(rest.step_start, until)), 1)
    bands = seen.bands(rest.connection_id, rest.load_lo_w[:touched], rest.load_hi_w[:touched])
    imports, exports = await limits_in_force.in_force(db, rest.connection_id, now, adoption_s=adoption_s, bands=bands)
    return replace(rest, in_force_import_w=imports, in_force_export_w=exports, in_force_until=until)


def without_held(problem: Problem) -> Problem:
    """The same problem as if nobody held a limit yet."""
    return replace(problem, in_force_import_w=None, in_force_export_w=None, in_force_until=None)


def _calculated(problem: Problem, solver: str | None) -> tuple[EnvelopeSchedule, VerificationReport]:
    from envelope.engine import calculate
    from envelope.verification import Effort, verify

    schedule = calculate(problem)
    # Nobody reads a stress with wrong phases here, and it takes as long as the rest.
    return schedule, verify(problem, schedule, solver=solver, effort=Effort())


def _kept(path: Path, schedule: EnvelopeSchedule) -> None:
    """Puts a run into the ledger; one that cannot be kept is no reason to hold limits back."""
    from envelope.schedule import Ledger
    from gridmodel.errors import GridError

    try:
        Ledger.read(path).with_run(schedule).write(path)
    except (OSError, GridError) as wrong:
        log.warning("curtailment of run %s is not kept: %s", schedule.run_id, wrong)


def run_of(problem: Problem) -> str:
    """The run id that a problem's schedule has."""
    from envelope.problem import run_id

    return run_id(problem)
