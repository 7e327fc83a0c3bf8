"""Outages of the database: one line of the log in a minute, and an alarm as soon as one can be written again."""

import asyncio
import logging
import time
from collections.abc import Callable

from sep2.clock import Clock
from sep2.operations.alarms import DATABASE, DISK_LOW, clear_alarm, raise_alarm
from sep2.rules.alarm_kinds import ACT_NOW
from sep2.store.connection import Busy, Full, Outage
from sep2.store.database import Database

log = logging.getLogger("sep2.outages")

SAID_AGAIN_S = 60
SOUND_S = 120
"""An outage is over when nothing has failed for so long."""
SUBJECT = "database"


class OncePerMinute(logging.Filter):
    """Lets one record of each kind of outage through in a minute, wherever it is logged.

    While the database is away every request and all the background work meets the same outage; who reads the log needs
    one line of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[type[Outage], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        said = record.args if isinstance(record.args, tuple) else ()
        outage = next((value for value in said if isinstance(value, Outage)), None)
        if outage is None:
            return True
        now, last = time.monotonic(), self._said.get(type(outage))
        if last is not None and now - last < SAID_AGAIN_S:
            return False
        self._said[type(outage)] = now
        return True


class Outages:
    """What the database could not do, told to the operators once it takes an alarm again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, int] = {}
        """Alarms that are due or stand, by their code: since when."""
        self._latest: dict[str, tuple[float, Outage]] = {}
        self._told: set[str] = set()
        quiet = OncePerMinute()
        # Each kind of background work has a logger of its own, and a filter holds for its own logger only.
        for name in ["sep2", *(name for name in logging.root.manager.loggerDict if name.startswith("sep2."))]:
            logger = logging.getLogger(name)
            for before in [one for one in logger.filters if isinstance(one, OncePerMinute)]:
                logger.removeFilter(before)
            logger.addFilter(quiet)

    def note(self, outage: Outage) -> None:
        """Something was refused because of an outage; that somebody else writes is none that asks for a person."""
        if isinstance(outage, Busy):
            return
        code = DISK_LOW if isinstance(outage, Full) else DATABASE
        self._since.setdefault(code, self._clock.now())
        self._latest[code] = (_time(), outage)

    def faults(self) -> list[str]:
        """What the database could not do lately; empty: nothing."""
        return [str(outage) for _, outage in self._latest.values()]

    async def tell(self, db: Database, now: Callable[[], float] | None = None) -> None:
        """Raise the alarms that are due, and clear those whose cause is gone; called every few seconds."""
        at = (now or _time)()
        for code, since in list(self._since.items()):
            last, outage = self._latest[code]
            is_over = at - last >= SOUND_S
            if code in self._told and not is_over:
                continue
            async with db.write() as writing:
                if is_over:
                    await clear_alarm(writing, code, SUBJECT, self._clock.now())
                else:
                    await raise_alarm(writing, code, SUBJECT, str(outage), now=since, priority=ACT_NOW)
            self._told.add(code)
            if is_over:
                log.warning("the database works again: nothing has failed for %d s", SOUND_S)
                self._told.discard(code)
                del self._since[code], self._latest[code]


def _time() -> float:
    return asyncio.get_running_loop().time()
