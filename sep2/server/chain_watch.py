"""The audit log's chain is checked every hour; the first row that differs is an alarm until the chain is whole."""

import asyncio
import logging
from typing import NamedTuple

from sep2.clock import Clock
from sep2.operations.alarms import AUDIT_BROKEN, clear_alarm, raise_alarm
from sep2.rules.chain import FIRST, Link, digest, hash_of
from sep2.rules.webhooks import Topic
from sep2.server import security
from sep2.server.leading import look_every
from sep2.server.seals import Sealer
from sep2.store import alarms, audits, webhooks
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
    seals: int = 0
    """signed heads that are good"""


async def check(db: Connection, sealer: Sealer | None = None) -> Checked:
    """Follow the chain from its first row to its head, in one snapshot, and check each head that was signed."""
    last, previous, entries, seals = 0, FIRST, 0, 0
    while rows := await audits.following(db, last, AT_ONCE):
        for row in rows:
            link = Link(*(getattr(row, name) for name in Link._fields))
            entries += 1
            if hash_of(previous, link) != row.hash:
                return Checked(entries, previous, row.id, "it was changed, or one before it was removed or put in")
            if row.detail is not None and digest(row.detail) != row.detail_digest:
                return Checked(entries, previous, row.id, "its details were changed")
            last, previous = row.id, row.hash
        there = {row.id: row.hash for row in rows}
        for seal in await audits.seals_between(db, rows[0].id, rows[-1].id):
            if sealer is not None and (problem := sealer.problem(seal, there.get(seal.audit_id))):
                return Checked(entries, previous, seal.audit_id, problem, seals)
            seals += 1
        await asyncio.sleep(0)
    head = await audits.head(db)
    if head != (last, previous):
        return Checked(entries, previous, last, f"the log ends here, and its last row was {head.audit_id}")
    newest = await audits.last_seal(db)
    if newest is not None and newest.audit_id > last:
        return Checked(entries, previous, last, f"the log ends here, and row {newest.audit_id} was signed once")
    return Checked(entries, previous, seals=seals)


class ChainWatch:
    """Checks the chain, and notes its head in the log, where a copy of it lies outside of the database."""

    def __init__(self, db: Database, clock: Clock, sealer: Sealer) -> None:
        self._db = db
        self._clock = clock
        self._sealer = sealer

    async def run(self) -> None:
        """Work until cancelled."""
        await look_every(EVERY_S, self.once, self._db, log, later="the audit log is checked later")

    async def once(self) -> Checked:
        """Check now, and raise or clear the alarm."""
        async with self._db.read() as db:
            found = await check(db, self._sealer)
            stands = await alarms.stands(db, AUDIT_BROKEN, SUBJECT)
        if found.broken_at is not None:
            detail = f"row {found.broken_at}: {found.problem}"
            security.event("audit_broken", row=str(found.broken_at), problem=found.problem)
            async with self._db.write() as db:
                await raise_alarm(db, AUDIT_BROKEN, SUBJECT, detail, now=self._clock.now())
            return found
        await self._seal(found)
        if stands:
            async with self._db.write() as db:
                await clear_alarm(db, AUDIT_BROKEN, SUBJECT, self._clock.now())
        return found

    async def _seal(self, found: Checked) -> None:
        """Sign the head, keep that, and write it into the log and to who listens, where nobody here can change it."""
        now = self._clock.now()
        async with self._db.write() as db:
            head = await audits.head(db)
            known = await audits.last_seal(db)
            if known is not None and known.hash == head.hash:
                return
            seal = self._sealer.seal(now, head)
            about = {"audit_id": head.audit_id, "hash": head.hash, "at": now}
            if seal is not None:
                await audits.add_seal(db, head, at=now, **seal._asdict())
                about["signature"] = seal.signature
            await webhooks.tell(db, [webhooks.Message(Topic.AUDIT, "audit_head", f"row {head.audit_id}", about)], now)
        said = {name: str(value) for name, value in about.items()}
        security.event("audit_head", entries=str(found.entries), **said)
