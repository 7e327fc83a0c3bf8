"""Plays the day: moves the server's clock, waits for all that follows, lets the clients and their homes live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envelope import EnvelopeSchedule, VerificationReport, calculate, verify
from envelope.demo import forecast, utility
from envelope.demo.clients import Fleet
from envelope.demo.compliance import Verdict, judged
from envelope.demo.day import STEP_S, STEPS, Day
from envelope.demo.homes import Homes
from envelope.demo.street import Street
from envelope.demo.utility import Utility
from envelope.operation.cycle import BASE, FIRM
from envelope.problem import Problem
from gridmodel.arrays import Mask, Real
from sep2.clock import SteppedClock
from sep2.errors import SepError
from sep2.operations.alarms import DEFAULT_IN_FORCE

AGGREGATOR, GATEWAY = "aggregator", "gateway"
BEFORE_S = 900
"""The clients are there a little before the day begins."""
SILENT_FROM = 48
"""The step, noon, at which the clients that go silent do."""
DAY_S = STEPS * STEP_S


class CannotBeKept(SepError):
    """No envelopes keep this feeder inside its limits on this day; another --seed is another day."""


class NothingPublished(SepError):
    """The server's engine has published nothing for this day."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the day is to be played."""

    folder: Path
    seed: int = 7
    disobey_percent: float = 0.0
    silent_percent: float = 0.0
    kill_at: int | None = None
    """The step at which the server's process is killed and started again: as it publishes, and as clients answer."""
    speed: float = 0.0
    """Seconds of the day per second at most; 0: as fast as it goes."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Which connection is who."""

    aggregator: tuple[int, ...]
    gateway: int
    silent: tuple[int, ...]
    disobeying: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the day looks like at the end of a step."""

    step: int
    homes: Homes
    controls: int
    notified: int
    answered: int
    pending: int


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A day that was played through."""

    homes: Homes
    cast: Cast
    schedule: EnvelopeSchedule
    report: VerificationReport
    verdict: Verdict
    notified: int
    refused: int
    adoption_s: tuple[float, ...]
    alarms: tuple[str, ...]
    """what the server raised during the day, beyond what the calculation says itself"""


Watch = Callable[[Moment], None]


def cast_of(street: Street, wanted: Wanted, schedule: EnvelopeSchedule) -> Cast:
    """One gateway polls; others go silent or disobey, as many as asked for; an aggregator speaks for the rest."""
    flexible = np.flatnonzero(street.day.flexible)
    order = [int(at) for at in np.random.default_rng([wanted.seed, 6]).permutation(flexible)]
    silent = round(wanted.silent_percent / 100 * len(order))
    disobeying = round(wanted.disobey_percent / 100 * len(order))
    gateway, quiet, rest = order[0], order[1 : 1 + silent], order[1 + silent :]
    beyond = beyond_w(street, schedule)
    rest.sort(key=lambda at: -beyond[at])
    return Cast(tuple(sorted(rest)), gateway, tuple(sorted(quiet)), tuple(sorted(rest[:disobeying])))


def beyond_w(street: Street, schedule: EnvelopeSchedule) -> Real:
    """(C,) how far each home would go beyond its limits if it did as it liked, summed over the half-hours."""
    net = street.grown.played.s_va.real.reshape(schedule.steps, forecast.PER_INTERVAL, -1).mean(axis=1)
    beyond = np.maximum(net - schedule.export_limit_w, -net - schedule.import_limit_w)
    return np.asarray(np.maximum(beyond, 0.0).sum(axis=0), dtype=float)


async def play(street: Street, wanted: Wanted, watch: Watch) -> Played:
    """The day of a street, with its utility in a folder of its own."""
    problem = forecast.problem(street)
    making = utility.made(wanted.folder, forecast.feeder_name(street), problem)
    made, (schedule, report) = await asyncio.gather(making, asyncio.to_thread(_engine, problem))
    if not report.inside:
        raise CannotBeKept(report.sentence())
    cast = cast_of(street, wanted, schedule)
    async with made:
        homes = Homes(street.day, _mask(street.day, cast.disobeying))
        server = made.settings.listen.host, made.settings.listen.port
        fleet = Fleet(homes, made.folder / "pki", server, SteppedClock(street.day.start - BEFORE_S))
        try:
            await _meet(made, fleet, street.day, cast)
            await _live(made, fleet, wanted, watch)
            alarms = await made.operator.ask("GET", "/alarms?cleared=true&limit=500")
        finally:
            await fleet.close()
    start = street.day.start
    verdict = await judged(made.settings.database.url, start, start + DAY_S, forecast.INTERVAL_S)
    return Played(
        homes=homes,
        cast=cast,
        schedule=schedule,
        report=report,
        verdict=verdict,
        notified=fleet.notified,
        refused=fleet.refused,
        adoption_s=tuple(fleet.adoption_s),
        alarms=tuple(sorted({f"{each['code']}: {each['detail']}" for each in alarms["items"] if not _expected(each)})),
    )


def _expected(alarm: dict[str, Any]) -> bool:
    """Whether an alarm is part of every day: until the first round, the utility's default limits the devices."""
    return alarm["code"] in (BASE, FIRM) or (alarm["code"] == DEFAULT_IN_FORCE and alarm["cleared"] is not None)


def _engine(problem: Problem) -> tuple[EnvelopeSchedule, VerificationReport]:
    """The same calculation that the server makes, for what there is to say about it."""
    schedule = calculate(problem)
    return schedule, verify(problem, schedule)


def _mask(day: Day, chosen: tuple[int, ...]) -> Mask:
    mask = np.zeros(len(day.connection_ids), dtype=bool)
    mask[list(chosen)] = True
    return mask


async def _meet(made: Utility, fleet: Fleet, day: Day, cast: Cast) -> None:
    """Register everyone with the utility, and let them have a first look at it."""
    names, operator = day.connection_ids, made.operator
    await operator.move_clock(fleet.clock.now())
    own = fleet.issue(AGGREGATOR, aggregator=True)
    behind = [names[at] for at in cast.aggregator]
    await operator.ask("POST", "/clients", {"name": AGGREGATOR, "lfdi": own, "connections": behind})
    found = await operator.ask("GET", f"/devices?client={AGGREGATOR}&limit=500")
    position = {names[at]: at for at in cast.aggregator}
    lfdis = {each["lfdi"]: position[each["connection_id"]] for each in found["items"] if each["connection_id"]}
    await fleet.add_aggregator(AGGREGATOR, lfdis)
    for at, name in [(cast.gateway, GATEWAY), *((at, f"{GATEWAY}-{names[at]}") for at in cast.silent)]:
        lfdi = fleet.issue(name)
        await operator.ask("POST", "/connections", {"connection_id": names[at]})
        await operator.ask("POST", "/devices", {"name": name, "lfdi": lfdi, "connection_id": names[at]})
        await fleet.add_gateway(name, at, can_be_cut=at in cast.silent)
    await operator.settled()
    await fleet.advance()


async def _live(made: Utility, fleet: Fleet, wanted: Wanted, watch: Watch) -> None:
    """Every five minutes of the day, and the moment after its last."""
    start, began = fleet.homes.day.start, time.monotonic()
    status: dict[str, int] = {}
    for step in range(STEPS):
        now, kill = start + step * STEP_S, step == wanted.kill_at
        if kill or now % forecast.INTERVAL_S == 0 or now >= fleet.next_due():
            status = await _moved(made, fleet, now, kill=kill)
            if not status["controls"]:
                raise NothingPublished(f"{made.folder / 'server.log'} says why")
            if step == SILENT_FROM:
                await fleet.silence()
            await asyncio.gather(fleet.advance(), *([made.kill_and_restart()] if kill else []))
        fleet.homes.play(step)
        watch(Moment(step, fleet.homes, status["controls"], fleet.notified, fleet.answered, fleet.pending))
        if wanted.speed:
            await asyncio.sleep(max(0.0, (step + 1) * STEP_S / wanted.speed - (time.monotonic() - began)))
    await _moved(made, fleet, start + DAY_S)
    await fleet.advance()


async def _moved(made: Utility, fleet: Fleet, to: int, *, kill: bool = False) -> dict[str, int]:
    """The server's status, once it has done and told all that its new time asks for."""
    fleet.clock_moved()
    await made.operator.move_clock(to)
    if kill:
        await made.kill_and_restart()
        await made.operator.move_clock(to)
    status = await made.operator.settled()
    fleet.clock.advance(to)
    return status
