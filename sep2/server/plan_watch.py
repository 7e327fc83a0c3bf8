"""Whether plans go on and rounds end in time: looked at by the server, as an engine that stands still can not."""

import time
from collections.abc import Callable

from sep2.clock import Clock
from sep2.operations.plans import look_at_plans, planned_until, rounds
from sep2.store.connection import Connection
from sep2.store.database import Database

SEEN_S = 60
"""A cause counts once it was seen for so long by the machine's time: a clock that is moved jumps ahead of work."""


class PlanWatch:
    """Tells of plans that end and of rounds that are late."""

    def __init__(self, clock: Clock, machine_s: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._machine_s = clock, machine_s
        self._seen: tuple[object, float] | None = None

    async def tell(self, db: Database) -> None:
        """Raise the alarms that are due, and clear those whose cause is gone; called every few seconds."""
        if not await db.leads():
            return
        now = self._clock.now()
        async with db.read() as reading:
            known = await self._known(reading)
        if not known:
            return
        if self._seen is None or self._seen[0] != known:
            self._seen = known, self._machine_s()
        if self._machine_s() - self._seen[1] >= SEEN_S:
            async with db.write() as writing:
                await look_at_plans(writing, now)
            self._seen = known, self._machine_s()

    async def _known(self, db: Connection) -> object:
        """What the latest rounds have left: it stays the same while no round ends."""
        return {**await planned_until(db), **await rounds(db)}
