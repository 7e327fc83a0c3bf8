"""The part of one worker process among several that serve the same ports: its number, its sockets, its parent.

The parent (`sep2 serve --workers N`) binds the sockets and holds them as long as it runs, so that a connection that
comes while a worker starts anew waits for it instead of being refused. Worker 1 alone answers operators, and alone
may do what one process at a time is to do.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

READY, DRAIN = b"ready\n", b"drain\n"
"""What a worker says to its parent, and what a parent says to its worker; the end of the line means: stop at once."""
FIRST = 1


class Part(NamedTuple):
    """What a worker is given by its parent."""

    number: int
    clients: Sequence[socket.socket]
    """The sockets of the port for 2030.5 clients; nobody else but its predecessor and successor accepts on them."""
    operators: Sequence[socket.socket]
    """The sockets of the operators' port, for worker 1."""
    partners: Sequence[socket.socket]
    """The same of the market participants' port, if there is one."""
    parent: socket.socket
    """The line to the parent."""
    roster: Path
    """Where the parent notes its workers, see `sep2.settings.roster`."""

    @property
    def leads(self) -> bool:
        """Whether this worker may do what one process at a time is to do."""
        return self.number == FIRST

    async def ready(self) -> None:
        """Tell the parent that this worker answers."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self.parent, READY)

    async def told_to_stop(self) -> bool:
        """Wait until the parent asks to stop, or is gone; whether there is time to drain."""
        with contextlib.suppress(OSError):
            return await asyncio.get_running_loop().sock_recv(self.parent, len(DRAIN)) == DRAIN
        return False


def sites(
    runner: web.AppRunner,
    place: tuple[str, int],
    secured: ssl.SSLContext | None,
    bound: Sequence[socket.socket] | None,
) -> list[web.BaseSite]:
    """What an application listens on: host and port, or the sockets that the parent has bound for them."""
    if bound is None:
        return [web.TCPSite(runner, *place, ssl_context=secured)]
    # Each site closes its socket; the next worker is given the same ones.
    return [web.SockSite(runner, one.dup(), ssl_context=secured) for one in bound]
