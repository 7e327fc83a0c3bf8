"""A database: where snapshots to read and transactions to write come from."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import ClassVar, Self, TypeVar

from sqlalchemy.engine import URL

from sep2.errors import SepError
from sep2.store.connection import Connection
from sep2.store.prepared import Preparing
from sep2.store.written import Written

Result = TypeVar("Result")
Work = Callable[[Connection], Awaitable[Result]]


class UnknownDatabase(SepError):
    """The address of the database must begin with sqlite:/// or postgresql://."""


class Database(ABC):
    """One open database. Several processes may open the same one."""

    reads_at_once: ClassVar[tuple[int, int]]
    """Blocks to read that may be open for clients at the same time, and how many of them for one client."""
    writes_at_once: ClassVar[tuple[int, int]]
    """The same of blocks to write."""
    writes_together: ClassVar[tuple[int, int]]
    """The same of work that may share a transaction."""

    preparing: Preparing
    """The statements that are run again and again."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self.written = Written()
        self.may_lead = True
        """Whether this process does what one process at a time is to do, when it is its turn."""

    def knows_all(self) -> bool:
        """Whether `written` has all that any process has committed and been told of; what was read may be kept then."""
        return True

    async def stay_informed(self) -> None:  # noqa: B027 - one process knows what it writes itself
        """Hear of what other processes change, until cancelled; returns at once where that needs no work."""

    @classmethod
    @abstractmethod
    async def open(cls, url: URL) -> Self:
        """The database at `url`, refused unless its tables are those of this version."""

    @classmethod
    @abstractmethod
    async def migrate(cls, url: URL) -> None:
        """Bring the tables at `url` to this version."""

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[Connection]:
        """A block in which every statement sees the same state."""

    @abstractmethod
    def write(self) -> AbstractAsyncContextManager[Connection]:
        """A block that is one transaction: kept durably when it is left, undone when it raises."""

    async def write_together(self, work: Work[Result], of: str = "") -> Result:
        """Run work that writes, in a transaction that it may share with other such work; returns its result once kept.

        Where it raises, its writes are undone and the exception is raised here. It runs a second time where the shared
        transaction is undone because of other work, so it must have no effect outside the database. It must not lock
        rows that other such work locks in another order. of: the client whose work it is.
        """
        async with self.write() as db:
            return await work(db)

    @abstractmethod
    async def close(self) -> None:
        """Let go of the database, after the commits that are under way."""

    async def leads(self) -> bool:
        """Whether this process is the one that does what one process at a time is to do, such as notifying."""
        return self.may_lead

    def wake(self) -> None:
        """Have whoever waits for changes look again."""
        self._news.set()

    async def wait_for_changes(self, timeout_s: float) -> bool:
        """Whether something was written to the outbox since the last call; returns at once if so.

        For one listener, the notifier. What another process wrote is noticed on PostgreSQL only.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        changed = self._news.is_set()
        self._news.clear()
        return changed
