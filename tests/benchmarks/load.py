"""Requests over mutual TLS from as little Python as possible, and the processor time that they cost a server."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from tests.benchmarks import processor
from tests.benchmarks.utility import Asked

CONNECTIONS = 8
HEAD_ENDS = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Target:
    """A server process, and how to reach it."""

    pid: int
    port: int
    tls: ssl.SSLContext

    def cpu_s(self) -> float:
        """Seconds of processor time that the process has used, in the kernel and out of it."""
        return processor.of_process(self.pid)


def asking(path: str, method: str = "GET", body: bytes = b"") -> bytes:
    """The request, as an embedded client sends it."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/sep+xml\r\n"
    if body:
        head += f"Content-Type: application/sep+xml\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


async def one(target: Target, path: str) -> bytes:
    """The whole answer to one request, head and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, ssl=target.tls, server_hostname="")
    try:
        writer.write(asking(path))
        head = await reader.readuntil(HEAD_ENDS)
        assert head.startswith(b"HTTP/1.1 200"), head
        return head + await reader.readexactly(_length(head))
    finally:
        writer.close()
        await writer.wait_closed()


async def sent(target: Target, asked: Asked | Sequence[Asked], numbers: range) -> float:
    """Milliseconds of the server's processor time for each of these requests, on connections that are kept.

    asked: one for all numbers, or one for each.
    """
    each = [asked] * len(numbers) if isinstance(asked, Asked) else asked
    pairs = zip(each, numbers, strict=True)
    requests = iter([asking(one.path, one.method, one.body(n) if one.body else b"") for one, n in pairs])
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(_Connection, "127.0.0.1", target.port, ssl=target.tls, server_hostname=""))[1]
        for _ in range(CONNECTIONS)
    ]
    before = target.cpu_s()
    await asyncio.gather(*(connection.ask(requests) for connection in opened))
    spent = target.cpu_s() - before
    for connection in opened:
        connection.transport.abort()
    return 1000 * spent / len(numbers)


async def reconnecting(target: Target, path: str, count: int) -> float:
    """The same of connections with a full handshake, each of which asks once."""
    before = target.cpu_s()
    for _ in range(count):
        await one(target, path)
    return 1000 * (target.cpu_s() - before) / count


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.split(maxsplit=1)[0]) if found else 0


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as one is answered."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._requests: Iterator[bytes] = iter(())
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    async def ask(self, requests: Iterator[bytes]) -> None:
        """Return when none is left."""
        self._requests = requests
        self._next()
        await self._done

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(HEAD_ENDS)
        if not found or len(body) < _length(head):
            return
        self._read = b""
        if not head.startswith(b"HTTP/1.1 20"):
            self._done.set_exception(AssertionError(head))
            return
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError())

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self.transport.write(request)
        elif not self._done.done():
            self._done.set_result(None)
