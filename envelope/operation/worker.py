"""The engine inside the server: rounds over the plan beside its settings, at every step and when a file changes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envelope.field_rules import BadProblem
from envelope.operation import mode
from envelope.operation.assumptions import Premises
from envelope.operation.clients import Sharing
from envelope.operation.cycle import LEDGER, Cycle, Outcome
from envelope.operation.measurements import from_mirrors
from envelope.operation.mode import Mode
from envelope.problem import Problem
from envelope.problem import plan_file as plan

if TYPE_CHECKING:
    from sep2.extension import State

NAME, NOTHING_YET = "envelope", -1
"""how the work tells the server's state how far it is"""
LOOKS_EVERY_S = 0.5
"""at the files, by the machine's own clock"""
AGAIN_AFTER_S = 300
"""a plan that could not be read is looked for anew"""
Stamp = tuple[tuple[int, int] | None, ...]


class PlanFile:
    """The plan in a file, read anew when the file is replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[Stamp, plan.Plan] | None = None

    def plan(self) -> plan.Plan:
        """The plan; the same object for as long as the file is the same."""
        stamp = stamp_of([self.path])
        if self._read is None or self._read[0] != stamp:
            self._read = stamp, plan.load(self.path)
        return self._read[1]

    def put_into(self, cycle: Cycle) -> Problem:
        """The plan's problem; its limits are published as the plan says."""
        found = self.plan()
        cycle.hysteresis_w, cycle.randomize_relaxing_s = found.hysteresis_w, found.randomize_relaxing_s
        cycle.sharing = Sharing(found.sharing, found.devices)
        return found.problem

    def changed(self) -> str:
        """What of the feeder is another than when the plan was made; empty: nothing."""
        saved = self._read[1] if self._read is not None else plan.read(self.path)
        if plan.digest_of(saved.feeder) == saved.digest:
            return ""
        return f"{saved.feeder} has changed since the plan was made; make it anew"

    @property
    def feeder(self) -> str:
        """The feeder's name; the file's own where it can not be read."""
        try:
            return plan.read(self.path).feeder
        except BadProblem:
            return self.path.name


async def work(state: State) -> None:
    """The worker inside the server: rounds over the plan beside the server's files, once there is one."""
    folder = Path(state.settings.operator.token_file).parent
    path = folder / plan.FILE
    await _changed([path], stamp=(None,))
    state.reached[NAME] = NOTHING_YET
    source = PlanFile(path)
    cycle = Cycle(
        state.db,
        await asyncio.to_thread(lambda: source.feeder),
        lambda _: source.put_into(cycle),
        state.settings.utility.horizon_events,
        ledger=path.with_name(LEDGER),
        operating=partial(mode.read, folder),
        premises=Premises(source.changed, from_mirrors),
    )
    await rounds(state, cycle, [path, folder / mode.FILE])


async def rounds(state: State, cycle: Cycle, files: list[Path]) -> None:
    """A round now, at the start of every step, and when a file changes; the server's clock waits for each."""
    while True:
        stamp, now = stamp_of(files), state.clock.now()
        # One of the servers on a database works; another one that takes over goes on at the next step.
        outcome = await cycle.run_once(now) if await state.db.leads() else None
        due = next_due(cycle, outcome, now)
        if due is None:
            state.reached.pop(NAME, None)
            await _changed(files, stamp)
            state.reached[NAME] = state.clock.now() - 1
        else:
            # Nothing is due before the next step begins.
            state.reached[NAME] = due - 1
            await _first([state.clock.sleep_until(due), _changed(files, stamp)])


def next_due(cycle: Cycle, outcome: Outcome | None, now: int) -> int | None:
    """When the next round is due; None: when somebody has done something."""
    problem = cycle.known
    if problem is None:
        return now + AGAIN_AFTER_S
    first, last = int(problem.step_start[0]), int(problem.step_start[-1])
    if now < last:
        return max(first, now - (now - first) % problem.step_s + problem.step_s)
    # Beyond its horizon a plan says nothing more; what was published instead of it goes on.
    goes_on = outcome is not None and (outcome.broken or _is_deactivated(cycle))
    return now - (now - first) % problem.step_s + problem.step_s if goes_on else None


def _is_deactivated(cycle: Cycle) -> bool:
    try:
        return cycle.operating().mode is not Mode.ACTIVE
    except mode.BadState:
        return True


def stamp_of(files: Iterable[Path]) -> Stamp:
    """Differs once any of the files was written, made or removed."""
    return tuple(_stamp(path) for path in files)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


async def _changed(files: list[Path], stamp: Stamp) -> None:
    """Return once a file is another than it was."""
    while stamp_of(files) == stamp:  # noqa: ASYNC110 - files tell nobody that they change
        await asyncio.sleep(LOOKS_EVERY_S)


async def _first(waits: list[Coroutine[Any, Any, None]]) -> None:
    """Return as soon as one of these does."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
