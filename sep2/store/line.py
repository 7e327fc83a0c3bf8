"""A line between the processes that share a PostgreSQL database: one of them leads, and each wakes the others."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
from sqlalchemy.engine import URL

CHANNEL = "sep2_outbox"
LEADING = 20306
"""The key of the advisory lock that the leading process holds."""
KEPT_ALIVE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""A process whose machine is gone is missed after so many seconds, and another one leads."""

PATIENCE_S = 5.0
"""How long the server may take to answer."""
COMPLAIN_AGAIN_S = 60.0

log = logging.getLogger(__name__)

FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What the driver raises when the server can not be reached or has gone."""


class Line:
    """A connection of its own, opened when it is first needed and again when it was lost.

    Only promptness depends on the word: whoever waits for changes also looks by itself from time to time. So it is
    given after the commit, once for all commits meanwhile, instead of inside each transaction, where PostgreSQL
    would make the transactions wait for each other.
    """

    def __init__(self, url: URL, heard: Callable[[], None]) -> None:
        self._url = url
        self._heard = heard
        self._connection: Any = None
        self._in_use = asyncio.Lock()
        self._listening = False
        self._leading = False
        self._unsaid = False
        self._telling: asyncio.Task[None] | None = None
        self._complained: float | None = None
        self._ended = False

    def tell(self) -> None:
        """Wake the other processes, soon."""
        if self._ended:
            return
        self._unsaid = True
        if self._telling is None or self._telling.done():
            self._telling = asyncio.get_running_loop().create_task(self._tell())

    async def listen(self) -> None:
        """Hear of what the other processes commit from now on."""
        if self._ended:
            return
        try:
            async with self._in_use:
                connection = await self._open()
                if not self._listening:
                    await connection.add_listener(CHANNEL, self._hear)
                    self._listening = True
                    self._heard()  # something may have been written before
        except FAILURES as error:
            self._complain("changes made by other processes are noticed late", error)

    async def lead(self) -> bool:
        """Whether this process leads: the first one that asks does, until its connection ends."""
        if self._ended:
            return False
        try:
            async with self._in_use:
                connection = await self._open()
                if not self._leading:
                    self._leading = await connection.fetchval("SELECT pg_try_advisory_lock($1)", LEADING)
        except FAILURES as error:
            self._complain("another process may have to lead", error)
            return False
        return self._leading

    async def close(self) -> None:
        """Hang up, after the last word; nothing opens the line again."""
        self._ended = True
        if self._telling is not None:
            await self._telling
        async with self._in_use:  # somebody may be opening it
            if self._connection is not None:
                with suppress(*FAILURES):
                    await self._connection.close()

    async def _tell(self) -> None:
        try:
            while self._unsaid:
                self._unsaid = False
                async with self._in_use:
                    await (await self._open()).execute(f"NOTIFY {CHANNEL}")
        except FAILURES as error:
            self._complain("other processes hear late of a change", error)

    async def _open(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._listening = self._leading = False
            url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
            self._connection = await asyncpg.connect(
                url,
                timeout=PATIENCE_S,
                command_timeout=PATIENCE_S,
                server_settings={"application_name": "sep2 line", **KEPT_ALIVE},
            )
            self._connection.add_termination_listener(self._lost)
        return self._connection

    def _complain(self, what: str, error: BaseException) -> None:
        """Log that the line is down, once a minute however often it is tried."""
        now = asyncio.get_running_loop().time()
        if self._complained is None or now - self._complained >= COMPLAIN_AGAIN_S:
            self._complained = now
            log.warning("%s: %s", what, " ".join(str(error).split()) or type(error).__name__)

    def _lost(self, _: Any) -> None:
        self._heard()  # the listener calls again, and so the line is opened again

    def _hear(self, connection: Any, sender: int, *_: Any) -> None:
        if sender != connection.get_server_pid():
            self._heard()
