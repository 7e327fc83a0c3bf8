"""Several worker processes on the same ports: started, watched, started anew, and replaced one by one.

The parent binds the ports and serves nobody itself. Each worker has sockets of its own (SO_REUSEPORT), among which the
system shares out new connections; the parent keeps them open, so that what comes while a worker is replaced, or has
died, waits in the queue of its socket for the next one.
"""

import asyncio
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from sep2.cli.child import Child, Line, Sockets, begin
from sep2.errors import SepError
from sep2.settings import Settings, read, roster
from sep2.settings.roster import Worker

log = logging.getLogger("sep2.workers")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
SOUND_S = 60.0
"""A worker that has lived so long is started anew without a pause."""
LATE_S = 20.0
"""By how much longer than the time to drain a worker may take to end, before it is killed."""

COUNTERS = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers keep what they count, for one page of all."""


class WorkerFailed(SepError):
    """A worker process ended before it served; what it said is above."""


class Slot:
    """One number among the workers, and the process that has it."""

    def __init__(self, number: int, folder: Path, sockets: Sockets, noted: Callable[[], None]) -> None:
        """noted: called whenever something of `worker` has changed."""
        self.number = number
        self._folder = folder
        self._sockets = sockets
        self._noted = noted
        self._child: Child | None = None
        self._state = "starting"
        self._starts = 0
        self._changing = asyncio.Lock()

    @property
    def worker(self) -> Worker:
        """The process as it is now."""
        child = self._child
        pid, since = (0, 0) if child is None else (child.pid, child.since)
        return Worker(number=self.number, pid=pid, state=self._state, since=since, starts=self._starts)

    async def start(self) -> None:
        """Have a process serve; WorkerFailed where it ends before. One that serves already goes on meanwhile."""
        self._starts += 1
        child = await begin(self._folder, self.number, self._sockets)
        if self._child is None:
            self._child = child
            self._noted()
        if not await child.is_ready():
            if self._child is child:
                self._child = None
            raise WorkerFailed(f"worker {self.number}")
        self._child = child
        self._set("serving")

    async def keep(self) -> None:
        """Start a process anew whenever it ends by itself, until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            child = self._child
            if child is not None:
                await child.ended()
            async with self._changing:
                if child is not self._child:  # it was replaced
                    continue
                if child is not None:
                    log.error("worker %d (process %d) %s; it is started anew", self.number, child.pid, child.fate)
                    pause_s = FIRST_PAUSE_S if child.age_s > SOUND_S else pause_s
                self._child = None
                self._set("starting")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                with suppress(WorkerFailed):
                    await self.start()

    async def replace(self, patience_s: float) -> None:
        """Have another process serve, and let this one go once that does; WorkerFailed leaves all as it is."""
        async with self._changing:
            before = self._child
            await self.start()
            if before is not None:
                self._set("ending")
                await before.end(Line.DRAIN, patience_s)
            self._set("serving")

    async def end(self, how: Line, patience_s: float) -> None:
        """Let the process end."""
        if self._child is not None:
            self._set("ending")
            await self._child.end(how, patience_s)

    def _set(self, state: str) -> None:
        self._state = state
        self._noted()


class Crew:
    """All the workers of a folder, and what they are told by signals."""

    def __init__(self, folder: Path, settings: Settings, many: int, bound: "Ports") -> None:
        self._folder = folder
        self._bound = bound
        self._roster = folder.resolve() / roster.FILE
        self._patience_s = settings.limits.drain_s + LATE_S
        self._slots = [Slot(number + 1, folder, bound.of(number), self._note) for number in range(many)]
        self._stop: asyncio.Future[Line]
        self._again = asyncio.Event()

    async def serve(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM, with time to drain, or SIGINT, without; SIGHUP replaces the workers one by one."""
        loop = asyncio.get_running_loop()
        self._stop = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, self._ask_to_stop, Line.DRAIN)
        loop.add_signal_handler(signal.SIGINT, self._ask_to_stop, Line.STOP)
        loop.add_signal_handler(signal.SIGHUP, self._again.set)
        tasks: list[asyncio.Task[None]] = []
        try:
            starting = [asyncio.create_task(slot.start()) for slot in self._slots]
            await self._started(starting)
            if not self._stop.done():
                ready()
                tasks = [asyncio.create_task(work()) for work in (self._renew, *(slot.keep for slot in self._slots))]
                await self._stop
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end()

    async def _started(self, starting: Sequence[asyncio.Task[None]]) -> None:
        """Wait until all serve, or it is asked to stop; WorkerFailed where one does not come to that."""
        serving = asyncio.gather(*starting)
        both: list[asyncio.Future[Any]] = [serving, self._stop]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        else:
            serving.cancel()
            with suppress(asyncio.CancelledError, WorkerFailed):
                await serving

    async def _renew(self) -> None:
        """Replace the workers one by one, whenever asked to, with the settings and programs as they are then."""
        while True:
            await self._again.wait()
            self._again.clear()
            try:
                read(self._folder)
                for slot in self._slots:
                    await slot.replace(self._patience_s)
                log.info("all %d workers were replaced", len(self._slots))
            except SepError as problem:
                log.warning("the workers go on as they are: %s", problem)

    async def _end(self) -> None:
        how = self._stop.result() if self._stop.done() else Line.STOP
        # Each worker has the last of its sockets now: nobody waits in a queue that nobody empties any more.
        self._bound.close()
        await asyncio.gather(*(slot.end(how, self._patience_s) for slot in self._slots))
        self._roster.unlink(missing_ok=True)

    def _ask_to_stop(self, how: Line) -> None:
        if not self._stop.done():
            self._stop.set_result(how)

    def _note(self) -> None:
        roster.note(self._roster, [slot.worker for slot in self._slots])


class Ports:
    """The sockets of all workers, bound; OSError where one is taken."""

    def __init__(self, settings: Settings, many: int) -> None:
        listen, operator, partner = settings.listen, settings.operator, settings.partner
        self._all: list[socket.socket] = []
        try:
            self._clients = self._shared(listen.host, listen.port, many)
            self._operators = self._shared(operator.host, operator.port, 1)[0]
            self._partners = [] if partner.port is None else self._shared(partner.host, partner.port, 1)[0]
        except OSError:
            self.close()
            raise

    def of(self, index: int) -> Sockets:
        """The sockets of one worker; operators and market participants are answered by the first."""
        if index:
            return Sockets(self._clients[index], [], [])
        return Sockets(self._clients[0], self._operators, self._partners)

    def close(self) -> None:
        """Let the ports go."""
        for one in self._all:
            one.close()

    def _shared(self, host: str, port: int, many: int) -> list[list[socket.socket]]:
        """For each of so many workers, sockets for every address of a host."""
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        places = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
        for family, address in places:
            # Two servers of one user could share a port without noticing.
            self._bind(family, address, shared=False).close()
        return [[self._bind(family, address, shared=True) for family, address in places] for _ in range(many)]

    def _bind(self, family: int, address: tuple[Any, ...], *, shared: bool) -> socket.socket:
        one = socket.socket(family, socket.SOCK_STREAM)
        self._all.append(one)
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            one.bind(address)
        except OSError as wrong:
            raise OSError(wrong.errno, f"{address[0]}, port {address[1]}: {os.strerror(wrong.errno or 0)}") from None
        return one


def serve(folder: Path, settings: Settings, many: int, ready: Callable[[], None]) -> None:
    """Serve with so many workers until told to stop."""
    with ExitStack() as stack:
        counters = stack.enter_context(tempfile.TemporaryDirectory(prefix="sep2-metrics-"))
        os.environ[COUNTERS] = counters
        bound = Ports(settings, many)
        stack.callback(bound.close)
        asyncio.run(Crew(folder, settings, many, bound).serve(ready))
