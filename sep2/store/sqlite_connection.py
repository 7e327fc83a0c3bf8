"""Connections to an SQLite file: statements that read and write, and what a failure of the driver means."""

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection as Core
from sqlalchemy import Engine, Executable, Result, Row, UpdateBase
from sqlalchemy.exc import DBAPIError

from sep2.errors import SepError
from sep2.store.connection import Busy, Clash, Connection, Damaged, Done, Full, Outage, Unreachable, Values
from sep2.store.prepared import Prepared, Preparing

ON_THE_LOOP_S = 0.02
"""How long a statement that reads may hold up the event loop; one that takes longer begins again in a thread."""
IN_A_THREAD_S = 30.0
STEPS = 2000
"""Steps of SQLite's virtual machine after which it asks whether to go on: about a tenth of a millisecond."""
ROWS_AT_ONCE = 200
"""Rows written in one go: a millisecond or two."""
HELD_S = 0.005
"""How long a block that writes goes on before what else waits for the event loop has its turn."""
PASSES = 4
"""Of the event loop between them, so that a request that has arrived is answered."""
Fetched = TypeVar("Fetched")

_CLASHES = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
)
_OUTAGES: dict[int, type[Outage]] = {
    sqlite3.SQLITE_BUSY: Busy,
    sqlite3.SQLITE_LOCKED: Busy,
    sqlite3.SQLITE_INTERRUPT: Busy,
    sqlite3.SQLITE_FULL: Full,
    sqlite3.SQLITE_CORRUPT: Damaged,
    sqlite3.SQLITE_NOTADB: Damaged,
    sqlite3.SQLITE_CANTOPEN: Unreachable,
    sqlite3.SQLITE_IOERR: Unreachable,
    sqlite3.SQLITE_PERM: Unreachable,
    sqlite3.SQLITE_READONLY: Unreachable,
}
"""What the primary result codes of SQLite mean to who asked."""


class Patience:
    """Until when SQLite may go on with a statement; it asks every `STEPS` steps."""

    def __init__(self) -> None:
        self.until = math.inf

    def __call__(self) -> bool:
        """Whether the statement is to be given up."""
        return time.monotonic() > self.until


class Handle(NamedTuple):
    """One open connection, as SQLAlchemy and as the driver see it."""

    core: Core
    driver: sqlite3.Connection
    patience: Patience


class SqliteConnection(Connection):
    """A connection of the standard library's driver, through SQLAlchemy Core."""

    def __init__(self, handle: Handle, preparing: Preparing) -> None:
        super().__init__()
        self.core: Core | None = handle.core
        self._driver = handle.driver
        self._preparing = preparing
        self._holds_since = time.monotonic()

    async def execute(self, statement: Executable, values: Values) -> Result[Any]:
        """The result of one statement; the event loop waits for it, and has a turn first where that is due."""
        await self._turn(statement)
        with told(self._open.engine):
            return self._open.execute(statement, values)

    async def one(self, statement: Executable, **values: Any) -> Row[Any] | None:
        """The first row, or None."""
        prepared = self._preparing.find(statement, values)
        if prepared is None or prepared.row is None:
            return await super().one(statement, **values)
        await self._turn(statement)
        with told(self._open.engine):
            return _first(self._driver, prepared, values)

    async def all(self, statement: Executable, **values: Any) -> list[Row[Any]]:
        """Every row."""
        prepared = self._preparing.find(statement, values)
        if prepared is None or prepared.row is None:
            return await super().all(statement, **values)
        await self._turn(statement)
        with told(self._open.engine):
            return _every(self._driver, prepared, values)

    async def _turn(self, statement: Executable) -> None:
        """Let others have the event loop where that is due, and note what a statement is about to do."""
        if time.monotonic() - self._holds_since > HELD_S:
            await self._let_others_run()
        self.note(statement)

    async def _let_others_run(self) -> None:
        for _ in range(PASSES):
            await asyncio.sleep(0)
        self._holds_since = time.monotonic()

    async def run_long(self, statement: Executable) -> Done:
        """As `run`, in a thread: the event loop goes on, other writes wait."""
        core = self._open
        self.note(statement)

        def run() -> Done:
            with told(core.engine):
                return Done(core.execute(statement).rowcount, 0)

        running = asyncio.ensure_future(asyncio.to_thread(run))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            with suppress(Exception):
                await running  # the block must not be undone under it
            raise

    @property
    def _open(self) -> Core:
        if self.core is None:
            raise RuntimeError("this block has ended; its connection may serve another one by now")
        return self.core

    async def run(self, statement: Executable, values: Values | None = None) -> Done:
        """Insert, update or delete; of many rows a few at a time, and what else waits for the event loop in between."""
        if values is None or isinstance(values, Mapping) or len(values) <= ROWS_AT_ONCE:
            return await self._run(statement, values)
        rows = 0
        for start in range(0, len(values), ROWS_AT_ONCE):
            rows += (await self._run(statement, values[start : start + ROWS_AT_ONCE])).rowcount
            await self._let_others_run()
        return Done(rows, 0)

    async def _run(self, statement: Executable, values: Values | None) -> Done:
        each = [values or {}] if values is None or isinstance(values, Mapping) else values
        prepared = self._preparing.find(statement, each[0]) if each and isinstance(statement, UpdateBase) else None
        if prepared is None:
            return await super().run(statement, values)
        await self._turn(statement)
        with told(self._open.engine):
            if each is values:
                cursor = self._driver.executemany(prepared.text, [prepared.values(one) for one in each])
                return Done(len(each) if prepared.first_key else cursor.rowcount, 0)
            cursor = self._driver.execute(prepared.text, prepared.values(each[0]))
        # SQLite reports the id of an earlier row where ON CONFLICT DO NOTHING did nothing.
        made = prepared.first_key and cursor.rowcount
        return Done(cursor.rowcount, each[0].get(prepared.first_key, cursor.lastrowid) or 0 if made else 0)


class Reader(SqliteConnection):
    """One that reads. What takes long goes on in a thread: how long a list is, is decided by who made it."""

    def __init__(self, handle: Handle, preparing: Preparing, threads: ThreadPoolExecutor) -> None:
        super().__init__(handle, preparing)
        self._patience = handle.patience
        self._threads = threads

    async def one(self, statement: Executable, **values: Any) -> Row[Any] | None:
        """The first row, or None."""
        self.note(statement)
        prepared = self._preparing.find(statement, values)
        if prepared is None or prepared.row is None:
            return await self._fetched(lambda core: core.execute(statement, values).first())
        return await self._fetched(lambda core: _first(self._driver, prepared, values))

    async def all(self, statement: Executable, **values: Any) -> list[Row[Any]]:
        """Every row."""
        self.note(statement)
        prepared = self._preparing.find(statement, values)
        if prepared is None or prepared.row is None:
            return await self._fetched(lambda core: list(core.execute(statement, values).all()))
        return await self._fetched(lambda core: _every(self._driver, prepared, values))

    async def _fetched(self, fetch: Callable[[Core], Fetched]) -> Fetched:
        core = self._open
        try:
            self._patience.until = time.monotonic() + ON_THE_LOOP_S
            return fetch(core)
        except DBAPIError as error:
            if not _is_given_up(error.orig):
                raise refusal(error.orig, core.engine) or error from error
        except sqlite3.Error as error:  # SQLAlchemy passes on what happens while rows are fetched
            if not _is_given_up(error):
                raise refusal(error, core.engine) or error from error
        finally:
            self._patience.until = math.inf
        # The block is one snapshot: begun again, the statement finds the same.
        reading = asyncio.get_running_loop().run_in_executor(self._threads, self._in_thread, fetch, core)
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            self._patience.until = 0.0
            with suppress(Exception):
                await reading  # nobody else may have this connection before the thread has let go of it
            raise

    def _in_thread(self, fetch: Callable[[Core], Fetched], core: Core) -> Fetched:
        self._patience.until = time.monotonic() + IN_A_THREAD_S
        try:
            with told(core.engine):
                return fetch(core)
        finally:
            self._patience.until = math.inf


def _first(driver: sqlite3.Connection, prepared: Prepared, values: Mapping[str, Any]) -> Row[Any] | None:
    assert prepared.row is not None
    cursor = driver.execute(prepared.text, prepared.values(values))
    found = cursor.fetchone()
    cursor.close()
    return None if found is None else prepared.row(found)


def _every(driver: sqlite3.Connection, prepared: Prepared, values: Mapping[str, Any]) -> list[Row[Any]]:
    row = prepared.row
    assert row is not None
    return [row(one) for one in driver.execute(prepared.text, prepared.values(values)).fetchall()]


def _is_given_up(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT


def is_busy(error: sqlite3.Error) -> bool:
    """Whether it is only that somebody else uses the file."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def refusal(error: BaseException | None, engine: Engine) -> SepError | None:
    """The answer to a failure that a caller, or an operator, can do something about."""
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", 0)  # the driver's own refusals have none
    if code in _CLASHES:
        return Clash()
    kind = _OUTAGES.get(code & 0xFF)
    if kind is Busy:
        took_long = code == sqlite3.SQLITE_INTERRUPT
        return Busy("what was asked for takes too long" if took_long else "another process is writing")
    if kind is None:
        return None
    file = engine.url.database
    more = f"; `sqlite3 {file} 'PRAGMA integrity_check'` says where" if kind is Damaged else ""
    return kind(f"{file}: {error}{more}")


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """A block whose failures are those that a caller can do something about, where they are."""
    try:
        yield
    except DBAPIError as error:
        raise refusal(error.orig, engine) or error from error
    except sqlite3.Error as error:
        raise refusal(error, engine) or error from error


def roll_back(driver: sqlite3.Connection) -> None:
    """Undo what the connection has begun, if anything is left of it."""
    if driver.in_transaction:
        with suppress(sqlite3.Error):
            driver.execute("ROLLBACK")
