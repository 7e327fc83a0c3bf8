"""Work of several requests in one transaction, so that they wait for one commit.

Work that arrives while a transaction is under way waits for the next one, at most 32 pieces in each. The pieces run one
after the other. A piece that is refused before it has written anything does not affect the others. Where one fails
otherwise, the transaction is rolled back and every piece runs again in a transaction of its own. Where no connection
can be had, all waiting pieces of that transaction fail with that error (Busy, Unreachable).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import Context, copy_context
from typing import Any, NamedTuple, TypeVar

from sep2.errors import SepError
from sep2.store.connection import Busy, Clash, Connection, Outage
from sep2.store.database import Work

MOST = 32
"""Pieces of work in one transaction: as long as it lasts, others may wait for the rows that it has written."""
Answered = TypeVar("Answered")


class Shared(NamedTuple):
    """A transaction: makes a block for a piece of work, and commits all of them."""

    block: Callable[[], Connection]
    keep: Callable[[Sequence[Any]], Awaitable[None]]


class _Piece(NamedTuple):
    work: Work[Any]
    context: Context
    """Of the request that brought it: what it logs and records names that."""
    answer: asyncio.Future[Any]

    def run(self, block: Connection) -> asyncio.Task[Any]:
        async def done() -> Any:
            return await self.work(block)

        return asyncio.get_running_loop().create_task(done(), context=self.context)

    def end(self, result: Any, error: BaseException | None = None) -> None:
        if self.answer.done():  # whoever waited for it is gone
            return
        if error is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(error)


class Together:
    """The work of one process on one database."""

    def __init__(
        self,
        shared: Callable[[], AbstractAsyncContextManager[Shared]],
        alone: Callable[[], AbstractAsyncContextManager[Connection]],
    ) -> None:
        self._shared = shared
        self._alone = alone
        self._waiting: deque[_Piece] = deque()
        self._running: asyncio.Task[None] | None = None

    async def of(self, work: Work[Answered]) -> Answered:
        """The result of some work once it is committed. Work that has begun goes on when its caller is cancelled."""
        loop = asyncio.get_running_loop()
        piece = _Piece(work, copy_context(), loop.create_future())
        self._waiting.append(piece)
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._run())
        answer: Answered = await piece.answer
        return answer

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
            pieces = [piece for piece in some if not piece.answer.done()]
            if len(pieces) < 2 or not await self._in_one(pieces):
                await self._each_alone(pieces)

    async def _in_one(self, pieces: Sequence[_Piece]) -> bool:
        """Whether all were answered, with what they return or raise; otherwise nothing of them is kept."""
        has_begun = is_done = False
        try:
            async with self._shared() as shared:
                has_begun = True
                ended = [(piece, block := shared.block(), await _outcome(piece, block)) for piece in pieces]
                is_done = True
                await shared.keep([block for _, block, _ in ended])
        except Exception as error:
            if has_begun and (not is_done or isinstance(error, Clash | Busy)):
                return False
            # There was no connection, and each by itself would wait as long for one; or it was lost with the commit.
            # Nobody knows whether it was kept: done again, it may be there twice.
            for piece in pieces:
                piece.end(None, error)
            return True
        for piece, _, (result, refusal) in ended:
            piece.end(result, refusal)
        return True

    async def _each_alone(self, pieces: Sequence[_Piece]) -> None:
        """Answer pieces one after the other; those that are left get the same answer once no transaction can begin."""
        failure: Exception | None = None
        for piece in pieces:
            if failure is None:
                failure = await self._alone_failed(piece)
            else:
                piece.end(None, failure)

    async def _alone_failed(self, piece: _Piece) -> Exception | None:
        """Answer a piece from a transaction of its own; why that could not begin, None where it did."""
        has_begun = False
        try:
            async with self._alone() as block:
                has_begun = True
                result = await piece.run(block)
        except Exception as error:
            piece.end(None, error)
            return None if has_begun else error
        piece.end(result)
        return None


async def _outcome(piece: _Piece, block: Connection) -> tuple[Any, SepError | None]:
    """The result of a piece of work, or its refusal if it has written nothing; anything else is raised."""
    try:
        return await piece.run(block), None
    except (Outage, Clash):
        raise
    except SepError as refusal:
        if block.written:
            raise
        return None, refusal
