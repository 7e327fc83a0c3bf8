"""Plans are compared with what members can do: as they come, and again whenever published limits or members change."""

import asyncio
import contextlib
import logging
import time
from typing import Any

from sqlalchemy import Row

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.market import verdicts
from sep2.operations.market.verdicts import VERDICT_LATE, Found, Question
from sep2.rules.market.profiles import read_profile
from sep2.server.leading import have_stand
from sep2.settings import Settings
from sep2.store.database import Database
from sep2.store.market import plans as stored

log = logging.getLogger("sep2.plans")

EVERY_S = 5


class PlanVerdicts:
    """Finds verdicts, on one of several servers."""

    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._asked = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled, where this server leads."""
        while True:
            self._asked.clear()
            try:
                if await self._db.leads():
                    await self.once()
            except SepError as problem:
                log.warning("verdicts on plans are found later: %s", problem)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), EVERY_S)

    async def wake(self) -> None:
        """Have it look now: a plan has come."""
        self._asked.set()

    async def once(self) -> None:
        """Look at every plan that is not over; those without a verdict first."""
        now = self._clock.now()
        async with self._db.read() as db:
            rows = await stored.every(db, stored.Which(start=now))
        try:
            for row in sorted(rows, key=lambda one: one.verdict_id is not None):
                if await self._is_due(row, now):
                    await self._find(row, now)
        finally:
            await self._tell(now)

    async def _is_due(self, row: Row[Any], now: int) -> bool:
        if row.verdict_id is None:
            return True
        if row.is_late:
            return False
        async with self._db.read() as db:
            known = await verdicts.look(db, row, now, with_limits=False)
        return verdicts.stamp(known) != str(row.verdict_inputs_sha256)

    async def _find(self, row: Row[Any], now: int) -> None:
        async with self._db.read() as db:
            asked = await verdicts.question(db, row, now)
        found = await asyncio.to_thread(_answer, asked)
        try:
            profile = read_profile(row.profile, self._settings.market.profiles)
        except SepError as wrong:
            log.warning("the profile of plan %s can not be read: %s", row.market_plan_id, wrong)
            profile = read_profile("custom")
        async with self._db.write() as db:
            await verdicts.record(db, row, found, profile, now=now)

    async def _tell(self, now: int) -> None:
        async with self._db.read() as db:
            wanted = await verdicts.alarms(db, now)
        await have_stand(self._db, {VERDICT_LATE: wanted}, now)


def _answer(asked: Question) -> Found:
    began = time.perf_counter()
    try:
        found = verdicts.answer(asked)
    except Exception as wrong:  # one plan that can not be checked must not keep others from their verdicts
        log.exception("plan %s version %s could not be checked", asked.version.market_plan_id, asked.version.version)
        found = verdicts.failed(asked, wrong)
    return found._replace(took_ms=round(1000 * (time.perf_counter() - began)))
