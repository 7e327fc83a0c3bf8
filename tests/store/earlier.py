"""A database as an earlier version left it, on either kind."""

from collections.abc import Iterable, Sequence

from alembic import command
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from sep2.store import migrations


async def make_earlier(url: str, step: str, statements: Iterable[str], numbered: Sequence[str]) -> None:
    """Migrate up to a step and put rows in; on PostgreSQL these tables go on counting from 100."""

    def make(core):
        command.upgrade(migrations.config(core), step)
        for statement in statements:
            core.execute(text(statement))
        if core.dialect.name == "postgresql":
            for table in numbered:
                core.execute(text(f"SELECT setval('{table}_id_seq', 100)"))

    if url.startswith("sqlite"):
        with create_engine(url).begin() as core:
            make(core)
    else:
        engine = create_async_engine(url.replace("postgresql", "postgresql+asyncpg"))
        async with engine.begin() as core:
            await core.run_sync(make)
        await engine.dispose()
