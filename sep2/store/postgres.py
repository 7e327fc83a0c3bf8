"""PostgreSQL: a pool of connections through asyncpg; several server processes may share the database.

Through SQLAlchemy's asynchronous engine one read costs 0.77 ms of CPU where asyncpg alone costs 0.53 ms; the difference
buys statements, types and errors that are the same on both databases.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, Self

from sqlalchemy import Executable, Result, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from sep2.errors import SepError
from sep2.store import migrations
from sep2.store.connection import Busy, Clash, Connection, Damaged, Full, Unreachable, Values
from sep2.store.database import Database
from sep2.store.keepers import Keepers
from sep2.store.line import FAILURES, Line
from sep2.store.written import KEPT

log = logging.getLogger(__name__)

CONNECTIONS = 16
"""Two of them are always left to operators and to what runs beside the requests."""
PATIENCE_S = 5.0
UNSURE_S = 60.0
"""After so long a commit that could not be heard of was done, or never will be."""
LONGEST_COMMAND_S = 60.0
"""A server that does not answer for so long is taken for lost."""
MIGRATING = 20305
"""The key of the advisory lock that lets one process migrate at a time."""
DECIDING = 20307
"""The key of the advisory lock that lets one transaction decide on controls at a time."""
TIMELINE_DIGITS = 8
"""With so many hexadecimal digits the name of a file of the log says its timeline."""
_WAL_FILE = text("SELECT pg_walfile_name(pg_current_wal_lsn())")
_TURN = text(f"SELECT pg_advisory_xact_lock({DECIDING})")


class PostgresConnection(Connection):
    """A connection of the pool, inside a transaction."""

    def __init__(self, core: AsyncConnection) -> None:
        super().__init__()
        self._core = core

    async def execute(self, statement: Executable, values: Values) -> Result[Any]:
        """The result of one statement."""
        self.note(statement)
        with _told():
            return await self._core.execute(statement, values)

    async def in_turn(self) -> None:
        """Wait until no other transaction decides on controls."""
        await self.execute(_TURN, {})

    async def timeline(self) -> int:
        """Which history this is."""
        file = (await self.execute(_WAL_FILE, {})).scalar_one()
        return int(file[:TIMELINE_DIGITS], 16)


class PostgresDatabase(Database):
    """One database of a PostgreSQL server."""

    reads_at_once = (7, 5)
    writes_at_once = (7, 5)

    def __init__(self, url: URL) -> None:
        super().__init__()
        self._engine = _engine(url, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=PATIENCE_S)
        # What was read in one block is of one moment, as on SQLite.
        self._readers = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._line = Line(url, self._news.set)
        self._keepers = Keepers(url, self.written)
        self._lending = Lending()

    @classmethod
    async def open(cls, url: URL) -> Self:
        """The database at this address, refused unless its tables are those of this version."""
        database = cls(url)
        try:
            async with database._lending.one(database._engine) as core:
                await core.run_sync(migrations.require_current)
        except BaseException:
            await database.close()
            raise
        return database

    @classmethod
    async def migrate(cls, url: URL) -> None:
        """Bring the tables at this address to this version, one process at a time."""
        engine = _engine(url)
        try:
            async with Lending().one(engine) as core, core.begin():
                # Another process may migrate for longer than a request would wait for a lock.
                await core.execute(text("SET LOCAL lock_timeout = 0"))
                await core.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATING})"))
                await core.run_sync(migrations.upgrade)
        finally:
            await engine.dispose()

    def read(self) -> AbstractAsyncContextManager[Connection]:
        """A block in which every statement sees the same state."""
        return self._read()

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Connection]:
        async with self._lending.one(self._readers) as core:
            yield PostgresConnection(core)

    def write(self) -> AbstractAsyncContextManager[Connection]:
        """A block that is one transaction, durable once it is left."""
        return self._write()

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Connection]:
        async with self._lending.one(self._engine) as core:
            connection = PostgresConnection(core)
            yield connection
            said = await self._commit(core, connection)
        if said:
            await self._keepers.all_heard(said)
        if connection.changed:
            self._news.set()
            self._line.tell()

    async def _commit(self, core: AsyncConnection, connection: PostgresConnection) -> int:
        """Commit a block; the number by which other processes are told, 0 where they keep nothing of what it wrote."""
        tables = frozenset(connection.written)
        number = 0
        if shared := tables & KEPT:
            number, saying = await self._keepers.saying(shared)
            await connection.execute(saying, {})
        self.written.begin(tables)
        ends = asyncio.get_running_loop().time() + UNSURE_S
        try:
            with _told():
                await core.commit()
            ends = 0.0
        except BaseException:
            self._keepers.forget(number)
            raise
        finally:
            # A commit of which nothing was heard may yet be done.
            if ends:
                asyncio.get_running_loop().call_at(ends, self.written.end, tables)
            else:
                self.written.end(tables)
        return number

    def knows_all(self) -> bool:
        """Whether what other processes have changed is known."""
        return self._keepers.may_use

    async def stay_informed(self) -> None:
        """Hear of what other processes change, until cancelled."""
        await self._keepers.stay()

    async def wait_for_changes(self, timeout_s: float) -> bool:
        """Whether something was written to the outbox, by any process, since the last call; returns at once if so."""
        await self._line.listen()
        return await super().wait_for_changes(timeout_s)

    async def leads(self) -> bool:
        """Whether this process is the one that does what one process at a time is to do."""
        return self.may_lead and await self._line.lead()

    async def close(self) -> None:
        """Close every connection."""
        await self._line.close()
        await self._keepers.close()
        await self._lending.settle()
        await self._engine.dispose()


def _engine(url: URL, **pool: Any) -> AsyncEngine:
    settings = {
        "application_name": "sep2",
        "lock_timeout": f"{PATIENCE_S:.0f}s",
        "idle_in_transaction_session_timeout": "60s",
        "jit": "off",
    }
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        connect_args={"server_settings": settings, "timeout": PATIENCE_S, "command_timeout": LONGEST_COMMAND_S},
        **pool,
    )


class Lending:
    """Connections on their way out of a pool and back: one whose caller is cancelled meanwhile is given back whole.

    A connection that is given up half made, or that comes back once its pool is gone, would stay open.
    """

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def one(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """A connection of an engine's pool, until the block ends."""
        core = engine.connect()
        starting = self._begun(core.start())
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._begun(_closed_once(starting, core))
            raise
        except PoolTimeout as error:
            raise Busy("every connection is in use") from error
        except (OSError, DBAPIError, *FAILURES) as error:
            raise Unreachable(f"{engine.url.render_as_string()}: {error}") from error
        try:
            yield core
        finally:
            # A cancelled caller must not leave half a conversation on a connection that the next one gets.
            await asyncio.shield(self._begun(_closed(core)))

    async def settle(self) -> None:
        """Wait until every connection is back."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    def _begun(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task


async def _closed_once(starting: asyncio.Task[Any], core: AsyncConnection) -> None:
    """Give a connection back that nobody waits for any more, as soon as it is there."""
    await asyncio.wait([starting])
    if not starting.cancelled() and starting.exception() is None:
        await _closed(core)


async def _closed(core: AsyncConnection) -> None:
    """Give the connection back to its pool; one that was lost can not be told that its transaction is over."""
    try:
        await core.close()
    except (SQLAlchemyError, *FAILURES) as error:
        log.debug("a connection was lost: %s", error)
        with suppress(SQLAlchemyError, *FAILURES):
            await core.invalidate()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _refusal(error) or error from error
    except FAILURES as error:
        raise Unreachable(f"the connection was lost: {error}") from error


def _refusal(error: DBAPIError) -> SepError | None:
    """The answer to a failure that a caller, or an operator, can do something about."""
    state = getattr(error.orig, "sqlstate", None) or ""
    match state:
        case "40001" | "40P01" | "55P03":  # serialization failure, deadlock, lock timeout
            return Busy("another process is writing the same rows")
        case "23505" | "23503":  # unique, foreign key
            return Clash()
        case "53100":
            return Full(_line(error))
        case "XX001" | "XX002":  # data corrupted, index corrupted
            return Damaged(_line(error))
    # Out of resources, shut down or starting, read-only, an input or output error.
    away = state[:2] in ("53", "57", "58", "08") or state == "25006"
    return Unreachable(_line(error)) if away or error.connection_invalidated else None


def _line(error: DBAPIError) -> str:
    """What the database said, in one line."""
    return " ".join(str(error.orig).split())[:200]
