"""The sweep: controls begin, give way and end by the clock, and their subscribers are told of it.

Of several servers on one database one sweeps.
"""

import logging

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.forgetting import forget_told
from sep2.operations.identities import end_overlaps
from sep2.settings import Utility
from sep2.store import clock_changes, dependants, identities, marks, outbox
from sep2.store.clock_changes import Span
from sep2.store.database import Database
from sep2.store.outbox import BY_CLOCK
from sep2.store.retention import forget

log = logging.getLogger("sep2.sweep")

_MARK = "swept"
LONGEST_SLEEP_S = 1
CLEANED_EVERY_S = 6 * 3600
HELD_S = 3600
"""Nothing is deleted before the clock has gone on evenly for so long: a wrong time makes everything old."""


class Sweep:
    """Writes into the outbox what time alone changes; how far it came is stored, so a restart leaves nothing out."""

    def __init__(self, db: Database, clock: Clock, utility: Utility) -> None:
        self._db = db
        self._clock = clock
        self._retention = utility.retention
        self._listed_after_end_s = utility.listed_after_end_s
        self._cleaned = 0
        self.reached = 0
        """The time up to which everything is recorded."""

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            begun, steps = self._clock.now(), self._clock.steps
            try:
                if await self._db.leads():
                    await self.once()
                    await self._forget_removed()
                    await self._clean()
                else:
                    self.reached = self._clock.now()
            except SepError as problem:
                log.warning("the sweep waits: %s", problem)
            # It returns at once where the clock is or was set back: what is yet to change is told again. What changed
            # while this round still worked is looked at without a pause.
            await self._clock.sleep_until(begun + LONGEST_SLEEP_S, steps=steps)

    async def once(self) -> None:
        """Record all that changed by the clock since the last time, in one transaction."""
        now = self._clock.now()
        async with self._db.read() as db:
            mark = await marks.value(db, _MARK)
            last = now if mark is None else int(mark)
            # After a clock was set back, what had changed already is yet to change.
            span = Span(min(last, now), max(last, now), self._listed_after_end_s)
            has_changed = await clock_changes.anything(db, span)
        if has_changed or mark is None or last > now:
            async with self._db.write() as db:
                if has_changed:
                    await outbox.changed(db, BY_CLOCK, **span._asdict())
                await marks.put(db, _MARK, str(now))
        self.reached = now

    async def _forget_removed(self) -> None:
        """Forget clients that operators removed, once their subscribers have been told; end overlaps that are over."""
        now = self._clock.now()
        async with self._db.read() as db:
            due = await dependants.removed_and_told(db) or await identities.ended(db, now)
        if due:
            async with self._db.write() as db:
                await forget_told(db)
                await end_overlaps(db, now)

    async def _clean(self) -> None:
        """Forget, every few hours, what is older than the utility keeps; not while the time may be wrong."""
        now = self._clock.now()
        if 0 <= now - self._cleaned < CLEANED_EVERY_S or self._clock.held_s() < HELD_S:
            return
        kept = self._retention
        async with self._db.write() as db:
            more = await forget(
                db,
                responses=now - kept.responses_s,
                controls=now - kept.controls_s,
                readings=now - kept.readings_s,
                log_events=now - kept.log_events_s,
                documents=now - kept.documents_s,
                judged_intervals=now - kept.judged_s,
                judged_days=now - kept.judged_days_s,
            )
        # What is left of a large heap goes in the next rounds.
        self._cleaned = self._cleaned if more else now
