"""Settlement and evidence are read and calculated first, outside of the transaction that keeps them."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from sep2.store.market.intervals import runs
from sep2.store.postgres import PostgresDatabase
from tests.admin.market import CONTACT
from tests.server.meters import post, read
from tests.server.operator import operating
from tests.server.settlement import DAY, HOUR, QUARTER, START, profile_in, site


@pytest.fixture
async def desk(people, on_either, tmp_path):
    async with operating(people, on_either, tmp_path, market=profile_in(tmp_path)) as desk:
        yield desk


class Held(ThreadPoolExecutor):
    """What is calculated beside the loop waits until it is let go."""

    def __init__(self) -> None:
        super().__init__(1)
        self.waits, self._go = asyncio.Event(), threading.Event()
        super().submit(self._go.wait)
        asyncio.get_running_loop().set_default_executor(self)

    def submit(self, *work: Any, **more: Any) -> Any:
        self.waits.set()
        return super().submit(*work, **more)

    def __exit__(self, *failed: object) -> None:
        self._go.set()


async def no_transaction_waits(world) -> None:
    """On PostgreSQL, which ends a transaction in which nothing is said for a minute."""
    if not isinstance(world.state.db, PostgresDatabase):
        return
    waiting = "select pid from pg_stat_activity where state = 'idle in transaction'"
    for _ in range(200):  # what the server does by itself is soon over
        async with world.state.db.read() as db:
            if not await db.all(text(waiting)):
                return
        await asyncio.sleep(0.05)
    raise AssertionError("a transaction waits for what is calculated")


async def test_settling_and_evidence_are_calculated_outside_of_transactions(desk):
    world, operator = desk
    raw, path = await site(desk)
    world.advance(START + 2 * HOUR)
    await post(raw, path, "0C01", read("01", START, [(QUARTER, -2000)]))
    span = {"aggregation": "VPP", "start": START, "end": START + 2 * HOUR}
    for path, reads_on in (("/market/settle", False), ("/market/evidence", True)):
        with Held() as held:
            asked = asyncio.create_task(operator.change("POST", path, span))
            await held.waits.wait()
            party = {"name": f"Beside {path}", "contacts": [CONTACT]}
            assert (await operator.change("POST", "/market/parties", party))["name"] == party["name"]
            if not reads_on:
                await no_transaction_waits(world)
        done = await asked
        assert done["aggregation"] == "VPP"


async def test_several_days_are_settled_each_by_itself_and_a_dry_run_says_what_they_would_come_to(desk):
    world, operator = desk
    raw, path = await site(desk)
    midnight = START // DAY * DAY + DAY
    span = (midnight - 2 * HOUR, midnight + 2 * HOUR)
    world.advance(span[1])
    await post(raw, path, "0C01", read("01", span[0], [(QUARTER, -2000)] * 16))
    body = {"aggregation": "VPP", "start": span[0], "end": span[1]}
    tried = await operator.change("POST", "/market/settle?dry_run=true", body)
    assert (await operator.get("/market/settlements/VPP"))["intervals"] == 0
    done = await operator.change("POST", "/market/settle", body)
    assert tried == done
    assert (done["intervals"], done["changed"]) == (16, 32)
    assert (await operator.change("POST", "/market/settle", body))["changed"] == 0
    async with world.state.db.read() as db:
        settled_runs = await runs(db, 1, 0)
    cuts = (span[0], midnight, span[1])
    assert [(one.start, one.end) for one in settled_runs] == [span for span in pairwise(cuts) for _ in (1, 2)]
