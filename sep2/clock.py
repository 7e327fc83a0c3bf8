"""The one clock of a process: the system's, or one that is moved by hand (tests, the demo)."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time, in whole epoch seconds, and lets a task wait for it."""

    def now(self) -> int:
        """Epoch seconds, UTC."""
        ...

    async def sleep_until(self, at: float) -> None:
        """Return once `now()` has reached `at`."""
        ...


class SystemClock:
    """The machine's clock; it never runs backwards, so that an EventStatus never falls from 1 to 0."""

    def __init__(self) -> None:
        self._latest = 0

    def now(self) -> int:
        """Epoch seconds of the machine, or the latest ever told if the machine was set back."""
        self._latest = max(self._latest, int(time.time()))
        return self._latest

    async def sleep_until(self, at: float) -> None:
        """Sleep until the machine's time has reached `at`."""
        while (left := at - time.time()) > 0:  # noqa: ASYNC110 - it is the clock that is waited for
            await asyncio.sleep(left)


class SteppedClock:
    """A clock that stands still until it is told to advance."""

    def __init__(self, start: int) -> None:
        self._now = start
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> int:
        """The time it was last advanced to."""
        return self._now

    def advance(self, to: int) -> None:
        """Move to `to` and wake all who waited for it or for an earlier time; moving back is refused."""
        if to < self._now:
            raise ValueError(f"now is {self._now}; a clock does not go back to {to}")
        self._now = to
        waiting, self._waiting = self._waiting, []
        for at, future in waiting:
            if future.done():
                continue
            if at <= to:
                future.set_result(None)
            else:
                self._waiting.append((at, future))

    async def sleep_until(self, at: float) -> None:
        """Return once the clock was advanced to `at`."""
        if at > self._now:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((at, future))
            await future
