"""A machine whose clock jumps again and again while clients and an operator are at work, and what must hold then."""

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import func, select

from sep2.clock import HOLDS_AFTER_S, MOST_APART_S
from sep2.operations.alarms import CLOCK_JUMP
from sep2.operations.controls import NewControl, TooManyControls, issue_controls
from sep2.rules.limits import Limits
from sep2.store import alarms, tables
from tests.machine import Machine, eventually
from tests.raw import document
from tests.server.world import World

HOUR, DAY = 3600, 86_400
BRIEF = (HOUR, -HOUR, 100 * DAY, -100 * DAY, 10, -10)
HELD = (HOUR, -HOUR, 600, -600, 6 * HOUR, -7)
GROUPS = ("feeder", "NMI1", "NMI2", "NMI3", "NMI4")


@dataclass
class Seen:
    """What happened."""

    counts: Counter[str] = field(default_factory=Counter)
    eras: list[list[int]] = field(default_factory=list)
    """The ids of the controls that were issued between two steps of the server's time."""
    between: list[int] = field(default_factory=list)
    """Those during which the time was set."""
    ahead_s: float = 0.0
    """The time told less the monotonic clock, since the latest step."""
    is_over: bool = False


async def play(world: World, machine: Machine, rng: random.Random, jumps: int) -> Seen:
    """So many jumps under load, half of them back after a moment, half of them to stay; AssertionError if any is felt.

    Of each jump: the time told goes on by what has passed, and steps only to a time that has held for a minute.
    """
    seen = Seen()
    load = [_polls(world, seen, name) for name in ("sunny", "gale", "roof")]
    load += [_posts(world, seen), _issues(world, machine, seen)]
    tasks = [asyncio.create_task(one) for one in load]
    try:
        for _ in range(jumps):
            await _jump(world, machine, rng, seen)
            if failed := [task for task in tasks if task.done()]:
                failed[0].result()
        await machine.live(2 * HOLDS_AFTER_S)
        assert world.clock.now() == int(machine.wall)
        seen.is_over = True
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await _check(world, seen)
    return seen


async def _jump(world: World, machine: Machine, rng: random.Random, seen: Seen) -> None:
    await machine.live(rng.uniform(1, 10))
    seen.counts["jumps"] += 1
    stays = rng.random() < 0.5
    by_s = rng.choice(HELD if stays else BRIEF)
    told, began = world.clock.now(), machine.monotonic
    machine.set(by_s)
    for _ in range(rng.randint(1, 12)):
        await machine.live(4)
        assert abs(world.clock.now() - told - (machine.monotonic - began)) <= 2, "it goes on evenly"
    await eventually(lambda: _alarms(world, 1))
    if not stays:
        machine.set(-by_s)
        await machine.live(HOLDS_AFTER_S + 12)
        assert abs(world.clock.now() - told - (machine.monotonic - began)) <= 2
        await eventually(lambda: _alarms(world, 0))
        return
    await machine.live(HOLDS_AFTER_S + 12)
    await eventually(lambda: abs(world.clock.now() - machine.wall) <= 1)
    seen.counts["steps back" if by_s < 0 else "steps forward"] += 1


async def _check(world: World, seen: Seen) -> None:
    """Nothing was deleted, nothing is out of order, no alarm stands."""
    async with world.state.db.read() as db:
        c = tables.control.c
        rows = await db.all(select(c.id, c.device_group_id, c.created))
        readings = await db.one(select(func.count().label("n")).select_from(tables.reading))
    created = {row.id: row.created for row in rows}
    # There are more than were asked for: what a later one replaced in part was issued anew.
    assert created.keys() >= {control for era in (seen.between, *seen.eras) for control in era}
    assert readings.n == seen.counts["readings"]
    assert await _alarms(world, 0)
    latest = 0
    for era in seen.eras:
        times = [created[control] for control in era]
        assert min(times, default=latest + 1) > latest, "later than all that was made before the step"
        latest = max([latest, *times])
    for group in GROUPS:
        mine = [row for row in sorted(rows, key=lambda row: row.id) if row.device_group_id == world.ids.groups[group]]
        # Parts of one control that were issued together bear one time.
        assert [row.created for row in mine] == sorted(row.created for row in mine)


async def _alarms(world: World, count: int) -> bool:
    async with world.state.db.read() as db:
        return len(await alarms.standing_of(db, CLOCK_JUMP)) == count


async def _polls(world: World, seen: Seen, name: str) -> None:
    raw = await world.as_(name)
    device = world.ids.devices[{"sunny": "one", "gale": "three", "roof": "roof"}[name]]
    while not seen.is_over:
        for path in ("/tm", f"/edev/{device}/fsa", "/edev"):
            assert (await raw.get(path)).status == 200
            seen.counts["requests"] += 1
        await asyncio.sleep(0.01)


async def _posts(world: World, seen: Seen) -> None:
    """Readings, each of a second of its own: two times that are the same would be one reading."""
    raw = await world.as_("sunny")
    mirror = document(
        "MirrorUsagePoint",
        "<mRID>0A</mRID><roleFlags>03</roleFlags><serviceCategoryKind>0</serviceCategoryKind><status>1</status>"
        f"<deviceLFDI>{world.ids.lfdis['one']}</deviceLFDI>",
    )
    place = (await raw.post("/mup", mirror)).location
    start = world.clock.now() - HOUR
    while not seen.is_over:
        start += 1
        reading = document(
            "MirrorMeterReading",
            f"<mRID>0B</mRID><Reading><timePeriod><duration>1</duration><start>{start}</start></timePeriod>"
            "<value>5</value></Reading><ReadingType><uom>38</uom></ReadingType>",
        )
        assert (await raw.post(place, reading)).status in (201, 204)
        seen.counts["readings"] += 1
        await asyncio.sleep(0.05)


async def _issues(world: World, machine: Machine, seen: Seen) -> None:
    """Controls ahead for one group after the other."""
    while not seen.is_over:
        for group in GROUPS:
            with contextlib.suppress(TooManyControls):
                await _issue(world, machine, seen, world.ids.groups[group])
            await asyncio.sleep(0.05)


async def _issue(world: World, machine: Machine, seen: Seen, group: int) -> None:
    now = world.clock.now()
    if _has_stepped(world, machine, seen):
        seen.ahead_s = now - machine.monotonic
        seen.eras.append([])
    control = NewControl(start=now + 100, duration=60, limits=Limits(export_w=seen.counts["controls"]))
    async with world.state.db.write() as db:
        done = await issue_controls(db, group, [control], now)
    seen.counts["controls"] += 1
    made = seen.between if _has_stepped(world, machine, seen) else seen.eras[-1]
    made += done.created


def _has_stepped(world: World, machine: Machine, seen: Seen) -> bool:
    return abs(world.clock.now() - machine.monotonic - seen.ahead_s) > MOST_APART_S
