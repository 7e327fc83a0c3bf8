"""Notes the first use of certificates that are to take the place of others."""

import asyncio
import logging

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations import identities
from sep2.store.database import Database

log = logging.getLogger("sep2.certificates")

MOST_REMEMBERED = 10_000
AGAIN_S = 5.0


class Replacements:
    """Hears of requests with a certificate beside the current one of its client; the first of each makes it current."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._heard: set[str] = set()
        self._new: set[str] = set()
        self._news = asyncio.Event()

    def heard_of(self, lfdi: str) -> None:
        """A request came with this certificate, which is not the one that its client is known by."""
        if lfdi in self._heard:
            return
        if len(self._heard) >= MOST_REMEMBERED:
            self._heard.clear()
        self._heard.add(lfdi)
        self._new.add(lfdi)
        self._news.set()

    def forget(self, lfdi: str) -> None:
        """The certificate is the current one: should it be expected once more, that is news again."""
        self._heard.discard(lfdi)

    async def run(self) -> None:
        """Write down what was heard of, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            several, self._new = self._new, set()
            try:
                await self._write(several)
            except SepError as problem:
                log.warning("the first use of a certificate is noted later: %s", problem)
                self._new |= several
                await asyncio.sleep(AGAIN_S)
                self._news.set()

    async def _write(self, several: set[str]) -> None:
        async with self._db.write() as db:
            for lfdi in sorted(several):
                if await identities.used(db, lfdi, self._clock.now()):
                    self.forget(lfdi)
