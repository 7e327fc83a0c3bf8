"""The steps lead to the tables, and never the wrong way."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from sep2.store import migrate, open_database
from sep2.store.database import UnknownDatabase
from sep2.store.migrations import NewerDatabase, NotMigrated, _newest, scripts
from sep2.store.tables import metadata, setting


@pytest.fixture(params=["sqlite", "postgresql"])
def unmade_url(request, tmp_path):
    """The address of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/unmade.sqlite"
    return request.getfixturevalue("unmade_postgres_url")


@pytest.fixture
def unmade_postgres_url(postgres_url):
    asyncio.run(_run(postgres_url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public"))
    return postgres_url


async def _run(url, *statements):
    if url.startswith("sqlite"):
        with create_engine(url).begin() as core:
            for statement in statements:
                core.execute(text(statement))
        return
    engine = create_async_engine(url.replace("postgresql", "postgresql+asyncpg"))
    async with engine.begin() as core:
        for statement in statements:
            await core.execute(text(statement))
    await engine.dispose()


def _differences(core):
    # SQLite tells a default as the text of its expression, which Alembic does not recognise.
    options = {"compare_type": True, "compare_server_default": core.dialect.name != "sqlite"}
    return compare_metadata(MigrationContext.configure(core, opts=options), metadata)


def test_the_newest_step_is_known_without_taking_one():
    assert _newest() == set(scripts().get_heads())


async def test_the_steps_make_exactly_the_tables(unmade_url):
    await migrate(unmade_url)
    if unmade_url.startswith("sqlite"):
        with create_engine(unmade_url).connect() as core:
            assert _differences(core) == []
        return
    engine = create_async_engine(unmade_url.replace("postgresql", "postgresql+asyncpg"))
    async with engine.connect() as core:
        assert await core.run_sync(_differences) == []
    await engine.dispose()


async def test_migrating_again_changes_nothing(database_url):
    database = await open_database(database_url)
    async with database.write() as db:
        await db.run(setting.insert().values(name="a", value="1"))
    await database.close()
    await migrate(database_url)
    database = await open_database(database_url)
    async with database.write() as db:
        assert (await db.run(update(setting).values(value="2"))).rowcount == 1
    await database.close()


async def test_two_processes_migrate_at_once(unmade_url):
    await asyncio.gather(*(migrate(unmade_url) for _ in range(3)))
    await (await open_database(unmade_url)).close()


async def test_a_database_without_tables_is_refused(unmade_url):
    with pytest.raises(NotMigrated, match="no tables"):
        await open_database(unmade_url)


async def test_a_newer_database_is_left_alone(database_url):
    await _run(database_url, "UPDATE alembic_version SET version_num = 'r9999'")
    for step in (migrate, open_database):
        with pytest.raises(NewerDatabase, match="r9999"):
            await step(database_url)


@pytest.mark.parametrize("url", ["mysql://a/b", "sqlite://", "sqlite:///:memory:", "not a url"])
async def test_an_address_that_means_nothing_here(url):
    with pytest.raises(UnknownDatabase):
        await open_database(url)
