"""Whether background work of the server goes on: alarms `worker_dead` and `engine_absent`, until it has for a while."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping

from sep2.clock import Clock
from sep2.operations.alarms import ENGINE_ABSENT, WORKER_DEAD, clear_alarm, raise_alarm
from sep2.operations.plans import planned_until
from sep2.server.part import FIRST
from sep2.store import alarms
from sep2.store.database import Database

WINDOW_S, FAILURES = 600, 2
"""So many failures within so many seconds are an alarm."""
BEHIND_S, SEEN_S = 600, 60
"""Work that is so far behind the clock is an alarm, once it has been seen so for so long by the machine's time: a clock
that operators move jumps ahead of all work."""
SOUND_S = 120
"""An alarm is over when nothing has failed, and nothing was behind, for so long."""
OWN = frozenset({"sep2"})
PROCESS = ", worker process "
"""In the subject of an alarm, before the number of a process that is not the first."""


class Workers:
    """What the background work of this process does, and what it does not."""

    def __init__(
        self,
        clock: Clock,
        reached: Callable[[], Mapping[str, int]],
        machine_s: Callable[[], float] = time.monotonic,
        number: int = FIRST,
    ) -> None:
        """reached: the time up to which each worker has done what was due, by its name. machine_s: see SEEN_S.

        number: of this process among several on the same ports; alarms of all but the first name it.
        """
        self._process = "" if number == FIRST else f"{PROCESS}{number}"
        self._clock = clock
        self._reached = reached
        self._failures: dict[tuple[str, str], deque[int]] = defaultdict(lambda: deque(maxlen=FAILURES))
        self._errors: dict[tuple[str, str], str] = {}
        self._bad: dict[tuple[str, str], int] = {}
        """When each alarm's cause was seen last."""
        self._machine_s = machine_s
        self._began = clock.now()
        self._behind: dict[str, float] = {}
        """When each worker was first seen behind, by the machine's time."""
        self._missing: dict[str, str] = {}
        self._raised: dict[tuple[str, str], str] | None = None
        self.faults: dict[str, str] = {}
        """What is wrong now, by the name of the work."""

    def failed(self, work: object, problem: Exception) -> None:
        """Background work has ended with an error; it begins anew."""
        key = _key(work)
        self._failures[key].append(self._clock.now())
        self._errors[key] = f"{type(problem).__name__}: {problem}"[:200]

    def missing(self, home: str, why: str) -> None:
        """The work of an extension can not be loaded."""
        self._missing[home] = why

    async def tell(self, db: Database) -> None:
        """Raise the alarms that are due, and clear those whose cause is gone; called every few seconds."""
        now = self._clock.now()
        found = {(code, subject + self._process): detail for (code, subject), detail in self._found(now).items()}
        if self._missing:
            async with db.read() as reading:
                planned = await planned_until(reading)
            found |= {_of(home): f"it can not be loaded: {why}" for home, why in self._missing.items() if planned}
        self.faults = {subject: detail for (_, subject), detail in found.items()}
        if self._raised is None:
            self._raised = await self._standing(db)
            self._bad |= dict.fromkeys(self._raised, now)
        self._bad |= dict.fromkeys(found, now)
        over = [key for key, at in self._bad.items() if key not in found and abs(now - at) >= SOUND_S]
        fresh = {key: detail for key, detail in found.items() if self._raised.get(key) != detail}
        if fresh or over:
            async with db.write() as writing:
                for (code, subject), detail in fresh.items():
                    await raise_alarm(writing, code, subject, detail, now=now)
                for code, subject in over:
                    await clear_alarm(writing, code, subject, now)
        self._raised |= fresh
        for key in over:
            self._raised.pop(key, None)
            del self._bad[key]

    def _found(self, now: int) -> dict[tuple[str, str], str]:
        found = {}
        for key, times in self._failures.items():
            if len(times) == FAILURES and now - times[0] < WINDOW_S:
                found[key] = f"it failed {FAILURES} times within {WINDOW_S // 60} min; the last: {self._errors[key]}"
        for name, at in self._reached().items():
            late_s = now - (at if at > 0 else self._began)
            if late_s < BEHIND_S:
                self._behind.pop(name, None)
            elif self._machine_s() - self._behind.setdefault(name, self._machine_s()) >= SEEN_S:
                found.setdefault(_of(name), f"it has done nothing for {late_s // 60} min")
        return found

    async def _standing(self, db: Database) -> dict[tuple[str, str], str]:
        async with db.read() as reading:
            rows = {code: await alarms.standing_of(reading, code) for code in (WORKER_DEAD, ENGINE_ABSENT)}
        return {
            (code, row.subject): row.detail
            for code, found in rows.items()
            for row in found
            if _process_in(row.subject) == self._process
        }


def _key(work: object) -> tuple[str, str]:
    """The alarm of some background work: of the server's own, by its class; of an extension, by its package."""
    function = getattr(work, "func", work)
    owner = getattr(function, "__self__", None)
    if owner is not None:
        return WORKER_DEAD, type(owner).__name__.lower()
    home = str(getattr(function, "__module__", ""))
    own = WORKER_DEAD, str(getattr(function, "__name__", "work")).strip("_")
    return own if home.partition(".")[0] in OWN else _of(home)


def _process_in(subject: str) -> str:
    """What an alarm says of the process it is of; empty for the first."""
    _, said, number = subject.partition(PROCESS)
    return said + number


def _of(name: str) -> tuple[str, str]:
    """The alarm of a worker by its name: `sweep` is the server's own."""
    return (WORKER_DEAD, name) if name == "sweep" else (ENGINE_ABSENT, name.partition(":")[0].partition(".")[0])
