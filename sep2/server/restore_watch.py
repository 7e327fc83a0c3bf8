"""Whether the database is another than this server has seen: then a copy was put back, or a standby was promoted."""

import asyncio
import logging
import os
from pathlib import Path
from typing import NamedTuple

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations import restored as operations
from sep2.operations.creation import told_lately
from sep2.store import restored
from sep2.store.database import Database

log = logging.getLogger("sep2.restore")

FILE = "database.age"
"""In the server's folder: what this server has seen of the database last, a `Seen`."""
COUNTED_EVERY_S = 10.0


class Seen(NamedTuple):
    """How far a database has come."""

    counted: int
    """It rises while a server runs; a copy has a smaller one."""
    timeline: int
    """Its history: what PostgreSQL counts up where a backup is brought up, or a standby is promoted."""

    def lacks(self, before: "Seen | None") -> bool:
        """Whether this may lack something of what was seen before."""
        return before is not None and (self.counted < before.counted or self.timeline != before.timeline)


class RestoreWatch:
    """Counts how far the database has come, and compares."""

    def __init__(self, db: Database, clock: Clock, folder: Path | None) -> None:
        """folder: the server's; None where it has none, and notices nothing."""
        self._db = db
        self._clock = clock
        self._file = None if folder is None else folder / FILE

    async def reaches(self) -> int | None:
        """The last time that the database has noted, epoch seconds: a server that runs notes its own all along."""
        async with self._db.read() as db:
            return await told_lately(db)

    async def look(self, reaches: int | None) -> None:
        """Hold back what is said of controls where the database may lack something; note what it is now.

        reaches: up to when it reached before this server wrote into it.
        """
        if self._file is None:
            return
        before, (now, known) = _noted(self._file), await self._found()
        if before is not None and now.timeline == known:  # another server has noticed that, and it was looked at
            before = before._replace(timeline=known)
        if now.lacks(before):
            now = await self._hold(now, before or now, reaches)
        elif await self._db.leads():
            async with self._db.write() as db:
                now = now._replace(counted=await restored.grow_older(db))
        if now != before:
            await asyncio.to_thread(_note, self._file, now)

    async def run(self) -> None:
        """Look until cancelled."""
        while self._file is not None:
            await asyncio.sleep(COUNTED_EVERY_S)
            try:
                await self.look(await self.reaches())
            except SepError as problem:
                log.warning("how far the database has come is looked at later: %s", problem)

    async def _found(self) -> tuple[Seen, int | None]:
        """What the database is, and the timeline for which something was held back last."""
        async with self._db.read() as db:
            copy = await operations.state(db)
            return Seen(await restored.age(db), await db.timeline()), None if copy is None else copy.timeline

    async def _hold(self, now: Seen, before: Seen, reaches: int | None) -> Seen:
        """Hold back; what the database is from now on, which no server takes for an older one."""
        count = max(now.counted, before.counted) + 1
        async with self._db.write() as db:
            await restored.set_age(db, count)
            await operations.begin(db, self._clock.now(), reaches)
        log.error(
            "the database may lack what was stored last (seen before: count %d, timeline %d; now: %d, %d): clients are "
            "told nothing of controls until `sep2 restore finish`",
            *before,
            *now,
        )
        return now._replace(counted=count)


def _noted(file: Path) -> Seen | None:
    try:
        return Seen(*map(int, file.read_text("ascii").split()))
    except (OSError, ValueError, TypeError):
        return None


def _note(file: Path, seen: Seen) -> None:
    """Write it; workers of one folder may do so at the same time, each in one step."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(f"{seen.counted} {seen.timeline}\n", encoding="ascii")
    fresh.replace(file)
