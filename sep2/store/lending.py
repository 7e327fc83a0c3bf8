"""Connections to PostgreSQL: they stay open, and are lent to one block after the other.

When a caller is cancelled, its connection is either rolled back and lent again, or closed: never left open while it is
being made, and never lent again in the middle of a statement. SQLAlchemy's own pool takes twice as long as a statement.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from sqlalchemy.connectors.asyncio import AsyncAdapt_Error
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sep2.store.connection import Busy, Unreachable
from sep2.store.later import Later
from sep2.store.line import FAILURES

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
"""How long a block waits for a connection, in seconds; then it fails with Busy."""


class Lent:
    """An open connection, as SQLAlchemy and as the driver see it."""

    def __init__(self, core: AsyncConnection) -> None:
        self.core = core
        sync = core.sync_connection
        assert sync is not None
        adapted: Any = sync.connection.dbapi_connection
        self._adapted = adapted
        self.driver: Any = adapted.driver_connection
        self.later = Later()
        """What waits for the end of the transaction."""

    def reads_only(self, reads_only: bool) -> None:
        """What was read in one block that only reads is of one moment, as on SQLite."""
        self._adapted.isolation_level = "repeatable_read" if reads_only else None
        self._adapted.readonly = reads_only

    async def begun(self) -> Any:
        """The driver's connection in a transaction, which SQLAlchemy takes part in."""
        if self._adapted._transaction is None:
            with _as_raised():
                await self._adapted._start_transaction()
        return self.driver

    async def commit(self) -> None:
        """Keep what the transaction has done, if anything has begun it."""
        if self.core.in_transaction():
            await self.core.commit()
        elif self._adapted._transaction is not None:
            await self._adapted._call_and_discard(self._adapted._transaction.commit)

    async def roll_back(self) -> None:
        """Undo what the transaction has done, if anything has begun it."""
        self.later.take()
        if self.core.in_transaction():
            await self.core.rollback()
        elif self._adapted._transaction is not None:
            await self._adapted._call_and_discard(self._adapted._transaction.rollback)


@contextmanager
def _as_raised() -> Iterator[None]:
    """A failure of the driver as it was raised, without what SQLAlchemy puts around it for itself."""
    try:
        yield
    except AsyncAdapt_Error as error:
        raise error.__cause__ or error from None


class Lending:
    """At most so many connections of an engine, which has no pool of its own."""

    def __init__(self, engine: AsyncEngine, most: int) -> None:
        self._engine = engine
        self._most = most
        self._open = 0
        self._idle: list[Lent] = []
        self._waiting: deque[asyncio.Future[Lent | None]] = deque()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._closed = False

    @asynccontextmanager
    async def one(self, *, reads_only: bool = False) -> AsyncIterator[Lent]:
        """A connection until the block ends; what is not committed by then is rolled back.

        Raises Busy after PATIENCE_S without a free connection, Unreachable where none can be opened.
        """
        lent, is_whole = await self._take(), True
        try:
            lent.reads_only(reads_only)
            yield lent
        except asyncio.CancelledError:
            # What was under way may have been the begin of a transaction, of which nobody knows whether it came to be.
            is_whole = False
            raise
        finally:
            if is_whole:
                await self._give_back(lent)
            else:
                self._begin(self._drop(lent))

    async def close(self) -> None:
        """Close every connection, those that are lent as soon as they come back."""
        self._closed = True
        while self._idle:
            self._begin(self._drop(self._idle.pop()))
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def _take(self) -> Lent:
        while True:
            while self._idle:
                lent = self._idle.pop()
                if not lent.driver.is_closed():
                    return lent
                self._begin(self._drop(lent))
            if self._closed:
                raise Unreachable("the database is closed")
            if self._open < self._most:
                return await self._opened()
            handed = await self._wait()
            if handed is not None:
                return handed

    async def _opened(self) -> Lent:
        self._open += 1
        opening = self._begin(self._start())
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._begin(self._give_back_once(opening))
            raise
        except (OSError, DBAPIError, *FAILURES) as error:
            raise Unreachable(f"{self._engine.url.render_as_string()}: {error}") from error

    async def _start(self) -> Lent:
        core = self._engine.connect()
        try:
            return Lent(await core.start())
        except BaseException:
            self._count_out()
            raise

    async def _wait(self) -> Lent | None:
        """A connection that was given back; None where one may be opened."""
        turn: asyncio.Future[Lent | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._pass_on(turn.result())
            if isinstance(error, TimeoutError):
                raise Busy("every connection is in use") from error
            raise

    async def _give_back_once(self, opening: asyncio.Task[Lent]) -> None:
        """Give a connection back that nobody waits for any more, as soon as it is there."""
        await asyncio.wait([opening])
        if not opening.cancelled() and opening.exception() is None:
            await self._give_back(opening.result())

    async def _give_back(self, lent: Lent) -> None:
        try:
            await lent.roll_back()
        except (SQLAlchemyError, *FAILURES) as error:
            log.debug("a connection was lost: %s", error)
            self._begin(self._drop(lent))
        except BaseException:
            self._begin(self._drop(lent))
            raise
        else:
            if self._closed or lent.driver.is_closed() or lent.driver.is_in_transaction():
                self._begin(self._drop(lent))
            else:
                self._pass_on(lent)

    def _pass_on(self, lent: Lent | None) -> None:
        """Hand a connection, or the room for a new one, to who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(lent)
                return
        if lent is not None:
            self._idle.append(lent)

    async def _drop(self, lent: Lent) -> None:
        try:
            with suppress(SQLAlchemyError, *FAILURES):
                await lent.core.invalidate()
            with suppress(SQLAlchemyError, *FAILURES):
                await lent.core.close()
        finally:
            self._count_out()

    def _count_out(self) -> None:
        self._open -= 1
        self._pass_on(None)

    def _begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task
