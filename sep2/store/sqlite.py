"""SQLite: reads on the event loop, one writer whose commits are grouped.

A read costs less than handing it to a thread would. A commit waits for the disk, so it runs in the one writer thread;
blocks that queue meanwhile run one after the other, each in a savepoint of its own, and share the next commit.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from sep2.store import migrations
from sep2.store.connection import Busy, Connection, Unreachable
from sep2.store.database import Database, UnknownDatabase
from sep2.store.prepared import Preparing
from sep2.store.sqlite_connection import (
    STEPS,
    Handle,
    Patience,
    Reader,
    SqliteConnection,
    is_busy,
    refusal,
    roll_back,
    told,
)

PATIENCE_S = 5.0
MIGRATING_S = 60.0
"""How long a process waits for another that migrates: all the steps of a large file take longer than one write."""
READER_PATIENCE_MS = 50
"""How long a read may hold up the event loop; only another process that opens or closes the file can cause it."""
RETRY_S = 0.005
LARGEST_GROUP = 100
IDLE_READERS = 8
READING_THREADS = 2


class _Group:
    """Blocks that have ended and wait for the commit that they share."""

    def __init__(self) -> None:
        self.size = 0
        self.changed = False
        self.written: set[str] = set()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(_seen)


class SqliteDatabase(Database):
    """One file in write-ahead mode, every commit synced to the disk."""

    reads_at_once = (4, 1)  # a read that is done on the event loop lets nothing else run
    writes_at_once = writes_together = (32, 24)  # they run one after the other, and share a commit

    def __init__(self, url: URL) -> None:
        super().__init__()
        self.patience_s = PATIENCE_S
        """How long a write waits for another process to finish its own."""
        self._engine = _engine(url)
        self.preparing = Preparing(self._engine.dialect)
        self._writer = _connect(self._engine, "journal_mode = WAL", "synchronous = FULL")
        self._readers: list[Handle] = []
        self._thread = ThreadPoolExecutor(1, "sep2-writer")
        self._reading = ThreadPoolExecutor(READING_THREADS, "sep2-reader")
        self._watching = self._new_reader()
        self._versions = {handle.driver: _version(handle.driver) for handle in (self._writer, self._watching)}
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
            with told(database._engine):
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
        connection = Reader(reader, self.preparing, self._reading)
        is_sound = False
        try:
            with told(self._engine):
                reader.driver.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.core = None
                with told(self._engine):
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
        connection = SqliteConnection(self._writer, self.preparing)
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

    def knows_all(self) -> bool:
        """Whether nothing was written since the last look that this process did not write itself, or take note of."""
        if self._closed:
            return False
        try:
            if not self._has_news(self._watching.driver):
                return True
            if self._committing is not None and not self._committing.done():
                # It may be done already, and another process have written since.
                self._versions[self._watching.driver] = -1
                return False
            # What this connection has not written itself is news to it; in a transaction nobody else writes.
            if not self._writer.driver.in_transaction and self._has_news(self._writer.driver):
                self.written.everything()
        except sqlite3.Error:
            self._versions[self._watching.driver] = -1
            return False
        return True

    def _has_news(self, driver: sqlite3.Connection) -> bool:
        """Whether another connection than this has written since the last look."""
        known, self._versions[driver] = self._versions[driver], _version(driver)
        return known != self._versions[driver]

    async def close(self) -> None:
        """Close the file, after the commits that are under way."""
        if self._closed:
            return
        await self._take_turn(closing=True)
        for handle in (*self._readers, self._watching, self._writer):
            handle.core.close()
        self._engine.dispose()
        self._thread.shutdown()
        self._reading.shutdown()

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
        roll_back(self._writer.driver)
        self._taken = False

    async def _begin(self, patient_until: float) -> None:
        driver = self._writer.driver
        while not driver.in_transaction:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > patient_until:
                    raise refusal(error, self._engine) or error from error
                await asyncio.sleep(RETRY_S)
        with told(self._engine):
            driver.execute("SAVEPOINT block")
            if self._has_news(driver):
                self.written.everything()

    def _keep(self, connection: SqliteConnection) -> _Group:
        with told(self._engine):
            self._writer.driver.execute("RELEASE block")
        self._group.size += 1
        self._group.changed |= connection.changed
        self.written.begin(connection.written - self._group.written)
        self._group.written |= connection.written
        return self._group

    def _undo(self) -> None:
        driver = self._writer.driver
        if driver.in_transaction:
            try:
                driver.execute("ROLLBACK TO block")
                driver.execute("RELEASE block")
            except sqlite3.Error as error:
                # Whatever is left of the transaction is not to be trusted.
                roll_back(driver)
                self._finish(refusal(error, self._engine) or error)
        elif self._group.size:
            # A full disk and the like make SQLite undo the transaction itself, and with it the blocks before this one.
            self._finish(Busy("the transaction was lost"))

    async def _commit(self) -> None:
        driver = self._writer.driver
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, driver.execute, "COMMIT")
        except sqlite3.Error as error:
            roll_back(driver)
            self._finish(refusal(error, self._engine) or error)
        else:
            self._finish(None)
        self._pass_on()

    def _finish(self, error: BaseException | None) -> None:
        group, self._group = self._group, _Group()
        self.written.end(group.written)
        if error is not None:
            group.done.set_exception(error)
            return
        group.done.set_result(None)
        if group.changed:
            self._news.set()

    def _new_reader(self) -> Handle:
        handle = _connect(self._engine, "query_only = ON", f"busy_timeout = {READER_PATIENCE_MS}")
        handle.driver.set_progress_handler(handle.patience, STEPS)
        return handle


def _version(driver: sqlite3.Connection) -> int:
    """A number that differs from before where another connection has written meanwhile."""
    return int(driver.execute("PRAGMA data_version").fetchone()[0])


def _engine(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise UnknownDatabase("SQLite needs a file: sqlite:///path")
    # The driver's own transactions are off: BEGIN and COMMIT are said here.
    arguments = {"check_same_thread": False, "timeout": 0}
    url = url.set(drivername="sqlite+pysqlite")
    return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args=arguments)


def _connect(engine: Engine, *pragmas: str) -> Handle:
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
        raise refusal(error, engine) or error from error
    return Handle(core, driver, Patience())


def _migrate(url: URL) -> None:
    engine = _engine(url)
    core, driver, _ = _connect(engine, f"busy_timeout = {MIGRATING_S * 1000:.0f}")
    try:
        with told(engine):
            _use_wal(driver)
            driver.execute("PRAGMA foreign_keys = OFF")  # a table is changed by making it anew
            driver.execute("BEGIN IMMEDIATE")
            migrations.upgrade(core)
            if broken := driver.execute("PRAGMA foreign_key_check").fetchall():
                raise RuntimeError(f"the new tables contradict each other: {broken[:3]}")
            driver.execute("COMMIT")
    finally:
        roll_back(driver)
        core.close()
        engine.dispose()


def _use_wal(driver: sqlite3.Connection) -> None:
    """Have the file written ahead from now on; SQLite itself does not wait for its turn to do that."""
    patient_until = time.monotonic() + MIGRATING_S
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > patient_until:
                raise
            time.sleep(RETRY_S)


def _seen(done: asyncio.Future[None]) -> None:
    """Mark a failure as noticed, also where every block of the group was cancelled."""
    if not done.cancelled():
        done.exception()
