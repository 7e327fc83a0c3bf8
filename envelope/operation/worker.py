"""The engine inside the server: rounds over the plans in its folder, at every step and when a file changes.

Rounds of several plans take turns. A plan that rolls never ends: each round begins at the present step. While readings
or SCADA are fresh, there are rounds within a step too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envelope.operation import mode, model_in_use, outage_calendar, plants
from envelope.operation.assumptions import Assumptions
from envelope.operation.cycle import LEDGER, Cycle
from envelope.operation.input_ages import SWITCHED, InputWatch
from envelope.operation.joint_measurements import JointMeasurements
from envelope.operation.load_forecast import FILE as FORECAST
from envelope.operation.load_forecast import maker_of
from envelope.operation.mode import Mode
from envelope.operation.outage_return import Return
from envelope.operation.plan_folders import name_of, planned_in
from envelope.operation.plan_source import PlanSource, Stamp, connections_of_others, stamp_of
from envelope.operation.release import Gate
from envelope.operation.rolling_plan import RollingPlan
from envelope.operation.round_outcome import Outcome
from envelope.operation.run_store import FOLDER as RECORDS
from envelope.operation.run_store import RunStore
from envelope.problem import plan_file as plan
from gridmodel.meter_data.store import MeasurementStore

if TYPE_CHECKING:
    from sep2.extension import State

NAME, NOTHING_YET = "envelope", -1
"""Key and initial value of the worker's progress in the server's state."""
POLL_S = 0.5
"""Interval at which the files are checked, by the machine's own clock."""
LEADS_S = 2.0
"""Interval at which a server that does not run rounds asks whether it is to."""
NEVER_S = 86_400
RETRY_S = 300
"""Time after which a plan that could not be read is read again."""


async def work(state: State) -> None:
    """Run rounds over each plan in the server's folder and below it, from when there is one."""
    server, turn = Path(state.settings.operator.token_file).parent, asyncio.Lock()
    tasks: dict[Path, asyncio.Task[None]] = {}
    try:
        while True:
            for folder in await asyncio.to_thread(planned_in, server):
                if folder not in tasks:
                    tasks[folder] = asyncio.create_task(_rounds_in(state, folder, turn))
            for task in tasks.values():
                if task.done():
                    task.result()
            await asyncio.sleep(POLL_S)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def progress_of(folder: Path) -> str:
    """Return the key of a plan's progress in the server's state."""
    name = name_of(folder)
    return f"{NAME} {name}" if name else NAME


async def _rounds_in(state: State, folder: Path, turn: asyncio.Lock) -> None:
    """Run rounds over one plan. turn: held during a round, so that one feeder is calculated at a time."""
    path = folder / plan.FILE
    state.reached[progress_of(folder)] = NOTHING_YET
    engine = state.settings.engine
    store = MeasurementStore(state.settings.measurements.folder)
    feeder = await asyncio.to_thread(lambda: PlanSource(folder).feeder)
    gate = Gate(engine.feeder_more_percent, engine.system_more_percent)
    rolling = RollingPlan(maker_of(store, path.with_name(FORECAST), Path(feeder).name))
    alone = not state.settings.utility.approvals.is_asked(state.settings.mode)
    source = PlanSource(folder, rolling, gate, alone=alone)
    measurements = JointMeasurements(store, Path(feeder).name)
    cycle = Cycle(
        state.db,
        feeder,
        lambda now: source.apply_to(cycle, now),
        state.settings.utility.horizon_events,
        ledger=path.with_name(LEDGER),
        operating_state=partial(mode.read, folder),
        assumptions=Assumptions(source.feeder_change, measurements),
        records=RunStore(folder / RECORDS),
        server_mode=state.settings.mode,
        input_watch=InputWatch(store, Path(feeder).name, engine.ages),
        calendar=partial(outage_calendar.read, folder),
        waiting=source.waiting,
        folder=folder,
        plan=name_of(folder),
        others=partial(connections_of_others, folder),
        returning=Return(engine.return_s, engine.cold_load_times),
    )
    names = mode.FILE, model_in_use.FILE, outage_calendar.FILE, plants.FILE
    files = [path, *(folder / name for name in names), store.folder / SWITCHED]
    await rounds(state, cycle, files, turn)


async def rounds(state: State, cycle: Cycle, files: list[Path], turn: asyncio.Lock) -> None:
    """Run a round now, at the start of every step, and when a file changes; the server's clock waits for each."""
    progress = progress_of(cycle.folder)
    while True:
        stamp, now, steps = stamp_of(files), state.clock.now(), state.clock.steps
        # One of the servers on a database runs rounds; another one that takes over continues at once.
        leads = await state.db.leads()
        outcome = await _in_turn(cycle, turn, now) if leads else None
        due = next_due(cycle, outcome, now, state.settings.engine.fast_round_s)
        if due is None:
            state.reached.pop(progress, None)
            await _changed(files, stamp)
            state.reached[progress] = state.clock.now() - 1
        else:
            # Nothing is due before the next step begins.
            state.reached[progress] = due - 1
            more = [] if leads else [_takes_over(state)]
            await _first([state.clock.sleep_until(due, steps=steps), _changed(files, stamp), *more])


async def _in_turn(cycle: Cycle, turn: asyncio.Lock, now: int) -> Outcome:
    async with turn:
        return await cycle.run_once(now)


def next_due(cycle: Cycle, outcome: Outcome | None, now: int, fast_s: int = NEVER_S) -> int | None:
    """Return when the next round is due; None: only when a file changes.

    fast_s: time between rounds of a rolling plan within a step, while an input is fresh.
    """
    problem = cycle.problem
    if problem is None:
        return now + RETRY_S
    if cycle.rolls:
        since = (now - int(problem.step_start[0])) % problem.step_s
        step = now - since + problem.step_s
        return min(step, now - now % fast_s + fast_s) if cycle.inputs.are_fresh else step
    first, last = int(problem.step_start[0]), int(problem.step_start[-1])
    if now < last:
        return max(first, now - (now - first) % problem.step_s + problem.step_s)
    # Beyond its horizon a plan has no limits; static limits that were published in its place continue.
    goes_on = outcome is not None and (outcome.violated or _is_deactivated(cycle))
    return now - (now - first) % problem.step_s + problem.step_s if goes_on else None


def _is_deactivated(cycle: Cycle) -> bool:
    try:
        return cycle.operating_state().mode is not Mode.ACTIVE
    except mode.BadState:
        return True


async def _changed(files: list[Path], stamp: Stamp) -> None:
    """Return once a file has changed."""
    while stamp_of(files) == stamp:  # noqa: ASYNC110 - no event announces that a file changes
        await asyncio.sleep(POLL_S)


async def _takes_over(state: State) -> None:
    """Return once this server is the one that runs rounds, such as after its database was away."""
    while not await state.db.leads():  # noqa: ASYNC110 - no event announces that another one has ended
        await asyncio.sleep(LEADS_S)


async def _first(waits: list[Coroutine[Any, Any, None]]) -> None:
    """Return as soon as one of these returns."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
