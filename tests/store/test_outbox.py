"""Changes are recorded with their cause, and forgotten once they are told."""

from sqlalchemy import insert, select

from sep2.rules.cursor import Keyset
from sep2.store import outbox
from sep2.store.tables import outbox as table


async def test_changes_are_found_oldest_first(database):
    async with database.write() as db:
        await outbox.changed(db, "DERControlList", edev=7, derp=2)
        await outbox.changed(db, "DERControlList", derp=3, derc=[4, 5])
        await outbox.changed(db, "EndDeviceList")
    async with database.write() as db:
        first = await outbox.oldest(db, 2)
        await outbox.remove(db, [change.id for change in first])
        rest = await outbox.oldest(db, 2)
        await outbox.remove(db, [change.id for change in rest])
        assert not await outbox.waits(db)
    assert [(change.kind, change.ids) for change in first] == [
        ("DERControlList", {"derp": 2, "edev": 7}),
        ("DERControlList", {"derp": 3, "derc": [4, 5]}),
    ]
    assert [(change.kind, change.ids) for change in rest] == [("EndDeviceList", {})]


async def test_ids_are_stored_in_one_spelling(database):
    async with database.write() as db:
        await outbox.changed(db, "DERControlList", edev=7, derp=2)
    async with database.read() as db:
        assert [row.ids for row in await db.all(select(table.c.ids))] == ['{"derp": 2, "edev": 7}']


async def test_a_change_that_fails_is_set_aside_and_can_be_replayed(database):
    async with database.write() as db:
        await db.run(insert(table).values(kind="EndDevice", ids="not JSON"))
        await outbox.changed(db, "EndDevice", edev=1)
        bad, good = await outbox.oldest(db, 2)
        assert [await outbox.failed(db, [bad.id], "why", 3) for _ in range(3)] == [0, 0, 1]
        assert await outbox.oldest(db, 2) == [good]
        page = await outbox.set_aside(db, Keyset(9))
        (aside,) = page.rows
        assert (aside.id, aside.attempts, aside.error, page.total) == (bad.id, 3, "why", 1)
        assert await outbox.replay(db, bad.id) == 1
        assert await outbox.replay(db, good.id) == 0
        assert await outbox.oldest(db, 2) == [bad, good]
