"""The notifier: what changed becomes deliveries, and each of them is attempted until it arrives (2030.5 8.7).

Of several servers on one database one notifies: no subscriber hears twice of a change, or of an older state last.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.alarms import NOTIFIER_STALLED, clear_alarm, raise_alarm
from sep2.resources import TABLE
from sep2.rules import receivers as rules
from sep2.server.delivery import Deliverer
from sep2.server.fanout import CHANGES_AT_ONCE, FanOut
from sep2.server.front import Front
from sep2.server.posting import Poster
from sep2.server.tls import Tls
from sep2.server.turns import Lane, Turns
from sep2.store import deliveries, receivers
from sep2.store.database import Database

log = logging.getLogger("sep2.notify")

LONGEST_SLEEP_S = 5.0
AGAIN_S = 1.0
"""How long a notifier that failed waits."""
SHORTEST_SLEEP_S = 0.05
GATHER_S = 0.1
"""Between two looks at what changed: one change is told at once, many that follow each other are told together."""
LOOK_AHEAD = 200
"""Deliveries to one receiver that are read at a time."""
SERVER = "server"
"""The subject of the alarm that nothing is told."""


class Notifier:
    """Tells subscribers; at most one notification per subscription is under way, and it carries the newest state."""

    def __init__(
        self, front: Front, db: Database, clock: Clock, *, tls: Tls, origin: str, refresh: Callable[[], Awaitable[None]]
    ) -> None:
        """`refresh` takes over what was set at another server, such as the pollRate that has changed."""
        self._refresh = refresh
        self._db = db
        self._clock = clock
        self._house = front.house
        self._settings = front.house.settings.receivers
        self._fan_out = FanOut(db, clock, TABLE)
        self._deliverer = Deliverer(front, db, clock, tls=tls, origin=origin)
        self._poster = Poster(self._admit, self._settings.timeout_s)
        self._turns = Turns(self._settings.at_once, self._work, db.wake)
        self._leading = False
        self._failures = 0
        self._gathered = 0.0
        """When what changes meanwhile is looked at, by the monotonic clock."""
        self._resting: set[str] = set()
        self._looked = -math.inf
        """When it was looked at last who rests, by the monotonic clock."""
        self._looking = asyncio.Lock()
        self._hearing: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether a notification is under way."""
        return self._turns.busy

    def heard_of(self, lfdi: str) -> None:
        """A client that made a request may have a receiver that answers again: it is tried soon."""
        if lfdi not in self._resting:
            return
        self._resting.discard(lfdi)
        task = asyncio.create_task(self._end_rest(lfdi))
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)

    async def run(self) -> None:
        """Work until cancelled."""
        async with self._poster:
            try:
                while True:
                    await self._db.wait_for_changes(await self._round())
            finally:
                await self._turns.stop()
                await asyncio.gather(*self._hearing, return_exceptions=True)

    async def _round(self) -> float:
        """Do what is to be done now; seconds until the next look."""
        try:
            wait = await self._look()
        except SepError as problem:
            log.warning("notifications wait: %s", problem)
            return AGAIN_S
        except Exception as problem:
            log.exception("the notifier failed")
            await self._stalled(problem)
            return AGAIN_S
        if self._failures:
            async with self._db.write() as db:
                await clear_alarm(db, NOTIFIER_STALLED, SERVER, self._clock.now())
            self._failures = 0
        return wait

    async def _look(self) -> float:
        # Who leads knows whom it has put to rest itself; others learn of it here only.
        if not self._leading or time.monotonic() - self._looked >= AGAIN_S:
            self._looked = time.monotonic()
            self._poster.close_idle()
            await self._look_who_rests()
        if not await self._db.leads():
            if self._leading:
                await self._turns.stop()
            self._leading = False
            return LONGEST_SLEEP_S
        if not self._leading:
            # Whoever led before may have sent what it could not record: it is sent again, even if it reads the same.
            async with self._db.write() as db:
                await deliveries.none_is_sure(db)
            self._leading = True
        if self._house.holds:  # a notification says what a GET would
            return LONGEST_SLEEP_S
        await asyncio.sleep(max(0.0, self._gathered - time.monotonic()))
        self._gathered = time.monotonic() + GATHER_S
        told = await self._fan_out.once()
        if told >= CHANGES_AT_ONCE:
            self._gathered = 0.0
        if told:
            await self._refresh()
            self._turns.look_again()
        wait = await self._open_lanes()
        return 0.0 if told else wait

    async def _look_who_rests(self) -> None:
        """Know whose requests shorten a rest, from when the rest is stored; of two looks the later one counts."""
        async with self._looking, self._db.read() as db:
            self._resting = await receivers.resting(db, self._clock.now())

    async def _open_lanes(self) -> float:
        """Let every receiver take part for which something is due; seconds until the next one."""
        now = self._clock.now()
        async with self._db.read() as db:
            waiting = await receivers.waiting(db)
        for row in waiting:
            if row.next <= now and not self._turns.has(row.client_id, row.id):
                self._turns.open(Lane(row.id, row.client_id, row.failures))
        self._turns.go()
        soonest = min((row.next for row in waiting if row.next > now), default=now + LONGEST_SLEEP_S)
        return float(min(LONGEST_SLEEP_S, max(SHORTEST_SLEEP_S, soonest - now)))

    async def _work(self, lane: Lane) -> None:
        """Attempt the next delivery to a receiver, if there is one."""
        try:
            subscription_id = await self._next(lane)
            if subscription_id is None:
                return
            lane.under_way.add(subscription_id)
            try:
                await self._deliverer.attempt(lane, subscription_id, self._poster)
            finally:
                lane.under_way.discard(subscription_id)
            if lane.closed:
                await self._look_who_rests()
        except SepError as problem:
            log.warning("notifications wait: %s", problem)
            lane.close()
        except Exception:
            log.exception("a notification failed")
            lane.close()

    async def _next(self, lane: Lane) -> int | None:
        async with lane.looking:
            if not lane.waiting and lane.more:
                # What is under way now may be done before its row is read, or read before it is done.
                under_way = lane.under_way.copy()
                lane.more = False
                async with self._db.read() as db:
                    due = await deliveries.due(db, lane.receiver_id, self._clock.now(), LOOK_AHEAD + len(under_way))
                lane.waiting.extend(one for one in due if one not in under_way | lane.under_way)
                lane.more |= len(lane.waiting) >= LOOK_AHEAD
            return lane.waiting.popleft() if lane.waiting else None

    async def _end_rest(self, lfdi: str) -> None:
        try:
            async with self._db.write() as db:
                db.changed = await receivers.heard_of(db, lfdi, self._clock.now())
        except SepError as problem:
            log.warning("a receiver rests on: %s", problem)

    async def _stalled(self, problem: Exception) -> None:
        self._failures += 1
        if self._failures == 2:
            detail = f"{type(problem).__name__}: {problem}"[:200]
            async with self._db.write() as db:
                await raise_alarm(db, NOTIFIER_STALLED, SERVER, detail, now=self._clock.now())

    def _admit(self, place: rules.Place, address: str) -> None:
        rules.check_address(place, address, self._settings.policy())
