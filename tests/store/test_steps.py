"""Each step of the tables, on a database that has seen use before it."""

import sqlite3

from alembic import command
from sqlalchemy import create_engine

from sep2.store import migrate, migrations, open_database
from sep2.store.subscriptions import add, remove

OLD = {
    "client": "INSERT INTO client VALUES (1, 'AA', 'agg', 'aggregator', 'csip', 'out-of-band', NULL, '', 1, 0)",
    "end_device": "INSERT INTO end_device VALUES (7, 'AA', 1, 1, NULL, 0, 0, 1, NULL, NULL, 'AA', NULL, 0, 0)",
    "subscription": "INSERT INTO subscription VALUES (3, 1, 7, 'EndDeviceList', '{}', '/edev', 'u', 'r', 0, '', 1, 0)",
    "delivery": "INSERT INTO delivery VALUES (3, 0, 1, 0, 0, 0, 0, '')",
}


async def test_numbers_in_hrefs_are_given_once(tmp_path):
    """What was there before the step is still there after it, and a number whose row is gone stays unused."""
    path = tmp_path / "old.sqlite"
    with create_engine(f"sqlite:///{path}").begin() as core:
        command.upgrade(migrations.config(core), "r0001")
    with sqlite3.connect(path) as old:
        for row in OLD.values():
            old.execute(row)
        columns = {table: [row[1] for row in old.execute(f"PRAGMA table_info({table})")] for table in OLD}
        columns["subscription"].remove("receiver")  # which has a table of its own since
        reading = {table: f"SELECT {', '.join(columns[table])} FROM {table}" for table in OLD}
        before = {table: old.execute(reading[table]).fetchall() for table in OLD}
    await migrate(f"sqlite:///{path}")
    with sqlite3.connect(path) as new:
        assert {table: new.execute(reading[table]).fetchall() for table in OLD} == before
        receiver = "SELECT place FROM receiver JOIN delivery ON receiver_id = receiver.id WHERE subscription_id = 3"
        assert new.execute(receiver).fetchall() == [("r",)]
    database = await open_database(f"sqlite:///{path}")
    said = {"client_id": 1, "end_device_id": 7, "ids": "{}", "subscribed_resource": "/edev", "receiver": "r"}
    said |= {"encoding": 0, "level": "", "item_limit": 1, "created": 0, "notification_uri": "v"}
    async with database.write() as db:
        await remove(db, 3)
        assert await add(db, resource="EndDeviceList", **said) == 4
    await database.close()
