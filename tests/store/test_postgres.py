"""What only PostgreSQL has: several processes that write at once."""

import asyncio

import pytest
from sqlalchemy import bindparam, insert, select, text, update

from sep2.store import Busy, open_database, outbox
from sep2.store.connection import Stale, Unreachable
from sep2.store.tables import setting


@pytest.fixture
async def pair(postgres_url):
    """The same database, opened twice, as by two server processes."""
    opened = [await open_database(postgres_url) for _ in range(2)]
    yield opened
    for database in opened:
        await database.close()


async def test_another_process_hears_of_a_change(pair):
    here, there = pair
    await there.wait_for_changes(0.01)
    waiting = asyncio.create_task(there.wait_for_changes(30))
    await asyncio.sleep(0)
    async with here.write() as db:
        await outbox.changed(db, "EndDevice", edev=1)
    assert await waiting is True


async def test_a_lost_line_is_opened_again(pair):
    here, there = pair
    await there.wait_for_changes(0.01)
    async with here.read() as db:
        lines = "application_name = 'sep2 line'"
        await db.all(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {lines}"))
    assert await there.wait_for_changes(30) is True  # it looks, since it can not know what it missed
    await there.wait_for_changes(0.01)
    async with here.write() as db:
        await outbox.changed(db, "EndDevice", edev=1)
    assert await there.wait_for_changes(30) is True


async def test_a_deadlock_is_told_as_busy(pair):
    here, there = pair
    async with here.write() as db:
        await db.run(insert(setting), [{"name": name, "value": ""} for name in "ab"])

    async def block(database, *order):
        async with database.write() as db:
            for name in order:
                await db.run(update(setting).where(setting.c.name == name).values(value="".join(order)))
                await asyncio.sleep(0.05)

    told = await asyncio.gather(block(here, "a", "b"), block(there, "b", "a"), return_exceptions=True)
    refused = [error for error in told if error is not None]
    assert [type(error) for error in refused] == [Busy]
    async with here.read() as db:
        values = {row.value for row in await db.all(select(setting.c.value))}
    assert values == {"ba"} if told[0] else {"ab"}


async def test_a_lost_connection_is_told_and_replaced(pair):
    here, there = pair
    in_a_block = "state = 'idle in transaction' AND pid <> pg_backend_pid()"
    with pytest.raises(Unreachable):
        async with here.write() as db:
            await db.run(insert(setting).values(name="a", value=""))
            async with there.read() as other:
                await other.all(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {in_a_block}"))
            await db.run(insert(setting).values(name="b", value=""))
    async with here.write() as db:
        assert await db.all(select(setting)) == []


async def test_no_server_at_the_address(tmp_path):
    with pytest.raises(Unreachable):
        await open_database(f"postgresql://sep2@/nothing?host={tmp_path}")


@pytest.fixture
async def knowing(pair):
    """The same, the first of which hears of what the other changes, and with a row of `setting`."""
    here, there = pair
    async with there.write() as db:
        await db.run(insert(setting).values(name="a", value="old"))
    informed = asyncio.create_task(here.stay_informed())
    for _ in range(10_000):
        if here.knows_all():
            break
        await asyncio.sleep(0.01)
    yield pair
    informed.cancel()
    await asyncio.gather(informed, return_exceptions=True)


KNOWN = select(setting.c.value).where(setting.c.name == bindparam("wanted"))
OTHER = update(setting).where(setting.c.name == "a").values(value=bindparam("said"))


async def test_a_row_that_is_known_is_read_anew_once_another_process_has_changed_it(knowing):
    here, there = knowing
    for _ in range(3):
        async with here.read() as db:
            assert (await db.known(KNOWN, wanted="a")).value == "old"
    used = here.remembered.used
    assert used > 0
    async with there.write() as db:
        await db.run(OTHER, {"said": "new"})
    async with here.read() as db:
        assert (await db.known(KNOWN, wanted="a")).value == "new"
    assert here.remembered.used == used


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_block_whose_known_row_is_changed_before_it_ends_is_refused(knowing, kind):
    here, there = knowing
    for _ in range(2):
        async with here.read() as db:
            await db.known(KNOWN, wanted="a")
    with pytest.raises(Stale):
        async with getattr(here, kind)() as db:
            assert (await db.known(KNOWN, wanted="a")).value == "old"
            async with there.write() as other:
                await other.run(OTHER, {"said": "new"})
            await db.all(select(setting.c.name))


async def test_what_a_block_has_changed_itself_is_not_known_from_before(knowing):
    here, _ = knowing
    for _ in range(2):
        async with here.read() as db:
            await db.known(KNOWN, wanted="a")
    async with here.write() as db:
        await db.run(OTHER, {"said": "own"})
        assert (await db.known(KNOWN, wanted="a")).value == "own"
    async with here.read() as db:
        assert (await db.known(KNOWN, wanted="a")).value == "own"
