"""Work of several requests that shares a transaction on PostgreSQL: one's fault is nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from sqlalchemy import bindparam, func, insert, select, update

from sep2.errors import BadValue
from sep2.store import Clash, Connection, Database, open_database
from sep2.store.connection import Unreachable
from sep2.store.tables import setting
from sep2.store.together import Shared, Together
from sep2.terminal import request_id

Work = Callable[[Connection], Awaitable[int]]
TRANSACTION = select(func.txid_current().label("number"))
PUT = insert(setting)
VALUE = select(setting.c.value).where(setting.c.name == bindparam("name"))
CHANGE = update(setting).where(setting.c.name == bindparam("this"))


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


async def test_a_lost_connection_is_told_to_whoever_lost_it_alone(database):
    async def lose(db: Connection) -> int:
        await writing("lost")(db)
        await db.execute(select(func.pg_terminate_backend(func.pg_backend_pid())), {})
        return 0

    before, lost, after = await all_of(database, writing("a"), lose, writing("b"))
    assert isinstance(lost, Unreachable)
    assert before != after
    assert await stored(database) == {"first", "a", "b"}


@pytest.mark.parametrize("begins", [0, 1, 2])
async def test_work_that_gathered_is_refused_at_once_where_no_transaction_can_begin(begins):
    """begins: how many transactions can begin; the second one is that of a group whose connection is lost in it."""
    tries = []

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Any]:
        tries.append(1)
        if len(tries) > begins:
            raise Unreachable("gone")
        await asyncio.sleep(0)
        yield Shared(lambda: cast(Any, None), cast(Any, None))

    async def work(_: Connection) -> int:
        if len(tries) == 2:
            raise Unreachable("lost")
        return 0

    together = Together(transaction, transaction)
    first = asyncio.create_task(together.of(work))
    await asyncio.sleep(0)
    _, *found = await asyncio.gather(first, *(together.of(work) for _ in range(9)), return_exceptions=True)
    assert all(isinstance(one, Unreachable) for one in found)
    assert len(tries) == max(2, begins + 1)


async def test_a_row_that_was_changed_in_the_same_transaction_is_read_again(database):
    async def look(db: Connection) -> int:
        row = await db.known(VALUE, name="known")
        assert row is not None
        return int(row.value)

    async def change(db: Connection) -> int:
        return (await db.run(CHANGE, {"this": "known", "value": "2"})).rowcount

    informed = asyncio.create_task(database.stay_informed())
    async with database.write() as db:
        await db.run(PUT, {"name": "known", "value": "1"})
    for _ in range(1000):
        if database.knows_all():
            break
        await asyncio.sleep(0.01)
    assert await all_of(database, look, look, change, look) == [1, 1, 1, 2]
    informed.cancel()


async def test_a_row_that_somebody_holds_delays_nobody_but_the_client_that_needs_it(database):
    async def change(db: Connection) -> int:
        return (await db.run(CHANGE, {"this": "held", "value": "mine"})).rowcount

    async with database.write() as db:
        await db.run(PUT, {"name": "held", "value": "theirs"})
    async with database.write() as db:
        await db.run(CHANGE, {"this": "held", "value": "held"})
        several = [change, writing("a"), change, writing("b")]
        mine = [asyncio.create_task(database.write_together(work, "client")) for work in several]
        others = [database.write_together(writing(f"other {one}"), "other") for one in range(40)]
        await asyncio.gather(*others)
        later = asyncio.create_task(database.write_together(change, "client"))
        await database.write_together(writing("last"), "other")
        assert not any(one.done() for one in (mine[0], mine[2], later))
    assert (await asyncio.gather(*mine, later))[::2] == [1, 1, 1]
    assert {"a", "b", "last", *(f"other {one}" for one in range(40))} <= await stored(database)


async def test_a_statement_that_was_put_off_and_fails_is_told_to_whoever_sent_it_alone(database):
    def later(name: str) -> Work:
        async def work(db: Connection) -> int:
            await db.later(PUT, {"name": name, "value": ""})
            return 0

        return work

    await all_of(database, later("once"), later("twice"))
    *good, clash = await all_of(database, *map(later, "ab"), later("once"))
    assert good == [0, 0]
    assert isinstance(clash, Clash)
    assert await stored(database) >= {"a", "b"}


async def test_what_was_answered_is_there_once_the_database_is_closed(database, postgres_url):
    await asyncio.gather(*(database.write_together(writing(str(one))) for one in range(20)))
    await database.close()
    again = await open_database(postgres_url)
    assert await stored(again) == {str(one) for one in range(20)}
    await again.close()
