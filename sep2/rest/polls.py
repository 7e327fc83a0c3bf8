"""Long polls: many may wait for news, and to look whether there is any takes no more than its share of the server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sep2.store.connection import Outage

LOOK_AGAIN_S = 0.2
REST = 4
"""After a look there is none for so many times as long as it took: all looks together take a fifth of the time."""
MOST = 200


class TooManyPolls(Outage):
    """As many requests wait for news as may."""


@dataclass(frozen=True)
class Poll:
    """One request that waits."""

    question: str
    """Requests with the same question share one look."""
    look: Callable[[], Awaitable[bytes]]
    is_news: Callable[[bytes], bool]
    is_gone: Callable[[], bool]
    """Whether nobody waits for the answer any more."""


class Polls:
    """The requests that wait for news."""

    def __init__(self) -> None:
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._rest_until = 0.0
        self._looks: dict[str, asyncio.Task[bytes]] = {}

    async def news(self, poll: Poll, patience_s: float) -> bytes | None:
        """The new answer as soon as there is one; None when the caller's patience ends first.

        The database may be away for a while meanwhile; whether it is there again shows at the next look.
        """
        if self._waiting >= MOST:
            raise TooManyPolls(f"{MOST}")
        self._waiting += 1
        try:
            return await self._news(poll, patience_s)
        finally:
            self._waiting -= 1

    async def _news(self, poll: Poll, patience_s: float) -> bytes | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        while (left_s := until - loop.time()) > 0 and not poll.is_gone():
            await asyncio.sleep(min(LOOK_AGAIN_S, left_s))
            try:
                async with asyncio.timeout_at(until):
                    found = await self._shared(poll)
            except TimeoutError:
                return None
            except Outage:
                continue
            if poll.is_news(found):
                return found
        return None

    async def _shared(self, poll: Poll) -> bytes:
        look = self._looks.get(poll.question)
        if look is None:
            look = self._looks[poll.question] = asyncio.create_task(self._one(poll))
            look.add_done_callback(lambda done: self._forget(poll.question, done))
        return await asyncio.shield(look)

    async def _one(self, poll: Poll) -> bytes:
        async with self._turn:
            await asyncio.sleep(self._rest_until - time.perf_counter())
            began = time.perf_counter()
            try:
                return await poll.look()
            finally:
                ended = time.perf_counter()
                self._rest_until = ended + REST * (ended - began)

    def _forget(self, question: str, done: asyncio.Task[bytes]) -> None:
        del self._looks[question]
        if not done.cancelled():
            done.exception()  # everybody who waited for it has been told, or has left
