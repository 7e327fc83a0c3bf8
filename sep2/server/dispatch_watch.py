"""Dispatches that are not over are compared with limits again as these change, and whom it concerns is told."""

import logging

from sep2.clock import Clock
from sep2.operations.alarms import differs, set_alarms
from sep2.operations.market import dispatches
from sep2.operations.market.dispatches import House
from sep2.server.leading import look_every
from sep2.settings import Settings
from sep2.store.database import Database
from sep2.store.market import dispatches as stored

log = logging.getLogger("sep2.dispatch")

EVERY_S = 30


class DispatchWatch:
    """Looks after dispatches, on one of several servers."""

    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._house = House(settings.market.profiles, settings.utility.profile != "csip")

    async def run(self) -> None:
        """Work until cancelled."""
        await look_every(EVERY_S, self.once, self._db, log, later="dispatches are looked after later")

    async def once(self) -> None:
        """Look now."""
        now = self._clock.now()
        async with self._db.read() as db:
            numbers = [row.id for row in await stored.every(db, stored.Which(start=now))]
        for number in numbers:
            async with self._db.write() as db:
                await dispatches.recheck(db, [number], self._house, now)
        async with self._db.read() as db:
            wanted = await dispatches.alarms(db, now)
            changed = [code for code, these in wanted.items() if await differs(db, code, these)]
        if changed:
            async with self._db.write() as db:
                for code in changed:
                    await set_alarms(db, code, wanted[code], now)
