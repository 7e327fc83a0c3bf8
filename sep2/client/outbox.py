"""What a device has to tell the server: kept in order until it is answered, whatever happens on the way."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeVar

from sep2.client.session import NotUnderstood, Refused, Session

T = TypeVar("T")
log = logging.getLogger(__name__)


class Letter(NamedTuple):
    """One message, and how it is sent."""

    what: str
    send: Callable[[Session], Awaitable[None]]


class Outbox:
    """The messages of one device. Each waits for the answer to the one before."""

    def __init__(self) -> None:
        self._waiting: deque[Letter] = deque()
        self.sent = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, letter: Letter) -> None:
        """Send this after all that waits."""
        self._waiting.append(letter)

    def renew(self, letter: Letter) -> None:
        """Send this instead of what waits under the same name: only the newest matters."""
        self._waiting = deque(old for old in self._waiting if old.what != letter.what)
        self._waiting.append(letter)

    async def send(self, session: Session) -> None:
        """Send all; what the server refuses for good is dropped, what it does not answer stays and is raised."""
        while self._waiting:
            letter = self._waiting[0]
            try:
                await letter.send(session)
                self.sent += 1
            except (Refused, NotUnderstood) as refused:
                self.refused += 1
                log.warning("%s was refused: %s", letter.what, refused)
            if self._waiting and self._waiting[0] is letter:
                self._waiting.popleft()


async def a_few_at_once(count: int, things: Iterable[T], do: Callable[[T], Awaitable[None]]) -> None:
    """Do all, `count` at a time; a failure is raised after the others are through."""
    waiting = iter(things)

    async def work() -> None:
        for thing in waiting:
            await do(thing)

    for outcome in await asyncio.gather(*(work() for _ in range(count)), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
