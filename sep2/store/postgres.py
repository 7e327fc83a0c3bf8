"""PostgreSQL: connections through asyncpg; several server processes may share the database.

Statements are SQLAlchemy's, so that they are the same on both databases. One that was run before is given to asyncpg
directly (`store.prepared`), which takes a tenth of the time that SQLAlchemy's asynchronous engine takes for it.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Self, TypeVar

import asyncpg
from sqlalchemy import Executable, Result, Row, Text, UpdateBase, bindparam, func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from sep2.errors import SepError
from sep2.store import migrations
from sep2.store.connection import Busy, Clash, Connection, Damaged, Done, Full, Stale, Unreachable, Values
from sep2.store.database import Database, Work
from sep2.store.keepers import CHANGED, Keepers
from sep2.store.later import touched_by
from sep2.store.lending import PATIENCE_S, Lending, Lent
from sep2.store.line import FAILURES, Line
from sep2.store.prepared import Prepared, Preparing
from sep2.store.remembered import Kept, Remembered
from sep2.store.together import Shared, Together
from sep2.store.written import KEPT, Tables, read_by

CONNECTIONS = 16
"""Two of them are always left to operators and to what runs beside the requests."""
SHARING = 3
"""Connections beside them for work that shares transactions: one for these, and two for what was set aside."""
MOMENT_S = 0.05
"""How long such work waits for a row that somebody else holds: longer than most hold one."""
UNSURE_S = 60.0
"""After so long a commit that could not be heard of was done, or never will be."""
LONGEST_COMMAND_S = 60.0
"""A server that does not answer for so long is taken for lost."""
STATEMENTS = 500
"""That each connection keeps prepared."""
MIGRATING = 20305
"""The key of the advisory lock that lets one process migrate at a time."""
DECIDING = 20307
"""The key of the advisory lock that lets one transaction decide on controls at a time."""
TIMELINE_DIGITS = 8
"""With so many hexadecimal digits the name of a file of the log says its timeline."""
Answered = TypeVar("Answered")
_WAL_FILE = text("SELECT pg_walfile_name(pg_current_wal_lsn())")
_SAY = select(func.pg_notify(bindparam("channel", type_=Text), bindparam("said", type_=Text)))
_TURN = text(f"SELECT pg_advisory_xact_lock({DECIDING})")


class PostgresConnection(Connection):
    """A connection of the pool, inside a transaction."""

    def __init__(self, lent: Lent, database: "PostgresDatabase", before: Tables = frozenset()) -> None:
        """before: the tables of which other blocks of the same transaction have changed rows."""
        super().__init__()
        self._before = before
        self._lent = lent
        self._preparing = database.preparing
        self._database = database
        self._count = database.written.count
        self._used: list[Kept] = []

    async def execute(self, statement: Executable, values: Values) -> Result[Any]:
        """The result of one statement."""
        await self._turn(statement, values if isinstance(values, Mapping) else values[0] if values else ())
        with _told():
            return await self._lent.core.execute(statement, values)

    async def one(self, statement: Executable, **values: Any) -> Row[Any] | None:
        """The first row, or None."""
        prepared = self._preparing.find(statement, values)
        if prepared is None or prepared.row is None:
            return await super().one(statement, **values)
        await self._turn(statement, values)
        with _told():
            found = await (await self._lent.begun()).fetchrow(prepared.text, *prepared.values(values))
        return None if found is None else prepared.row(found)

    async def known(self, statement: Executable, **values: Any) -> Row[Any] | None:
        """The first row, or None; one that was read in an earlier block and holds still may be used instead."""
        tables, remembered = read_by(statement), self._database.remembered
        # What this transaction has changed is nobody's to know before it is kept.
        is_changed = self.written & tables or self._before & tables
        if self.reads_anew or is_changed or not self._database.knows_all():
            return await self.one(statement, **values)
        key = (statement, *values.values())
        kept = remembered.find(key)
        if kept is None:
            row = await self.one(statement, **values)
            if row is not None:
                remembered.keep(key, Kept(row, tables, self._count))
            return row
        self._used.append(kept)
        if self.looked_at is not None:
            self.looked_at |= tables
        return kept.row

    def ensure_known(self) -> None:
        """Refuse to go on with rows from earlier blocks that were changed meanwhile; the same will do again."""
        if self._used and not (
            self._database.knows_all() and all(self._database.remembered.holds(kept) for kept in self._used)
        ):
            raise Stale

    async def all(self, statement: Executable, **values: Any) -> list[Row[Any]]:
        """Every row."""
        prepared = self._preparing.find(statement, values)
        if prepared is None or prepared.row is None:
            return await super().all(statement, **values)
        await self._turn(statement, values)
        with _told():
            found = await (await self._lent.begun()).fetch(prepared.text, *prepared.values(values))
        row = prepared.row
        return [row(one) for one in found]

    async def run(self, statement: Executable, values: Values | None = None) -> Done:
        """Insert, update or delete."""
        each = [{} if values is None else values] if values is None or isinstance(values, Mapping) else values
        prepared = self._preparing.find(statement, each[0]) if each and isinstance(statement, UpdateBase) else None
        # How many rows several updates have touched is told by SQLAlchemy only.
        if prepared is None or (len(each) > 1 and not prepared.first_key):
            return await super().run(statement, values)
        await self._turn(statement, each[0])
        with _told():
            return await self._run(prepared, each, many=each is values and len(each) > 1)

    async def _run(self, prepared: Prepared, each: Sequence[Mapping[str, Any]], *, many: bool) -> Done:
        driver = await self._lent.begun()
        if many:
            await driver.executemany(prepared.text, [prepared.values(one) for one in each])
            return Done(len(each), 0)
        if prepared.row is not None:
            found = await driver.fetchrow(prepared.text, *prepared.values(each[0]))
            return Done(0, 0) if found is None else Done(1, found[0])
        said = await driver.execute(prepared.text, *prepared.values(each[0]))
        count = int(said.rpartition(" ")[2])
        return Done(count, each[0].get(prepared.first_key, 0) if count else 0)

    async def later(self, statement: Executable, values: Values) -> None:
        """Run a statement with others, before the transaction ends and before what it has to do with."""
        each = [values] if isinstance(values, Mapping) else values
        prepared = self._preparing.find(statement, each[0]) if each else None
        touched = touched_by(statement, each[0]) if prepared is not None else None
        if prepared is None or touched is None:
            await self.run(statement, values)
            return
        waiting = self._lent.later
        await self._run_waiting(waiting.meeting(statement, each[0], prepared.text))
        self.note(statement)
        waiting.put(prepared, touched, each)

    async def settle(self) -> None:
        """Run what was put off, by this block and by others of its transaction."""
        await self._run_waiting(None)

    async def _run_waiting(self, texts: Collection[str] | None) -> None:
        with _told():
            for text_, values in self._lent.later.take(texts):
                await (await self._lent.begun()).executemany(text_, values)

    async def _turn(self, statement: Executable, names: Collection[str]) -> None:
        """Run what waits and has to come before a statement, and note what that is about to do."""
        if found := self._lent.later.meeting(statement, names):
            await self._run_waiting(found)
        self.note(statement)

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
    writes_together = (32, 24)

    def __init__(self, url: URL) -> None:
        super().__init__()
        self._engine = _engine(url)
        self._together = Together(self._shared, self._alone, PATIENCE_S)
        self._line = Line(url, self._news.set)
        self._keepers = Keepers(url, self.written)
        self._lending = Lending(self._engine, CONNECTIONS)
        self._hasty = _engine(url, MOMENT_S)
        self._sharing = Lending(self._hasty, SHARING)
        self.preparing = Preparing(self._engine.dialect)
        self.remembered = Remembered(self.written)

    @classmethod
    async def open(cls, url: URL) -> Self:
        """The database at this address, refused unless its tables are those of this version."""
        database = cls(url)
        try:
            async with database._lending.one() as lent:
                await lent.core.run_sync(migrations.require_current)
        except BaseException:
            await database.close()
            raise
        return database

    @classmethod
    async def migrate(cls, url: URL) -> None:
        """Bring the tables at this address to this version, one process at a time."""
        engine = _engine(url)
        lending = Lending(engine, 1)
        try:
            async with lending.one() as lent, lent.core.begin():
                core = lent.core
                # Another process may migrate for longer than a request would wait for a lock.
                await core.execute(text("SET LOCAL lock_timeout = 0"))
                await core.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATING})"))
                await core.run_sync(migrations.upgrade)
        finally:
            await lending.close()
            await engine.dispose()

    def read(self) -> AbstractAsyncContextManager[Connection]:
        """A block in which every statement sees the same state."""
        return self._read()

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Connection]:
        async with self._lending.one(reads_only=True) as lent:
            connection = PostgresConnection(lent, self)
            yield connection
            connection.ensure_known()

    def write(self) -> AbstractAsyncContextManager[Connection]:
        """A block that is one transaction, durable once it is left."""
        return self._write()

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Connection]:
        async with self._lending.one() as lent:
            connection = PostgresConnection(lent, self)
            yield connection
            await self._keep(lent, [connection])

    async def write_together(self, work: Work[Answered], of: str = "") -> Answered:
        """The result of some work, which may share a transaction with other work."""
        return await self._together.of(work, of)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        """A transaction for work that might have shared one: it does not wait for others either."""
        async with self._sharing.one() as lent:
            connection = PostgresConnection(lent, self)
            yield connection
            await self._keep(lent, [connection])

    @asynccontextmanager
    async def _shared(self) -> AsyncIterator[Shared]:
        """A transaction in which several pieces of work have a block each."""
        async with self._sharing.one() as lent:
            blocks: list[PostgresConnection] = []

            def block() -> PostgresConnection:
                blocks.append(PostgresConnection(lent, self, _written_by(blocks)))
                return blocks[-1]

            yield Shared(block, partial(self._keep, lent))

    async def _keep(self, lent: Lent, blocks: Sequence["PostgresConnection"]) -> None:
        """Commit a transaction with all its blocks, then notify other processes and the notifier of this one."""
        for block in blocks:
            block.ensure_known()
        said = await self._commit(lent, blocks)
        if said:
            await self._keepers.all_heard(said)
        if any(block.changed for block in blocks):
            self._news.set()
            self._line.tell()

    async def _commit(self, lent: Lent, blocks: Sequence[PostgresConnection]) -> int:
        """Commit blocks; the number of the message to other processes, 0 where they keep no table that was written."""
        if blocks:
            await blocks[-1].settle()
        tables = _written_by(blocks)
        number = 0
        if shared := tables & KEPT:
            number, said = await self._keepers.saying(shared)
            await blocks[-1].one(_SAY, channel=CHANGED, said=said)
        self.written.begin(tables)
        ends = asyncio.get_running_loop().time() + UNSURE_S
        try:
            with _told():
                await lent.commit()
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
        """Close every connection, after the transactions that are under way."""
        await self._together.settle()
        await self._line.close()
        await self._keepers.close()
        await self._lending.close()
        await self._sharing.close()
        await self._engine.dispose()
        await self._hasty.dispose()


def _written_by(blocks: Sequence[PostgresConnection]) -> Tables:
    return frozenset(name for block in blocks for name in block.written)


def _engine(url: URL, waits_s: float = PATIENCE_S) -> AsyncEngine:
    """An engine whose transactions wait so long for a row that another one has changed, in seconds."""
    settings = {
        "application_name": "sep2",
        "lock_timeout": f"{1000 * waits_s:.0f}ms",
        "idle_in_transaction_session_timeout": "60s",
        "jit": "off",
    }
    driver = {"timeout": PATIENCE_S, "command_timeout": LONGEST_COMMAND_S, "statement_cache_size": STATEMENTS}
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        connect_args={"server_settings": settings, **driver},
        poolclass=NullPool,
    )


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _refusal(error.orig, is_lost=error.connection_invalidated) or error from error
    except asyncpg.PostgresError as error:
        raise _refusal(error) or error from error
    except FAILURES as error:
        raise Unreachable(f"the connection was lost: {error}") from error


def _refusal(error: BaseException | None, *, is_lost: bool = False) -> SepError | None:
    """The answer to a failure that a caller, or an operator, can do something about.

    error: what the driver raised. is_lost: whether the connection went with it.
    """
    state = getattr(error, "sqlstate", None) or ""
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
    return Unreachable(_line(error)) if away or is_lost else None


def _line(error: BaseException | None) -> str:
    """What the database said, in one line."""
    return " ".join(str(error).split())[:200]
