"""The clients of the day: an aggregator that is told of changes, and gateways that ask for them."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from certs.identity import Files
from certs.pki import open_pki
from certs.profile import Policy
from envelope.demo.homes import Homes
from envelope.demo.network_outage import Relay
from sep2 import wire as w
from sep2.client import Client, Managed, Owed, Receiver, Session, Unreachable
from sep2.clock import SteppedClock


class Listening(Client):
    """A client that remembers what it was told of, and when: telling twice is telling once."""

    heard: set[tuple[int, str]]

    def take_notification(self, told: w.Notification) -> bool:
        """Take it, and note it if it was awaited."""
        awaited = super().take_notification(told)
        if awaited:
            self.heard.add((self.now(), told.subscribedResource))
        return awaited


class Party(NamedTuple):
    """A client, and the wire to it where that can be cut."""

    client: Client
    relay: Relay | None = None


class Fleet:
    """All clients, moved together through the day."""

    def __init__(self, homes: Homes, pki: Path, server: tuple[str, int], clock: SteppedClock) -> None:
        self.homes, self.clock = homes, clock
        self.adoption_s: list[float] = []
        """How long each control took from its issue until a client had it; the first interval's included."""
        self._pki, self._server = open_pki(pki), server
        self._parties: list[Party] = []
        self._answered = 0
        self._heard: set[tuple[int, str]] = set()
        self._moved = time.monotonic()
        self._stack = AsyncExitStack()

    async def close(self) -> None:
        """Hang up."""
        await self._stack.aclose()
        for party in self._parties:
            if party.relay is not None:
                await party.relay.cut()

    def issue(self, name: str, *, aggregator: bool = False) -> str:
        """A certificate for a client of that name; its LFDI."""
        issuer = self._pki.issuer
        issue = issuer.issue_aggregator if aggregator else issuer.issue_device
        identity = issue(name, purposes=(Policy.TEST,))
        self._pki.save(identity, name)
        return identity.lfdi

    async def add_aggregator(self, name: str, connections: dict[str, int]) -> None:
        """An aggregator that subscribes, and speaks for the devices of these LFDIs."""
        devices = {lfdi: self.homes.device(at) for lfdi, at in connections.items()}
        files, trust = self._files(name), self._pki.trust()
        session = Session(self._url(self._server[1]), files, trust, connections=8)
        receiver = Receiver(files, trust)
        client = Listening(session, self.clock, devices.get, receiver=receiver, on_owed=self._owed, jitter=0.0)
        client.heard = self._heard
        self._parties.append(Party(await self._stack.enter_async_context(client)))

    async def add_gateway(self, name: str, connection: int, *, can_be_cut: bool = False) -> None:
        """A gateway that polls for the one device it is."""
        port, relay = self._server[1], None
        if can_be_cut:
            relay = Relay(*self._server)
            port = await relay.start()
        session = Session(self._url(port), self._files(name), self._pki.trust())
        devices = {session.lfdi: self.homes.device(connection)}
        client = Client(session, self.clock, devices.get, on_owed=self._owed, jitter=0.0)
        self._parties.append(Party(await self._stack.enter_async_context(client), relay))

    async def silence(self) -> None:
        """Cut the wires that can be cut: those clients keep what they were told, and reach nobody any more."""
        for client, relay in self._parties:
            if relay is not None:
                await relay.cut()
                client.patience_s = 0.0

    def clock_moved(self) -> None:
        """The server's time was set just now; what it issues is issued from here on."""
        self._moved = time.monotonic()

    def next_due(self) -> int:
        """When the next client that can reach the server has something to do."""
        return min(party.client.next_due() for party in self._parties if party.client.patience_s)

    async def advance(self) -> None:
        """Let every client do what is due; return when the server has answered all of it."""
        await asyncio.gather(*(self._advance(party) for party in self._parties))

    @property
    def notified(self) -> int:
        """Lists that clients were told of, each change of the clock counted apart."""
        return len(self._heard)

    @property
    def pending(self) -> int:
        """Messages that the server has not answered, of the clients that can reach it."""
        return sum(party.client.pending for party in self._parties if party.client.patience_s)

    @property
    def answered(self) -> int:
        """Responses that clients have given."""
        return self._answered

    @property
    def refused(self) -> int:
        """Messages that the server has refused."""
        return sum(party.client.refused for party in self._parties)

    async def _advance(self, party: Party) -> None:
        if party.client.patience_s:
            await party.client.advance()
        else:
            with suppress(Unreachable):
                await party.client.advance()

    def _owed(self, managed: Managed, owed: Owed) -> None:
        self._answered += 1
        if owed.answer is w.ResponseStatus.RECEIVED:
            # The demonstration's clock stands still while messages are under way, so both times add up.
            waited_s = max(owed.at - owed.control.created, 0)
            self.adoption_s.append(waited_s + time.monotonic() - self._moved)

    def _url(self, port: int) -> str:
        return f"https://{self._server[0]}:{port}"

    def _files(self, name: str) -> Files:
        return Files.named(self._pki.folder, name)
