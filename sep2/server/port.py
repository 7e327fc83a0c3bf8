"""The port for 2030.5 clients: this process's own, or the one that its parent has bound for it."""

import asyncio
import logging
import socket
from collections.abc import Sequence

from sep2.server.handshake import Door
from sep2.server.http import Http
from sep2.server.watch import Watch
from sep2.settings import Settings

log = logging.getLogger("sep2")

BACKLOG = 1024
LOOKS_EVERY_S = 0.05
"""How often it is looked whether the last connection has ended."""


class Port:
    """What listens to clients; shut while the server has nothing valid to show (in production)."""

    def __init__(self, settings: Settings, watch: Watch, door: Door, bound: Sequence[socket.socket] | None) -> None:
        """bound: sockets of the parent's; None: this process binds its own."""
        self._listen = settings.listen
        self._watch = watch
        self._door = door
        self._bound = bound
        self._servers: list[asyncio.Server] = []
        self._shut_because = ""
        self._ended = False

    async def look(self) -> None:
        """Open the port, or shut it; connections that live go on."""
        shut_because = self._watch.shut_because()
        if shut_because and shut_because != self._shut_because:
            log.error("%s", shut_because)
        self._shut_because = shut_because
        if shut_because and self._servers:
            self._shut()
            for one in self._bound or ():
                one.shutdown(socket.SHUT_RDWR)  # the parent holds it: nobody shall wait there for an answer
        elif not shut_because and not self._servers and not self._ended:
            self._servers = await self._open()
            log.info("2030.5 clients: %s", self._listen.origin)

    def end(self) -> None:
        """Accept no more connections; on a socket of the parent's they wait for the next worker."""
        self._ended = True
        self._shut()
        for one in self._bound or ():
            one.close()

    def _shut(self) -> None:
        for server in self._servers:
            server.close()
        self._servers = []

    async def _open(self) -> list[asyncio.Server]:
        loop = asyncio.get_running_loop()
        if self._bound is None:
            return [await loop.create_server(self._door, self._listen.host, self._listen.port, backlog=BACKLOG)]
        # The event loop closes what it listens on.
        return [await loop.create_server(self._door, sock=one.dup(), backlog=BACKLOG) for one in self._bound]


async def drain(http: Http, port: Port, within_s: float) -> None:
    """Accept nothing new, and let every client end its connection with its next answer; return when all have."""
    port.end()
    http.ending = True
    loop = asyncio.get_running_loop()
    ends = loop.time() + within_s
    while http.peers() and loop.time() < ends:  # noqa: ASYNC110 - nobody tells of the last one
        await asyncio.sleep(LOOKS_EVERY_S)
