"""The step that keys readings anew, on a database that has seen use before it, of both kinds."""

import asyncio

import pytest
from alembic import command
from sqlalchemy import create_engine, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from sep2.rules.paging import Page
from sep2.store import migrate, migrations, open_database, readings
from sep2.store.tables import log_event, mirror_meter_reading, mirror_usage_point, reading

NOW = 1_800_000_000
TYPE = "<ReadingType><intervalLength>300</intervalLength></ReadingType>"
OLD = (
    "INSERT INTO client VALUES (1, 'AA', 'agg', 'aggregator', 'csip', 'out-of-band', NULL, '', true, 0)",
    "INSERT INTO end_device VALUES (7, 'AA', 1, 1, NULL, false, 0, true, NULL, NULL, 'AA', NULL, 0, 0)",
    "INSERT INTO mirror_usage_point VALUES (3, '0A', 1, 7, 'site', NULL, 3, 0, 1, 300, 0, 'unproven')",
    "INSERT INTO mirror_meter_reading "
    "VALUES (5, 3, '0C', '', NULL, CAST('{type}' AS {blob}), 38, 0, 1, 0, 0, NULL, NULL)",
    *(
        f"INSERT INTO reading VALUES (5, {start}, {duration}, {local}, '{of_set}', {value}, NULL, {NOW})"
        for start, duration, local, of_set, value in (
            (NOW, 300, 0, "51", 1),
            (NOW + 300, 300, 1, "51", 2),
            (NOW - 300, 300, 0, "", 3),
            (2**63 - 1, 300, 0, "52", 4),
            (NOW * 1000, 300, 0, "", 5),
        )
    ),
    "INSERT INTO log_event VALUES (9, 7, 1, 2, 3, 4, 5, 6, NULL, NULL, 0)",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def used_url(request, tmp_path):
    """The address of a database as the version before left it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/old.sqlite"
        with create_engine(url).begin() as core:
            _use(core)
        return url
    url = request.getfixturevalue("postgres_url")
    asyncio.run(_use_postgres(url))
    return url


async def _use_postgres(url):
    engine = create_async_engine(url.replace("postgresql", "postgresql+asyncpg"))
    async with engine.begin() as core:
        await core.execute(text("DROP SCHEMA public CASCADE"))
        await core.execute(text("CREATE SCHEMA public"))
        await core.run_sync(_use)
    await engine.dispose()


def _use(core):
    command.upgrade(migrations.config(core), "r0006")
    blob = "BLOB" if core.dialect.name == "sqlite" else "bytea"
    for statement in OLD:
        core.execute(text(statement.replace("{type}", TYPE).replace("{blob}", blob)))


async def test_what_was_metered_before_is_served_after(used_url):
    """Sets are made of what is there; what no GET could serve, such as a time in milliseconds, is gone."""
    await migrate(used_url)
    database = await open_database(used_url)
    async with database.read() as db:
        which = readings.Series(1, 3, 5, since=0)
        (of_set,) = (await readings.sets(db, which, Page(0, 9))).rows
        assert (of_set.mrid, of_set.start, of_set.duration, of_set.all_readings) == ("51", NOW, 600, 2)
        held = (await readings.of_set(db, which, of_set.id, Page(0, 9))).rows
        assert [(row.start, row.local_id, row.value) for row in held] == [(NOW, 0, 1), (NOW + 300, 1, 2)]
        assert sorted(row.value for row in await db.all(select(reading.c.value))) == [1, 2, 3]
        latest = await readings.latest(db, which)
        assert latest is not None
        assert latest.value == 2
        (series,) = await db.all(select(mirror_meter_reading))
        assert (series.interval_s, bytes(series.reading_type).decode()) == (300, TYPE)
        (point,) = await db.all(select(mirror_usage_point))
        assert (point.id, point.mrid, point.end_device_id, point.description) == (3, "0A", 7, "site")
        (event,) = await db.all(select(log_event))
        assert (event.id, event.created, event.log_event_id) == (9, 1, 2)
    await database.close()
