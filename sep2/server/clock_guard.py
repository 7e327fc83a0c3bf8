"""What this server does about its clock: an alarm when it jumps, and order before its new time is followed."""

import asyncio
import logging

from sep2.clock import HOLDS_AFTER_S, Clock, SystemClock
from sep2.errors import Conflict, SepError
from sep2.operations import creation
from sep2.operations.alarms import CLOCK_JUMP, clear_alarm, raise_alarm
from sep2.settings import Settings
from sep2.store import deliveries, receivers
from sep2.store.connection import Connection
from sep2.store.database import Database

log = logging.getLogger("sep2.clock")

MARKED_EVERY_S = 60
FURTHEST_BACK_S, FURTHEST_AHEAD_S = 3600, 30 * 86_400
"""A start that is further from the mark is doubted: a machine without a battery begins anywhere."""


class ClockTrusted(Conflict):
    """Nothing speaks against the server's time; there is nothing to confirm."""


class ClockGuard:
    """Looks at the machine's clock; a clock that is moved by hand needs none of it."""

    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._system = clock if isinstance(clock, SystemClock) else None
        self._patience_s = 2 * settings.receivers.longest_retry_s
        self._subject = f"server {settings.listen.host}:{settings.listen.port}"
        self._detail = ""
        """of the alarm, while there is to be one"""
        self._raised: int | None = None
        self._marked: int | None = None

    async def begin(self) -> None:
        """Compare the time at the start with the time before; creation times go on rising in any case."""
        now = self._clock.now()
        async with self._db.write() as db:
            told = await creation.told_lately(db)
            await creation.keep_rising(db, now, now)
            await deliveries.bring_forward(db, now + self._patience_s)
            await receivers.bring_forward(db, now + self._patience_s)
            if self._system is None:
                return
            self._system.follows = False
            by_s = 0 if told is None else now - told
            if -FURTHEST_BACK_S <= by_s <= FURTHEST_AHEAD_S:
                await self._in_order(db, now)
                self._marked = now
                return
        self._system.doubt()
        self._doubt(_of_start(by_s))
        await self._raise(now)

    async def run(self) -> None:
        """Look until cancelled."""
        while self._system is not None:
            try:
                await self._look(self._system)
            except SepError as problem:
                log.warning("the clock's alarm and marks wait: %s", problem)
            await asyncio.sleep(self._system.look_s)

    async def _look(self, clock: SystemClock) -> None:
        """Raise the alarm or clear it, follow a time that has held, note the time: whatever is due."""
        now = clock.now()
        if clock.has_held():
            await self._follow(clock)
        elif clock.is_trusted():
            await self._mark(now)
        else:
            if not self._detail:
                self._doubt(_of_jump(clock.apart_s()))
            await self._raise(now)

    async def confirm(self) -> None:
        """An operator says that the machine's time is right: it is followed at once."""
        if self._system is None or self._system.is_trusted():
            raise ClockTrusted
        await self._follow(self._system)

    def ensure_doubted(self) -> None:
        """ClockTrusted where there is nothing to confirm."""
        if self._clock.is_trusted():
            raise ClockTrusted

    def _doubt(self, detail: str) -> None:
        self._detail = detail
        log.error("%s", detail)

    async def _raise(self, now: int) -> None:
        """Have the alarm stand; where an operator has cleared it, it is raised again after a while."""
        if self._raised is None or now - self._raised >= MARKED_EVERY_S:
            async with self._db.write() as db:
                await raise_alarm(db, CLOCK_JUMP, self._subject, self._detail, now=now)
            self._raised = now

    async def _mark(self, now: int) -> None:
        """Clear the alarm where it stands; note the time, every minute."""
        if not self._detail and self._marked is not None and now - self._marked < MARKED_EVERY_S:
            return
        async with self._db.write() as db:
            await self._in_order(db, now)
        if self._detail:
            log.warning("the machine's clock agrees again with the server's time")
        self._detail, self._raised, self._marked = "", None, now

    async def _in_order(self, db: Connection, now: int) -> None:
        await clear_alarm(db, CLOCK_JUMP, self._subject, now)
        await creation.note_time(db, now)

    async def _follow(self, clock: SystemClock) -> None:
        """Tell the machine's time from now on, once what a step back or forwards would upset is in order."""
        leads = await self._db.leads()
        async with self._db.write() as db:
            before, by_s = clock.now(), clock.apart_s()
            await creation.keep_rising(db, before, before + by_s)
            if leads and by_s:
                await deliveries.shift(db, by_s)
                await receivers.shift(db, by_s)
            await self._in_order(db, before + by_s)
        self._detail, self._raised, self._marked = "", None, before + by_s
        clock.follow()
        # What was put off meanwhile was put off by the time before.
        async with self._db.write() as db:
            await deliveries.bring_forward(db, clock.now() + self._patience_s)
            await receivers.bring_forward(db, clock.now() + self._patience_s)
        self._db.wake()
        log.warning("the server's time is the machine's again, %+d s from before", by_s)


def _of_jump(apart_s: int) -> str:
    jumped = f"{'ahead' if apart_s > 0 else 'back'} by {abs(apart_s)} s" if apart_s else "for a moment"
    return (
        f"the machine's clock jumped {jumped}; the server's time goes on without it, until it has held for "
        f"{HOLDS_AFTER_S:.0f} s or an operator confirms it (`sep2 clock confirm`)"
    )


def _of_start(by_s: int) -> str:
    days = abs(by_s) / 86_400
    return (
        f"the machine's clock is {days:.1f} days {'before' if by_s < 0 else 'after'} the time that this server told "
        "last; nothing old is deleted until an operator confirms it (`sep2 clock confirm`) or it is set right"
    )
