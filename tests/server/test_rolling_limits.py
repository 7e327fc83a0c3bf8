"""A client over mutual TLS, while rounds of a rolling plan change limits: no gap, and never two limits at once."""

import asyncio
import contextlib
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from envelope.operation import worker
from envelope.problem import plan_file
from gridmodel import read_feeder
from sep2.store import connections
from tests.demo.conftest import FILES
from tests.envelope.cases import on
from tests.server.world import NOW, World

STEP_S, DAY_S = 3600, 86_400
HOMES = "connection_id,node,phases\nNMI1,far,a\nNMI2,far,b\nNMI3,near,c\nNMI4,near,a\n"


class Engine:
    """The engine at work in a server, over a rolling plan of its four connections."""

    def __init__(self, world: World, home) -> None:
        self.world, self.home, self.feeder = world, home, home / "street"
        self.feeder.mkdir()
        for name, text in (FILES | {"connections.csv": HOMES}).items():
            (self.feeder / name).write_text(text)
        operator = msgspec.structs.replace(world.state.settings.operator, token_file=home / "operator.token")
        measurements = msgspec.structs.replace(world.state.settings.measurements, folder=home / "measurements")
        settings = msgspec.structs.replace(world.state.settings, operator=operator, measurements=measurements)
        state = world.state
        self.state = SimpleNamespace(settings=settings, db=state.db, clock=state.clock, reached=state.reached)

    def plan(self, flex_w) -> None:
        """Write the plan with (24, 4) W of controllable load."""
        problem = on(read_feeder(self.feeder).network, steps=24, flex_load_w=flex_w)
        starts = NOW - NOW % DAY_S + STEP_S * np.arange(24)
        problem = replace(problem, step_start=starts, step_s=STEP_S)
        path = self.home / plan_file.FILE
        plan_file.save(path, str(self.feeder), problem, rolling=plan_file.Rolling(), hysteresis_w=0)

    async def move(self, to: int) -> None:
        self.world.advance(to)
        while self.state.reached.get(worker.NAME, to) < to:  # noqa: ASYNC110 - a worker tells nobody
            await asyncio.sleep(0.05)


@pytest.fixture
async def engine(world: World, tmp_path):
    made = Engine(world, tmp_path)
    made.plan(np.full((24, 4), 6000.0))
    task = asyncio.create_task(worker.work(made.state))
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def told(raw, path, now):
    """(start, end, mRID, limits) of every control of the list that goes on, as its text says them."""
    listed = await raw.get(f"{path}/derc?l=255")
    assert listed.status == 200
    found = []
    for one in listed.all("DERControl"):
        texts = {child.tag.rpartition("}")[2]: child for child in one.iter()}
        start, duration = int(texts["start"].text), int(texts["duration"].text)
        if texts["currentStatus"].text in ("0", "1") and start + duration > now:
            limits = [child.text for child in texts["DERControlBase"].iter() if child.text and child.text.strip()]
            found.append((start, start + duration, texts["mRID"].text, tuple(limits)))
    return sorted(found)


def holding(rows, since, until):
    """How many limits hold at each time from `since` to `until` at which one begins or ends."""
    edges = sorted({since, until, *(at for row in rows for at in row[:2] if since < at < until)})
    return {sum(row[0] <= at < row[1] for row in rows) for at in edges[:-1]}


async def poll(raw, path, now, seen):
    """Ask again and again, also while a round publishes."""
    while True:
        seen.append(holding(await told(raw, path, now), now, now + DAY_S - 2 * STEP_S))


async def test_a_polling_client_never_sees_a_gap_or_two_limits_and_gets_only_what_changed(engine, world: World) -> None:
    rng = np.random.default_rng(7)
    async with world.state.db.read() as db:
        group = (await connections.by_name(db, "NMI1")).device_group_id
    raw, path = await world.as_("sunny"), f"/edev/{world.ids.devices['one']}/derp/{group}"
    rows = []
    while not rows:
        await asyncio.sleep(0.05)
        rows = await told(raw, path, NOW)
    polling = await world.as_("sunny")
    flex = np.full((24, 4), 6000.0)
    for step in range(1, 7):
        now = NOW - NOW % STEP_S + step * STEP_S
        changed = rng.random((24, 4)) < 0.02
        flex = np.where(changed, rng.choice([2000.0, 4000.0], (24, 4)), flex)
        engine.plan(flex)
        seen = list[set[int]]()
        client = asyncio.create_task(poll(polling, path, now, seen))
        await engine.move(now)
        client.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await client
        polling = await world.as_("sunny")
        assert seen
        assert all(one == {1} for one in seen), (step, seen)
        before, rows = rows, await told(raw, path, now)
        assert holding(rows, now, now + DAY_S - STEP_S) == {1}, step
        known = {row[2] for row in before}
        fresh = {(row[0], row[1], row[3]) for row in rows if row[2] not in known}
        assert not fresh & {(row[0], row[1], row[3]) for row in before}, "an unchanged limit was made anew"
