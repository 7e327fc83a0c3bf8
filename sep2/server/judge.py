"""The judge: every interval is judged once its readings are due, and again when readings of it come in late.

Of several servers on one database one judges.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.judging import AT_ONCE, MARGIN_S, Policy, Window, judge_devices, judge_everybody, policy_of
from sep2.operations.judging_again import AGAIN_S, JUDGED, judged_until
from sep2.rules.obedience import GRID_S, LATE_S
from sep2.server.broken_limits import BrokenLimits
from sep2.server.unfollowed_modes import UnfollowedModes
from sep2.settings import Utility
from sep2.store import judged, marks
from sep2.store.database import Database

log = logging.getLogger("sep2.judge")

LONGEST_S = 3 * 3600
"""What was missed, such as while no server ran, is judged in parts."""
CONTEXT_S = LATE_S + GRID_S
"""A limit that was kept late is known as such only so much later, so the last intervals are judged once more."""


class Judge:
    """Judges what is settled; how far it came is stored, so a restart leaves nothing out."""

    def __init__(self, db: Database, clock: Clock, utility: Utility, poll_rate_s: Callable[[], int]) -> None:
        """poll_rate_s: seconds between two polls of programs, as clients are told now."""
        self._db = db
        self._clock = clock
        self._utility = utility
        self._poll_rate_s = poll_rate_s
        self._broken = BrokenLimits(db, policy_of(utility, poll_rate_s()).local)
        self._unfollowed = UnfollowedModes(db)
        self._at_work = asyncio.Lock()

    @property
    def settles_after_s(self) -> int:
        """How long after its end an interval is judged."""
        return self._utility.post_rate + MARGIN_S

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            # A clock that is moved while it looks is looked at again at once.
            now = self._clock.now()
            try:
                if await self._db.leads() and self._clock.is_trusted():
                    await self.once()
            except SepError as problem:
                log.warning("limits are judged later: %s", problem)
            await self._clock.sleep_until(min(now + MARGIN_S, self._next(now)))

    def _next(self, now: int) -> int:
        """When the next interval is settled."""
        return (now - self.settles_after_s) // GRID_S * GRID_S + GRID_S + self.settles_after_s

    async def once(self) -> None:
        """Judge all that is settled and was not judged yet, and again what came in late."""
        async with self._at_work:
            await self._once(self._clock.now())

    async def _once(self, now: int) -> None:
        settled = (now - self.settles_after_s) // GRID_S * GRID_S
        async with self._db.read() as db:
            mark = await judged_until(db)
        if mark is None or mark > settled + GRID_S:  # the first time, or the clock was set back
            await self._keep(settled)
            mark = settled
        mark = max(mark, settled - AGAIN_S)
        while mark < settled:
            until = min(settled, mark + LONGEST_S)
            await judge_everybody(
                self._db, Window(mark - CONTEXT_S, until), policy_of(self._utility, self._poll_rate_s())
            )
            await self._keep(until)
            mark = until
        await self._again(mark)
        await self._broken.look(mark, now)
        await self._unfollowed.look(mark, now, self._policy)

    async def _again(self, mark: int) -> None:
        """Judge again what readings came in about since: together the devices of which the same time is noted."""
        policy, after = self._policy, 0
        while True:
            async with self._db.read() as db:
                several = await judged.late(db, after, AT_ONCE)
            if not several:
                return
            noted: dict[Window, list[int]] = defaultdict(list)
            for row in several:
                since = max(row.since, mark - AGAIN_S) // GRID_S * GRID_S - CONTEXT_S
                until = min(mark, -(-row.until // GRID_S) * GRID_S + CONTEXT_S)
                noted[Window(since, until)].append(row.end_device_id)
            for (since, until), ids in noted.items():
                async with self._db.read() as db:
                    devices = await judged.beside(db, ids)
                for start in range(since, until, LONGEST_S):
                    await judge_devices(self._db, devices, Window(start, min(until, start + LONGEST_S)), policy)
                    await asyncio.sleep(0)
            async with self._db.write() as db:
                await judged.done_late(db, several)
            after = several[-1].end_device_id

    @property
    def _policy(self) -> Policy:
        return policy_of(self._utility, self._poll_rate_s())

    async def _keep(self, mark: int) -> None:
        async with self._db.write() as db:
            await marks.put(db, JUDGED, str(mark))
