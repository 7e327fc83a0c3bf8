"""What overrides and requests need as time passes: disconnects are held on, reports of drills kept, people reminded."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.alarms import Wanted, differs, set_alarms
from sep2.operations.disconnects import hold_on, is_due
from sep2.operations.market import override_joining
from sep2.operations.override_progress import progress
from sep2.operations.override_terms import terms_by
from sep2.rules.authority import OVERRIDE
from sep2.server.leading import look_every
from sep2.settings import Settings
from sep2.store import approvals, diagrams, override_progress
from sep2.store.connection import Connection, Outage
from sep2.store.database import Database
from sep2.store.market import overrides as stored

log = logging.getLogger("sep2.overrides")

EVERY_S = 30
APPROVAL_WAITING, OVERRIDE_UNREVIEWED, DISCONNECT_OVERDUE = (
    "approval_waiting",
    "override_unreviewed",
    "disconnect_overdue",
)
OVERRIDE_ENDING = "override_ending"
ENDS_SOON_S = 900
NETWORK_REASONS = ("overload", "voltage")
"""Reasons that are there as long as the network is beyond its limits."""
WAITS_S = 600
"""After which a request that nobody has decided on is an alarm."""
SETTLES_S = 900
"""After the end of a drill, until its report is kept: answers come late."""


class OverrideWatch:
    """Looks after overrides and requests, on one of several servers."""

    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._utility = settings.utility

    async def run(self) -> None:
        """Work until cancelled."""
        await look_every(EVERY_S, self.once, self._db, log, later="overrides are looked after later")

    async def once(self) -> None:
        """Look now."""
        now = self._clock.now()
        async with self._db.read() as db:
            live = await override_progress.live(db, now)
            drills = await override_progress.drills_over(db, now - SETTLES_S)
            alarms = await self._wanted(db, live, now)
            changed = [code for code, wanted in alarms.items() if await differs(db, code, wanted)]
        await self._reach_joined(now)
        for row in live:
            if is_due(row, now):
                async with self._db.write() as db:
                    end = await hold_on(db, row, now, most_ahead=self._utility.horizon_events)
                log.info("the disconnect of override %d is held on until %d", row.id, end)
        if drills or changed:
            async with self._db.write() as db:
                for row in drills:
                    await self._keep(db, row, now)
                for code in changed:
                    await set_alarms(db, code, alarms[code], now)

    async def _reach_joined(self, now: int) -> None:
        """Have members that joined an aggregation follow what stands for it, and those that left no longer."""
        async with self._db.read() as db:
            found = [await override_joining.look(db, row, now) for row in await stored.standing(db, now)]
        for one in found:
            if one is not None:
                try:
                    async with self._db.write() as db:
                        done = await override_joining.follow(db, one, now, terms_by(self._utility))
                except Outage:
                    raise
                except SepError as refusal:  # the other overrides, and disconnects, are looked after all the same
                    log.warning("override %d does not reach who has joined: %s", one.row.override_id, refusal)
                else:
                    said = one.row.override_id, len(done.joined), len(done.left)
                    log.info("override %d reaches %d more DERs, and %d no longer", *said)

    async def _keep(self, db: Connection, row: Row[Any], now: int) -> None:
        """Keep the report of a drill that is over, so that it does not end with what it is counted from."""
        found = await progress(db, row, now)
        state = "released" if row.released is not None else "ended"
        said = found._asdict() | {"id": row.id, "kind": row.kind, "state": state, "kept": True}
        await override_progress.note(db, row.id, report=msgspec.json.encode(said).decode())

    async def _wanted(self, db: Connection, live: Sequence[Row[Any]], now: int) -> Mapping[str, Mapping[str, Wanted]]:
        waiting = [row for row in await approvals.waiting(db, now) if row.created + WAITS_S <= now]
        late = [row for row in await override_progress.unreviewed(db) if row.review_by <= now]
        overdue = [row for row in live if row.review_at is not None and row.review_at <= now]
        return {
            OVERRIDE_ENDING: await _ending(db, live, now),
            APPROVAL_WAITING: {
                f"request {row.id}": Wanted(f"{row.asker} waits for a second person: {row.why}") for row in waiting
            },
            OVERRIDE_UNREVIEWED: {
                f"override {row.id}": Wanted(f"{row.operator} sent it alone ({row.reason}); nobody has looked at it")
                for row in late
            },
            DISCONNECT_OVERDUE: {
                f"override {row.id}": Wanted(f"{row.scope} {row.subject} is disconnected beyond its time; release it")
                for row in overdue
            },
        }


async def _ending(db: Connection, live: Sequence[Row[Any]], now: int) -> dict[str, Wanted]:
    """Overrides that end soon although what they are for is expected to go on."""
    found = {}
    for row in live:
        if row.reason in NETWORK_REASONS and row.kind == OVERRIDE and row.end - ENDS_SOON_S <= now < row.end:
            beyond = [said for one in await diagrams.of_override(db, row.id) if (said := _beyond(one, now))]
            if beyond:
                found[f"override {row.id}"] = Wanted(f"it ends soon, and {'; '.join(sorted(beyond)[:5])}")
    return found


def _beyond(one: Row[Any], now: int) -> str:
    """What of a feeder is expected beyond its limits from now on; empty where nothing is."""
    said = []
    if one.loading is not None and one.loading > 1 and one.loading_at >= now:
        said.append(f"{one.loading:.0%} of the rating of {one.loading_where}")
    if one.high is not None and one.high_limit is not None and one.high > one.high_limit and one.high_at >= now:
        said.append(f"a voltage above its limit at {one.high_where}")
    if one.low is not None and one.low_limit is not None and one.low < one.low_limit and one.low_at >= now:
        said.append(f"a voltage below its limit at {one.low_where}")
    return f"{one.feeder} is expected to have {' and '.join(said)}" if said else ""
