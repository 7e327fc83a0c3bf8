"""Processes that keep what they have read from one PostgreSQL database: each hears of what the others change.

A process may use what it keeps while its lease runs, which it renews every second on the connection on which it hears
of changes. Who changes something says so with the commit, and waits before the change is acknowledged until every
process with a lease has heard of it, or the lease is over: on a connection on which it hears nothing it renews none.
"""

import asyncio
import logging
import secrets
from collections.abc import Collection
from contextlib import suppress
from time import monotonic
from typing import Any

import asyncpg
from sqlalchemy.engine import URL

from sep2.store.line import FAILURES, KEPT_ALIVE, PATIENCE_S
from sep2.store.written import Written

log = logging.getLogger(__name__)

CHANGED, HEARD = "sep2_changed", "sep2_heard"
"""Channels: `process number table,table`, and the answer `process number process`."""
LEASE_S = 3.0
RENEWED_EVERY_S = 1.0
MARGIN_S = 0.5
"""By how much earlier a process stops to use what it keeps than others expect of it."""
FORGOTTEN_AFTER_S = 3600

_NOW = "extract(epoch from clock_timestamp())"
_RENEW = (
    f"INSERT INTO keeper (name, until) VALUES ($1, {_NOW} + $2) "  # noqa: S608 - of constants
    "ON CONFLICT (name) DO UPDATE SET until = excluded.until"
)
_OTHERS = f"SELECT name FROM keeper WHERE name <> $1 AND until > {_NOW}"  # noqa: S608
_FORGET = f"DELETE FROM keeper WHERE name = $1 OR until < {_NOW} - {FORGOTTEN_AFTER_S}"  # noqa: S608


class Keepers:
    """This process among those that keep what they have read."""

    def __init__(self, url: URL, written: Written) -> None:
        self._url = url
        self._written = written
        self._name = secrets.token_hex(8)
        self._connection: Any = None
        self._in_use = asyncio.Lock()
        self._until = 0.0
        self._numbers = 0
        self._missing: dict[int, set[str]] = {}
        self._heard: dict[int, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False

    @property
    def may_use(self) -> bool:
        """Whether this process knows of every change that was acknowledged."""
        return monotonic() < self._until

    async def stay(self) -> None:
        """Renew the lease until cancelled."""
        while not self._ended:
            try:
                await self._renew()
            except FAILURES as error:
                self._until = 0.0
                log.debug("nothing is kept for now: %s", error)
            await asyncio.sleep(RENEWED_EVERY_S)

    async def saying(self, tables: Collection[str]) -> tuple[int, str]:
        """A number for a change of these tables, and what is to be said of it on `CHANGED` with its commit."""
        with suppress(*FAILURES):  # then the others' leases are waited for
            async with self._in_use:
                await self._open()
        self._numbers += 1
        self._missing[self._numbers] = set()
        return self._numbers, f"{self._name} {self._numbers} {','.join(sorted(tables))}"

    async def all_heard(self, number: int) -> None:
        """Return when no process uses any more what this change, which is committed, has made old."""
        ends = monotonic() + LEASE_S + MARGIN_S
        try:
            async with self._in_use:
                others = {row["name"] for row in await (await self._open()).fetch(_OTHERS, self._name)}
            others -= self._missing[number]  # who has heard already
            if not others:
                return
            self._missing[number] = others
            heard = self._heard[number] = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(ends - monotonic()):
                await heard
        except TimeoutError:
            log.info("a server that shares the database has not answered; its lease is over")
        except FAILURES as error:
            log.warning("what other servers keep is waited for, since they can not be asked: %s", error)
            await asyncio.sleep(max(0.0, ends - monotonic()))
        finally:
            self.forget(number)

    def forget(self, number: int) -> None:
        """Nobody waits for this change any more."""
        self._missing.pop(number, None)
        self._heard.pop(number, None)

    async def close(self) -> None:
        """Give the lease back, and hang up."""
        self._ended = True
        self._until = 0.0
        async with self._in_use:
            if self._connection is not None:
                with suppress(*FAILURES):
                    await self._connection.execute(_FORGET, self._name)
                    await self._connection.close()

    async def _renew(self) -> None:
        async with self._in_use:
            connection = await self._open()
            began = monotonic()
            is_new = began >= self._until
            await connection.execute(_RENEW, self._name, LEASE_S)
        if is_new:  # what was said meanwhile was said to nobody
            self._written.everything()
        if not self._ended and connection is self._connection:
            self._until = began + LEASE_S - MARGIN_S

    async def _open(self) -> Any:
        if self._ended:
            raise asyncpg.InterfaceError("the database is closed")
        if self._connection is None or self._connection.is_closed():
            self._until = 0.0
            self._connection = await asyncpg.connect(
                self._url.set(drivername="postgresql").render_as_string(hide_password=False),
                timeout=PATIENCE_S,
                command_timeout=PATIENCE_S,
                server_settings={"application_name": "sep2 keeper", **KEPT_ALIVE},
            )
            self._connection.add_termination_listener(self._lost)
            await self._connection.add_listener(CHANGED, self._hear)
            await self._connection.add_listener(HEARD, self._hear_answer)
        return self._connection

    def _lost(self, _: Any) -> None:
        self._until = 0.0

    def _hear(self, _connection: Any, _sender: int, _channel: str, said: Any) -> None:
        name, number, tables = str(said).split(" ", 2)
        if name == self._name:
            return
        changed = tables.split(",")
        self._written.begin(changed)
        self._written.end(changed)
        task = asyncio.get_running_loop().create_task(self._answer(f"{name} {number} {self._name}"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, said: str) -> None:
        with suppress(*FAILURES):  # who waits for it waits until the lease is over
            async with self._in_use:
                await (await self._open()).execute("SELECT pg_notify($1, $2)", HEARD, said)

    def _hear_answer(self, _connection: Any, _sender: int, _channel: str, said: Any) -> None:
        name, number, other = str(said).split(" ")
        if name != self._name or int(number) not in self._missing:
            return
        waited_for, heard = self._missing[int(number)], self._heard.get(int(number))
        if heard is None:
            waited_for.add(other)
            return
        waited_for.discard(other)
        if not waited_for and not heard.done():
            heard.set_result(None)
