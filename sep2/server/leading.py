"""Work that one of several servers on one database does at a steady pace."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from sep2.errors import SepError
from sep2.operations.alarms import Wanted, differs, set_alarms
from sep2.store.database import Database


async def look_every(
    seconds: float, look: Callable[[], Awaitable[object]], db: Database, log: logging.Logger, *, later: str
) -> None:
    """Look at this pace until cancelled, where this server leads.

    What can not be done now is done next time, with a line in the log that begins with `later`.
    """
    while True:
        try:
            if await db.leads():
                await look()
        except SepError as problem:
            log.warning("%s: %s", later, problem)
        await asyncio.sleep(seconds)


async def have_stand(database: Database, every: Mapping[str, Mapping[str, Wanted]], now: int) -> None:
    """Have exactly these alarms of some codes stand, by code and subject; nothing is written where they do."""
    async with database.read() as db:
        others = [code for code, wanted in every.items() if await differs(db, code, wanted)]
    if others:
        async with database.write() as db:
            for code in others:
                await set_alarms(db, code, every[code], now)
