"""The server process: both listeners, the notifier, the sweep and the extensions' workers, until it is told to stop."""

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from aiohttp import web

from certs.errors import BadFile, NoCcm8, UnknownSuite
from sep2.clock import Clock, SteppedClock, SystemClock
from sep2.errors import SepError
from sep2.functions.request import House
from sep2.operations import identifiers, newcomers, rates, restored
from sep2.rules.told_times import tell_in
from sep2.server import security
from sep2.server.causes import Causes
from sep2.server.chain_watch import ChainWatch
from sep2.server.clock_guard import ClockGuard
from sep2.server.contacts import Contacts
from sep2.server.dispatch_watch import DispatchWatch
from sep2.server.front import Front
from sep2.server.handshake import Door, HalfOpen, Refusal
from sep2.server.http import Http
from sep2.server.judge import Judge
from sep2.server.kept import Kept
from sep2.server.knocks import Knocks
from sep2.server.ladder_watch import LadderWatch
from sep2.server.network_watch import NetworkWatch
from sep2.server.notify import Notifier
from sep2.server.override_watch import OverrideWatch
from sep2.server.part import FIRST, Part, sites
from sep2.server.partners import listen_to_partners
from sep2.server.plan_verdicts import PlanVerdicts
from sep2.server.plan_watch import PlanWatch
from sep2.server.port import Port, drain
from sep2.server.replacements import Replacements
from sep2.server.restore_watch import RestoreWatch
from sep2.server.reviews import ReviewWatch
from sep2.server.seals import Sealer
from sep2.server.seen import Seen
from sep2.server.settle_watch import SettleWatch
from sep2.server.sweep import Sweep
from sep2.server.tls import Tls, operator_context
from sep2.server.watch import Watch
from sep2.server.webhooks import Webhooks
from sep2.server.workers import Workers
from sep2.settings import Settings, SettingsError, roster
from sep2.settings.roster import Worker
from sep2.store import marks, open_database, outbox, receivers
from sep2.store.connection import Busy, Clash, Full, Outage
from sep2.store.database import Database
from sep2.store.market import plans as market_plans

log = logging.getLogger("sep2")

CLOCK_MARK = "clock"
STARTS_AT_ONCE = 5
"""Servers on one database that may start at the same moment."""
KEEP_UP_S = 2
LONGEST_LINE = 64 * 1024
"""Of a request of operators: what is asked for in a query may be long, and is then refused as JSON."""
SWITCH_S = 0.001
"""How long the event loop may have to wait for a thread of this process that computes: decoding, an engine's round."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0


class State:
    """What runs in this process; the operator API and the extensions' workers are given it."""

    def __init__(self, settings: Settings, db: Database, clock: Clock, part: Part | None = None) -> None:
        """part: of this process among several workers; None: it is alone."""
        self.settings = settings
        self.db = db
        self.part = part
        number = part.number if part is not None else FIRST
        self.clock = clock
        self.clock_guard = ClockGuard(db, clock, settings)
        self.house = House(settings, trusts_clock=clock.is_trusted)
        self.seen = Seen(db, clock, settings.listen.origin + ("" if number == FIRST else f"#{number}"))
        self.front = Front(db, clock, self.house, self.seen)
        self.metrics = self.front.metrics
        self.kept = Kept()
        self.sweep = Sweep(db, clock, settings.utility)
        self.judge = Judge(db, clock, settings.utility, lambda: self.house.poll_rate("DERProgramList"))
        self.contacts = Contacts(db, clock, self.seen, self.house.poll_rate)
        self.reached: dict[str, int] = {}
        """The time up to which each of the extensions' workers has done what was due."""
        self.workers = Workers(clock, lambda: {"sweep": self.sweep.reached, **self.reached}, number=number)
        self.plan_watch = PlanWatch(clock)
        self.tls = Tls(settings)
        self.knocks = Knocks(db, clock)
        # Certificates live by the machine's time, also where the clock is one that operators move.
        self.dates = clock if isinstance(clock, SystemClock) else SystemClock()
        self.tls.now = self.dates.now
        self.watch = Watch(db, settings, self.dates.now)
        self.chain_watch = ChainWatch(db, clock, Sealer(settings.tls))
        self.notifier = Notifier(
            self.front, db, clock, tls=self.tls, origin=settings.listen.origin, refresh=self.refresh
        )
        self.causes = Causes(
            db,
            clock,
            self.front.dialects,
            folder=_folder_of(settings.database.url),
            settings=settings.database,
            poll_rate_s=lambda: self.house.poll_rate("DERProgramList"),
        )
        self.override_watch = OverrideWatch(db, clock, settings)
        self.network_watch = NetworkWatch(db, clock)
        self.review_watch = ReviewWatch(db, clock, settings)
        self.dispatch_watch = DispatchWatch(db, clock, settings)
        self.ladder_watch = LadderWatch(db, clock, settings)
        self.settle_watch = SettleWatch(db, clock, settings, lambda: self.house.poll_rate("DERProgramList"))
        self.plan_verdicts = PlanVerdicts(db, clock, settings)
        self.webhooks = Webhooks(db, clock, settings)
        self.front.on_request = self.notifier.heard_of
        self.replacements = Replacements(db, clock)
        self.front.on_other_certificate = self.replacements.heard_of
        self.drain: Callable[[], Awaitable[None]] = _nothing
        """Lets clients go, each with its next answer."""

    def wake(self) -> None:
        """Have the background work look at what changed."""
        self.db.wake()
        self.watch.wake()
        self.webhooks.wake()

    def siblings(self) -> list[Worker]:
        """The worker processes of this server, this one among them; none where it is alone."""
        return [] if self.part is None else roster.noted(self.part.roster)

    def note_sessions(self) -> None:
        """Count the open connections of clients."""
        self.metrics.sessions.set(len(list(self.watch.connections())))

    async def refresh(self) -> None:
        """Take over what operators set while the server runs."""
        async with self.db.read() as db:
            mark, found = await marks.one_and_starting_with(db, restored.MARK, rates.POLL_RATE)
        copy = restored.read(mark)
        held, self.house.holds = self.house.holds, copy is not None and copy.holds
        if held and not self.house.holds:
            self.wake()
        self.house.take_over({name: int(seconds) for name, seconds in found.items()})

    async def settled(self) -> bool:
        """Whether all that the present time asks for is done and told to those who could be reached."""
        now = self.clock.now()
        if self.sweep.reached < now or any(at < now for at in self.reached.values()) or self.notifier.busy:
            return False
        async with self.db.read() as db:
            soonest = await receivers.next_due(db)
            is_told = not await outbox.waits(db) and (soonest is None or soonest > now)
            return is_told and not await market_plans.waits(db, now)


def _folder_of(url: str) -> Path | None:
    """Where a database in a file is; None where a server of its own keeps it."""
    file = url.removeprefix("sqlite:///")
    return None if file == url else Path(file).parent


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    workers: Sequence[Callable[[State], Awaitable[None]]] = (),
    operator_app: Callable[[State], web.Application] | None = None,
    partner_app: Callable[[State], web.Application] | None = None,
    part: Part | None = None,
    folder: Path | None = None,
) -> AsyncIterator[State]:
    """A server that listens and works while the block runs; as one of several workers where it is given its part.

    folder: the server's, in which it notes how far the database has come; None: a copy that is put back is not noticed.
    """
    tell_in(settings.utility.local)  # before anything begins that could say a time
    db = await open_database(settings.database.url)
    try:
        leads = db.may_lead = part is None or part.leads
        state = State(settings, db, clock or await _clock(settings, db), part)
        restore_watch = RestoreWatch(db, state.clock, folder)
        reaches = await restore_watch.reaches()
        await state.clock_guard.begin()
        await _settle(state)
        await restore_watch.look(reaches)
        await state.refresh()
        await _begin(state)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(state.front.close)
            await _listen(state, stack)
            if leads and operator_app is not None:
                await _listen_to_operators(operator_app(state), state, stack)
            if leads and partner_app is not None and settings.partner.port is not None:
                secured = state.tls.for_partners()
                await listen_to_partners(partner_app(state), settings.partner, secured, stack, part=part)
            own = [state.notifier.run, state.sweep.run, state.clock_guard.run, state.watch.run, state.replacements.run]
            own += [state.knocks.run, state.causes.run, state.chain_watch.run, state.webhooks.run]
            own += [state.override_watch.run, state.review_watch.run, state.dispatch_watch.run]
            own += [state.ladder_watch.run, state.settle_watch.run, state.plan_verdicts.run, state.db.stay_informed]
            own += [restore_watch.run, state.network_watch.run_forecasts, state.network_watch.run_voltages]
            own += [state.seen.run, state.contacts.run, state.judge.run]
            # What extensions do is for the process that leads, which another worker never is.
            beside = [partial(worker, state) for worker in (_keep_up, *(workers if leads else ()))]
            await stack.enter_async_context(_background([*own, *beside], state.workers))
            yield state
    finally:
        await db.close()


async def run(
    settings: Settings,
    *,
    workers: Sequence[Callable[[State], Awaitable[None]]] = (),
    operator_app: Callable[[State], web.Application] | None = None,
    partner_app: Callable[[State], web.Application] | None = None,
    ready: Callable[[State], None] = lambda _: None,
    part: Part | None = None,
    folder: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, a worker until its parent asks; SIGHUP has the certificates read again."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sys.setswitchinterval(SWITCH_S)
    async with running(
        settings, workers=workers, operator_app=operator_app, partner_app=partner_app, part=part, folder=folder
    ) as state:
        loop.add_signal_handler(signal.SIGHUP, _reload, state)
        # Collector pauses of 50 to 150 ms come from the objects of start-up, which never die.
        gc.collect()
        gc.freeze()
        gc.enable()
        ready(state)
        hearing = None if part is None else asyncio.create_task(_obey(part, state, stop))
        await stop.wait()
        if hearing is not None:
            hearing.cancel()
        log.info("stopping")


async def _obey(part: Part, state: State, stop: asyncio.Event) -> None:
    """Say that this worker answers; stop when the parent asks to, or is gone."""
    await part.ready()
    if await part.told_to_stop():
        await state.drain()
    stop.set()


async def _nothing() -> None:
    return


async def _begin(state: State) -> None:
    """Write what has to be written at the start; where that has to wait, what is stored is served meanwhile."""
    try:
        async with state.db.write() as db:
            await identifiers.set_pen(db, state.settings.pen)
        if await state.db.leads():
            await state.sweep.once()
    except Full as problem:
        state.front.outages.note(problem)
        log.warning("nothing can be stored yet: %s", problem)


def _reload(state: State) -> None:
    try:
        state.tls.reload()
        state.watch.read()
        log.info("the certificates were read again")
    except (BadFile, NoCcm8, UnknownSuite, SettingsError) as problem:
        log.warning("the certificates stay as they were: %s", problem)


async def _settle(state: State) -> None:
    """Have the database say what the settings do of defaults."""
    utility = state.settings.utility
    for attempt in range(STARTS_AT_ONCE):
        with contextlib.suppress(*((Clash, Busy) if attempt + 1 < STARTS_AT_ONCE else ())):
            async with state.db.write() as db:
                await newcomers.settle(db, utility.default_limits, utility.default_layout, state.clock.now())
            return


async def _clock(settings: Settings, db: Database) -> Clock:
    """The clock that the settings name; a paced one goes on where it was."""
    if settings.clock == "system":
        return SystemClock()
    async with db.read() as reading:
        return SteppedClock(int(await marks.value(reading, CLOCK_MARK) or 0))


async def _listen(state: State, stack: contextlib.AsyncExitStack) -> None:
    limits = state.settings.limits
    http = Http(state.front, state.tls, limits, unregistered=state.knocks.unregistered)
    http.met = state.watch.met
    state.watch.connections = http.peers
    half_open = HalfOpen(limits.handshakes, limits.handshakes_per_address)
    door = Door(http, state.tls, patience_s=limits.header_deadline_s, half_open=half_open, refused=_refused(state))
    stack.callback(door.close)
    stack.push_async_callback(http.shutdown, 2.0)
    port = Port(state.settings, state.watch, door, None if state.part is None else state.part.clients)
    stack.callback(port.end)
    await port.look()
    state.watch.changed = port.look
    state.drain = partial(drain, http, port, limits.drain_s)


def _refused(state: State) -> Callable[[Refusal], bool]:
    """Hears of each handshake that failed, counts it, and says whether it is to be logged."""

    def hear(refusal: Refusal) -> bool:
        state.metrics.handshake_failed(refusal.reason)
        return state.knocks.refused(refusal)

    return hear


async def _listen_to_operators(app: web.Application, state: State, stack: contextlib.AsyncExitStack) -> None:
    operator, part = state.settings.operator, state.part
    runner = web.AppRunner(app, access_log=None, max_line_size=LONGEST_LINE)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    bound = None if part is None else part.operators
    for site in sites(runner, (operator.host, operator.port), operator_context(operator), bound):
        await site.start()
    if operator.syslog:
        to_syslog = security.handler(operator.syslog)
        security.log.addHandler(to_syslog)
        stack.callback(security.log.removeHandler, to_syslog)
    log.info("operators: %s", operator_url(state.settings))


def operator_url(settings: Settings) -> str:
    """Where operators reach the server."""
    operator = settings.operator
    scheme = "http" if operator.certificate is None else "https"
    host = f"[{operator.host}]" if ":" in operator.host else operator.host
    return f"{scheme}://{host}:{operator.port}"


@contextlib.asynccontextmanager
async def _background(work: Sequence[Callable[[], Awaitable[None]]], workers: Workers) -> AsyncIterator[None]:
    """Work that goes on beside the block and ends with it."""
    tasks = [asyncio.create_task(_kept_up(one, workers)) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_up(state: State) -> None:
    """Take over what operators set at another server on the same database, and tell them of clients and outages."""
    while True:
        await asyncio.sleep(KEEP_UP_S)
        state.note_sessions()
        with contextlib.suppress(SepError):
            await state.refresh()
            await state.front.paces.tell(state.db)
            await state.front.outages.tell(state.db)
            await state.workers.tell(state.db)
            await state.plan_watch.tell(state.db)


async def _kept_up(work: Callable[[], Awaitable[None]], workers: Workers) -> None:
    """Work that begins anew where it fails: a server without its notifier or its sweep looks well, and is not."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await work()
        except Outage as problem:
            log.warning("background work waits: %s", problem)
        except Exception as problem:
            log.exception("background work failed; it begins anew in %.1f s", pause_s)
            workers.failed(work, problem)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
