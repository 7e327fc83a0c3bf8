"""Changes are recorded with their cause, and taken once."""

import pytest
from sqlalchemy import select

from sep2.store import outbox
from sep2.store.tables import outbox as table


async def test_changes_are_taken_oldest_first_and_once(database):
    async with database.write() as db:
        await outbox.changed(db, "DERControlList", edev=7, derp=2)
        await outbox.changed(db, "DERControlList", derp=3)
        await outbox.changed(db, "EndDeviceList")
    async with database.write() as db:
        first = await outbox.take(db, 2)
        rest = await outbox.take(db, 2)
        assert await outbox.take(db, 2) == []
    assert [(change.kind, change.ids) for change in first] == [
        ("DERControlList", {"derp": 2, "edev": 7}),
        ("DERControlList", {"derp": 3}),
    ]
    assert [(change.kind, change.ids) for change in rest] == [("EndDeviceList", {})]


async def test_ids_are_stored_in_one_spelling(database):
    async with database.write() as db:
        await outbox.changed(db, "DERControlList", edev=7, derp=2)
    async with database.read() as db:
        assert [row.ids for row in await db.all(select(table.c.ids))] == ['{"derp": 2, "edev": 7}']


async def test_what_a_failed_taker_took_comes_back(database):
    async with database.write() as db:
        await outbox.changed(db, "EndDevice", edev=1)
    with pytest.raises(KeyError):
        async with database.write() as db:
            assert len(await outbox.take(db, 5)) == 1
            raise KeyError
    async with database.write() as db:
        assert [change.ids for change in await outbox.take(db, 5)] == [{"edev": 1}]
