"""The one clock of a process: the machine's, guarded against jumps, or one that is moved by hand (tests, the demo)."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol

MOST_APART_S = 5.0
"""A wall clock that differs from the time told by more has jumped; what differs by less is followed bit by bit."""
HOLDS_AFTER_S = 60.0
"""For so long the wall clock must go on evenly after a jump, until its time is taken over or doubt ends."""
SLEW = 0.1
"""The time told runs at most this share faster or slower than the monotonic clock, to approach the wall clock."""
LONGEST_LOOK_S = 10.0
"""Nobody knows what a wall clock did between two looks that are further apart: only so much of it counts."""
LOOK_S = 1.0


class Clock(Protocol):
    """What tells the time, in whole epoch seconds, and lets a task wait for it."""

    def now(self) -> int:
        """Epoch seconds, UTC."""
        ...

    @property
    def steps(self) -> int:
        """How many times, since its start, this clock was set to another time."""
        ...

    async def sleep_until(self, at: float, *, steps: int | None = None) -> None:
        """Return once `now()` has reached `at`, or as soon as the clock was set to another time.

        steps: `steps` as it was when `at` was worked out from `now()`, where something was awaited in between: once the
        clock has been set meanwhile, `at` means nothing any more.
        """
        ...

    def is_trusted(self) -> bool:
        """Whether nothing speaks against the time told."""
        ...

    def held_s(self) -> float:
        """For how many seconds, since its start or since it last jumped, this clock has gone on evenly."""
        ...


class Guard:
    """The time told from readings of a wall clock and of a monotonic clock, both in seconds.

    Between two readings the time told advances by 0.9 to 1.1 of what the monotonic clock does, whatever the wall clock
    says; only `follow` sets it to another time.
    """

    def __init__(self, wall: float, monotonic: float) -> None:
        """The first readings; there is nothing yet to compare them with."""
        self._monotonic = monotonic
        self._wall = wall
        self._ahead = wall - monotonic
        """the time told less the monotonic reading"""
        self._jumped_to: float | None = None
        """the wall clock less the monotonic one when it jumped, while it stays there"""
        self.jumped_held_s = 0.0
        """For how long the wall clock has gone on evenly since it jumped; 0 while it agrees."""
        self.agreed_s = 0.0
        """For how long the wall clock has agreed with the time told: since the start, a jump or a step."""
        self.in_doubt = False
        """Whether the wall clock has jumped, and neither its time nor ours has held for long enough since."""

    @property
    def told(self) -> float:
        """The time told at the latest reading."""
        return self._monotonic + self._ahead

    @property
    def apart_s(self) -> float:
        """By how much the wall clock is ahead of the time told; 0 unless it has jumped."""
        return 0.0 if self._jumped_to is None else self._wall - self.told

    def look(self, wall: float, monotonic: float) -> None:
        """Take in a new pair of readings."""
        passed_s = max(0.0, monotonic - self._monotonic)
        counts_s = min(passed_s, LONGEST_LOOK_S)
        self._wall, self._monotonic = wall, max(monotonic, self._monotonic)
        apart_s = wall - self.told
        if abs(apart_s) <= MOST_APART_S:
            self._ahead += math.copysign(min(abs(apart_s), SLEW * passed_s), apart_s)
            self._agree(counts_s)
        else:
            self._disagree(wall - self._monotonic, counts_s)

    def follow(self) -> None:
        """Trust the wall clock as it was read last; where it had jumped, its time is told from now on."""
        if self._jumped_to is not None:
            self._ahead = self._wall - self._monotonic
            self._jumped_to, self.jumped_held_s, self.agreed_s = None, 0.0, 0.0
        self.in_doubt = False

    def _agree(self, counts_s: float) -> None:
        was_apart = self._jumped_to is not None
        self._jumped_to, self.jumped_held_s = None, 0.0
        self.agreed_s = 0.0 if was_apart else self.agreed_s + counts_s
        if self.agreed_s >= HOLDS_AFTER_S:
            self.in_doubt = False

    def _disagree(self, ahead: float, counts_s: float) -> None:
        self.in_doubt, self.agreed_s = True, 0.0
        if self._jumped_to is None or abs(ahead - self._jumped_to) > MOST_APART_S:
            self._jumped_to, self.jumped_held_s = ahead, 0.0
        else:
            self.jumped_held_s += counts_s


class SystemClock:
    """The machine's clock, as far as it can be believed.

    A wall clock that jumps is not followed until its new time has held for a minute: until then the time told runs on
    with the monotonic clock. A machine that was suspended jumps forward when it resumes.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        """wall, monotonic: read in seconds. look_s: real seconds between two looks at them while a task waits."""
        self._read = wall, monotonic
        self.look_s = look_s
        self._guard = Guard(wall(), monotonic())
        self._latest = 0
        self._steps = 0
        self._start_doubted = False
        self.follows = True
        """Whether it takes over a time that has held by itself; otherwise somebody calls `follow`."""

    def now(self) -> int:
        """Epoch seconds; they never run backwards but where a time that has held is followed back."""
        self._look()
        self._latest = max(self._latest, int(self._guard.told))
        return self._latest

    @property
    def steps(self) -> int:
        """How many times a time that had held was followed."""
        return self._steps

    async def sleep_until(self, at: float, *, steps: int | None = None) -> None:
        """Sleep until the time told has reached `at`, or until it was set to another time than after so many steps."""
        steps = self._steps if steps is None else steps
        while self._steps == steps and (left := at - self._exact()) > 0:  # noqa: ASYNC110 - the clock
            await asyncio.sleep(min(left, self.look_s))

    def is_trusted(self) -> bool:
        """Whether the wall clock has agreed for a minute, or since the start if nothing was wrong."""
        self._look()
        return not self._guard.in_doubt and not self._start_doubted

    def held_s(self) -> float:
        """Seconds for which it has been trusted, since the start or since the last jump; 0 while it is not."""
        return self._guard.agreed_s if self.is_trusted() else 0.0

    def apart_s(self) -> int:
        """By how many seconds the wall clock is ahead of the time told; 0 unless it has jumped."""
        self._look()
        return round(self._guard.apart_s)

    def has_held(self) -> bool:
        """Whether the wall clock has kept to the time that it jumped to for long enough to follow it."""
        self._look()
        return self._guard.jumped_held_s >= HOLDS_AFTER_S

    def follow(self) -> None:
        """Take over the wall clock's time now, and trust it."""
        self._look()
        self._follow()

    def doubt(self) -> None:
        """Trust the time no more, until a jump of it has been followed or it was confirmed by `follow`."""
        self._start_doubted = True

    def _exact(self) -> float:
        self._look()
        return self._guard.told

    def _look(self) -> None:
        self._guard.look(*(read() for read in self._read))
        if self.follows and self._guard.jumped_held_s >= HOLDS_AFTER_S:
            self._follow()

    def _follow(self) -> None:
        if self._guard.apart_s:
            self._latest = 0
            self._steps += 1
        self._guard.follow()
        self._start_doubted = False


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

    @property
    def steps(self) -> int:
        """None: it only goes on."""
        return 0

    async def sleep_until(self, at: float, *, steps: int | None = None) -> None:
        """Return once the clock was advanced to `at`."""
        if at > self._now:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((at, future))
            await future

    def is_trusted(self) -> bool:
        """Whoever moves it says what time it is."""
        return True

    def held_s(self) -> float:
        """It never jumps by itself."""
        return math.inf
