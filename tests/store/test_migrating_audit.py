"""The audit log of before is chained, row by row, and its details are kept."""

import asyncio

import pytest
from alembic import command
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from sep2.server.chain_watch import check
from sep2.store import migrate, open_database
from sep2.store.migrations import config
from sep2.store.operators import password_of
from tests.store.test_migrations import unmade_postgres_url, unmade_url

__all__ = ["unmade_postgres_url", "unmade_url"]
BEFORE = "r0012"
ROWS = [
    text(f"INSERT INTO audit (at, operator, verb, subject, detail) VALUES ({n}, 'é{n}', 'v', '/s', '{{\"n\": {n}}}')")
    for n in range(5)
]


def _made(core):
    command.upgrade(config(core), BEFORE)
    for row in ROWS:
        core.execute(row)


@pytest.fixture
def old_url(unmade_url):
    if unmade_url.startswith("sqlite"):
        with create_engine(unmade_url).begin() as core:
            _made(core)
        return unmade_url
    asyncio.run(_make(unmade_url))
    return unmade_url


async def _make(url):
    engine = create_async_engine(url.replace("postgresql", "postgresql+asyncpg"))
    async with engine.begin() as core:
        await core.run_sync(_made)
    await engine.dispose()


async def test_an_old_log_is_chained(old_url):
    await migrate(old_url)
    database = await open_database(old_url)
    try:
        async with database.read() as db:
            found = await check(db)
            local = await password_of(db, "local")
        assert (found.entries, found.broken_at) == (len(ROWS), None)
        assert [(row.name, row.role) for row in local] == [("local", "admin")]
        async with database.write() as db:
            await db.run(text("UPDATE audit SET operator = 'x' WHERE id = 3"))
        async with database.read() as db:
            assert (await check(db)).broken_at == 3
    finally:
        await database.close()
