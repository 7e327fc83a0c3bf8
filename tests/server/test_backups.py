"""An alarm says when no backup is made any more, and ends when one is."""

import os
import time

import pytest
from sqlalchemy import select

from sep2.store.tables import alarm
from tests.server.operator import operating

HOUR_S = 3600


@pytest.fixture
async def desk(people, on_either, tmp_path):
    async with operating(
        people, on_either, tmp_path, database={"url": on_either.url, "backups": str(tmp_path / "backups")}
    ) as desk:
        yield desk


async def standing(desk):
    await desk.world.state.causes.look()
    async with desk.world.state.db.read() as db:
        rows = await db.all(select(alarm).where(alarm.c.code == "backup_stale", alarm.c.cleared.is_(None)))
    return [row.detail for row in rows]


@pytest.mark.parametrize("below", ["", "base"], ids=["files", "as backup.sh makes them"])
async def test_backups_that_are_not_made_any_more_are_an_alarm(desk, tmp_path, below):
    assert await standing(desk) == ["none is there, or the folder can not be read"]
    folder = tmp_path / "backups" / below
    folder.mkdir(parents=True)
    (folder / "20261129").mkdir()
    (tmp_path / "backups" / ".unfinished").mkdir()
    assert await standing(desk) == []
    made = time.time() - 27 * HOUR_S
    os.utime(folder / "20261129", (made, made))
    (said,) = await standing(desk)
    assert said.endswith("one is due every 26 h")
    (folder / "20261130").mkdir()
    assert await standing(desk) == []
