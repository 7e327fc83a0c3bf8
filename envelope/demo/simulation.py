"""Simulate the day: advance the server's clock, wait until its work is done, and advance clients and homes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from envelope import EnvelopeSchedule, VerificationReport, calculate, verify
from envelope.demo import forecast, history, utility
from envelope.demo.clients import DemoClients, P
from envelope.demo.compliance import ComplianceReport, compliance_of
from envelope.demo.day import STEP_S, STEPS, Day
from envelope.demo.homes import Homes
from envelope.demo.operator import PATIENCE_S
from envelope.demo.registration import prove_meters, register
from envelope.demo.roles import Roles, roles_of
from envelope.demo.scenario import Scenario
from envelope.demo.separate_homes import SeparateHomes
from envelope.demo.utility import Utility
from envelope.operation.round_alarms import BASE, FIRM, LOOSE
from envelope.operation.run_store import FOLDER as RECORDS
from envelope.operation.run_store import RunStore
from envelope.problem import Problem, plan_file
from envelope.schedule.scaling import scaled
from gridmodel.arrays import Mask
from gridmodel.meter_data.store import MeasurementStore
from sep2.clock import SteppedClock
from sep2.errors import SepError
from sep2.operations.alarms import DEFAULT_IN_FORCE, MODE_UNSUPPORTED, PLAN_ENDING
from sep2.operations.judging import policy_of
from sep2.wire import Profile

BEFORE_S = 900
"""Time before the day at which the clients are registered, s."""
METERS_PROVEN_AT = 12
"""The step by which every meter has posted, and its sign has been compared on site."""
SILENT_FROM = 48
"""The step, noon, from which silent clients do not communicate."""
DAY_S = STEPS * STEP_S
WAIT_S = 0.1
WITHOUT_DEFAULT = (MODE_UNSUPPORTED, LOOSE)
"""Alarms that stand wherever loads are bounded by demand response."""


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
class StepState:
    """State of the simulation at the end of a step."""

    step: int
    homes: Homes
    controls: int
    notified: int
    answered: int
    pending: int


class PublishedRun(NamedTuple):
    """One run of the engine, calculated again."""

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
    """The first run of the day; later ones of a plan that rolls go on from it."""
    rounds: int
    """Runs that were published over the day; 0: the plan does not roll."""
    known: EnvelopeSchedule
    """What would have been published if the day were known before."""
    compliance: ComplianceReport
    notified: int
    refused: int
    adoption_s: tuple[float, ...]
    alarms: tuple[str, ...]
    """Alarms of the server during the day, beyond the findings of the calculation."""
    notes: tuple[str, ...]
    """Alarms that say what profile csip can not tell."""


OnStep = Callable[[StepState], None]


class OpenDay(NamedTuple):
    """A day that can be played: its server is up and its clients are registered."""

    server: Utility
    clients: DemoClients[Homes]
    roles: Roles
    known: PublishedRun
    """What would be published if the day were known."""


@asynccontextmanager
async def open_day(scenario: Scenario, settings: DaySettings) -> AsyncIterator[OpenDay]:
    """Start the utility of a scenario in a folder of its own, and register its clients."""
    problem = forecast.problem(scenario, forecast.ROUND_S if forecast.rolls(scenario) else forecast.INTERVAL_S)
    like = "csip" if scenario.profile is Profile.CSIP else "aus"
    making = utility.create(settings.folder, like=like)
    server, known = await asyncio.gather(making, asyncio.to_thread(_calculate, problem))
    if not known.report.inside:
        raise CannotBeKept(known.report.sentence())
    shares = {"silent_percent": settings.silent_percent, "disobey_percent": settings.disobey_percent}
    roles = roles_of(scenario, known.schedule, seed=settings.seed, **shares)
    async with server:
        kind = SeparateHomes if scenario.profile is Profile.CSIP else Homes
        homes = kind(scenario.day, _mask(scenario.day, roles.disobeying))
        address = server.settings.listen.host, server.settings.listen.port
        clock = SteppedClock(scenario.day.start - BEFORE_S)
        clients: DemoClients[Homes] = DemoClients(
            homes, server.folder / "pki", address, clock, profile=scenario.profile
        )
        try:
            await register(server, clients, roles)
            await _begin(server, scenario, problem)
            yield OpenDay(server, clients, roles, known)
        finally:
            await clients.close()


async def _begin(server: Utility, scenario: Scenario, problem: Problem) -> None:
    """Give the engine its plan, now that everybody is known, and wait for what it publishes."""
    await asyncio.to_thread(_save_plan, server, scenario, problem)
    until = time.monotonic() + PATIENCE_S
    while not (await server.operator.settled())["controls"]:
        if time.monotonic() > until:
            raise NothingPublished(f"{server.folder / 'server.log'} says why")
        await asyncio.sleep(WAIT_S)


def _save_plan(server: Utility, scenario: Scenario, problem: Problem) -> None:
    """Save the plan of a day that is known, or one that rolls, with what meters have measured until now."""
    path, feeder = server.folder / plan_file.FILE, forecast.feeder_name(scenario)
    if not forecast.rolls(scenario):
        plan_file.save(path, feeder, problem)
        return
    history.fill(MeasurementStore(server.settings.measurements.folder), scenario.day, scenario.seed)
    plan = forecast.rolling_plan(scenario)
    plan_file.save(path, feeder, plan, rolling=forecast.ROLLING, hysteresis_w=forecast.HYSTERESIS_W)


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
    # What was so before everybody had connected and reported is not about the day.
    of_day = [each for each in alarms if each["cleared"] is None or each["cleared"] > start]
    compliance = await compliance_of(
        server.settings.database.url,
        (start, start + DAY_S),
        forecast.INTERVAL_S,
        policy_of(rules, rules.poll_rate_of("DERProgramList")),
    )
    published, rounds = known, 0
    if forecast.rolls(scenario):
        published, rounds = await asyncio.to_thread(_published, server.folder, start)
    return SimulatedDay(
        folder=server.folder,
        homes=homes,
        roles=roles,
        published=published,
        rounds=rounds,
        known=known.schedule,
        compliance=compliance,
        notified=clients.notified,
        refused=clients.refused,
        adoption_s=tuple(clients.adoption_s),
        alarms=_told(each for each in of_day if not _expected(each, scenario.profile)),
        notes=_told(each for each in of_day if each["code"] in WITHOUT_DEFAULT and _expected(each, scenario.profile)),
    )


def _expected(alarm: dict[str, Any], profile: Profile) -> bool:
    """Return whether an alarm occurs on every day: the utility's default until the first round, the plan's end.

    Demand response has no default, so that with profile csip chargers draw what they like where no event holds.
    """
    if profile is Profile.CSIP and alarm["code"] in WITHOUT_DEFAULT:
        return True
    return alarm["code"] in (BASE, FIRM, PLAN_ENDING) or (
        alarm["code"] == DEFAULT_IN_FORCE and alarm["cleared"] is not None
    )


def _told(alarms: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted({f"{each['code']}: {each['detail']}" for each in alarms}))


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
