"""Preview of an operator's decision: each connection's limits in force, and those after the next round."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from envelope.field_rules import BadProblem
from envelope.operation import handover, mode, net_to_device, outage_calendar, outage_return, short_term, static_limits
from envelope.operation.assumptions import FeederChange
from envelope.operation.clients import (
    NO_CLIENTS,
    Clients,
    Sharing,
    clients_at,
    controllability_at,
    with_controllability,
)
from envelope.operation.cycle import blended
from envelope.operation.group_state import default_of
from envelope.operation.hysteresis import FirmMinimum, with_slack
from envelope.operation.input_ages import InputWatch
from envelope.operation.lead_time import upcoming_intervals
from envelope.operation.limits_in_force import with_limits_in_force
from envelope.operation.load_forecast import FILE as FORECAST
from envelope.operation.load_forecast import maker_of
from envelope.operation.mode import Mode, OperatingState, Stage, StaticLimits
from envelope.operation.model_in_use import BadModelFile
from envelope.operation.plan_folders import name_of
from envelope.operation.plan_source import PlanSource, connections_of_others, in_use
from envelope.operation.publication_terms import SOURCE
from envelope.operation.restrictions import HoldingDown, held_down
from envelope.operation.rolling_plan import RollingPlan
from envelope.operation.round_alarms import CODES
from envelope.operation.run_record import published_run
from envelope.operation.verified_run import verified_schedule
from envelope.problem import Problem, plan_file, run_id
from gridmodel.meter_data.store import MeasurementStore
from sep2.clock import SystemClock
from sep2.operations import in_force, plans
from sep2.operations.plans import Round
from sep2.rules import authority
from sep2.rules.limits import MODES, Limits
from sep2.settings import Settings
from sep2.store import alarms, audits, connections, controls, groups, listing_register, marks, open_database
from sep2.store.connection import Connection
from sep2.store.controls import Seen
from sep2.store.database import Database

CLOCK_MARK = "clock"
"""Mark in which a server with a paced clock keeps its time."""


class LimitsChange(NamedTuple):
    """One connection's limits in force, and after the next round."""

    connection_id: str
    now: Limits
    then: Limits


class ConnectionStatus(NamedTuple):
    """One connection's limits in force, whether the engine issued them, and the end of the engine's controls."""

    connection_id: str
    now: Limits
    is_ours: bool
    until: int | None


class EngineStatus(NamedTuple):
    """The server's time, the status of every connection, the engine's alarms, and the published run."""

    now: int
    connections: list[ConnectionStatus]
    alarms: list[Any]
    run: str


@dataclass(frozen=True)
class ServerView:
    """A plan's folder and the server's database, read from outside the server's process or within it."""

    folder: Path
    settings: Settings
    database: Database | None = None
    """The server's own; None: opened for each question."""
    now: int | None = None
    """The server's time; None: as its settings say."""
    other_plan: Path | None = None
    """A plan to look at in place of the folder's own; None: the folder's."""

    @property
    def plan_path(self) -> Path:
        """The plan's file."""
        return self.folder / plan_file.FILE if self.other_plan is None else self.other_plan

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Database]:
        if self.database is not None:
            yield self.database
            return
        opened = await open_database(self.settings.database.url)
        try:
            yield opened
        finally:
            await opened.close()

    def plan(self) -> plan_file.Saved | None:
        """Return the plan that limits rest on; None: there is none that can be read."""
        try:
            return plan_file.read(self._in_use()[0])
        except (BadProblem, BadModelFile):
            return None

    def _in_use(self) -> tuple[Path, str]:
        """Return the plan that limits rest on, and what a reader is given of its model."""
        return in_use(self.folder) if self.other_plan is None else (self.other_plan, "")

    async def status(self) -> EngineStatus:
        """Return what is in force."""
        async with self._open() as database, database.read() as db:
            now, saved = await self._now(db), self.plan()
            names = saved.connection_id if saved is not None else await self._names(db, now)
            rows = [await status_of(db, name, now) for name in names]
            raised = [row for row in await alarms.standing(db) if row.code in CODES]
            run = await published_run(db, name_of(self.folder))
            return EngineStatus(now, [row for row in rows if row is not None], raised, run)

    async def latest_round(self) -> Round | None:
        """Return how the latest round over the plan's feeder ended; None: there was none."""
        saved = self.plan()
        if saved is None:
            return None
        async with self._open() as database, database.read() as db:
            return await plans.latest_round(db, saved.feeder)

    async def preview(self, decided: OperatingState) -> tuple[int, list[LimitsChange]]:
        """Return the server's time, and every connection's limits now and after the next round."""
        status = await self.status()
        then = await self._limits_after(decided, status.run, status.now)
        return status.now, [
            LimitsChange(row.connection_id, row.now, then.get(row.connection_id, row.now)) for row in status.connections
        ]

    async def decide(self, decided: OperatingState, now: int) -> None:
        """Write the decision for the next round, and record in the audit log who took it."""
        mode.write(self.folder, decided)
        detail = json.dumps(asdict(decided), sort_keys=True)
        async with self._open() as database, database.write() as db:
            entry = audits.Entry(now, "local", "operate_envelope", "/envelope", detail, label=_user(), via="folder")
            await audits.add(db, entry)

    async def _limits_after(self, decided: OperatingState, run: str, now: int) -> dict[str, Limits]:
        """Return the limits that the next round publishes, of the connections where they change."""
        if decided.mode is Mode.HOLD and not decided.abnormal:
            return {}
        stage = decided.stage_in(self.settings.mode)
        if stage is not Stage.PUBLISH and not decided.approved and (decided.mode is Mode.ACTIVE or not run):
            return {}
        change = await asyncio.to_thread(self._feeder_change)
        which = StaticLimits.CONTRACT if decided.mode is Mode.CONTRACT else None
        if which is None and (decided.abnormal or (change.detail and change.reached is None)):
            which = decided.safe
        async with self._open() as database, database.read() as db:
            if which is not None:
                return await self._static_limits(db, which, now)
            invalid = await self._static_limits(db, decided.safe, now) if change.reached else {}
            plan = await asyncio.to_thread(lambda: plan_file.load(*self._in_use()))
            stated = await asyncio.to_thread(self._problem_at, plan, now)
            if self.other_plan is None:
                stated = await self._blended(db, stated, plan)
            sharing = Sharing(plan.sharing, plan.devices)
            clients = await clients_at(db, stated.connection_id)
            found = controllability_at(stated, clients, sharing)
            watch = InputWatch(self._store, Path(plan.feeder).name, self.settings.engine.ages)
            late = (await watch.look(db, stated, now)).held(stated)
            what = HoldingDown(decided.scopes, await asyncio.to_thread(outage_calendar.read, self.folder), late)
            held = await held_down(db, stated, what, clients, now=now)
            problem = with_controllability(held.on(stated), found)
            if run and run != run_id(problem):
                problem = await with_limits_in_force(db, problem, now)
        limits = await asyncio.to_thread(
            calculated_limits, problem, now, clients, sharing, hysteresis_w=plan.hysteresis_w
        )
        return limits | {name: invalid[name] for name in change.reached or () if name in invalid}

    async def _blended(self, db: Connection, stated: Problem, plan: plan_file.Plan) -> Problem:
        """Return the problem with what the latest round knew of the last hours and of outages."""
        engine = self.settings.engine
        recent, outages = await short_term.read(db, plan.feeder), await outage_return.read(db, plan.feeder)
        how = outage_return.Return(engine.return_s, engine.cold_load_times)
        return (await asyncio.to_thread(blended, stated, recent, outages, how))[0]

    @property
    def _store(self) -> MeasurementStore:
        return MeasurementStore(self.settings.measurements.folder)

    def _problem_at(self, plan: plan_file.Plan, now: int) -> Problem:
        if plan.rolling is None:
            return plan.problem
        return RollingPlan(maker_of(self._store, self.folder / FORECAST, Path(plan.feeder).name)).at(plan, now).problem

    def _feeder_change(self) -> FeederChange:
        """Return what has changed in the feeder since the plan was made."""
        if self.other_plan is not None or self.plan() is None:
            return FeederChange()
        return PlanSource(self.folder).feeder_change()

    async def _static_limits(self, db: Connection, which: StaticLimits, now: int) -> dict[str, Limits]:
        saved = self.plan()
        names = saved.connection_id if saved is not None else await self._names(db, now)
        basis = static_limits.FeederBasis()
        if saved is not None:
            devices = await asyncio.to_thread(plan_file.devices_of, saved.feeder)
            basis = static_limits.basis_of(saved.connection_id, saved.fields, Sharing(saved.sharing, devices))
        at = await clients_at(db, names)
        found = {}
        for name in names:
            row = await connections.by_name(db, name)
            if row is None:
                continue
            connection = basis.at(row, at.get(name, ()))
            part = handover.part_of_group(connection.clients, of_device=connection.of_device)
            default, _ = await default_of(db, row.device_group_id)
            limits = connection.limits(handover.Recipient(row.device_group_id, part), default, which)
            if net_to_device.is_whole(limits):
                found[name] = limits
        return found

    async def _names(self, db: Connection, now: int) -> Sequence[str]:
        """Return the connections that have an envelope of no other plan."""
        return await static_limits.names_of(db, None, now, besides=partial(connections_of_others, self.folder))

    async def _now(self, db: Connection) -> int:
        if self.now is not None:
            return self.now
        if self.settings.clock == "system":
            return SystemClock().now()
        return int(await marks.value(db, CLOCK_MARK) or 0)


def calculated_limits(
    problem: Problem,
    now: int,
    at: Mapping[str, Clients] = NO_CLIENTS,
    sharing: Sharing | None = None,
    *,
    hysteresis_w: int = 0,
) -> dict[str, Limits]:
    """Return the limits at a time that a problem's schedule gives each connection's group; none beyond its horizon.

    hysteresis_w: that of the plan; limits that the network binds are published some watts tighter with one.
    """
    schedule = verified_schedule(problem)
    found = {}
    for column, name in enumerate(schedule.connection_id):
        first = next(iter(upcoming_intervals(schedule, column, now, steps_ahead=problem.hull_steps)), None)
        if first is not None and first.start <= now:
            clients = at.get(name, ())
            of_device = net_to_device.is_device(schedule, column)
            part, whole = handover.part_of_group(clients, of_device=of_device), first.limits
            if part is None and not of_device:
                whole = with_slack(first, FirmMinimum(schedule, column), hysteresis_w)
            found[name] = whole if part is None else (sharing or Sharing()).parts(whole, clients)[part]
    return found


def _user() -> str:
    """Return the name for the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return "operator"


async def status_of(db: Connection, name: str, now: int) -> ConnectionStatus | None:
    """Return the status of one connection; None: it is not registered."""
    known = await connections.by_name(db, name)
    if known is None:
        return None
    ours = [row for row in await controls.standing(db, known.device_group_id, now) if row.source == SOURCE]
    member = next(iter(await groups.member_ids(db, known.device_group_id)), None)
    if member is not None:
        programs = await in_force.programs_of(db, member, Seen(now))
    else:
        rows = await listing_register.defaults_at(db, connection_id=known.id)
        standing = [one for row in rows for one in await controls.standing(db, row.device_group_id, now)]
        programs = in_force.programs_from(rows, standing, Seen(now))
    effective = authority.effective(programs, now)
    mrids = {int(row.mrid, 16) for row in ours}
    is_ours = bool(effective) and all(
        one.control in mrids for name_of_mode, one in effective.items() if name_of_mode in MODES
    )
    until = max((row.latest_end for row in ours), default=None)
    return ConnectionStatus(name, in_force.limits_in(effective), is_ours, until)
