"""Alarms that end by themselves: their causes are looked at every minute. And backups and disk space."""

import asyncio
import contextlib
import logging
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.alarms import (
    CERTIFICATE_UNUSED,
    CONTROL_REJECTED,
    CONTROL_TOO_SHORT,
    CONTROL_UNANSWERED,
    DISK_LOW,
    MODE_UNSUPPORTED,
    PROFILE_MISMATCH,
    READING_IMPLAUSIBLE,
    READING_UNPROVEN,
    Wanted,
    clear_alarm,
    raise_alarm,
)
from sep2.rules.alarm_kinds import ACT_NOW, ACT_SOON
from sep2.rules.reach import unsupported
from sep2.server.backups import look_at_backups
from sep2.server.dialect import Dialects
from sep2.server.leading import have_stand
from sep2.server.owed import Implausible, unanswered_controls
from sep2.settings.fields import Database as Settings
from sep2.store import alarms, causes
from sep2.store.connection import Connection
from sep2.store.database import Database

log = logging.getLogger("sep2.causes")

LOOKS_EVERY_S = 60
MOST = 500
"""Alarms of one kind that are looked at in one round; a round is never long."""
REJECTED_S = 86_400
"""How long after its end a control that was rejected is an alarm."""
UNPROVEN_S, METERS_EVERY_S, MOST_METERS = 7 * 86_400, 600, 5000
LOW, VERY_LOW = 0.15, 0.05
"""Of the disk, from which share of free space on it is an alarm, and one to act on at once."""


class Space(NamedTuple):
    """Octets of a disk."""

    total: int
    free: int


def space_of(folder: Path) -> Space:
    """The space of the disk that a folder is on, as this process may use it."""
    found = shutil.disk_usage(folder)
    return Space(found.total, found.free)


class Causes:
    """Clears alarms whose cause is gone, and raises those of the disk and of backups."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        dialects: Dialects,
        *,
        folder: Path | None,
        settings: Settings,
        poll_rate_s: Callable[[], int] = lambda: 300,
        space: Callable[[Path], Space] = space_of,
    ) -> None:
        """folder: where the database is, if it is on this machine. settings: of the database.

        poll_rate_s: of programs, as clients are told.
        """
        self._db = db
        self._clock = clock
        self._dialects = dialects
        self.folder = folder
        self._settings = settings
        self._poll_rate_s = poll_rate_s
        self._implausible = Implausible()
        self.space = space
        self._began: int | None = None
        self._meters_at: int | None = None
        self.looked_at: int | None = None
        self.free: float | None = None
        """The share of the disk that was free then."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except SepError as problem:
                log.warning("the causes of alarms are looked at later: %s", problem)
            await asyncio.sleep(LOOKS_EVERY_S)

    async def look(self) -> None:
        """Clear what is over, and say how it is with the disk."""
        now = self._clock.now()
        self._began = now if self._began is None else self._began
        await self._look_at_disk(now)
        if not await self._db.leads():
            return
        await look_at_backups(self._db, self._settings, now)
        async with self._db.read() as db:
            over = {
                CONTROL_TOO_SHORT: await _over(db, now),
                CONTROL_REJECTED: await _long_over(db, now),
                CERTIFICATE_UNUSED: await _heard_of(db),
                MODE_UNSUPPORTED: await _carried(db, now),
                PROFILE_MISMATCH: await self._quiet(db, now),
            }
        if any(over.values()):
            async with self._db.write() as db:
                for code, subjects in over.items():
                    for subject in subjects:
                        await clear_alarm(db, code, subject, now)
        async with self._db.read() as db:
            owed = await unanswered_controls(db, now, self._poll_rate_s())
        await have_stand(self._db, {CONTROL_UNANSWERED: owed}, now)
        if self._meters_at is None or abs(now - self._meters_at) >= METERS_EVERY_S:
            self._meters_at = now
            await self._look_at_meters(now)

    async def _look_at_meters(self, now: int) -> None:
        """Say which meters have counted for long although nobody knows their sign."""
        async with self._db.read() as db:
            rows = await causes.unproven(db, now - UNPROVEN_S, MOST_METERS)
            of_client: dict[str, list[str]] = defaultdict(list)
            for row in rows:
                of_client[row.client_lfdi].append(row.lfdi)
            said = "it is not known whether what they post is import or export; their limits are judged unknown"
            wanted = {lfdi: Wanted(f"{len(names)} devices: {said}", members=names) for lfdi, names in of_client.items()}
            every = {READING_UNPROVEN: wanted, READING_IMPLAUSIBLE: await self._implausible.wanted(db, now)}
        await have_stand(self._db, every, now)

    async def _quiet(self, db: Connection, now: int) -> list[str]:
        """The clients that have spoken as they are registered for long enough, as far as this process has seen."""
        standing = await alarms.standing_of(db, PROFILE_MISMATCH)
        return [row.subject for row in standing[:MOST] if self._dialects.is_quiet(row.subject, self._began or now, now)]

    async def _look_at_disk(self, now: int) -> None:
        if self.folder is None:
            return
        with contextlib.suppress(OSError):  # an outage of the database says what is wrong
            found = self.space(self.folder)
            share, subject = found.free / max(1, found.total), f"disk of {self.folder}"
            self.free, self.looked_at = share, now
            async with self._db.read() as db:
                standing = next((row for row in await alarms.standing_of(db, DISK_LOW) if row.subject == subject), None)
            if share >= LOW and standing is None:
                return
            detail = f"{share:.0%} is free, {found.free // 1_000_000} MB; below 5 % writing may soon fail"
            priority = ACT_NOW if share < VERY_LOW else ACT_SOON
            async with self._db.write() as db:
                if share >= LOW:
                    await clear_alarm(db, DISK_LOW, subject, now)
                elif standing is None or (standing.detail, standing.priority) != (detail, priority):
                    await raise_alarm(db, DISK_LOW, subject, detail, now=now, priority=priority)


async def _over(db: Connection, now: int) -> list[str]:
    """The controls with an alarm that are over, by their mRIDs."""
    subjects = [row.subject for row in (await alarms.standing_of(db, CONTROL_TOO_SHORT))[:MOST]]
    live = await causes.going_on(db, subjects, now)
    return [mrid for mrid in subjects if mrid not in live]


async def _long_over(db: Connection, now: int) -> list[str]:
    """The controls that devices have rejected and that are over for a day, by their mRIDs."""
    subjects = [row.subject for row in (await alarms.standing_of(db, CONTROL_REJECTED))[:MOST]]
    return sorted(await causes.over_since(db, subjects, now - REJECTED_S)) if subjects else []


async def _heard_of(db: Connection) -> list[str]:
    """The clients that were heard of with the certificate that they had not used before."""
    rows = (await alarms.standing_of(db, CERTIFICATE_UNUSED))[:MOST]
    latest = await causes.last_requests(db, [row.subject for row in rows]) if rows else {}
    return [row.subject for row in rows if latest.get(row.subject, 0) > row.raised]


async def _carried(db: Connection, now: int) -> list[str]:
    """Clients and modes, as alarms name them, where no device is sent one any more that it can not carry."""
    found = []
    for row in (await alarms.standing_of(db, MODE_UNSUPPORTED))[:MOST]:
        lfdi, _, mode = row.subject.partition(" ")
        kinds = await causes.sent_to(db, lfdi, mode, now)
        if not any(unsupported(one, {mode}, by_default=one.by_default) for one in kinds):
            found.append(row.subject)
        await asyncio.sleep(0)
    return found
