"""Work of several requests in one transaction, so that they wait for one commit.

Work that arrives while a transaction is under way waits for the next one, at most 32 pieces in each. The pieces run one
after the other. A piece that is refused before it has written anything does not affect the others. Where one fails
otherwise, the transaction is rolled back and every piece runs again in a transaction of its own. Where no connection
can be had, all waiting pieces of that transaction fail with that error (Busy, Unreachable).

A piece that meets a row which somebody else holds is set aside: it is tried again by itself from time to time, and
occupies neither the others nor a connection in between. What the same client sends meanwhile is set aside at once.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import Context, copy_context
from typing import Any, NamedTuple, TypeVar

from sep2.errors import SepError
from sep2.store.connection import Busy, Clash, Connection, Outage
from sep2.store.database import Work

PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.5
"""Between two attempts of a piece that was set aside; each pause is twice as long as the one before."""
MOST = 32
"""Pieces of work in one transaction: as long as it lasts, others may wait for the rows that it has written."""
Answered = TypeVar("Answered")


class Shared(NamedTuple):
    """A transaction: makes a block for a piece of work, and commits all of them."""

    block: Callable[[], Connection]
    keep: Callable[[Sequence[Any]], Awaitable[None]]


class _Piece(NamedTuple):
    work: Work[Any]
    of: str
    """Whose it is."""
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
        patience_s: float = 0.0,
    ) -> None:
        """patience_s: how long a piece that was set aside is tried again; then it fails with Busy."""
        self._shared = shared
        self._alone = alone
        self._patience_s = patience_s
        self._waiting: deque[_Piece] = deque()
        self._running: asyncio.Task[None] | None = None
        self._aside: set[asyncio.Task[None]] = set()
        self._held: Counter[str] = Counter()
        """How many pieces of each client are set aside."""

    async def of(self, work: Work[Answered], client: str = "") -> Answered:
        """The result of some work once it is committed. Work that has begun goes on when its caller is cancelled."""
        loop = asyncio.get_running_loop()
        piece = _Piece(work, client, copy_context(), loop.create_future())
        if client and self._held[client]:
            self._set_aside(piece)
        else:
            self._waiting.append(piece)
            if self._running is None or self._running.done():
                self._running = loop.create_task(self._run())
        answer: Answered = await piece.answer
        return answer

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while under_way := [one for one in (self._running, *self._aside) if one is not None and not one.done()]:
            await asyncio.wait(under_way)

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
                await ended[-1][1].settle()
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
            if failure is not None:
                piece.end(None, failure)
            elif piece.of and self._held[piece.of]:
                self._set_aside(piece)
            else:
                failure = await self._alone_failed(piece)

    async def _alone_failed(self, piece: _Piece) -> Exception | None:
        """Answer a piece from a transaction of its own, or set it aside; why that could not begin, if it could not."""
        has_begun = False
        try:
            async with self._alone() as block:
                has_begun = True
                result = await piece.run(block)
        except Exception as error:
            if has_begun and self._patience_s and type(error) is Busy:
                self._set_aside(piece)
                return None
            piece.end(None, error)
            return None if has_begun else error
        piece.end(result)
        return None

    def _set_aside(self, piece: _Piece) -> None:
        self._held[piece.of] += 1
        task = asyncio.get_running_loop().create_task(self._try_again(piece))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _try_again(self, piece: _Piece) -> None:
        """Answer a piece that was set aside, as soon as nothing holds it up any more."""
        loop = asyncio.get_running_loop()
        ends, pause_s = loop.time() + self._patience_s, PAUSE_S
        try:
            while not piece.answer.done():
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                try:
                    async with self._alone() as block:
                        result = await piece.run(block)
                except Exception as error:
                    if type(error) is not Busy or loop.time() > ends:
                        piece.end(None, error)
                else:
                    piece.end(result)
        finally:
            self._held -= Counter([piece.of])


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
