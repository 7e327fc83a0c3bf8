"""What only SQLite has: one writer, and other processes at the same file."""

import asyncio
import sqlite3

import pytest
from sqlalchemy import insert, select, text

from sep2.store import Busy, Clash, open_database, sqlite_connection
from sep2.store.connection import Unreachable
from sep2.store.tables import end_device, setting


@pytest.fixture
async def database(sqlite_url):
    opened = await open_database(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
def other_process(sqlite_url):
    """Another connection to the same file, which is to SQLite what another process is."""
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    yield connection
    connection.close()


def put(name: str):
    return insert(setting).values(name=name, value="")


async def test_another_process_that_writes_makes_us_busy(database, other_process):
    database.patience_s = 0.05
    other_process.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy) as refused:
        async with database.write() as db:
            await db.run(put("a"))
    assert refused.value.status == 503
    async with database.read() as db:
        assert await db.all(select(setting)) == []
    other_process.execute("COMMIT")
    async with database.write() as db:
        await db.run(put("a"))


async def test_waiting_for_another_process_does_not_stop_the_loop(database, other_process):
    database.patience_s = 60.0
    other_process.execute("BEGIN IMMEDIATE")

    async def block() -> None:
        async with database.write() as db:
            await db.run(put("a"))

    writing = asyncio.create_task(block())
    for _ in range(5):
        await asyncio.sleep(0.01)
        async with database.read() as db:
            assert await db.all(select(setting)) == []
    assert not writing.done()
    other_process.execute("COMMIT")
    await writing
    async with database.read() as db:
        assert len(await db.all(select(setting))) == 1


async def test_a_commit_is_synced_and_others_see_it(database, other_process):
    async with database.write() as db:
        modes = [
            (await db.all(text(f"PRAGMA {name}")))[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
        await db.run(put("a"))
    assert modes == ["wal", 2, 1]
    assert other_process.execute("SELECT name FROM setting").fetchall() == [("a",)]


async def test_a_full_disk_loses_nothing_that_was_acknowledged(database):
    pages = 0
    async with database.write() as db:
        pages = (await db.all(text("PRAGMA page_count")))[0][0]
    async with database.write() as db:
        await db.all(text(f"PRAGMA max_page_count = {pages + 20}"))

    async def block(number: int) -> None:
        async with database.write() as db:
            await db.run(insert(setting).values(name=f"{number:02d}", value="x" * (100 if number % 4 else 200_000)))

    told = await asyncio.gather(*(block(number) for number in range(20)), return_exceptions=True)
    assert any(error is not None for error in told)
    async with database.read() as db:
        found = [row.name for row in await db.all(select(setting.c.name).order_by(setting.c.name))]
    assert found == [f"{number:02d}" for number, error in enumerate(told) if error is None]
    async with database.write() as db:
        await db.run(put("after"))


async def test_a_commit_that_fails_is_told_and_undone(database):
    with pytest.raises(Clash):
        async with database.write() as db:
            await db.run(text("PRAGMA defer_foreign_keys = ON"))
            stray = {"lfdi": "A", "sfdi": 1, "client_id": 99, "holds_net_limit": False, "pin": 1, "enabled": True}
            await db.run(insert(end_device).values(**stray, fsa_mrid="F", changed=1, registered=1))
    async with database.write() as db:
        assert await db.all(select(end_device.c.id)) == []
        await db.run(put("after"))


async def test_blocks_do_not_nest(database):
    async with database.write() as db:
        await db.run(put("a"))
        with pytest.raises(RuntimeError, match="inside"):
            async with database.write():
                pass
    async with database.read() as db:
        assert len(await db.all(select(setting))) == 1


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_connection_ends_with_its_block(database, kind):
    async with getattr(database, kind)() as db:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        await db.all(select(setting))


async def test_a_long_read_does_not_stop_the_loop_and_finds_one_state(database, monkeypatch):
    """Who made a list long does not decide for how long nobody else is answered."""
    count = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"
    )
    passes = 0

    async def read() -> tuple[int, int]:
        async with database.read() as db:
            before = len(await db.all(select(setting)))
            assert (await db.one(count))[0] == 3_000_000
            return before, len(await db.all(select(setting)))

    reading = asyncio.create_task(read())
    while not reading.done():
        await asyncio.sleep(0)
        if passes == 0:
            async with database.write() as db:
                await db.run(put("meanwhile"))
        passes += 1
    before, after = reading.result()
    assert before == after
    assert passes > 10
    monkeypatch.setattr(sqlite_connection, "IN_A_THREAD_S", 0.05)
    with pytest.raises(Busy, match="too long"):
        async with database.read() as db:
            await db.one(count)
    async with database.read() as db:
        assert len(await db.all(select(setting))) == 1


async def test_a_closed_database_refuses(sqlite_url):
    database = await open_database(sqlite_url)
    await database.close()
    await database.close()
    with pytest.raises(RuntimeError, match="closed"):
        async with database.write():
            pass


async def test_a_file_that_can_not_be_opened(tmp_path):
    with pytest.raises(Unreachable, match="unable to open"):
        await open_database(f"sqlite:///{tmp_path}/nowhere/sep2.sqlite")
