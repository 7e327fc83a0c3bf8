"""A network outage: a connection between a client and the server that can be interrupted."""

from __future__ import annotations

import asyncio
import contextlib


class NetworkLink:
    """Forwards TCP connections to the server; after `interrupt()` it forwards nothing and accepts none."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on this machine and return the port."""
        self._server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def interrupt(self) -> None:
        """Close all connections and stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in [*self._links]:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            there = await asyncio.open_connection(self._host, self._port)
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._links.discard(task)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    finally:
        target.close()
