"""Many subscribers of one server in a process of its own, and what they and others get of it meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import delete, insert

from sep2.operations.clients import NewClient, register_client
from sep2.store import devices, open_database, receivers, tables
from tests.raw import Raw, context
from tests.server.process import House
from tests.server.world import NOW


class Counting(asyncio.Protocol):
    """A receiver over plain HTTP that takes everything, and notes the path of each notification."""

    def __init__(self, taken: dict[str, int]) -> None:
        self._taken = taken
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            path = head.split(b" ", 2)[1].decode()
            self._taken[path] = self._taken.get(path, 0) + 1
            assert isinstance(self._transport, asyncio.WriteTransport)
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[int, dict[str, int]]]:
    """The port of such a receiver, and how often each path was told."""
    taken: dict[str, int] = {}
    server = await asyncio.get_running_loop().create_server(lambda: Counting(taken), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], taken
    finally:
        server.close()


async def enrol(house: House, name: str, *, clients: int, each: int, port: int) -> None:
    """Register clients with so many subscriptions each to their EndDeviceList, told at a port over plain HTTP."""
    database = await open_database(house.url)
    async with database.write() as db:
        for one in range(clients):
            lfdi = f"{abs(hash((name, one))) % 16**15:040X}"
            client = await register_client(db, NewClient(f"{name} {one}", lfdi, "aggregator"), NOW)
            own = await devices.by_lfdi(db, lfdi)
            assert own is not None
            said = {"client_id": client, "end_device_id": own.id, "resource": "EndDeviceList", "ids": "{}"}
            said |= {"subscribed_resource": "/edev", "encoding": 0, "level": "+S1", "item_limit": 1, "created": NOW}
            said |= {"receiver_id": await receivers.named(db, client, f"127.0.0.1:{port}")}
            uris = [f"http://127.0.0.1:{port}/{name}/{one}/{number}" for number in range(each)]
            await db.run(insert(tables.subscription), [{**said, "notification_uri": uri} for uri in uris])
        await db.run(delete(tables.outbox))  # they are told of what comes, not of their own registration
    await database.close()


async def ready(house: House) -> None:
    """Have a settled server with notifications over plain HTTP, by the system's clock."""
    await house.settle(clock="system")
    settings = house.folder / "sep2.toml"
    settings.write_text(settings.read_text().replace("loopback = true", "loopback = true\nhttp = true"))


@dataclass
class Reads:
    """How long GETs took, in seconds."""

    took: list[float] = field(default_factory=list)

    @property
    def slowest_ms(self) -> float:
        """The slowest."""
        return 1000 * max(self.took)

    @property
    def p95_ms(self) -> float:
        """The one that 95 of 100 are faster than."""
        return 1000 * sorted(self.took)[int(0.95 * len(self.took))]


@asynccontextmanager
async def reading(house: House) -> AsyncIterator[Reads]:
    """GETs of one client, one after the other while the block runs."""
    raw = await Raw.open(house.port, context(house.people.pki.folder / "root.pem", house.people.files("sunny")))
    reads = Reads()

    async def read() -> None:
        while True:
            began = time.perf_counter()
            assert (await raw.get("/dcap")).status == 200
            reads.took.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(read())
    try:
        yield reads
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await raw.close()


async def change(house: House, seconds: int) -> float:
    """When everybody's EndDeviceList began to read differently."""
    began = time.perf_counter()
    await house.operate("PUT", "/poll-rates/EndDeviceList", {"seconds": seconds})
    return began


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something; the test's timeout ends it."""
    while not is_so():  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.01)


async def tell_all(house: House, number: int, *, clients: int) -> tuple[float, Reads]:
    """Seconds in which one change was told to so many subscriptions, each of them once, and reads beside it."""
    async with counting() as (port, taken):
        await ready(house)
        await enrol(house, "crowd", clients=clients, each=number // clients, port=port)
        await house.start()
        async with reading(house) as reads:
            began = await change(house, 42)
            await until(lambda: len(taken) == number)
            took = time.perf_counter() - began
        while (await house.operate("GET", "/status"))["waiting"]:  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.01)
        assert set(taken.values()) == {1}
        return took, reads


async def tell_beside_silence(house: House, silent: int, *, changes: int, every_s: float) -> tuple[list[float], Reads]:
    """Seconds after which one client was told of each change, beside so many others whose receivers say nothing."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(writer)
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                pass
        writer.close()
        held.discard(writer)

    held: set[asyncio.StreamWriter] = set()
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0, backlog=2048)
    took: list[float] = []
    try:
        async with counting() as (port, taken):
            await ready(house)
            silent_port = server.sockets[0].getsockname()[1]
            await enrol(house, "silent", clients=silent, each=4, port=silent_port)
            await enrol(house, "good", clients=1, each=1, port=port)
            await house.start()
            async with reading(house) as reads:
                for number in range(1, changes + 1):
                    began = await change(house, 40 + number)
                    await until(lambda: sum(taken.values()) >= number)  # noqa: B023 - waited for here
                    took.append(time.perf_counter() - began)
                    await asyncio.sleep(every_s)
            assert (await house.operate("GET", "/status"))["waiting"] == 4 * silent
    finally:
        server.close()
        for writer in list(held):
            writer.transport.abort()
    return took, reads
