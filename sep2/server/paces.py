"""Paces: a client that asks more often than it may is held, then refused, and the operators are told of it."""

import asyncio
from collections.abc import Callable

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.alarms import TOO_MANY_REQUESTS, clear_alarm, raise_alarm
from sep2.rules import pace
from sep2.settings import Pace
from sep2.store import alarms
from sep2.store.database import Database

QUIET_S = 600
"""A client that kept within its pace for so long is no longer an alarm."""
TOLD_AGAIN_S = 60
"""How often an alarm is written anew while its client goes on; an operator may have cleared it meanwhile."""
REMEMBERED = 10_000


class TooManyRequests(SepError):
    """The client asks more often than this utility lets it."""

    status = 429
    reason = 4

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"again in {wait_s} s")
        self.wait_s = wait_s


class _Hurried:
    """A client that asked too often: when it last did, and when its alarm was last written."""

    def __init__(self, last: float, per_minute: int) -> None:
        self.last = last
        self.per_minute = per_minute
        self.told: float | None = None


class Paces:
    """How often each client has asked of this process.

    Times are the event loop's, which is monotonic: a wall clock that jumps or is moved by hand books nothing.
    """

    def __init__(self, most: Pace, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._aggregators: set[str] = set()
        self._booked: dict[str, float] = {}
        self._hurried: dict[str, _Hurried] = {}
        self._seeded = False

    def know(self, lfdi: str, kind: str) -> None:
        """Hold the client to what clients of its kind may; who has not been looked up yet is held to a device's."""
        if kind == "aggregator":
            self._aggregators.add(lfdi)
        else:
            self._aggregators.discard(lfdi)

    async def keep(self, lfdi: str) -> None:
        """Return when the client's request may be answered; TooManyRequests where it would be held for too long."""
        per_minute = self._most.aggregator if lfdi in self._aggregators else self._most.device
        if per_minute == 0:
            return
        now = _time()
        admitted = pace.admit(self._booked.get(lfdi, 0.0), now, per_minute)
        if lfdi not in self._booked and len(self._booked) >= REMEMBERED:
            self._booked = {name: booked for name, booked in self._booked.items() if booked > now}
        self._booked[lfdi] = admitted.booked
        if admitted.delay_s == 0.0 and admitted.refused_s == 0:
            return
        hurried = self._hurried.setdefault(lfdi, _Hurried(now, per_minute))
        hurried.last, hurried.per_minute = now, per_minute
        if admitted.refused_s:
            raise TooManyRequests(admitted.refused_s)
        await asyncio.sleep(admitted.delay_s)

    async def tell(self, db: Database, now: Callable[[], float] | None = None) -> None:
        """Raise alarms for those who ask too often, and clear those of clients that have slowed; called every few s."""
        at = (now or _time)()
        if not self._seeded:
            await self._seed(db, at)
        slowed = [lfdi for lfdi, one in self._hurried.items() if at - one.last >= QUIET_S]
        new = [
            lfdi
            for lfdi, one in self._hurried.items()
            if one.told is None or (one.last > one.told and at - one.told >= TOLD_AGAIN_S)
        ]
        if not slowed and not new:
            return
        async with db.write() as writing:
            for lfdi in new:
                detail = f"more than {self._hurried[lfdi].per_minute} a minute"
                await raise_alarm(writing, TOO_MANY_REQUESTS, lfdi, detail, now=self._clock.now())
            for lfdi in slowed:
                await clear_alarm(writing, TOO_MANY_REQUESTS, lfdi, self._clock.now())
        for lfdi in new:
            self._hurried[lfdi].told = at
        for lfdi in slowed:
            if at - self._hurried[lfdi].last >= QUIET_S:
                del self._hurried[lfdi]

    async def _seed(self, db: Database, at: float) -> None:
        """Take over the alarms that stood when this process began, to be cleared by the process that leads."""
        if await db.leads():
            async with db.read() as reading:
                standing = await alarms.standing(reading)
            for row in standing:
                if row.code == TOO_MANY_REQUESTS and row.subject not in self._hurried:
                    self._hurried[row.subject] = hurried = _Hurried(at, 0)
                    hurried.told = at
        self._seeded = True


def _time() -> float:
    return asyncio.get_running_loop().time()
