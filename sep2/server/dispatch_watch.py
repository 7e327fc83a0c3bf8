"""Dispatches that are not over are compared with limits again as these change, and whom it concerns is told."""

import logging

from sep2.clock import Clock
from sep2.operations.market import dispatches
from sep2.operations.market.dispatches import House
from sep2.rules.events import shows_at_once
from sep2.server.leading import have_stand, look_every
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
        self._house = House(settings.market.profiles, shows_at_once(settings.utility.profile))

    async def run(self) -> None:
        """Work until cancelled."""
        await look_every(EVERY_S, self.once, self._db, log, later="dispatches are looked after later")

    async def once(self) -> None:
        """Look now."""
        now = self._clock.now()
        async with self._db.read() as db:
            rows = await stored.every(db, stored.Which(start=now))
        for row in rows:
            async with self._db.read() as db:
                is_old = await dispatches.is_old(db, row, self._house)
            if is_old:
                async with self._db.write() as db:
                    await dispatches.recheck(db, [row.id], self._house, now)
        async with self._db.read() as db:
            wanted = await dispatches.alarms(db, now)
        await have_stand(self._db, wanted, now)
