"""A server of each test's own, in which everybody is registered."""

from tests.server import conftest as server

people, world = server.people, server.world
settled_sqlite, on_sqlite = server.settled_sqlite, server.on_sqlite
settled_postgres, on_postgres = server.settled_postgres, server.on_postgres
