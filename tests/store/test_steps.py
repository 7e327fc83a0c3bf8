"""Each step of the tables, on a database that has seen use before it."""

import asyncio
import sqlite3
from collections.abc import Sequence

import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

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


CAPABILITY = (
    '<DERCapability xmlns="urn:ieee:std:2030.5:ns"><modesSupported>00100004</modesSupported>'
    "<rtgMaxW><multiplier>2</multiplier><value>50</value></rtgMaxW><type>4</type></DERCapability>"
)
BEFORE_REPORTS = (
    "INSERT INTO client VALUES (1, 'AA', 'agg', 'aggregator', 'csip', 'out-of-band', NULL, '', true, 0)",
    *(
        f"INSERT INTO end_device VALUES ({id_}, 'B{id_}', 1, 1, NULL, false, 0, true, NULL, NULL, '', {said}, 0, 0)"
        for id_, said in ((7, 4000), (8, 0))
    ),
    "INSERT INTO der_document VALUES (7, 'DERCapability', {body}, 0)",
    "INSERT INTO der_document VALUES (8, 'DERCapability', {nonsense}, 0)",
    "INSERT INTO device_group VALUES (3, 'feeder', 'FD', 50, 'C', 'D', '', 0, NULL, 0, NULL)",
    "INSERT INTO default_control VALUES (5, 3, 'E', 0, NULL, NULL, NULL, NULL, '{{}}', NULL, NULL, 0, '{{}}')",
    *(
        f"INSERT INTO alarm VALUES ({number}, 'no_import_control', '{subject}', '', {raised}, {cleared}, 3)"
        for number, subject, raised, cleared in ((101, "B7", 5, "NULL"), (102, "B8", 4, "NULL"), (103, "B7", 1, "2"))
    ),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def unmade(request: pytest.FixtureRequest, tmp_path) -> str:
    """The address of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/old.sqlite"
    url: str = request.getfixturevalue("postgres_url")
    asyncio.run(_on(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public"))
    return url


async def _on(url: str, *statements: str, revision: str = "", ask: str = "") -> Sequence[tuple]:
    """What a question is answered, after a step of the tables and some statements."""

    def work(core: Connection) -> list[tuple]:
        if revision:
            command.upgrade(migrations.config(core), revision)
        for statement in statements:
            core.execute(text(statement))
        return [tuple(row) for row in core.execute(text(ask)).all()] if ask else []

    if url.startswith("sqlite"):
        with create_engine(url).begin() as core:
            return work(core)
    engine = create_async_engine(url.replace("postgresql", "postgresql+asyncpg"))
    async with engine.begin() as core:
        found = await core.run_sync(work)
    await engine.dispose()
    return found


def test_what_devices_reported_before_counts(unmade):
    """Ratings and modes are read out of stored documents, whatever is in them; alarms of one client are joined."""
    octets = "X'{}'" if unmade.startswith("sqlite") else "'\\x{}'"
    bodies = {"body": octets.format(CAPABILITY.encode().hex()), "nonsense": octets.format(b"<x/>".hex())}
    asyncio.run(_on(unmade, *(one.format(**bodies) for one in BEFORE_REPORTS), revision="r0006"))
    asyncio.run(migrate(unmade))
    columns = "id, set_max_w, nameplate_w, agreed_max_w, agreed_nameplate_w, modes_supported, doe_modes_supported"
    assert asyncio.run(_on(unmade, ask=f"SELECT {columns} FROM end_device ORDER BY id")) == [
        (7, 4000, 5000, 4000, None, 0x100004, None),
        (8, None, None, None, None, None, None),
    ]
    assert asyncio.run(_on(unmade, ask="SELECT code, subject, raised, cleared FROM alarm ORDER BY raised")) == [
        ("no_import_control", "B7", 1, 2),
        ("mode_unsupported", "AA opModImpLimW", 4, None),
    ]
    layout = "SELECT value FROM setting WHERE name = 'default_layout'"
    assert asyncio.run(_on(unmade, ask=layout)) == [("own",)]
