"""Work beside the serving: what fails begins anew, and takes nothing else with it."""

import asyncio

from sep2.server.app import running
from tests.server.world import settings


async def test_work_that_failed_begins_anew(people, on_sqlite, caplog):
    begun, done = 0, asyncio.Event()

    async def stumbles(state):
        nonlocal begun
        begun += 1
        if begun < 3:
            raise OSError("the disk is full")
        done.set()

    async with running(settings(people, on_sqlite.url), workers=[stumbles]):
        await done.wait()
    assert [record.getMessage().partition(";")[0] for record in caplog.records if record.exc_info] == [
        "background work failed"
    ] * 2
