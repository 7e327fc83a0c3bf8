"""A machine whose clocks go as a test wants."""

import asyncio
from collections.abc import Awaitable, Callable

from sep2.clock import SystemClock


class Machine:
    """A wall clock and a monotonic one, in seconds; the wall clock alone can be set."""

    def __init__(self, wall: float, monotonic: float = 5_000.0) -> None:
        self.wall, self.monotonic = wall, monotonic

    def clock(self) -> SystemClock:
        """A clock that reads this machine's, and looks at it a hundred times a second."""
        self._clock = SystemClock(lambda: self.wall, lambda: self.monotonic, look_s=0.01)
        return self._clock

    def set(self, by_s: float) -> None:
        """Have the wall clock jump."""
        self.wall += by_s

    def run(self, seconds: float) -> None:
        """Let both clocks run."""
        self.wall += seconds
        self.monotonic += seconds

    async def live(self, seconds: float, step_s: float = 4.0) -> None:
        """Let both clocks run, slowly enough for a server to look at them meanwhile."""
        while seconds > 0:
            self.run(min(step_s, seconds))
            seconds -= step_s
            self._clock.now()
            await asyncio.sleep(0.02)


async def eventually(is_so: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return once it is so, while no clock of the test's machine runs; TimeoutError after two minutes."""
    async with asyncio.timeout(120):
        while True:
            found = is_so()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)
