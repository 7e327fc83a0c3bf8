"""Work of several requests that shares a transaction on PostgreSQL: one's fault is nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from sep2.errors import BadValue
from sep2.store import Clash, Connection, Database, open_database
from sep2.store.tables import setting
from sep2.terminal import request_id

Work = Callable[[Connection], Awaitable[int]]
TRANSACTION = select(func.txid_current().label("number"))
PUT = insert(setting)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    opened = await open_database(postgres_url)
    yield opened
    await opened.close()


def writing(name: str) -> Work:
    """Work that stores a row of that name; returns the number of its transaction."""

    async def work(db: Connection) -> int:
        await db.run(PUT, {"name": name, "value": request_id.get()})
        return await number(db)

    return work


async def number(db: Connection) -> int:
    row = await db.one(TRANSACTION)
    assert row is not None
    return int(row.number)


async def all_of(database: Database, *several: Work) -> list[Any]:
    """What each piece returns or raises, where all arrive while another one is under way."""
    first = asyncio.create_task(database.write_together(writing("first")))
    await asyncio.sleep(0)
    return (await asyncio.gather(first, *map(database.write_together, several), return_exceptions=True))[1:]


async def stored(database: Database) -> set[str]:
    async with database.read() as db:
        return {row.name for row in await db.all(select(setting.c.name))}


async def test_work_that_arrives_meanwhile_shares_a_transaction(database):
    found = await all_of(database, *map(writing, "abcd"))
    assert len(set(found)) == 1
    assert await stored(database) == {"first", *"abcd"}


@pytest.mark.parametrize("fault", [BadValue("no"), ZeroDivisionError()])
async def test_what_fails_after_it_has_written_is_undone_and_its_neighbours_are_kept(database, fault):
    async def work(db: Connection) -> int:
        await writing("bad")(db)
        raise fault

    before, failed, after = await all_of(database, writing("a"), work, writing("b"))
    assert failed is fault
    assert before != after  # each was done again in a transaction of its own
    assert await stored(database) == {"first", "a", "b"}


async def test_a_clash_is_told_to_whoever_caused_it_alone(database):
    *good, clash = await all_of(database, writing("a"), writing("b"), writing("a"))
    assert all(isinstance(one, int) for one in good)
    assert isinstance(clash, Clash)
    assert await stored(database) == {"first", "a", "b"}


async def test_a_refusal_that_has_only_read_leaves_the_transaction_to_the_others(database):
    async def work(db: Connection) -> int:
        await number(db)
        raise BadValue("no")

    before, refused, after = await all_of(database, writing("a"), work, writing("b"))
    assert isinstance(refused, BadValue)
    assert before == after
    assert await stored(database) == {"first", "a", "b"}


async def test_work_runs_as_the_request_that_brought_it(database):
    async def ask(name: str) -> None:
        request_id.set(f"id of {name}")
        await database.write_together(writing(name))

    await asyncio.gather(*map(ask, "abc"))
    async with database.read() as db:
        found = {row.name: row.value for row in await db.all(select(setting.c.name, setting.c.value))}
    assert found == {name: f"id of {name}" for name in "abc"}


async def test_a_caller_that_leaves_takes_nobody_with_it(database):
    async def slow(db: Connection) -> int:
        done = await writing("slow")(db)
        begun.set()
        await asyncio.sleep(0.01)
        return done

    begun = asyncio.Event()
    leaving = asyncio.create_task(database.write_together(slow))
    staying = asyncio.create_task(database.write_together(writing("b")))
    await begun.wait()
    leaving.cancel()
    await staying
    assert {"b", "slow"} <= await stored(database)


async def test_what_was_answered_is_there_once_the_database_is_closed(database, postgres_url):
    await asyncio.gather(*(database.write_together(writing(str(one))) for one in range(20)))
    await database.close()
    again = await open_database(postgres_url)
    assert await stored(again) == {str(one) for one in range(20)}
    await again.close()
