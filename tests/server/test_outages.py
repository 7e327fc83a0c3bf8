"""The database is full, locked, damaged or away: everybody is answered, one line is logged, and it goes on."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select, text

from sep2.server.outages import SOUND_S, OncePerMinute
from sep2.store import Database, open_database
from sep2.store.connection import Damaged
from sep2.store.tables import alarm
from tests.cli.conftest import say
from tests.raw import Reply, document
from tests.server.conftest import Settled
from tests.server.test_refusals import mirror
from tests.server.world import NOW, People, World, serving

STATUS = document("DERStatus", f"<readingTime>{NOW}</readingTime>")


@pytest.fixture(autouse=True)
def _anew() -> None:
    """No test has had an outage before, of which nothing would be logged again within the minute."""
    for name in list(logging.root.manager.loggerDict):
        for one in logging.getLogger(name).filters:
            if isinstance(one, OncePerMinute):
                one.__init__()  # type: ignore[misc]


def assert_one_line(caplog: pytest.LogCaptureFixture, said: str) -> None:
    """Whatever was refused, the log has one line of it, and no traceback."""
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record for record in lines if record.exc_info] == []
    assert len([record for record in lines if said in record.getMessage()]) == 1, caplog.messages


def assert_held(reply: Reply) -> None:
    """The client is told to come again."""
    assert reply.status == 503
    assert int(reply.headers["retry-after"]) > 0


async def standing(db: Database) -> list[tuple[str, int]]:
    """Alarms that nothing has cleared, by code and priority; but for those of devices that nobody has limited."""
    async with db.read() as reading:
        found = await reading.all(select(alarm.c.code, alarm.c.priority).where(alarm.c.cleared.is_(None)))
    return [(row.code, row.priority) for row in found if row.code != "default_in_force"]


async def _fill(world: World) -> None:
    """Let the database have no more room."""
    async with world.state.db.write() as db:
        if world.state.settings.database.url.startswith("sqlite"):
            (pages,) = (await db.all(text("PRAGMA page_count")))[0]
            await db.all(text(f"PRAGMA max_page_count = {pages}"))
            return
        # What the server says where its disk is full, said by a trigger: no disk of this machine has to be filled.
        await db.run(
            text(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
            )
        )
        for table in ("mirror_usage_point", "alarm"):
            await db.run(
                text(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()")
            )


async def _make_room(world: World) -> None:
    async with world.state.db.write() as db:
        if world.state.settings.database.url.startswith("sqlite"):
            await db.all(text("PRAGMA max_page_count = 1000000"))
        else:
            await db.run(text("DROP FUNCTION full_disk CASCADE"))


async def test_a_full_disk(either_world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Reads go on, writes are told to come again, one line is logged, and the alarm comes when it can be written."""
    db, outages = either_world.state.db, either_world.state.front.outages
    sunny = await either_world.as_("sunny")
    await _fill(either_world)
    refused = 0
    for number in range(200):
        reply = await sunny.post("/mup", mirror(either_world.ids.lfdis["one"], f"{number:032X}"))
        if reply.status != 201:
            assert_held(reply)
            refused += 1
    assert refused > 20
    assert (await sunny.get("/dcap")).status == (await sunny.get("/mup?l=255")).status == 200
    assert_one_line(caplog, "disk of the database is full")
    await _make_room(either_world)
    assert (await sunny.post("/mup", mirror(either_world.ids.lfdis["one"], "F" * 32))).status == 201
    while await standing(db) != [("disk_low", 1)]:  # noqa: ASYNC110 - the server looks every two seconds
        await asyncio.sleep(0.05)
    later = asyncio.get_running_loop().time() + SOUND_S
    await outages.tell(db, now=lambda: later)
    assert await standing(db) == []


async def test_a_file_that_another_process_writes_to(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Reads go on, writes are told to come again, and no alarm wakes anybody."""
    sunny = await world.as_("sunny")
    path = f"/edev/{world.ids.devices['one']}/der/1/ders"
    world.state.db.patience_s = 0.05  # type: ignore[attr-defined]
    file = world.state.settings.database.url.removeprefix("sqlite:///")
    # The server's own commit may wait for a busy disk; and a transaction of its background work goes on meanwhile.
    other = sqlite3.connect(file, isolation_level=None, timeout=60, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    for _ in range(5):
        assert_held(await sunny.put(path, STATUS))
        assert (await sunny.get("/dcap")).status == 200
    assert_one_line(caplog, "held by someone else")
    other.execute("COMMIT")
    other.close()
    assert (await sunny.put(path, STATUS)).status in (201, 204)


def _spoil(file: Path, table: str) -> None:
    """Put garbage over the first pages of a table and of its indexes."""
    connection = sqlite3.connect(file)
    pages = connection.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = ?", (table,)).fetchall()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with file.open("r+b") as spoiled:
        for (page,) in pages:
            spoiled.seek((page - 1) * size)
            spoiled.write(b"\xa5" * size)


async def test_a_damaged_database_while_it_is_served(
    people: People, on_sqlite: Settled, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not damaged is served on; the log says once which file it is and what to do."""
    file = Path(on_sqlite.url.removeprefix("sqlite:///"))
    _spoil(file, "mirror_usage_point")
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        sunny = await world.as_("sunny")
        for _ in range(10):
            assert_held(await sunny.get("/mup"))
            assert (await sunny.get("/tm")).status == 200
        while await standing(world.state.db) != [("database", 1)]:  # noqa: ASYNC110 - the server looks every 2 s
            await asyncio.sleep(0.05)
        assert_one_line(caplog, "integrity_check")
        assert str(file) in caplog.text


def test_a_damaged_database_is_told_in_one_sentence_at_the_start(on_sqlite: Settled) -> None:
    file = Path(on_sqlite.url.removeprefix("sqlite:///"))
    _spoil(file, "alembic_version")
    with pytest.raises(Damaged, match=r"stop the server.*integrity_check"):
        asyncio.run(open_database(on_sqlite.url))
    file.write_bytes(b"this is no database, and long enough to be seen as none " * 100)
    with pytest.raises(Damaged, match=r"stop the server.*not a database"):
        asyncio.run(open_database(on_sqlite.url))


def test_serve_says_what_to_do_with_a_damaged_file(tmp_path: Path) -> None:
    folder = str(tmp_path / "utility")
    assert say("init", folder).status == 0
    (tmp_path / "utility" / "sep2.db").write_bytes(b"garbage " * 4096)
    for command in ("serve", "migrate"):
        refused = say(command, folder)
        assert refused.status == 1
        assert "put its latest backup in its place" in refused.err
        assert "Traceback" not in refused.err
