"""What a decision of the operator does to each connection: the limits in force, and those of the next round."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from envelope.field_rules import BadProblem
from envelope.operation import clients as registered
from envelope.operation import handover, net_to_device, static_limits
from envelope.operation import mode as operating
from envelope.operation.clients import NOBODY, Clients, Sharing
from envelope.operation.cycle import (
    FAILED,
    INVALID,
    NO_RUN,
    OF_FINDING,
    OPERATOR,
    RUN_MARK,
    UNREGISTERED,
    UNVERIFIED,
    run_of,
    with_held,
)
from envelope.operation.mode import Mode, Operating, Safe
from envelope.operation.publication import SOURCE, ahead
from envelope.problem import Problem
from envelope.problem import plan_file as plan
from sep2.clock import SystemClock
from sep2.operations import in_force
from sep2.rules import authority
from sep2.rules.limits import MODES, Limits
from sep2.settings import Settings
from sep2.store import alarms, audits, connections, controls, groups, listing_register, marks, open_database
from sep2.store.connection import Connection
from sep2.store.controls import Seen

CLOCK_MARK = "clock"
"""where a server with a paced clock notes its time"""
ALARMS = {FAILED, UNVERIFIED, INVALID, UNREGISTERED, OPERATOR, *OF_FINDING.values()}


class Effect(NamedTuple):
    """One connection's limits in force, and after the next round."""

    connection_id: str
    now: Limits
    then: Limits


class Standing(NamedTuple):
    """How one connection stands: its limits in force, whether they are ours, and until when ours reach."""

    connection_id: str
    now: Limits
    is_ours: bool
    until: int | None


@dataclass(frozen=True)
class Desk:
    """A server's folder, seen beside the server."""

    folder: Path
    settings: Settings

    def plan(self) -> plan.Saved | None:
        """The plan in the folder, if it can be read."""
        try:
            return plan.read(self.folder / plan.FILE)
        except BadProblem:
            return None

    async def standing(self) -> tuple[int, list[Standing], list[Any], str]:
        """The server's time, how every connection stands, the engine's alarms, and the run that is published."""
        database = await open_database(self.settings.database.url)
        try:
            async with database.read() as db:
                now, saved = await self._now(db), self.plan()
                names = saved.connection_id if saved is not None else await static_limits.names_of(db, None, now)
                rows = [await _standing(db, name, now) for name in names]
                raised = [row for row in await alarms.standing(db) if row.code in ALARMS]
                return now, [row for row in rows if row is not None], raised, await marks.value(db, RUN_MARK) or ""
        finally:
            await database.close()

    async def effect(self, decided: Operating) -> tuple[int, list[Effect]]:
        """The server's time, and what every connection's limits are now and after the next round."""
        now, rows, _, run = await self.standing()
        then = await self._then(decided, run, now)
        return now, [Effect(row.connection_id, row.now, then.get(row.connection_id, row.now)) for row in rows]

    async def decide(self, decided: Operating, now: int) -> None:
        """Write the decision for the next round, and into the audit log who took it."""
        operating.write(self.folder, decided)
        detail = json.dumps(asdict(decided), sort_keys=True)
        database = await open_database(self.settings.database.url)
        try:
            async with database.write() as db:
                said = audits.Entry(now, "local", "operate_envelope", "/envelope", detail, label=_who(), via="folder")
                await audits.add(db, said)
        finally:
            await database.close()

    async def _then(self, decided: Operating, run: str, now: int) -> dict[str, Limits]:
        """The limits that the next round publishes, of those connections where that is another thing than now."""
        if decided.mode is Mode.HOLD and not decided.abnormal:
            return {}
        which = Safe.CONTRACT if decided.mode is Mode.CONTRACT else None
        if which is None and (decided.abnormal or self._has_changed()):
            which = decided.safe
        database = await open_database(self.settings.database.url)
        try:
            async with database.read() as db:
                if which is not None:
                    return await self._safe(db, which, now)
                found = plan.load(self.folder / plan.FILE)
                sharing = Sharing(found.sharing, found.devices)
                at = await registered.clients_at(db, found.problem.connection_id)
                problem = registered.counted(found.problem, registered.told_at(found.problem, at, sharing))
                is_same = run == run_of(problem)
                counted = problem if is_same or not run else await with_held(db, problem, now)
        finally:
            await database.close()
        return calculated(counted, now, at, sharing)

    def _has_changed(self) -> bool:
        """Whether the feeder is another than the plan's."""
        saved = self.plan()
        return saved is not None and plan.digest_of(saved.feeder) != saved.digest

    async def _safe(self, db: Connection, which: Safe, now: int) -> dict[str, Limits]:
        saved = self.plan()
        names = saved.connection_id if saved is not None else await static_limits.names_of(db, None, now)
        known = static_limits.Known()
        if saved is not None:
            devices = await asyncio.to_thread(plan.devices_of, saved.feeder)
            known = static_limits.known_of(saved.connection_id, saved.fields, Sharing(saved.sharing, devices))
        at = await registered.clients_at(db, names)
        found = {}
        for name in names:
            row = await connections.by_name(db, name)
            if row is None:
                continue
            place = known.place(row, at.get(name, ()))
            part = handover.part_of_group(place.clients, of_device=place.of_device)
            line = handover.Line(row.device_group_id, part)
            limits = await static_limits.limits_of_line(db, place, line, which)
            if net_to_device.is_whole(limits):
                found[name] = limits
        return found

    async def _now(self, db: Connection) -> int:
        if self.settings.clock == "system":
            return SystemClock().now()
        return int(await marks.value(db, CLOCK_MARK) or 0)


def calculated(
    problem: Problem, now: int, at: Mapping[str, Clients] = NOBODY, sharing: Sharing | None = None
) -> dict[str, Limits]:
    """What a problem's schedule has each connection's group be told at a time; nothing beyond its horizon."""
    from envelope.engine import calculate

    schedule = calculate(problem)
    found = {}
    for column, name in enumerate(schedule.connection_id):
        first = next(iter(ahead(schedule, column, now, steps_ahead=problem.hull_steps)), None)
        if first is not None and first.start <= now:
            clients = at.get(name, ())
            part = handover.part_of_group(clients, of_device=net_to_device.is_device(schedule, column))
            whole = first.limits
            found[name] = whole if part is None else (sharing or Sharing()).parts(whole, clients)[part]
    return found


def _who() -> str:
    """The name the audit log shows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return "operator"


def run_said(run: str) -> str:
    """What is published, in words."""
    if not run:
        return "nothing yet"
    return f"safe limits: {run.removeprefix(NO_RUN)}" if run.startswith(NO_RUN) else f"envelopes of run {run}"


async def _standing(db: Connection, name: str, now: int) -> Standing | None:
    known = await connections.by_name(db, name)
    if known is None:
        return None
    ours = [row for row in await controls.standing(db, known.device_group_id, now) if row.source == SOURCE]
    member = next(iter(await groups.member_ids(db, known.device_group_id)), None)
    if member is not None:
        programs = await in_force.programs_of(db, member, Seen(now))
    else:
        rows = await listing_register.defaults_at(db, connection_id=known.id)
        said = [one for row in rows for one in await controls.standing(db, row.device_group_id, now)]
        programs = in_force.programs_from(rows, said, Seen(now))
    holds = authority.effective(programs, now)
    mrids = {int(row.mrid, 16) for row in ours}
    is_ours = bool(holds) and all(one.control in mrids for mode, one in holds.items() if mode in MODES)
    return Standing(name, in_force.limits_in(holds), is_ours, max((row.latest_end for row in ours), default=None))
