"""Notices of overrides of aggregations as time passes: sent, repeated and ended; people reminded, files written."""

import logging
from pathlib import Path

from sep2.clock import Clock
from sep2.operations.market import override_files, override_notices
from sep2.operations.market.override_notices import AT_ONCE
from sep2.server.leading import have_stand, look_every
from sep2.settings import Settings
from sep2.store.database import Database
from sep2.store.market import overrides as stored

log = logging.getLogger("sep2.market")

EVERY_S = 2


class LadderWatch:
    """Looks after notices, on one of several servers."""

    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._outbox = settings.market.outbox

    async def run(self) -> None:
        """Work until cancelled."""
        await look_every(EVERY_S, self.once, self._db, log, later="notices of overrides are looked after later")

    async def once(self) -> None:
        """Look now; of what is due at most so many, the rest the next time."""
        now = self._clock.now()
        async with self._db.read() as db:
            due = await stored.due(db, now, AT_ONCE)
            over = await stored.over_untold(db, now, AT_ONCE)
        for one in due:
            async with self._db.write() as db:
                await override_notices.step(db, one.id, now)
        for row in over:
            async with self._db.write() as db:
                await override_notices.tell_over(db, row, "", now)
        if self._outbox is not None:
            await self._copy(self._outbox)
        await self._alarms(now)

    async def _copy(self, folder: Path) -> None:
        """Write the files that the system operator's folder lacks; one that fails is tried again at the next look."""
        async with self._db.read() as db:
            rows = await stored.uncopied(db, AT_ONCE)
            files = [(row, await override_files.file_of(db, row)) for row in rows]
        for row, file in files:
            try:
                override_files.write(folder, file)
            except OSError as problem:
                log.warning("the copy %s can not be written: %s", file.name, problem)
                return
            async with self._db.write() as db:
                await stored.change(db, row.id, copied=file.sequence)

    async def _alarms(self, now: int) -> None:
        async with self._db.read() as db:
            wanted = await override_notices.alarms(db, now)
        await have_stand(self._db, wanted, now)
