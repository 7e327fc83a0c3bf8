"""Connections to PostgreSQL: whoever is cancelled while one is opened, used or given back leaves none open."""

import asyncio
import gc
import warnings

import pytest
from asyncpg.transaction import Transaction
from sqlalchemy import literal, select, text

from sep2.store import marks, open_database
from sep2.store.connection import Connection

MOMENTS = 24
"""At so many moments of the life of a connection its caller is cancelled."""
_ONE = select(literal(1).label("one"))


async def _asked(db: Connection) -> None:
    await db.all(text("SELECT 1"))


async def test_cancelled_callers_leave_no_connection_open(postgres_url: str) -> None:
    """Also where the database is closed right after."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        for moment in range(MOMENTS):
            db = await open_database(postgres_url)

            async def read() -> None:
                async with db.read() as reading:  # noqa: B023 - ended within the turn of the loop
                    await _asked(reading)

            async def write() -> None:
                async with db.write() as writing:  # noqa: B023
                    await _asked(writing)

            tasks = [asyncio.create_task(work()) for work in (read, write, read, write)]
            for _ in range(moment):
                await asyncio.sleep(0.0002)
            for _ in range(2):  # as where a server ends while a request is being given up
                for task in tasks:
                    task.cancel()
                await asyncio.sleep(0)
            await asyncio.gather(*tasks, return_exceptions=True)
            await db.close()
        gc.collect()
    assert [str(one.message) for one in said] == []


async def test_nothing_opens_the_line_between_processes_again_once_it_is_closed(postgres_url: str) -> None:
    db = await open_database(postgres_url)
    assert await db.leads()
    await db.close()
    assert not await db.leads()
    await db.wait_for_changes(0)
    gc.collect()


async def test_what_follows_a_borrower_that_was_cancelled_as_it_began_is_kept(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, begun, start = await open_database(postgres_url), asyncio.Event(), Transaction.start

    async def late(self: Transaction) -> None:
        """As where the database's answer to BEGIN is on its way."""
        await start(self)
        begun.set()
        await asyncio.Event().wait()

    async def write(value: str) -> None:
        async with db.write() as writing:
            await writing.one(_ONE)
            await marks.put(writing, "kept", value)

    for _ in range(3):  # from then on the driver is given the statement directly
        await write("before")
    with monkeypatch.context() as slow:
        slow.setattr(Transaction, "start", late)
        task = asyncio.create_task(write("given up"))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await write("after")
    other = await open_database(postgres_url)
    async with other.read() as reading:
        assert await marks.value(reading, "kept") == "after"
    await other.close()
    await db.close()
