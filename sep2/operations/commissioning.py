"""Commissioning of a connection as a work item: registered, heard, tested by a short control, sign and phase proven.

Until a person has recorded that it passed, the engine publishes no flexible limit to it; its contract and default hold.
"""

from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations.compliance import course_of
from sep2.rules.days import LocalTime
from sep2.rules.obedience import State
from sep2.store import commissioning as stored
from sep2.store import override_progress, overrides
from sep2.store.connection import Connection
from sep2.store.listing_compliance import Whose

STEPS = ("registered", "heard", "tested", "sign", "phase")
PHASES = frozenset({"a", "b", "c", "ab", "bc", "ca", "abc", "1", "2", "12", "split"})
COLUMNS = ("import_limit_w", "export_limit_w", "gen_limit_w", "load_limit_w")
DIRECTIONS = dict(zip(COLUMNS, ("import", "export", "generation", "load"), strict=True))


class NotCommissioned(NotFound):
    """The connection has no commissioning; open it first."""


class CommissioningPassed(Conflict):
    """The commissioning of this connection has passed; open another one."""


class CommissioningIncomplete(Conflict):
    """Steps of the commissioning are not done."""


class BadPhases(BadValue):
    """The phases are none that a connection can be at."""


class Step(NamedTuple):
    """One step: whether it is done, and what is known of it."""

    name: str
    done: bool
    detail: str


async def open_one(db: Connection, connection_id: int, now: int, by: str) -> None:
    """Begin to commission a connection, anew where it was before; from now on nothing flexible is published to it."""
    await stored.put(db, connection_id, now, by)


async def going_on(db: Connection, connection_id: int) -> Row[Any]:
    """The commissioning of a connection that has not passed yet."""
    row = await stored.one(db, connection_id)
    if row is None:
        raise NotCommissioned
    if row.passed is not None:
        raise CommissioningPassed(row.name)
    return row


async def note_test(db: Connection, connection_id: int, override_id: int) -> None:
    """The override that tests what the connection's devices do."""
    await going_on(db, connection_id)
    await stored.change(db, connection_id, override_id=override_id)


async def prove_phases(db: Connection, connection_id: int, phases: str, *, how: str, by: str) -> None:
    """Note at which phases a connection was found to be, and how."""
    await going_on(db, connection_id)
    if phases not in PHASES:
        raise BadPhases(f"phases: {phases[:20]!r} is none of {', '.join(sorted(PHASES))}")
    await stored.change(db, connection_id, phases=phases, phases_how=how, phases_by=by)


async def record_pass(db: Connection, connection_id: int, now: int, *, by: str, note: str, local: LocalTime) -> None:
    """Record that a connection passed, all steps being done; flexible limits may be published to it from now on."""
    row = await going_on(db, connection_id)
    missing = [f"{step.name} ({step.detail})" for step in await steps_of(db, row, local) if not step.done]
    if missing:
        raise CommissioningIncomplete("; ".join(missing))
    await stored.change(db, connection_id, passed=now, passed_by=by, note=note)


async def steps_of(db: Connection, row: Row[Any], local: LocalTime) -> list[Step]:
    """The steps of a commissioning, as they are now."""
    there = await stored.devices(db, row.connection_id)
    heard = there.heard is not None and there.heard >= row.opened
    signs = await stored.signs(db, row.connection_id)
    unproven = signs.count("unproven")
    sign = f"{unproven} of {len(signs)} meters unproven" if signs else "no meter of power posts"
    return [
        Step("registered", there.devices > 0, f"{there.devices} devices may connect"),
        Step("heard", heard, "its client has asked for something since" if heard else "nothing was heard of it since"),
        await _tested(db, row, local),
        Step("sign", bool(signs) and not unproven, sign),
        Step("phase", bool(row.phases), f"{row.phases}: {row.phases_how}" if row.phases else "not proven"),
    ]


async def _tested(db: Connection, row: Row[Any], local: LocalTime) -> Step:
    """Whether the test was started by every device and kept by the connection, by answers and by meter."""
    test = None if row.override_id is None else await overrides.one(db, row.override_id)
    if test is None:
        return Step("tested", False, "no test was sent")
    reached = await override_progress.reached(db, await overrides.control_ids(db, test.id))
    answered = sum(one.started is not None and one.declined is None for one in reached)
    if not reached or answered < len(reached):
        return Step("tested", False, f"{answered} of {len(reached)} devices have started it")
    bound = {name for column, name in DIRECTIONS.items() if getattr(test, column) is not None}
    end = test.end if test.released is None else min(test.end, test.released)
    runs = await course_of(db, Whose(connection=row.name), (test.start, max(end, test.start + 1)), local)
    states = [run.state for run in runs if run.direction in bound and run.start >= test.start]
    if any(state in (State.BREACH, State.OPTED_OUT) for state in states):
        return Step("tested", False, "it was beyond the limit of the test")
    kept = states.count(State.OK)
    return Step("tested", kept > 0, f"kept in {kept} intervals" if kept else "nothing is judged yet of what it metered")
