"""Who asks to come in and may not: failed handshakes and unregistered certificates, counted; alarms say which recur.

The counts are in memory and bounded. The database is written to when an alarm begins, when it ends, and once a minute
while its cause goes on.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from dataclasses import dataclass

from certs import Peer
from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.alarms import TLS_REFUSED, UNREGISTERED_LFDI, clear_alarm, raise_alarm
from sep2.server.handshake import Refusal
from sep2.store import alarms, clients
from sep2.store.connection import Connection
from sep2.store.database import Database
from sep2.terminal import shown

log = logging.getLogger("sep2.knocks")

WINDOW_S = 600
SAME_REFUSAL, ANY_REFUSAL, UNREGISTERED = 5, 20, 3
"""How often within the window: one reason at one address, any at any, requests with one unregistered certificate."""
REFUSALS_QUIET_S, UNREGISTERED_QUIET_S = 3600, 86_400
"""After how long without another an alarm ends."""
MOST_STANDING = 50
"""Alarms of one kind; what comes on top is one more, that says how many."""
MOST_LINES = 60
"""Lines of the log about one address in a window."""
MOST_KEYS = 2000
MOST_DETAIL = 600
TICK_S, PAUSE_S = 60, 0.5
ANYWHERE, REST = "several addresses", "others"
"""Subjects of the alarms that stand for many."""


class Tally:
    """How often something happened lately, by key; of too many keys the one that was quiet longest is forgotten."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[int]] = OrderedDict()

    def count(self, key: str, now: int, most: int) -> int:
        """How often it has happened within the window, this time included; `most` at most."""
        times = self._times.setdefault(key, deque(maxlen=most))
        self._times.move_to_end(key)
        times.append(now)
        while now - times[0] >= WINDOW_S:
            times.popleft()
        if len(self._times) > MOST_KEYS:
            self._times.popitem(last=False)
        return len(times)


@dataclass(slots=True)
class Cause:
    """Why an alarm stands."""

    detail: str
    last: int
    is_written: bool = False


class Standing:
    """The alarms of one kind, as the database should have them."""

    def __init__(self, code: str, quiet_s: int) -> None:
        self.code = code
        self.quiet_s = quiet_s
        self.causes: dict[str, Cause] = {}
        self._more: OrderedDict[str, None] = OrderedDict()

    def note(self, subject: str, detail: str, now: int) -> bool:
        """Whether an alarm begins by this; one that stands goes on."""
        detail = shown(detail, MOST_DETAIL)
        if subject not in self.causes and len(self.causes.keys() - {REST, ANYWHERE}) >= MOST_STANDING:
            self._more[subject] = None
            if len(self._more) > MOST_KEYS:
                self._more.popitem(last=False)
            subject, detail = REST, f"{len(self._more)} beside those that have alarms of their own; the last: {detail}"
        begins = subject not in self.causes
        self.causes[subject] = Cause(detail, now)
        return begins

    def forget(self, subject: str) -> None:
        """The cause is gone."""
        self.causes.pop(subject, None)
        if subject == REST:
            self._more.clear()

    def unwritten(self) -> dict[str, Cause]:
        """What the database has yet to be told."""
        return {subject: cause for subject, cause in self.causes.items() if not cause.is_written}

    def quiet(self, now: int) -> list[str]:
        """The subjects of which nothing was heard for long enough."""
        return [subject for subject, cause in self.causes.items() if now - cause.last >= self.quiet_s]


class Knocks:
    """Counts what the server turns away, and raises and clears the alarms."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._refusals, self._anywhere, self._lines, self._strangers = Tally(), Tally(), Tally(), Tally()
        self._refused = Standing(TLS_REFUSED, REFUSALS_QUIET_S)
        self._unregistered = Standing(UNREGISTERED_LFDI, UNREGISTERED_QUIET_S)
        self._begun = asyncio.Event()

    def refused(self, refusal: Refusal) -> bool:
        """Count a handshake that failed; whether it is logged: one address can not fill the disk."""
        now = self._clock.now()
        subject = f"{refusal.reason}, {refusal.address}"
        count = self._refusals.count(subject, now, SAME_REFUSAL)
        if count >= SAME_REFUSAL or subject in self._refused.causes:
            self._note(self._refused, subject, f"{count} or more handshakes within 10 min; the last: {refusal}", now)
        elif self._anywhere.count("", now, ANY_REFUSAL) >= ANY_REFUSAL:
            detail = f"{ANY_REFUSAL} or more handshakes within 10 min; the last: {refusal}"
            self._note(self._refused, ANYWHERE, detail, now)
        lines = self._lines.count(refusal.address, now, MOST_LINES + 2)
        if lines == MOST_LINES + 1:
            log.warning("handshakes of %s are refused so often that further ones are not logged", refusal.address)
        return lines <= MOST_LINES

    def unregistered(self, peer: Peer, address: str) -> None:
        """Count a request with a valid certificate that nobody registered."""
        now = self._clock.now()
        if self._strangers.count(peer.lfdi, now, UNREGISTERED) >= UNREGISTERED:
            detail = f"subject {peer.subject or 'empty'}, serial {peer.serial}, from {address}"
            self._note(self._unregistered, peer.lfdi, detail, now)

    async def run(self) -> None:
        """Write what changes, until cancelled."""
        await self._remember()
        while True:
            again_at, steps = self._clock.now() + TICK_S, self._clock.steps
            try:
                await self.once()
            except SepError as problem:
                log.warning("alarms wait: %s", problem)
            await asyncio.sleep(PAUSE_S)
            await self._next(again_at, steps)

    async def once(self) -> None:
        """Raise and clear alarms as the counts say."""
        self._begun.clear()
        now = self._clock.now()
        async with self._db.read() as reading:
            known = await clients.known(reading, list(self._unregistered.causes))
        kinds = (self._refused, self._unregistered)
        over = {kind.code: kind.quiet(now) for kind in kinds}
        over[UNREGISTERED_LFDI] += [lfdi for lfdi in known if lfdi not in over[UNREGISTERED_LFDI]]
        for kind in kinds:
            new = {subject: cause for subject, cause in kind.unwritten().items() if subject not in over[kind.code]}
            if new or over[kind.code]:
                async with self._db.write() as db:
                    await _write(db, kind.code, new, over=over[kind.code], now=now)
            for cause in new.values():
                cause.is_written = True
            for subject in over[kind.code]:
                kind.forget(subject)

    async def _remember(self) -> None:
        """Take over the alarms that stood when the server stopped: their quiet is counted from now on."""
        now = self._clock.now()
        async with self._db.read() as db:
            for kind in (self._refused, self._unregistered):
                for row in await alarms.standing_of(db, kind.code):
                    kind.causes.setdefault(row.subject, Cause(row.detail, now, is_written=True))

    def _note(self, kind: Standing, subject: str, detail: str, now: int) -> None:
        if kind.note(subject, detail, now):
            self._begun.set()

    async def _next(self, at: int, steps: int) -> None:
        """Wait until an alarm begins, or for that time of a clock that had been set so many times."""
        waiting = [
            asyncio.ensure_future(self._begun.wait()),
            asyncio.ensure_future(self._clock.sleep_until(at, steps=steps)),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            # Their ends are results here; what is raised is that we are cancelled ourselves, and that must be heard.
            await asyncio.gather(*waiting, return_exceptions=True)


async def _write(db: Connection, code: str, new: dict[str, Cause], *, over: list[str], now: int) -> None:
    for subject, cause in new.items():
        await raise_alarm(db, code, subject, cause.detail, now=now)
    for subject in over:
        await clear_alarm(db, code, subject, now)
