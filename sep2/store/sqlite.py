"""SQLite: reads on the event loop, one writer whose commits are grouped.

A read costs less than handing it to a thread would. A commit waits for the disk, so it runs in the one writer thread;
blocks that queue meanwhile run one after the other, each in a savepoint of its own, and share the next commit.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection as Core
from sqlalchemy import Engine, Executable, Result, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from sep2.errors import SepError
from sep2.store import migrations
from sep2.store.connection import Busy, Clash, Connection, Damaged, Done, Full, Outage, Unreachable, Values
from sep2.store.database import Database, UnknownDatabase

PATIENCE_S = 5.0
READER_PATIENCE_MS = 50
"""How long a read may hold up the event loop; only another process that opens or closes the file can cause it."""
RETRY_S = 0.005
LARGEST_GROUP = 100
IDLE_READERS = 8
ROWS_AT_ONCE = 200
"""Rows written in one go: a millisecond or two."""


_CLASHES = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
)
_OUTAGES: dict[int, type[Outage]] = {
    sqlite3.SQLITE_BUSY: Busy,
    sqlite3.SQLITE_LOCKED: Busy,
    sqlite3.SQLITE_FULL: Full,
    sqlite3.SQLITE_CORRUPT: Damaged,
    sqlite3.SQLITE_NOTADB: Damaged,
    sqlite3.SQLITE_CANTOPEN: Unreachable,
    sqlite3.SQLITE_IOERR: Unreachable,
    sqlite3.SQLITE_PERM: Unreachable,
    sqlite3.SQLITE_READONLY: Unreachable,
}
"""What the primary result codes of SQLite mean to who asked."""


class _Handle(NamedTuple):
    """One open connection, as SQLAlchemy and as the driver see it."""

    core: Core
    driver: sqlite3.Connection


class SqliteConnection(Connection):
    """A connection of the standard library's driver, through SQLAlchemy Core."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.core: Core | None = core

    async def execute(self, statement: Executable, values: Values) -> Result[Any]:
        """The result of one statement; the event loop waits for it."""
        if self.core is None:
            raise RuntimeError("this block has ended; its connection may serve another one by now")
        try:
            return self.core.execute(statement, values)
        except DBAPIError as error:
            raise _refusal(error.orig, self.core.engine) or error from error

    async def run(self, statement: Executable, values: Values | None = None) -> Done:
        """Insert, update or delete; of many rows a few at a time, and what else waits for the event loop in between."""
        if values is None or isinstance(values, Mapping) or len(values) <= ROWS_AT_ONCE:
            return await super().run(statement, values)
        rows = 0
        for start in range(0, len(values), ROWS_AT_ONCE):
            rows += (await super().run(statement, values[start : start + ROWS_AT_ONCE])).rowcount
            await asyncio.sleep(0)
        return Done(rows, 0)


class _Group:
    """Blocks that have ended and wait for the commit that they share."""

    def __init__(self) -> None:
        self.size = 0
        self.changed = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(_seen)


class SqliteDatabase(Database):
    """One file in write-ahead mode, every commit synced to the disk."""

    reads_at_once = (4, 1)  # a read that is done on the event loop lets nothing else run
    writes_at_once = (32, 24)  # they run one after the other, and share a commit

    def __init__(self, url: URL) -> None:
        super().__init__()
        self.patience_s = PATIENCE_S
        """How long a write waits for another process to finish its own."""
        self._engine = _engine(url)
        self._writer = _connect(self._engine, "journal_mode = WAL", "synchronous = FULL")
        self._readers: list[_Handle] = []
        self._thread = ThreadPoolExecutor(1, "sep2-writer")
        self._closed = False
        self._taken = False
        self._turns: deque[asyncio.Future[None]] = deque()
        self._group = _Group()
        self._inside: asyncio.Task[Any] | None = None
        self._committing: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: URL) -> Self:
        """The database in this file, refused unless its tables are those of this version."""
        database = cls(url)
        try:
            with _told(database._engine):
                migrations.require_current(database._writer.core)
        except BaseException:
            await database.close()
            raise
        return database

    @classmethod
    async def migrate(cls, url: URL) -> None:
        """Bring the tables in this file to this version; makes the file where there is none."""
        await asyncio.to_thread(_migrate, url)

    def read(self) -> AbstractAsyncContextManager[Connection]:
        """A block in which every statement sees the same state."""
        return self._read()

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Connection]:
        reader = self._readers.pop() if self._readers else self._new_reader()
        connection = SqliteConnection(reader.core)
        is_sound = False
        try:
            with _told(self._engine):
                reader.driver.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.core = None
                with _told(self._engine):
                    reader.driver.execute("ROLLBACK")
            is_sound = True
        finally:
            if is_sound and len(self._readers) < IDLE_READERS and not self._closed:
                self._readers.append(reader)
            else:
                reader.core.close()

    def write(self) -> AbstractAsyncContextManager[Connection]:
        """A block that is one transaction, durable once it is left."""
        return self._write()

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Connection]:
        patient_until = time.monotonic() + self.patience_s
        await self._take_turn()
        connection = SqliteConnection(self._writer.core)
        try:
            await self._begin(patient_until)
            self._inside = asyncio.current_task()
            yield connection
            group = self._keep(connection)
        except BaseException:
            self._undo()
            raise
        finally:
            connection.core = None
            self._inside = None
            self._pass_on()
        # A caller that is cancelled here leaves; the commit does not.
        await asyncio.shield(group.done)

    async def close(self) -> None:
        """Close the file, after the commits that are under way."""
        if self._closed:
            return
        await self._take_turn(closing=True)
        for handle in (*self._readers, self._writer):
            handle.core.close()
        self._engine.dispose()
        self._thread.shutdown()

    async def _take_turn(self, *, closing: bool = False) -> None:
        """Wait until no other block and no commit uses the writer."""
        if self._closed:
            raise RuntimeError("the database is closed")
        self._closed = closing
        if self._inside is not None and self._inside is asyncio.current_task():
            raise RuntimeError("a write block inside a write block would wait for itself")
        if not self._taken:
            self._taken = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Let the next block in, or commit what has gathered, or rest."""
        while self._turns and self._group.size < LARGEST_GROUP:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        if self._group.size:
            self._committing = asyncio.get_running_loop().create_task(self._commit())
            return
        _roll_back(self._writer.driver)
        self._taken = False

    async def _begin(self, patient_until: float) -> None:
        driver = self._writer.driver
        while not driver.in_transaction:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > patient_until:
                    raise _refusal(error, self._engine) or error from error
                await asyncio.sleep(RETRY_S)
        with _told(self._engine):
            driver.execute("SAVEPOINT block")

    def _keep(self, connection: SqliteConnection) -> _Group:
        with _told(self._engine):
            self._writer.driver.execute("RELEASE block")
        self._group.size += 1
        self._group.changed |= connection.changed
        return self._group

    def _undo(self) -> None:
        driver = self._writer.driver
        if driver.in_transaction:
            try:
                driver.execute("ROLLBACK TO block")
                driver.execute("RELEASE block")
            except sqlite3.Error as error:
                # Whatever is left of the transaction is not to be trusted.
                _roll_back(driver)
                self._finish(_refusal(error, self._engine) or error)
        elif self._group.size:
            # A full disk and the like make SQLite undo the transaction itself, and with it the blocks before this one.
            self._finish(Busy("the transaction was lost"))

    async def _commit(self) -> None:
        driver = self._writer.driver
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, driver.execute, "COMMIT")
        except sqlite3.Error as error:
            _roll_back(driver)
            self._finish(_refusal(error, self._engine) or error)
        else:
            self._finish(None)
        self._pass_on()

    def _finish(self, error: BaseException | None) -> None:
        group, self._group = self._group, _Group()
        if error is not None:
            group.done.set_exception(error)
            return
        group.done.set_result(None)
        if group.changed:
            self._news.set()

    def _new_reader(self) -> _Handle:
        return _connect(self._engine, "query_only = ON", f"busy_timeout = {READER_PATIENCE_MS}")


def _engine(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise UnknownDatabase("SQLite needs a file: sqlite:///path")
    # The driver's own transactions are off: BEGIN and COMMIT are said here.
    arguments = {"check_same_thread": False, "timeout": 0}
    url = url.set(drivername="sqlite+pysqlite")
    return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args=arguments)


def _connect(engine: Engine, *pragmas: str) -> _Handle:
    try:
        core = engine.connect()
    except DBAPIError as error:
        raise Unreachable(f"{engine.url.database}: {error.orig}") from error
    driver = core.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    try:
        for pragma in ("foreign_keys = ON", *pragmas):
            driver.execute(f"PRAGMA {pragma}")
    except sqlite3.DatabaseError as error:
        core.close()
        raise _refusal(error, engine) or error from error
    return _Handle(core, driver)


def _migrate(url: URL) -> None:
    engine = _engine(url)
    core, driver = _connect(engine, f"busy_timeout = {PATIENCE_S * 1000:.0f}")
    try:
        with _told(engine):
            _use_wal(driver)
            driver.execute("PRAGMA foreign_keys = OFF")  # a table is changed by making it anew
            driver.execute("BEGIN IMMEDIATE")
            migrations.upgrade(core)
            if broken := driver.execute("PRAGMA foreign_key_check").fetchall():
                raise RuntimeError(f"the new tables contradict each other: {broken[:3]}")
            driver.execute("COMMIT")
    finally:
        _roll_back(driver)
        core.close()
        engine.dispose()


def _use_wal(driver: sqlite3.Connection) -> None:
    """Have the file written ahead from now on; SQLite itself does not wait for its turn to do that."""
    patient_until = time.monotonic() + PATIENCE_S
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > patient_until:
                raise
            time.sleep(RETRY_S)


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _refusal(error: BaseException | None, engine: Engine) -> SepError | None:
    """The answer to a failure that a caller, or an operator, can do something about."""
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", 0)  # the driver's own refusals have none
    if code in _CLASHES:
        return Clash()
    kind = _OUTAGES.get(code & 0xFF)
    if kind is Busy:
        return Busy("another process is writing")
    if kind is None:
        return None
    file = engine.url.database
    more = f"; `sqlite3 {file} 'PRAGMA integrity_check'` says where" if kind is Damaged else ""
    return kind(f"{file}: {error}{more}")


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _refusal(error.orig, engine) or error from error
    except sqlite3.Error as error:
        raise _refusal(error, engine) or error from error


def _roll_back(driver: sqlite3.Connection) -> None:
    """Undo what the connection has begun, if anything is left of it."""
    if driver.in_transaction:
        with suppress(sqlite3.Error):
            driver.execute("ROLLBACK")


def _seen(done: asyncio.Future[None]) -> None:
    """Mark a failure as noticed, also where every block of the group was cancelled."""
    if not done.cancelled():
        done.exception()
