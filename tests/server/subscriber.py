"""sunny as a subscriber, and receivers that do not behave."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.rates import set_poll_rate
from sep2.rules.cursor import Keyset
from sep2.rules.limits import Limits
from sep2.store import deliveries, listing_watch
from tests.raw import CCM8, Raw, document
from tests.server.world import NOW, People, World


async def subscribe(raw: Raw, resource: str, uri: str, *, limit: int = 100) -> str:
    """The href of a new subscription of somebody."""
    own = (await raw.get("/edev")).href("EndDevice")
    said = (
        f"<subscribedResource>{resource}</subscribedResource><encoding>0</encoding><level>+S1</level>"
        f"<limit>{limit}</limit><notificationURI>{uri}</notificationURI>"
    )
    posted = await raw.post(f"{own}/sub", document("Subscription", said))
    assert posted.status in (201, 204)
    return posted.location


async def change(world: World, seconds: int) -> None:
    """Have every EndDeviceList read differently, and wake who tells of it."""
    async with world.state.db.write() as db:
        await set_poll_rate(db, "EndDeviceList", seconds, NOW)
    await world.state.refresh()


async def issue(world: World, start: int, *, group: str = "feeder", export_w: int = 1) -> int:
    """The id of a new control."""
    async with world.state.db.write() as db:
        control = NewControl(start=start, duration=60, limits=Limits(export_w=export_w))
        issued = await issue_controls(db, world.ids.groups[group], [control], world.clock.now())
    return issued.created[0]


async def waiting(world: World) -> dict[str, int]:
    """How many notifications wait, and how many were given up."""
    async with world.state.db.read() as db:
        return await deliveries.counts(db)


async def seen(world: World) -> list[dict[str, object]]:
    """What an operator sees of every subscription."""
    async with world.state.db.read() as db:
        return [row._asdict() for row in (await listing_watch.subscriptions(db, Keyset(999))).rows]


class Sloppy:
    """Takes every notification with the octets that it is told to answer; what they leave open it closes, or not."""

    def __init__(self, octets: bytes, *, hangs_up: bool = True) -> None:
        self.octets = octets
        self.hangs_up = hangs_up
        self.port = 0
        self.taken = 0
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def uri(self) -> str:
        """Where it is."""
        return f"https://localhost:{self.port}/n"

    @asynccontextmanager
    async def listening(self, people: People) -> AsyncIterator["Sloppy"]:
        """Listen while the block runs, as sunny."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        tls.set_ciphers(CCM8)
        tls.load_cert_chain(*people.files("sunny"))
        async with _serving(self._take, self._open, tls) as self.port:
            yield self

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
            await reader.readexactly(length)
            self.taken += 1
            writer.write(self.octets)
            await writer.drain()
            if self.hangs_up:
                writer.close()
                return


class Silent:
    """Takes connections and says nothing, not even in the handshake."""

    def __init__(self) -> None:
        self.port = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.tries = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Silent"]:
        """Listen while the block runs."""
        async with _serving(self._take, self.open) as self.port:
            yield self

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tries += 1
        while await reader.read(4096):
            pass


Take = Callable[[asyncio.StreamReader, asyncio.StreamWriter], "asyncio.Future[None]"]


@asynccontextmanager
async def _serving(
    take: object, opened: set[asyncio.StreamWriter], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """The port at which every connection is handed to `take`, and closed at the end."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.add(writer)
        try:
            await take(reader, writer)  # type: ignore[operator]
        except (OSError, EOFError):
            pass  # the server hung up
        finally:
            opened.discard(writer)
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in list(opened):
            writer.transport.abort()
        await asyncio.sleep(0)
