"""The audit log's chain is checked every hour; the first row that differs is an alarm until the chain is whole."""

import asyncio
import logging
from typing import NamedTuple

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.alarms import AUDIT_BROKEN, clear_alarm, raise_alarm
from sep2.rules.chain import FIRST, Link, digest, hash_of
from sep2.server import security
from sep2.store import alarms, audits
from sep2.store.connection import Connection
from sep2.store.database import Database

log = logging.getLogger("sep2.audit")

EVERY_S = 3600
AT_ONCE = 500
SUBJECT = "audit"


class Checked(NamedTuple):
    """What a check of the chain found: `broken_at` is the first row that differs, and `problem` says how."""

    entries: int
    head: str
    broken_at: int | None = None
    problem: str = ""


async def check(db: Connection) -> Checked:
    """Follow the chain from its first row to its head, in one snapshot."""
    last, previous, entries = 0, FIRST, 0
    while rows := await audits.following(db, last, AT_ONCE):
        for row in rows:
            link = Link(*(getattr(row, name) for name in Link._fields))
            entries += 1
            if hash_of(previous, link) != row.hash:
                return Checked(entries, previous, row.id, "it was changed, or one before it was removed or put in")
            if row.detail is not None and digest(row.detail) != row.detail_digest:
                return Checked(entries, previous, row.id, "its details were changed")
            last, previous = row.id, row.hash
        await asyncio.sleep(0)
    head = await audits.head(db)
    if head != (last, previous):
        return Checked(entries, previous, last, f"the log ends here, and its last row was {head.audit_id}")
    return Checked(entries, previous)


class ChainWatch:
    """Checks the chain, and notes its head in the log, where a copy of it lies outside of the database."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                if await self._db.leads():
                    await self.once()
            except SepError as problem:
                log.warning("the audit log is checked later: %s", problem)
            await asyncio.sleep(EVERY_S)

    async def once(self) -> Checked:
        """Check now, and raise or clear the alarm."""
        async with self._db.read() as db:
            found = await check(db)
            stands = await alarms.stands(db, AUDIT_BROKEN, SUBJECT)
        if found.broken_at is not None:
            detail = f"row {found.broken_at}: {found.problem}"
            security.event("audit_broken", row=str(found.broken_at), problem=found.problem)
            async with self._db.write() as db:
                await raise_alarm(db, AUDIT_BROKEN, SUBJECT, detail, now=self._clock.now())
            return found
        security.event("audit_head", entries=str(found.entries), hash=found.head)
        if stands:
            async with self._db.write() as db:
                await clear_alarm(db, AUDIT_BROKEN, SUBJECT, self._clock.now())
        return found
