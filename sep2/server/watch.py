"""Dated facts are looked at every minute: the server's certificate, the CAs it trusts, and what clients have shown."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from certs import Peer
from certs.check import read_der
from certs.dates import Dated, dated, in_force
from certs.errors import BadCertificate
from certs.identity import read_certificates
from sep2.errors import SepError
from sep2.operations.alarms import CERTIFICATE_EXPIRING, clear_alarm, raise_alarm
from sep2.rules import expiry
from sep2.rules.identifiers import is_lfdi
from sep2.rules.told_times import told
from sep2.settings import Settings
from sep2.store import alarms, certificates, clients
from sep2.store.certificates import Shown
from sep2.store.database import Database

log = logging.getLogger("sep2.watch")

LOOKS_EVERY_S, CONNECTIONS_EVERY_S = 60, 2.0
NOTED_EVERY_S = 86_400
MOST_REMEMBERED = 65_536
MOST_ENDING = 1000
MOST_CHANGES = 200
"""Alarms raised or cleared in one look, so that nobody waits long for the database."""
LONGEST_NAME = 120


class Due(NamedTuple):
    """The alarm that a certificate deserves."""

    priority: int
    detail: str


class Ending(Protocol):
    """A connection with a client, as far as its end is concerned."""

    lfdi: str | None
    """None before its first request."""
    expires: float
    """When the peer's certificate or one above it ends, epoch seconds."""

    def end(self) -> None:
        """Close it after the request that is being answered."""
        ...


class Watch:
    """Raises and clears `certificate_expiring`, and ends the connections of those who may no longer have one."""

    def __init__(self, db: Database, settings: Settings, now: Callable[[], int]) -> None:
        """now: the time by which certificates are judged: the machine's, whatever clock clients are told."""
        self._db = db
        self._settings = settings
        self._now = now
        self._server = f"server {settings.listen.host}:{settings.listen.port}"
        self._noted: dict[str, int] = {}
        self._fresh: dict[str, Shown] = {}
        self._registered: set[str] = set()
        self._removed: set[str] = set()
        self.looked_at: int | None = None
        """When certificates were looked at last."""
        self._looking = asyncio.Lock()
        self._news = asyncio.Event()
        self.connections: Callable[[], Iterable[Ending]] = tuple
        """The connections that are open."""
        self.changed: Callable[[], Awaitable[None]] = _nothing
        """Opens or shuts the port for clients."""
        self.own: Dated
        self.authorities: list[Dated]
        self.read()

    def read(self) -> None:
        """Take the dates of the certificates that are in use from now on; BadFile where a file holds none."""
        tls = self._settings.tls
        own, *chain = read_certificates(tls.certificate)
        trusted = [one for file in (*tls.authorities, *tls.lenient_authorities) for one in read_certificates(file)]
        self.own, self.authorities = dated(own), in_force([*chain, *trusted])
        self.looked_at = None
        self._news.set()

    def shut_because(self) -> str:
        """Why clients are not let in, which happens in production only; empty: they are."""
        if self._settings.mode != "production" or self._now() < self.own.not_after:
            return ""
        return (
            f"the server's certificate {self._settings.tls.certificate} ended at {told(self.own.not_after)}; "
            "the port for 2030.5 clients is shut until it is replaced and read again (kill -HUP)"
        )

    def met(self, peer: Peer, connection: ssl.SSLObject) -> None:
        """Remember the certificate of a client that has just been admitted."""
        now = self._now()
        if now - self._noted.get(peer.lfdi, -NOTED_EVERY_S) < NOTED_EVERY_S:
            return
        with contextlib.suppress(BadCertificate):
            found = dated(read_der(connection.getpeercert(binary_form=True) or b""))
            if len(self._noted) >= MOST_REMEMBERED:
                self._noted.clear()
            self._noted[peer.lfdi] = now
            self._fresh[peer.lfdi] = Shown(peer.lfdi, found.not_after, _printable(found.name), found.serial, now)

    def wake(self) -> None:
        """Have connections looked at now: an operator may have shut somebody out."""
        self._news.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self._news.clear()
            try:
                if self.looked_at is None or abs(self._now() - self.looked_at) >= LOOKS_EVERY_S:
                    self.looked_at = self._now()
                    await self.look()
                await self.end_connections()
            except SepError as problem:
                log.warning("the certificates are looked at later: %s", problem)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONNECTIONS_EVERY_S):
                    await self._news.wait()

    async def look(self) -> None:
        """Whatever a date, or a certificate that was replaced, changes; one at a time, so that no alarm is doubled."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        await self.changed()
        await self._note_clients()
        now = self._now()
        await self._set(self._own_due(now), lambda subject: subject.startswith(self._server), now)
        if await self._db.leads():
            async with self._db.read() as db:
                rows = await certificates.ending(db, now + expiry.FIRST_S, MOST_ENDING)
            due = {row.lfdi: _due(row.not_after, now, f"client {row.name}", own=False) for row in rows}
            # Of too many the last ones are not known here, and what stands of them stays.
            await self._set(due, lambda subject: is_lfdi(subject) and len(rows) < MOST_ENDING, now)
        await self._look_for_removed()

    async def end_connections(self) -> None:
        """End connections whose certificate has ended, and those of clients that were shut out or removed."""
        live = [one for one in self.connections() if one.lfdi is not None]
        if not live:
            return
        now = self._now()
        async with self._db.read() as db:
            unwelcome = self._removed | await certificates.blocked(db)
        for one in live:
            ended = one.expires <= now
            if ended or one.lfdi in unwelcome:
                why = "its certificate has ended" if ended else "it was shut out"
                log.info("a connection of %s ends: %s", one.lfdi, why)
                one.end()

    async def _look_for_removed(self) -> None:
        """Those who were clients when they were looked at before, and are none now."""
        lfdis = {one.lfdi for one in self.connections() if one.lfdi is not None}
        async with self._db.read() as db:
            found = await clients.known(db, sorted(lfdis))
        self._removed, self._registered = (self._registered & lfdis) - found, found

    async def _note_clients(self) -> None:
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, {}
        async with self._db.write() as db:
            # Strangers may show any number of certificates.
            known = await clients.known(db, list(fresh))
            await certificates.note(db, [one for lfdi, one in fresh.items() if lfdi in known])
        for lfdi in fresh.keys() - known:
            self._noted.pop(lfdi, None)

    def _own_due(self, now: int) -> dict[str, Due | None]:
        file = self._settings.tls.certificate
        shut = self.shut_because()
        found = {f"{self._server}: {file.name}": _due(self.own.not_after, now, f"this server ({file})", own=True)}
        if shut:
            found = {subject: Due(due.priority, shut) for subject, due in found.items() if due}
        for one in self.authorities:
            name = _printable(one.name)
            found[f"{self._server}: CA {name}"] = _due(one.not_after, now, f"the CA {name}", own=True)
        return found

    async def _set(self, due: Mapping[str, Due | None], ours: Callable[[str], bool], now: int) -> None:
        """Have exactly these alarms stand, among those that are ours to clear."""
        wanted = {subject: one for subject, one in due.items() if one is not None}
        async with self._db.read() as db:
            rows = await alarms.standing_of(db, CERTIFICATE_EXPIRING)
        standing = {row.subject: Due(row.priority, row.detail) for row in rows}
        fresh = [subject for subject, one in wanted.items() if standing.get(subject) != one][:MOST_CHANGES]
        over = [subject for subject in standing if ours(subject) and subject not in wanted][:MOST_CHANGES]
        if not fresh and not over:
            return
        async with self._db.write() as db:
            for subject in fresh:
                priority, detail = wanted[subject]
                await raise_alarm(db, CERTIFICATE_EXPIRING, subject, detail, now=now, priority=priority)
                if detail != self.shut_because():  # which was said as the port was shut
                    log.warning("%s: %s", subject, detail)
            for subject in over:
                await clear_alarm(db, CERTIFICATE_EXPIRING, subject, now)


async def _nothing() -> None:
    return


def _due(not_after: int, now: int, whose: str, *, own: bool) -> Due | None:
    priority = expiry.priority(not_after, now, own=own)
    if priority is None:
        return None
    return Due(priority, f"the certificate of {whose} {'ended' if not_after <= now else 'ends'} at {told(not_after)}")


def _printable(name: str) -> str:
    """A name that somebody else has chosen, as one short line."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:LONGEST_NAME]
