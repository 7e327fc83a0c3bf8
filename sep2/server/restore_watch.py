"""Whether the database is older than what this server has seen of it: then a copy was put back."""

import asyncio
import contextlib
import logging
from pathlib import Path

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations import restored as operations
from sep2.store import restored
from sep2.store.database import Database

log = logging.getLogger("sep2.restore")

FILE = "database.age"
"""In the server's folder: how far the database had come when this server looked last."""
COUNTED_EVERY_S = 10.0


class RestoreWatch:
    """Counts how far the database has come, and compares at the start."""

    def __init__(self, db: Database, clock: Clock, folder: Path | None) -> None:
        """folder: the server's; None where it has none, and notices nothing."""
        self._db = db
        self._clock = clock
        self._file = None if folder is None else folder / FILE

    async def begin(self) -> None:
        """Hold back what is said of controls where the database has come less far than it had."""
        if self._file is None:
            return
        async with self._db.read() as reading:
            now_at = await restored.age(reading)
        seen = self._seen()
        if now_at >= seen:
            return
        async with self._db.write() as db:
            await restored.set_age(db, seen + 1)
            begun = await operations.begin(db, self._clock.now())
        log.error(
            "the database is a copy that was put back (it lacks %d counts of %.0f s): clients are told nothing of "
            "controls until `sep2 restore finish`",
            seen - now_at,
            COUNTED_EVERY_S,
        )
        log.debug("noticed at %d", begun.since)

    async def run(self) -> None:
        """Count until cancelled."""
        while self._file is not None:
            with contextlib.suppress(SepError):
                await self._count(self._file)
            await asyncio.sleep(COUNTED_EVERY_S)

    async def _count(self, file: Path) -> None:
        if await self._db.leads():
            async with self._db.write() as writing:
                count = await restored.grow_older(writing)
        else:
            async with self._db.read() as reading:
                count = await restored.age(reading)
        fresh = file.with_suffix(".new")
        await asyncio.to_thread(_replace, file, fresh, count)

    def _seen(self) -> int:
        try:
            return int(self._file.read_text("ascii")) if self._file is not None else 0
        except (OSError, ValueError):
            return 0


def _replace(file: Path, fresh: Path, count: int) -> None:
    fresh.write_text(f"{count}\n", encoding="ascii")
    fresh.replace(file)
