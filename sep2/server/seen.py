"""Who was heard of and when: held in memory, written every 30 s, so that a request costs a few attributes."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum, auto

from sep2.clock import Clock
from sep2.rules.skew import Skew
from sep2.store import seen
from sep2.store.connection import Outage
from sep2.store.database import Database

log = logging.getLogger("sep2.seen")

WRITTEN_EVERY_S = 30
MOST_REMEMBERED = 200_000
"""Certificates, and devices, that are held between two writings; more of them are noted the next time they ask."""
LONGEST_AGENT = 120


class What(Enum):
    """What a client has sent."""

    REQUEST = auto()
    POST = auto()
    """readings, a document or a LogEvent"""
    ANSWER = auto()
    """a Response to a control"""


@dataclass(slots=True)
class _Heard:
    """Since the last writing: times in epoch seconds, None where there was nothing."""

    last_request: int | None = None
    last_post: int | None = None
    last_answer: int | None = None
    requests: int = 0
    posts: int = 0
    answers: int = 0

    def take(self, what: What, now: int) -> None:
        if what is What.POST:
            self.last_post, self.posts = now, self.posts + 1
        elif what is What.ANSWER:
            self.last_answer, self.answers = now, self.answers + 1

    def values(self) -> dict[str, int | None]:
        return {name: getattr(self, name) for name in (*seen.LAST, *seen.COUNTS)}


@dataclass(slots=True)
class _Client(_Heard):
    refusals: int = 0
    address: str = ""
    suite: str = ""
    agent: str = ""


@dataclass(slots=True)
class _Fresh:
    """All that came in since the last writing."""

    clients: dict[str, _Client] = field(default_factory=lambda: defaultdict(_Client))
    devices: dict[int, _Heard] = field(default_factory=lambda: defaultdict(_Heard))
    told: set[tuple[int, int, int]] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        return not (self.clients or self.devices or self.told)


class Seen:
    """What this process has heard of clients, by the LFDI of their certificate, and of devices, by their number."""

    def __init__(self, db: Database, clock: Clock, server: str) -> None:
        """server: this process's origin, by which its rows are told from those of other servers."""
        self._db = db
        self._clock = clock
        self._server = server[:255]
        self._fresh = _Fresh()
        self._skews: dict[str, Skew] = {}
        self._writing = asyncio.Lock()

    def asked(self, lfdi: str, agent: str) -> None:
        """A request came in, whatever becomes of it."""
        clients = self._fresh.clients
        if lfdi not in clients and len(clients) >= MOST_REMEMBERED:
            return
        one = clients[lfdi]
        one.last_request = self._clock.now()
        one.requests += 1
        if agent:
            one.agent = agent

    def connected(self, lfdi: str, address: str, suite: str) -> None:
        """A connection was admitted."""
        if len(self._fresh.clients) < MOST_REMEMBERED:
            one = self._fresh.clients[lfdi]
            one.address, one.suite = address, suite

    def refused(self, lfdi: str) -> None:
        """A request was answered with a refusal."""
        if lfdi in self._fresh.clients:
            self._fresh.clients[lfdi].refusals += 1

    def looked(self, device: int) -> None:
        """A device was asked about by who may act for it."""
        devices = self._fresh.devices
        if device in devices or len(devices) < MOST_REMEMBERED:
            one = devices[device]
            one.last_request = self._clock.now()
            one.requests += 1

    def sent(self, lfdi: str, what: What, *, device: int | None = None, written: int | None = None) -> None:
        """Something was stored that a client sent; device: what it is about; written: the time that an answer names."""
        now = self._clock.now()
        if lfdi in self._fresh.clients:
            self._fresh.clients[lfdi].take(what, now)
        if device is not None:
            self.looked(device)
            if device in self._fresh.devices:
                self._fresh.devices[device].take(what, now)
        if written is not None and what is What.ANSWER:
            self._skews.setdefault(lfdi, Skew()).add(written, now)

    def told(self, device: int, group: int) -> None:
        """A subscriber has taken a notification of the controls of a program, for a device."""
        self._fresh.told.add((device, group, self._clock.now()))

    async def run(self) -> None:
        """Write every 30 s until cancelled, and what is left at the end."""
        try:
            while True:
                await asyncio.sleep(WRITTEN_EVERY_S)
                await self.write()
        finally:
            with contextlib.suppress(Outage):
                await self.write()

    async def write(self) -> None:
        """Write what came in since the last time; in an outage of the database it is kept, and added to."""
        async with self._writing:
            fresh, self._fresh = self._fresh, _Fresh()
            if fresh.is_empty:
                return
            try:
                await self._write(fresh)
            except Outage as problem:
                log.warning("who was heard of is written later: %s", problem)
                self._take_back(fresh)

    async def _write(self, fresh: _Fresh) -> None:
        # Strangers have no row, and may be many: their skew is forgotten with them.
        clients = {lfdi: self._of_client(lfdi, one) for lfdi, one in fresh.clients.items()}
        devices = {number: one.values() for number, one in sorted(fresh.devices.items())}
        async with self._db.write() as db:
            await seen.note_clients(db, self._server, dict(sorted(clients.items())))
            await seen.note_devices(db, self._server, devices)
            await seen.note_told(db, sorted(fresh.told))

    def _of_client(self, lfdi: str, one: _Client) -> dict[str, int | str | None]:
        known = self._skews.get(lfdi)
        return {
            **one.values(),
            "refusals": one.refusals,
            "skew_s": None if known is None else known.estimate_s,
            "address": one.address,
            "suite": one.suite,
            "agent": _printable(one.agent),
        }

    def _take_back(self, fresh: _Fresh) -> None:
        """Add what came in meanwhile to what could not be written."""
        for lfdi, later in self._fresh.clients.items():
            earlier = fresh.clients[lfdi]
            _add(earlier, later)
            earlier.refusals += later.refusals
            for name in seen.SAID:
                setattr(earlier, name, getattr(later, name) or getattr(earlier, name))
        for device, heard in self._fresh.devices.items():
            _add(fresh.devices[device], heard)
        fresh.told |= self._fresh.told
        self._fresh = fresh


def _add(earlier: _Heard, later: _Heard) -> None:
    for name in seen.LAST:
        if getattr(later, name) is not None:
            setattr(earlier, name, getattr(later, name))
    for name in seen.COUNTS:
        setattr(earlier, name, getattr(earlier, name) + getattr(later, name))


def _printable(agent: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in agent)[:LONGEST_AGENT]
