"""What is measured, for the utility's own systems: every five minutes the latest power of those who posted since."""

from sep2.clock import Clock
from sep2.operations import state_out
from sep2.rules.cursor import Keyset, decode
from sep2.rules.webhooks import Topic
from sep2.store import marks, webhooks
from sep2.store import state_out as stored
from sep2.store.database import Database

EVERY_S = 300
AT_ONCE = 500
"""Connections in one message."""
MARK = "measured_out"
"""When it was told last; what had come in by then was told then."""
SETTLES_S = 10
"""What came in this short a time ago waits for the next message: a write may be under way still."""


class MeasuredOut:
    """Puts what was measured into the queues of those who want to know."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._told: int | None = None

    async def once(self) -> None:
        """Tell, if it is time to and somebody listens."""
        now = self._clock.now()
        if self._told is not None and 0 <= now - self._told < EVERY_S:
            return
        async with self._db.read() as db:
            last = int(await marks.value(db, MARK) or 0)
            hears = await webhooks.any_hears(db, Topic.MEASURED)
        if not hears or 0 <= now - last < EVERY_S:
            self._told = now if not hears else last
            return
        await self._tell(last, now)
        self._told = now

    async def _tell(self, last: int, now: int) -> None:
        page = Keyset(AT_ONCE)
        while True:
            async with self._db.read() as db:
                found = await stored.connections(db, page)
                power = await state_out.power_at(db, [row.id for row in found.rows])
            latest = [(row.connection_id, power[row.id]) for row in found.rows if row.id in power]
            said = [
                {"connection_id": name, "site_w": one.watts, "at": one.end}
                for name, one in latest
                if last <= one.received + SETTLES_S < now
            ]
            async with self._db.write() as db:
                if said:
                    subject = f"{said[0]['connection_id']} to {said[-1]['connection_id']}"
                    message = webhooks.Message(Topic.MEASURED, "measured", subject, {"connections": said})
                    await webhooks.tell(db, [message], now)
                if found.next is None:
                    await marks.put(db, MARK, str(now))
                    return
            page = Keyset(AT_ONCE, decode(found.next))
