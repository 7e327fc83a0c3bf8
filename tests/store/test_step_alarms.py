"""Alarms of before: what stood twice stands once, and what stood for each device stands once for its client."""

import pytest

from sep2.store import alarms, migrate, open_database
from tests.store.earlier import make_earlier
from tests.store.test_migrations import unmade_postgres_url, unmade_url  # noqa: F401 - fixtures

DEVICE = "id, lfdi, sfdi, client_id, holds_net_limit, pin, enabled, fsa_mrid, changed, registered"
ALARMS = (
    ("database", "database", "first", 1, 10, "NULL"),
    ("database", "database", "second", 2, 20, "NULL"),
    ("database", "database", "long ago", 1, 1, "5"),
    ("set_max_w", "D" * 40, "absent", 2, 30, "NULL"),
    ("set_max_w", "E" * 40, "absent", 2, 31, "NULL"),
)
BEFORE = (
    "INSERT INTO client (id, lfdi, name, kind, profile, registration, enabled, created) "
    f"VALUES (1, '{'A' * 40}', 'Sunny', 'aggregator', 'csip', 'in-band', true, 1)",
    *(
        f"INSERT INTO end_device ({DEVICE}) VALUES ({n}, '{letter * 40}', {n}, 1, false, 1, true, 'F{n}', 1, 1)"
        for n, letter in enumerate("DE", 1)
    ),
    *(
        "INSERT INTO alarm (id, code, subject, detail, priority, raised, cleared) "
        f"VALUES ({n}, '{code}', '{subject}', '{detail}', {priority}, {raised}, {cleared})"
        for n, (code, subject, detail, priority, raised, cleared) in enumerate(ALARMS, 1)
    ),
)


@pytest.fixture
async def before(unmade_url):  # noqa: F811 - a fixture
    """The address of a database as the version before left it."""
    await make_earlier(unmade_url, "r0019", BEFORE, ("client", "end_device", "alarm"))
    return unmade_url


async def test_doubles_become_one_and_devices_become_members(before):
    await migrate(before)
    database = await open_database(before)
    async with database.write() as db:
        rows = {row.code: row for row in await alarms.standing(db)}
        assert len(await alarms.standing(db)) == 2
        kept, joined = rows["database"], rows["set_max_w"]
        assert (kept.id, kept.raised, kept.detail, kept.priority) == (1, 10, "second", 2)
        assert (joined.subject, joined.count, joined.announced) == ("A" * 40, 2, 30)
        assert await alarms.members_of(db, joined.id) == ["D" * 40, "E" * 40]
        assert await alarms.raise_one(db, "database", "database", "third", now=40) == 1
        await alarms.drop_members(db, "set_max_w", ["D" * 40, "E" * 40], 50)
        assert not await alarms.stands(db, "set_max_w", "A" * 40)
    await database.close()
