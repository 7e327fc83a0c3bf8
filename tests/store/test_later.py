"""Statements that are put off: nobody can tell from what is read, and their order counts where it matters."""

import pytest
from sqlalchemy import bindparam, delete, func, insert, select, update

from sep2.store.later import touched_by
from sep2.store.tables import end_device, outbox, setting, subscription
from sep2.store.upsert import upsert

PUT = upsert(setting, ("name",), ("value",))
CHANGE = update(setting).where(setting.c.name == bindparam("this"))
FORGET = delete(setting).where(setting.c.name == bindparam("this"))
ALL = select(setting.c.name, setting.c.value).order_by(setting.c.name)
OTHER = insert(outbox)
COUNT = select(func.count().label("n")).select_from(outbox)


async def settings(db):
    return {row.name: row.value for row in await db.all(ALL) if len(row.name) == 1}


async def test_what_was_put_off_is_seen_by_whoever_looks(database):
    for number in range(4):  # statements are compiled with their second run
        async with database.write() as db:
            await db.later(PUT, {"name": "a", "value": f"{number}"})
            await db.later(OTHER, {"kind": "K", "ids": "{}"})
            assert (await settings(db))["a"] == f"{number}"
            await db.later(PUT, [{"name": "a", "value": "x"}, {"name": "b", "value": "y"}])
            await db.later(CHANGE, {"this": "b", "value": "z"})
            await db.later(FORGET, {"this": "a"})
            await db.later(PUT, {"name": "c", "value": f"{number}"})
        async with database.read() as db:
            assert await settings(db) == {"b": "z", "c": f"{number}"}
            row = await db.one(COUNT)
            assert row.n == number + 1


async def test_what_is_undone_is_undone_with_what_was_put_off(database):
    for _ in range(4):
        with pytest.raises(ZeroDivisionError):
            async with database.write() as db:
                await db.later(PUT, {"name": "a", "value": "x"})
                raise ZeroDivisionError
        async with database.write() as db:
            await db.later(PUT, {"name": "b", "value": "y"})
        async with database.read() as db:
            assert await settings(db) == {"b": "y"}


@pytest.mark.parametrize(
    ("why", "statement", "names", "meets"),
    [
        ("it reads the column", select(setting.c.value), (), True),
        ("it reads another column of the row", select(setting.c.name), (), False),
        ("it counts rows", select(func.count()).select_from(setting), (), False),
        ("it changes the same column", CHANGE, ("this", "value"), True),
        ("it removes the row", FORGET, ("this",), True),
        ("it adds rows", insert(setting), ("name", "value"), True),
        ("another table", OTHER, ("kind", "ids"), False),
        ("the same under another name", select(setting.alias().c.value), (), True),
        ("in a subquery", select(outbox.c.id).where(outbox.c.kind.in_(select(setting.c.value))), (), True),
    ],
)
def test_which_statements_a_change_of_a_column_has_to_do_with(why, statement, names, meets):
    change, other = touched_by(CHANGE, ("this", "value")), touched_by(statement, names)
    assert change is not None
    assert other is not None
    assert change.meets(other) is meets
    assert other.meets(change) is meets


def test_a_row_that_refers_to_another_has_to_do_with_it_and_with_its_removal():
    child = touched_by(insert(subscription), ("end_device_id",))
    for parent in (insert(end_device), delete(end_device)):
        assert child.meets(touched_by(parent, ()))
