"""Simulate the day: advance the server's clock, wait until its work is done, and advance clients and homes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from envelope import EnvelopeSchedule, VerificationReport, calculate, verify
from envelope.demo import forecast, history, utility
from envelope.demo.clients import DemoClients, P
from envelope.demo.compliance import ComplianceReport, compliance_of
from envelope.demo.day import STEP_S, STEPS, Day
from envelope.demo.homes import Homes
from envelope.demo.scenario import Scenario
from envelope.demo.utility import Utility
from envelope.operation.round_alarms import BASE, FIRM
from envelope.operation.run_store import FOLDER as RECORDS
from envelope.operation.run_store import RunStore
from envelope.problem import Problem
from envelope.schedule.scaling import scaled
from gridmodel.arrays import Mask, Real
from gridmodel.meter_data.store import MeasurementStore
from sep2.clock import SteppedClock
from sep2.errors import SepError
from sep2.operations.alarms import DEFAULT_IN_FORCE, PLAN_ENDING
from sep2.operations.judging import policy_of
from sep2.settings import read

AGGREGATOR, GATEWAY = "aggregator", "gateway"
BEFORE_S = 900
"""Time before the day at which the clients are registered, s."""
METERS_PROVEN_AT = 12
"""The step by which every meter has posted, and its sign has been compared on site."""
SILENT_FROM = 48
"""The step, noon, from which silent clients do not communicate."""
DAY_S = STEPS * STEP_S


class CannotBeKept(SepError):
    """No envelopes keep this feeder inside its limits on this day; another --seed is another day."""


class NothingPublished(SepError):
    """The server's engine has published nothing for this day."""


@dataclass(frozen=True, slots=True)
class DaySettings:
    """Options of the simulation."""

    folder: Path
    seed: int = 7
    disobey_percent: float = 0.0
    silent_percent: float = 0.0
    kill_at: int | None = None
    """Step at which the server's process is killed and restarted, while it publishes and while clients answer."""
    speed: float = 0.0
    """Seconds of the day per second at most; 0: no limit."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Positions of the connections by the role of their client."""

    aggregator: tuple[int, ...]
    gateway: int
    silent: tuple[int, ...]
    disobeying: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StepState:
    """State of the simulation at the end of a step."""

    step: int
    homes: Homes
    controls: int
    notified: int
    answered: int
    pending: int


class PublishedRun(NamedTuple):
    """One run of the server's engine, calculated again from its record."""

    problem: Problem
    schedule: EnvelopeSchedule
    report: VerificationReport


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedDay:
    """Result of a simulated day."""

    folder: Path
    """The server's."""
    homes: Homes
    roles: Roles
    published: PublishedRun
    """The first run of the day; later ones roll on from it."""
    rounds: int
    """Runs that were published over the day."""
    known: EnvelopeSchedule
    """What would have been published if the day were known before."""
    compliance: ComplianceReport
    notified: int
    refused: int
    adoption_s: tuple[float, ...]
    alarms: tuple[str, ...]
    """Alarms of the server during the day, beyond the findings of the calculation."""


OnStep = Callable[[StepState], None]


def roles_of(scenario: Scenario, settings: DaySettings, schedule: EnvelopeSchedule) -> Roles:
    """Return the roles: one gateway polls, others go silent or disobey, and an aggregator serves the rest."""
    flexible = np.flatnonzero(scenario.day.flexible)
    order = [int(at) for at in np.random.default_rng([settings.seed, 6]).permutation(flexible)]
    silent = round(settings.silent_percent / 100 * len(order))
    disobeying = round(settings.disobey_percent / 100 * len(order))
    gateway, quiet, rest = order[0], order[1 : 1 + silent], order[1 + silent :]
    beyond = beyond_w(scenario, schedule)
    rest.sort(key=lambda at: -beyond[at])
    return Roles(tuple(sorted(rest)), gateway, tuple(sorted(quiet)), tuple(sorted(rest[:disobeying])))


def beyond_w(scenario: Scenario, schedule: EnvelopeSchedule) -> Real:
    """Return by how much each home would exceed its limits without obeying them, (C,) W summed over the intervals."""
    net = scenario.grown.powers.s_va.real.reshape(schedule.steps, STEPS // schedule.steps, -1).mean(axis=1)
    beyond = np.maximum(net - schedule.export_limit_w, -net - schedule.import_limit_w)
    return np.asarray(np.maximum(beyond, 0.0).sum(axis=0), dtype=float)


class OpenDay(NamedTuple):
    """A day that can be played: its server is up and its clients are registered."""

    server: Utility
    clients: DemoClients[Homes]
    roles: Roles
    known: EnvelopeSchedule
    """What would be published if the day were known."""


@asynccontextmanager
async def open_day(scenario: Scenario, settings: DaySettings) -> AsyncIterator[OpenDay]:
    """Start the utility of a scenario in a folder of its own, and register its clients."""
    known = forecast.problem(scenario, forecast.ROUND_S)
    making = utility.create(settings.folder, partial(_planned, scenario), rolling=forecast.ROLLING)
    server, found = await asyncio.gather(making, asyncio.to_thread(_calculate, known))
    if not found.report.inside:
        raise CannotBeKept(found.report.sentence())
    roles = roles_of(scenario, settings, found.schedule)
    async with server:
        homes = Homes(scenario.day, _mask(scenario.day, roles.disobeying))
        address = server.settings.listen.host, server.settings.listen.port
        clients = DemoClients(homes, server.folder / "pki", address, SteppedClock(scenario.day.start - BEFORE_S))
        try:
            await _register(server, clients, scenario.day, roles)
            yield OpenDay(server, clients, roles, found.schedule)
        finally:
            await clients.close()


async def simulate(scenario: Scenario, settings: DaySettings, on_step: OnStep) -> SimulatedDay:
    """The day of a scenario, with its utility in a folder of its own."""
    async with open_day(scenario, settings) as day:
        server, clients, roles, known = day
        homes = clients.homes
        await play(server, clients, settings, on_step)
        await move_clock(server, clients, scenario.day.start + DAY_S)
        await clients.advance()
        alarms = await server.operator.all_of("/alarms?cleared=true")
    start, rules = scenario.day.start, server.settings.utility
    compliance = await compliance_of(
        server.settings.database.url,
        (start, start + DAY_S),
        forecast.INTERVAL_S,
        policy_of(rules, rules.poll_rate_of("DERProgramList")),
    )
    published, rounds = await asyncio.to_thread(_published, server.folder, start)
    return SimulatedDay(
        folder=server.folder,
        homes=homes,
        roles=roles,
        published=published,
        rounds=rounds,
        known=known,
        compliance=compliance,
        notified=clients.notified,
        refused=clients.refused,
        adoption_s=tuple(clients.adoption_s),
        alarms=tuple(sorted({f"{each['code']}: {each['detail']}" for each in alarms if not _expected(each)})),
    )


def _expected(alarm: dict[str, Any]) -> bool:
    """Return whether an alarm occurs on every day: the utility's default until the first round, the plan's end."""
    return alarm["code"] in (BASE, FIRM, PLAN_ENDING) or (
        alarm["code"] == DEFAULT_IN_FORCE and alarm["cleared"] is not None
    )


def _planned(scenario: Scenario, folder: Path) -> tuple[str, Problem]:
    """Return the feeder's name and the plan, and write what meters have measured until now."""
    history.fill(MeasurementStore(read(folder).measurements.folder), scenario.day, scenario.seed)
    return forecast.feeder_name(scenario), forecast.rolling_plan(scenario)


def _calculate(problem: Problem) -> PublishedRun:
    schedule = calculate(problem)
    return PublishedRun(problem, schedule, verify(problem, schedule))


def _published(folder: Path, start: int) -> tuple[PublishedRun, int]:
    """Return the first run that was calculated from a time on, and the number of runs until the end of the day."""
    records = RunStore(folder / RECORDS)
    made = [(at, run) for at, run in records.calculations() if start <= at < start + DAY_S]
    if not made:
        raise NothingPublished(f"{folder / 'server.log'} says why")
    at, run = made[0]
    found = records.calculation(run, at)
    schedule = scaled(calculate(found.problem), found.factor)
    return PublishedRun(found.problem, schedule, verify(found.problem, schedule)), len(made)


def _mask(day: Day, chosen: tuple[int, ...]) -> Mask:
    mask = np.zeros(len(day.connection_ids), dtype=bool)
    mask[list(chosen)] = True
    return mask


async def _register(server: Utility, clients: DemoClients[Homes], day: Day, roles: Roles) -> None:
    """Register all clients with the utility, and let them discover it."""
    names, operator = day.connection_ids, server.operator
    await operator.move_clock(clients.clock.now())
    own = clients.issue(AGGREGATOR, aggregator=True)
    behind = [names[at] for at in roles.aggregator]
    await operator.ask("POST", "/clients", {"name": AGGREGATOR, "lfdi": own, "connections": behind})
    found = await operator.all_of(f"/devices?client={AGGREGATOR}")
    position = {names[at]: at for at in roles.aggregator}
    lfdis = {each["lfdi"]: position[each["connection_id"]] for each in found if each["connection_id"]}
    await clients.add_aggregator(AGGREGATOR, lfdis)
    for at, name in [(roles.gateway, GATEWAY), *((at, f"{GATEWAY}-{names[at]}") for at in roles.silent)]:
        lfdi = clients.issue(name)
        await operator.ask("POST", "/connections", {"connection_id": names[at]})
        await operator.ask("POST", "/devices", {"name": name, "lfdi": lfdi, "connection_id": names[at]})
        await clients.add_gateway(name, at, can_be_interrupted=at in roles.silent)
    await operator.settled()
    await clients.advance()


async def prove_meters(server: Utility) -> None:
    """Record that the meters count imports positive; limits are judged only by meters of proven sign."""
    for mirror in await server.operator.all_of("/mirrors?total=capped"):
        path = f"/mirrors/{mirror['id']}/reading-sign"
        await server.operator.ask("PUT", path, {"reading_sign": "as-posted"})


async def play(
    server: Utility, clients: DemoClients[Homes], settings: DaySettings, on_step: OnStep, *, steps: int = STEPS
) -> None:
    """Every five minutes of the day, from its beginning for so many steps."""
    start, began = clients.homes.day.start, time.monotonic()
    status: dict[str, int] = {}
    for step in range(steps):
        now, kill = start + step * STEP_S, step == settings.kill_at
        if kill or now % forecast.INTERVAL_S == 0 or now >= clients.next_due():
            status = await move_clock(server, clients, now, kill=kill)
            if not status["controls"]:
                raise NothingPublished(f"{server.folder / 'server.log'} says why")
            if step == METERS_PROVEN_AT:
                await prove_meters(server)
            if step == SILENT_FROM:
                await clients.disconnect()
            await asyncio.gather(clients.advance(), *([server.kill_and_restart()] if kill else []))
        clients.homes.play(step)
        on_step(StepState(step, clients.homes, status["controls"], clients.notified, clients.answered, clients.pending))
        if settings.speed:
            await asyncio.sleep(max(0.0, (step + 1) * STEP_S / settings.speed - (time.monotonic() - began)))


async def move_clock(server: Utility, clients: DemoClients[P], to: int, *, kill: bool = False) -> dict[str, int]:
    """Set the server's time, and return its status once all work due at it is done and notified."""
    clients.clock_moved()
    await server.operator.move_clock(to)
    if kill:
        await server.kill_and_restart()
        await server.operator.move_clock(to)
    status = await server.operator.settled()
    clients.clock.advance(to)
    return status
