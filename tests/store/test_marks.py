"""Values that the server keeps by name: set by whoever comes, also by two at once."""

import asyncio

from sep2.store import marks

BESIDE_S = 0.2


async def test_two_that_set_a_new_value_at_once_both_do(database):
    async def other():
        async with database.write() as db:
            await marks.put(db, "poll_rate", "60")

    async with database.write() as db:
        await marks.put(db, "poll_rate", "30")
        later = asyncio.create_task(other())
        await asyncio.wait({later}, timeout=BESIDE_S)
    await later
    async with database.read() as db:
        assert await marks.value(db, "poll_rate") == "60"
