"""Which kind of database an address means, and how one is opened or brought to this version."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from sep2.store.connection import Unreachable
from sep2.store.database import Database, UnknownDatabase


async def open_database(url: str) -> Database:
    """The database at `url`, refused unless its tables are those of this version."""
    parts = _parse(url)
    return await _kind(parts).open(parts)


async def migrate(url: str) -> None:
    """Bring the tables at `url` to this version; makes them where there are none."""
    parts = _parse(url)
    await _kind(parts).migrate(parts)


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise UnknownDatabase(url) from error


def _kind(parts: URL) -> type[Database]:
    match parts.get_backend_name():
        case "sqlite":
            from sep2.store.sqlite import SqliteDatabase

            return SqliteDatabase
        case "postgresql":
            try:
                from sep2.store.postgres import PostgresDatabase
            except ImportError as error:
                raise Unreachable("PostgreSQL needs more packages: pip install 'sep2[postgres]'") from error
            return PostgresDatabase
    raise UnknownDatabase(parts.render_as_string())
