"""Snapshots and transactions, on both databases."""

import asyncio
import random

import pytest
from sqlalchemy import bindparam, delete, insert, select, update

from sep2.store import Clash, Database, outbox
from sep2.store.connection import Connection
from sep2.store.tables import client, member, setting

NAMES = select(setting.c.name).order_by(setting.c.name)


async def put(db: Connection, name: str, value: str = "") -> None:
    await db.run(insert(setting).values(name=name, value=value))


async def names(database: Database) -> list[str]:
    async with database.read() as db:
        return [row.name for row in await db.all(NAMES)]


def a_client(lfdi: str):
    return insert(client).values(
        lfdi=lfdi, name="", kind="device", profile="csip", registration="in-band", enabled=True, created=1
    )


async def test_what_was_written_is_read(database):
    async with database.write() as db:
        await put(db, "a", "1")
        assert [row.name for row in await db.all(NAMES)] == ["a"]
    async with database.read() as db:
        row = await db.one(select(setting.c.value).where(setting.c.name == bindparam("wanted")), wanted="a")
        assert row is not None
        assert row.value == "1"
        assert await db.one(select(setting.c.value).where(setting.c.name == "b")) is None


async def test_an_exception_undoes_the_block(database):
    with pytest.raises(KeyError):
        async with database.write() as db:
            await put(db, "a")
            raise KeyError
    assert await names(database) == []


async def test_an_insert_tells_its_id(database):
    async with database.write() as db:
        first = await db.run(a_client("A"))
        second = await db.run(a_client("B"))
        assert first.inserted_id > 0
        assert second.inserted_id > first.inserted_id
        row = await db.one(select(client.c.lfdi).where(client.c.id == second.inserted_id))
        assert row is not None
        assert row.lfdi == "B"


async def test_one_statement_for_many_rows(database):
    async with database.write() as db:
        done = await db.run(insert(setting), [{"name": name, "value": ""} for name in "abc"])
        assert (done.rowcount, done.inserted_id) == (3, 0)
        assert (await db.run(update(setting).where(setting.c.name > "a").values(value="x"))).rowcount == 2
    assert await names(database) == ["a", "b", "c"]


async def test_a_read_block_sees_one_moment(database):
    async with database.read() as reading:
        assert await reading.all(NAMES) == []
        async with database.write() as db:
            await put(db, "a")
        assert await reading.all(NAMES) == []
    assert await names(database) == ["a"]


async def test_a_read_block_does_not_write(database):
    with pytest.raises(Exception, match=r"readonly|read-only"):
        async with database.read() as db:
            await put(db, "a")
    assert await names(database) == []


@pytest.mark.parametrize("statement", ["the same LFDI", "a member of no group"])
async def test_a_contradiction_is_a_conflict(database, statement):
    async with database.write() as db:
        await db.run(a_client("A"))
    stray = insert(member).values(device_group_id=99, end_device_id=99, since=1)
    with pytest.raises(Clash) as refused:
        async with database.write() as db:
            await db.run(a_client("A") if statement == "the same LFDI" else stray)
    assert refused.value.status == 409
    assert await names(database) == []


async def test_a_failed_block_takes_no_other_with_it(database):
    """Blocks that queue share a commit; each is kept or undone by itself."""

    async def block(number: int) -> None:
        async with database.write() as db:
            await put(db, f"{number:03d}")
            if number % 3 == 0:
                raise KeyError(number)
            if number % 7 == 0:
                await put(db, f"{number:03d}")  # the name is taken

    told = await asyncio.gather(*(block(number) for number in range(60)), return_exceptions=True)
    kept = [f"{number:03d}" for number, error in enumerate(told) if error is None]
    assert kept == [f"{number:03d}" for number in range(60) if number % 3 and number % 7]
    assert await names(database) == kept


@pytest.mark.parametrize("seed", range(8))
async def test_cancelled_at_any_point_the_rest_stands(database, seed):
    """What was acknowledged is there, what was cancelled is there whole or not at all, and the next write works."""
    dice = random.Random(seed)
    acknowledged = set()

    async def block(number: int) -> None:
        async with database.write() as db:
            await put(db, f"{number:03d}-a")
            await asyncio.sleep(dice.choice((0, 0, 0.001)))
            await put(db, f"{number:03d}-b")
        acknowledged.add(number)

    tasks = [asyncio.create_task(block(number)) for number in range(30)]
    while not all(task.done() for task in tasks):
        dice.choice(tasks).cancel()
        await asyncio.sleep(dice.choice((0, 0, 0.002)))
    await block(999)
    found = await names(database)
    whole = {name[:3] for name in found}
    assert found == sorted(f"{number}-{half}" for number in whole for half in "ab")
    assert {f"{number:03d}" for number in acknowledged} <= whole


async def test_changes_wake_who_waits_for_them(database):
    assert await database.wait_for_changes(0.01) in (True, False)  # whatever was before
    waiting = asyncio.create_task(database.wait_for_changes(30))
    async with database.write() as db:
        await outbox.changed(db, "EndDevice", edev=1)
    assert await waiting is True
    async with database.write() as db:
        await put(db, "a")  # nothing that anyone subscribes to
    with pytest.raises(KeyError):
        async with database.write() as db:
            await outbox.changed(db, "EndDevice", edev=1)
            raise KeyError
    assert await database.wait_for_changes(0.01) is False


async def test_a_change_before_the_wait_is_not_missed(database):
    async with database.write() as db:
        await outbox.changed(db, "EndDevice", edev=1)
    assert await database.wait_for_changes(30) is True


async def test_closing_waits_for_what_is_under_way(database_url):
    from sep2.store import open_database

    database = await open_database(database_url)

    async def block(name: str) -> None:
        async with database.write() as db:
            await put(db, name)

    blocks = [asyncio.create_task(block(name)) for name in "abc"]
    await asyncio.gather(*blocks)
    await database.close()
    database = await open_database(database_url)
    assert await names(database) == ["a", "b", "c"]
    await database.close()


async def test_rows_without_number_are_removed_while_others_are_answered(database):
    async with database.write() as db:
        await db.run(insert(setting), [{"name": f"{number:05d}", "value": "x"} for number in range(5000)])
    with pytest.raises(asyncio.CancelledError):
        async with database.write() as db:
            done = await db.run_long(delete(setting))
            assert done.rowcount == 5000
            raise asyncio.CancelledError
    async with database.read() as db:
        assert len(await db.all(select(setting.c.name))) == 5000, "it was part of the block"
