"""The clients of the day: an aggregator that subscribes to changes, and gateways that poll."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from certs.identity import Files
from certs.pki import open_pki
from certs.profile import Policy
from envelope.demo.network_outage import NetworkLink
from sep2 import wire as w
from sep2.client import Client, Managed, Owed, Receiver, Session, Unreachable
from sep2.client.device import Device
from sep2.clock import SteppedClock
from sep2.wire import Profile


class RecordingClient(Client):
    """A client that records its notifications by time and resource."""

    received: set[tuple[int, str]]

    def take_notification(self, notification: w.Notification) -> bool:
        """Take a notification, and record it if it was expected."""
        expected = super().take_notification(notification)
        if expected:
            self.received.add((self.now(), notification.subscribedResource))
        return expected


class ConnectedClient(NamedTuple):
    """A client, and its network link where that can be interrupted."""

    client: Client
    link: NetworkLink | None = None


class Plants(Protocol):
    """Plants behind the clients, simulated together."""

    def device(self, connection: int) -> Device:
        """Return the device at one connection."""
        ...


P = TypeVar("P", bound=Plants)


class DemoClients(Generic[P]):
    """All clients, advanced together through the day."""

    def __init__(
        self,
        homes: P,
        pki: Path,
        server: tuple[str, int],
        clock: SteppedClock,
        *,
        profile: Profile = Profile.CSIP_AUS_1_2,
    ) -> None:
        self.homes, self.clock, self.profile = homes, clock, profile
        self.adoption_s: list[float] = []
        """Time from each control's issue to its adoption by a client, s; the first interval's included."""
        self._pki, self._server = open_pki(pki), server
        self._connected: list[ConnectedClient] = []
        self._answered = 0
        self._received: set[tuple[int, str]] = set()
        self._moved = time.monotonic()
        self._stack = AsyncExitStack()

    async def close(self) -> None:
        """Close all connections."""
        await self._stack.aclose()
        for one in self._connected:
            if one.link is not None:
                await one.link.interrupt()

    def issue(self, name: str, *, aggregator: bool = False) -> str:
        """Issue a certificate for a client of that name and return its LFDI."""
        issuer = self._pki.issuer
        issue = issuer.issue_aggregator if aggregator else issuer.issue_device
        identity = issue(name, purposes=(Policy.TEST,))
        self._pki.save(identity, name)
        return identity.lfdi

    async def add_aggregator(self, name: str, connections: dict[str, int]) -> None:
        """Add an aggregator that subscribes, for the devices of these LFDIs."""
        devices = {lfdi: self.homes.device(at) for lfdi, at in connections.items()}
        files, trust = self._files(name), self._pki.trust()
        session = Session(self._url(self._server[1]), files, trust, connections=8, profile=self.profile)
        receiver = Receiver(files, trust)
        client = RecordingClient(session, self.clock, devices.get, receiver=receiver, on_owed=self._owed, jitter=0.0)
        client.received = self._received
        self._connected.append(ConnectedClient(await self._stack.enter_async_context(client)))

    async def add_gateway(self, name: str, connection: int, *, can_be_interrupted: bool = False) -> None:
        """Add a gateway that polls for its one device."""
        port, link = self._server[1], None
        if can_be_interrupted:
            link = NetworkLink(*self._server)
            port = await link.start()
        session = Session(self._url(port), self._files(name), self._pki.trust(), profile=self.profile)
        devices = {session.lfdi: self.homes.device(connection)}
        client = Client(session, self.clock, devices.get, on_owed=self._owed, jitter=0.0)
        self._connected.append(ConnectedClient(await self._stack.enter_async_context(client), link))

    async def disconnect(self) -> None:
        """Interrupt the links that can be: these clients keep their limits and no longer reach the server."""
        for client, link in self._connected:
            if link is not None:
                await link.interrupt()
                client.patience_s = 0.0

    def clock_moved(self) -> None:
        """Note that the server's time was set; controls are issued from now on."""
        self._moved = time.monotonic()

    def next_due(self) -> int:
        """Return when the next client that can reach the server is due."""
        return min(one.client.next_due() for one in self._connected if one.client.patience_s)

    async def advance(self) -> None:
        """Let every client do what is due; return when the server has answered everything."""
        await asyncio.gather(*(self._advance(one) for one in self._connected))

    @property
    def notified(self) -> int:
        """Number of notified lists, counted per change of the clock."""
        return len(self._received)

    @property
    def pending(self) -> int:
        """Number of unanswered messages of the clients that can reach the server."""
        return sum(one.client.pending for one in self._connected if one.client.patience_s)

    @property
    def answered(self) -> int:
        """Number of responses that clients have given."""
        return self._answered

    @property
    def refused(self) -> int:
        """Number of messages that the server has refused."""
        return sum(one.client.refused for one in self._connected)

    async def _advance(self, one: ConnectedClient) -> None:
        if one.client.patience_s:
            await one.client.advance()
        else:
            with suppress(Unreachable):
                await one.client.advance()

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
