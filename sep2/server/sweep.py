"""The sweep: controls begin, give way and end by the clock, and their subscribers are told of it."""

import logging

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.store import controls, marks, outbox
from sep2.store.database import Database

log = logging.getLogger("sep2.sweep")

_MARK = "swept"
LONGEST_SLEEP_S = 1


class Sweep:
    """Writes into the outbox what time alone changes; how far it came is stored, so a restart leaves nothing out."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self.reached = 0
        """The time up to which everything is recorded."""

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.once()
            except SepError as problem:
                log.warning("the sweep waits: %s", problem)
            await self._clock.sleep_until(self._clock.now() + LONGEST_SLEEP_S)

    async def once(self) -> None:
        """Record all that turned since the last time, in one transaction."""
        now = self._clock.now()
        async with self._db.read() as db:
            mark = await marks.value(db, _MARK)
            turned = await controls.turning(db, int(mark), now) if mark is not None else []
        if turned or mark is None:
            async with self._db.write() as db:
                for group_id in turned:
                    await outbox.changed(db, "DERControlList", derp=group_id)
                await marks.put(db, _MARK, str(now))
        self.reached = now
