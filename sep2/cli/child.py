"""A worker process as its parent sees it: how it is started, and the line over which it is told to end."""

import asyncio
import json
import os
import socket
import sys
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

READY = b"ready\n"


class Line(Enum):
    """What a parent says to its worker, see `sep2.server.part`."""

    DRAIN = b"drain\n"
    STOP = b"stop\n"


class Sockets(NamedTuple):
    """What a worker listens on."""

    clients: list[socket.socket]
    operators: list[socket.socket]
    partners: list[socket.socket]


class Child:
    """A worker process."""

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket) -> None:
        self._process = process
        self._line = line
        self._ended = asyncio.create_task(process.wait())
        self._began = time.monotonic()
        self.since = int(time.time())
        self.pid = process.pid

    @property
    def age_s(self) -> float:
        """For how long it has lived."""
        return time.monotonic() - self._began

    @property
    def fate(self) -> str:
        """How it ended."""
        code = self._process.returncode
        return f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"

    async def is_ready(self) -> bool:
        """Wait until it serves, or has ended."""
        hearing = asyncio.create_task(asyncio.get_running_loop().sock_recv(self._line, len(READY)))
        try:
            await asyncio.wait([hearing, self._ended], return_when=asyncio.FIRST_COMPLETED)
            if hearing.done() and hearing.exception() is None and hearing.result() == READY:
                return True
            await self.end(Line.STOP, 0)
            return False
        except asyncio.CancelledError:
            self._process.kill()
            raise
        finally:
            hearing.cancel()

    async def ended(self) -> None:
        """Wait until it has ended."""
        await asyncio.shield(self._ended)
        self._line.close()

    async def end(self, how: Line, patience_s: float) -> None:
        """Ask it to end; kill it where it does not in time."""
        with suppress(OSError):
            self._line.send(how.value)
        await asyncio.wait([self._ended], timeout=patience_s)
        if not self._ended.done():
            self._process.kill()
        await self.ended()


async def begin(folder: Path, number: int, sockets: Sockets) -> Child:
    """Start a worker, in a session of its own: a Ctrl-C at the terminal is for the parent."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        numbers = {name: [one.fileno() for one in some] for name, some in sockets._asdict().items()}
        asked = {"folder": str(folder), "number": number, "parent": theirs.fileno(), **numbers}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "sep2.cli.worker", json.dumps(asked)),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=[theirs.fileno(), *(file for some in numbers.values() for file in some)],
            start_new_session=True,
            env=os.environ,
        )
    return Child(process, ours)
