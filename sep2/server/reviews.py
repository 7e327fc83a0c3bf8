"""Reviews of the market as time passes: the engine is asked about the network, people are reminded, groups follow."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from sep2.clock import Clock
from sep2.extension import Extension, ExtensionError, load, resolve
from sep2.operations.alarms import Wanted, differs, set_alarms
from sep2.operations.market import grouping, reviews, screening
from sep2.rules.market.clocks import ClockState
from sep2.rules.market.profiles import read_profile
from sep2.rules.market.reviewing import OPEN, State
from sep2.rules.market.screens import ReviewAsked, ScreenResult, no_engine
from sep2.server.leading import look_every
from sep2.settings import Settings
from sep2.store.connection import Connection
from sep2.store.database import Database
from sep2.store.market import reviews as stored

log = logging.getLogger("sep2.reviews")

EVERY_S = 10
REVIEW_ENDING, REVIEW_OVERDUE = "review_ending", "review_overdue"


class ReviewWatch:
    """Looks after reviews, on one of several servers."""

    def __init__(
        self, db: Database, clock: Clock, settings: Settings, extensions: Sequence[Extension] | None = None
    ) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._extensions = load() if extensions is None else extensions

    async def run(self) -> None:
        """Work until cancelled."""
        await look_every(EVERY_S, self.once, self._db, log, later="reviews are looked after later")

    async def once(self) -> None:
        """Look now."""
        now = self._clock.now()
        async with self._db.read() as db:
            open_reviews = await stored.in_states(db, list(OPEN))
            alarms = await _alarms(db, open_reviews, now)
            changed = [code for code, wanted in alarms.items() if await differs(db, code, wanted)]
            moves = await grouping.follow(db, now, only_look=True)
        if changed or moves:
            async with self._db.write() as db:
                for code in changed:
                    await set_alarms(db, code, alarms[code], now)
                await grouping.follow(db, now)
        for row in open_reviews:
            if row.state == State.IN_REVIEW and row.screened_at is None:
                await self._screen(row, now)

    async def _screen(self, row: Row[Any], now: int) -> None:
        """Ask the engine about the network, and keep what it says."""
        profile = read_profile(row.profile, self._settings.market.profiles)
        async with self._db.read() as db:
            asked = await screening.question(db, await screening.subject_of(db, row, profile, now), now)
        found = await asyncio.to_thread(self._answer, asked)
        async with self._db.write() as db:
            fresh = await stored.one(db, row.id, locks=True)
            if fresh is None or fresh.state != State.IN_REVIEW:
                return
            subject = await screening.subject_of(db, fresh, profile, now)
            if (await screening.question(db, subject, now)).sha256 == asked.sha256:
                await screening.answered(db, subject, found, now)

    def _answer(self, asked: ReviewAsked) -> Sequence[ScreenResult]:
        """What the first extension that has screens says; whatever goes wrong is said as `cannot_tell`."""
        home = next((one.screens for one in self._extensions if one.screens), "")
        if not home:
            return no_engine(asked.ders, "no_engine", "no engine is installed that knows the network")
        try:
            found: Sequence[ScreenResult] = resolve(home).review(self._settings, asked)
        except ExtensionError as wrong:
            return no_engine(asked.ders, "no_engine", str(wrong))
        except Exception as wrong:  # another package's code: whatever it does, the review goes on
            log.exception("the engine could not look at %s", asked.aggregation)
            return no_engine(asked.ders, "engine_failed", f"{type(wrong).__name__}: {wrong}")
        return found


async def _alarms(db: Connection, rows: Sequence[Row[Any]], now: int) -> dict[str, dict[str, Wanted]]:
    """The alarms that reviews deserve, by code and aggregation."""
    ending: dict[str, Wanted] = {}
    overdue: dict[str, Wanted] = {}
    pauses = await stored.pauses(db, [row.id for row in rows])
    for row in rows:
        stands = reviews.standing(row, pauses, now)
        if stands.due_at is None:
            continue
        zone = ZoneInfo(reviews.terms_of(row).time_zone)
        due = datetime.fromtimestamp(stands.due_at, zone).isoformat(sep=" ")
        if stands.clock is ClockState.ALARM:
            ending[row.aggregation_name] = Wanted(f"review {row.id} is due at {due}")
        elif stands.clock is ClockState.OVERDUE:
            overdue[row.aggregation_name] = Wanted(f"review {row.id} was due at {due}")
    return {REVIEW_ENDING: ending, REVIEW_OVERDUE: overdue}
