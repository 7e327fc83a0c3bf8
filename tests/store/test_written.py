"""What is noted of statements: the tables that they read and write."""

import sqlite3

from sqlalchemy import delete, event, insert, text

from sep2.rules.paging import Page
from sep2.store import access, curves, defaults, device_pages, devices, editions, groups, next_turn, open_database
from sep2.store.controls import Part, Seen, active, live
from sep2.store.sqlite import SqliteDatabase
from sep2.store.tables import control, reading
from sep2.store.written import EVERYTHING, Written, read_by, written_by

PAGE = Page(0, 10)


async def read_everything(db) -> None:
    """What kept answers are made of."""
    seen = Seen(1_800_000_000, listed_after_end_s=10)
    await access.caller(db, "A")
    await access.acting_for(db, "A", 1)
    await access.acting_in(db, "A", 1, group=1)
    await devices.count_of(db, 1)
    await devices.seen(db, 1)
    await device_pages.of_client(db, 1, "A", PAGE)
    await groups.programs(db, 1, PAGE, seen)
    await groups.program(db, 1, 1, seen)
    await groups.assignments(db, 1, PAGE)
    await groups.count_of(db, 1)
    await curves.listed(db, 1, PAGE)
    await defaults.served(db, 1)
    await editions.listed(db, 1, 1, 0)
    await editions.edited(db, 1, 0)
    for part in Part:
        await live(db, 1, PAGE, seen._replace(part=part))
        await active(db, 1, PAGE, seen._replace(part=part))
    await next_turn.next_turn(db, 1, None, seen)
    await next_turn.next_turn(db, 1, 1, seen)


async def test_every_table_that_sqlite_reads_is_noted(sqlite_url):
    database = await open_database(sqlite_url)
    assert isinstance(database, SqliteDatabase)
    really: set[str] = set()

    def look(action: int, first: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ and first:
            really.add(first)
        return sqlite3.SQLITE_OK

    missed = []

    def compare(_core, _cursor, statement, _values, context, _many) -> None:
        noted = read_by(context.compiled.statement)
        really.clear()
        context.root_connection.connection.driver_connection.execute(
            f"EXPLAIN {statement}", context.compiled_parameters and context.parameters[0]
        )
        if unknown := really - noted - {"json_each", "sqlite_master"}:
            missed.append((unknown, statement))

    database.preparing.is_off = True
    async with database.read() as db:
        db.core.connection.driver_connection.set_authorizer(look)
        event.listen(db.core, "before_cursor_execute", compare)
        await read_everything(db)
        db.core.connection.driver_connection.set_authorizer(None)
    await database.close()
    assert not missed


def test_rows_that_go_with_others_are_written_too():
    assert written_by(insert(reading)) == {"reading"}
    assert {"control", "control_edition", "override_control"} <= written_by(delete(control))
    assert written_by(text("ANALYZE")) == EVERYTHING
    assert written_by(text("SELECT 1")) == frozenset()


def test_what_is_being_written_is_neither_old_nor_new():
    written, tables = Written(), frozenset({"control", "member"})
    before = written.count
    assert written.unchanged(tables, before)
    written.begin({"control"})
    meanwhile = written.count
    assert not written.unchanged(tables, before)
    assert not written.unchanged(tables, meanwhile)
    written.end({"control"})
    assert not written.unchanged(tables, meanwhile)
    assert written.unchanged(tables, written.count)
    assert written.unchanged(frozenset({"curve"}), before)
    written.everything()
    assert not written.unchanged(frozenset({"curve"}), before)
