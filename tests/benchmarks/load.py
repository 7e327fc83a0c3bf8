"""Requests over mutual TLS from as little Python as possible, and the processor time that they cost a server."""

import asyncio
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    """A server process, and how to reach it."""

    pid: int
    port: int
    tls: ssl.SSLContext

    def cpu_s(self) -> float:
        """Seconds of processor time that the process has used, in the kernel and out of it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did in one measurement."""

    per_s: float
    cpu_ms: float


def asking(path: str) -> bytes:
    """The request, as an embedded client sends it."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/sep+xml\r\n\r\n".encode()


async def one(target: Target, path: str) -> bytes:
    """The whole answer to one request, head and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, ssl=target.tls, server_hostname="")
    try:
        writer.write(asking(path))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        size = int(head.lower().partition(b"content-length:")[2].split(maxsplit=1)[0])
        return head + await reader.readexactly(size)
    finally:
        writer.close()
        await writer.wait_closed()


async def kept_alive(target: Target, path: str, seconds: float, connections: int = 8) -> Load:
    """Connections that ask for `path` again as soon as they are answered."""
    size = len(await one(target, path))
    running = _Running(asking(path), size)
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(running.connection, "127.0.0.1", target.port, ssl=target.tls, server_hostname="")
        for _ in range(connections)
    ]
    await asyncio.sleep(0.5)  # warm
    load = await _measured(target, lambda: running.answers, seconds)
    for transport, _ in opened:
        transport.abort()
    return load


async def reconnecting(target: Target, path: str, seconds: float, connections: int = 4) -> Load:
    """Full handshakes: each connection asks once."""
    done = 0

    async def again() -> None:
        nonlocal done
        while True:
            await one(target, path)
            done += 1

    tasks = [asyncio.create_task(again()) for _ in range(connections)]
    load = await _measured(target, lambda: done, seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return load


async def _measured(target: Target, answers: Callable[[], int], seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    before, cpu, start = answers(), target.cpu_s(), loop.time()
    await asyncio.sleep(seconds)
    count, spent, elapsed = answers() - before, target.cpu_s() - cpu, loop.time() - start
    return Load(count / elapsed, 1000 * spent / count)


@dataclass(slots=True)
class _Running:
    request: bytes
    size: int
    answers: int = 0
    connections: list["_Connection"] = field(default_factory=list)

    def connection(self) -> "_Connection":
        self.connections.append(_Connection(self))
        return self.connections[-1]


class _Connection(asyncio.Protocol):
    """Counts octets: all answers to one request have the same size."""

    def __init__(self, running: _Running) -> None:
        self._running = running
        self._left = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._ask()

    def data_received(self, data: bytes) -> None:
        if self._left == self._running.size:
            assert data.startswith(b"HTTP/1.1 200"), data[:200]
        self._left -= len(data)
        assert self._left >= 0, "the answers differ in size"
        if self._left == 0:
            self._running.answers += 1
            self._ask()

    def _ask(self) -> None:
        self._left = self._running.size
        self._transport.write(self._running.request)
