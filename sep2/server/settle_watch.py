"""Days of aggregations are settled by themselves, as the market's profile says, long before readings are forgotten."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.clock import Clock
from sep2.operations.judging import policy_of
from sep2.operations.market import ignored_limits, kept_bands
from sep2.operations.market.aggregations import TAKES_PART
from sep2.operations.market.settling import Rules, SettledMeanwhile, calculated, keep, question
from sep2.rules.events import shows_at_once
from sep2.rules.market.clocks import day_bounds
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.profiles import read_profile
from sep2.server.leading import have_stand, look_every
from sep2.settings import Settings
from sep2.store.connection import Connection
from sep2.store.database import Database
from sep2.store.market import intervals, register
from sep2.store.market.facts import AsOf, Written

log = logging.getLogger("sep2.settlement")

EVERY_S = 60
DAY_S = 86_400
AT_ONCE = 8
"""Days of aggregations that are settled in one look."""
WHO = "settlement"


class Due(NamedTuple):
    """A day of an aggregation that is to be settled now."""

    row: Row[Any]
    span: tuple[int, int]
    profile: MarketProfile


class SettleWatch:
    """Settles what is due, on one of several servers."""

    def __init__(self, db: Database, clock: Clock, settings: Settings, poll_rate_s: Callable[[], int]) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._poll_rate_s = poll_rate_s

    async def run(self) -> None:
        """Work until cancelled."""
        await look_every(EVERY_S, self.once, self._db, log, later="days are settled later")

    async def once(self) -> None:
        """Look now."""
        now = self._clock.now()
        async with self._db.read() as db:
            rows = [row for row in await register.every_aggregation(db, AsOf(now)) if row.status in TAKES_PART]
            own = self._settings.market.profiles
            read = {name: read_profile(name, own) for name in {row.profile for row in rows}}
            profiles = {row.name: read[row.profile] for row in rows}
            due = await self._due(db, rows, profiles, now)
        utility = self._settings.utility
        for one in due:
            rules = Rules(one.profile, policy_of(utility, self._poll_rate_s()), shows_at_once(utility.profile))
            # Nobody waits for the calculation: what it came to is kept in a transaction of its own.
            async with self._db.read() as db:
                asked = await question(db, one.row, one.span, rules, declared=[])
            found = await calculated(asked)
            with suppress(SettledMeanwhile):
                async with self._db.write() as db:
                    await keep(db, found, Written(WHO, now, now))
        await self._tell(profiles, now)

    async def _tell(self, profiles: Mapping[str, MarketProfile], now: int) -> None:
        """Set the alarms about bands that were left by far and limits that are ignored; profiles: by aggregation."""
        async with self._db.read() as db:
            wanted = {
                kept_bands.BAND_BROKEN: await kept_bands.alarms(db, profiles, now),
                ignored_limits.LIMITS_IGNORED: await ignored_limits.alarms(db, now),
            }
        await have_stand(self._db, wanted, now)

    async def _due(
        self, db: Connection, rows: Sequence[Row[Any]], profiles: Mapping[str, MarketProfile], now: int
    ) -> list[Due]:
        found: list[Due] = []
        for row in rows:
            if len(found) >= AT_ONCE:
                break
            profile = profiles[row.name]
            since = now - (max(profile.metering.resettle_days, default=1) + 3) * DAY_S
            runs = await intervals.runs(db, row.id, since)
            found += [Due(row, span, profile) for span in due_days(profile, max(since, row.created), now, runs)]
        return found[:AT_ONCE]


def due_days(profile: MarketProfile, since: int, now: int, runs: Sequence[Row[Any]]) -> Iterator[tuple[int, int]]:
    """The local days from a time on that should have been settled, or settled again, and were not yet."""
    last: dict[tuple[int, int], int] = {}
    for run in runs:
        last[run.start, run.end] = max(run.recorded_at, last.get((run.start, run.end), 0))
    day = datetime.fromtimestamp(since, profile.zone).date()
    after = [profile.metering.settle_after_s, *(days * DAY_S for days in profile.metering.resettle_days)]
    while (span := day_bounds(day, profile.zone))[1] <= now:
        times = [span[1] + one for one in after if span[1] + one <= now]
        if times and last.get(span, 0) < max(times):
            yield span
        day += timedelta(days=1)
