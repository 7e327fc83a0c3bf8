"""Databases of before get the operators' programs, and keep what operators had sent."""

import json

import pytest

from sep2.operations.schedules import Wanted, issue_schedules
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, controls, groups, migrate, open_database, outbox
from tests.store.earlier import make_earlier
from tests.store.test_migrations import unmade_postgres_url, unmade_url  # noqa: F401 - fixtures

NOW = 1_700_000_000
BEFORE = f"""
INSERT INTO client (id, lfdi, name, kind, profile, registration, enabled, created)
  VALUES (1, '{"A" * 40}', 'Sunny', 'aggregator', 'csip-aus-1.2', 'out-of-band', true, 1);
INSERT INTO connection (id, connection_id, created) VALUES (1, 'NMI1', 1), (2, 'NMI2', 1);
INSERT INTO end_device (id, lfdi, sfdi, client_id, connection_id, holds_net_limit, pin, enabled, fsa_mrid, changed,
  registered) VALUES (1, '{"B" * 40}', 1, 1, 1, true, 1, true, 'F1', 1, 1),
  (2, '{"C" * 40}', 2, 1, 1, false, 1, true, 'F2', 1, 1);
INSERT INTO device_group (id, name, level, primacy, program_mrid, fsa_mrid, connection_id, end_device_id, created)
  VALUES (1, 'connection NMI1', 'SP', 4, '0A', '0B', 1, NULL, 1),
  (2, 'connection NMI2', 'SP', 4, '0C', '0D', 2, NULL, 1),
  (3, 'device C', 'SP', 4, '0E', '0F', NULL, 2, 1), (4, 'feeder', 'FD', 7, '1A', '1B', NULL, NULL, 1),
  (5, 'override of connection NMI1', 'NT', 80, '1C', '1D', NULL, NULL, 1);
INSERT INTO member (device_group_id, end_device_id, since) VALUES (1, 1, 1), (3, 2, 1), (4, 1, 1);
INSERT INTO control (id, device_group_id, mrid, created, start, duration, earliest_start, latest_end, export_limit_w,
  response_required, source) VALUES (1, 1, '2A', 5, {NOW}, 600, {NOW}, {NOW + 600}, 10, 3, 'operator')
"""


@pytest.fixture
async def before(unmade_url):  # noqa: F811 - a fixture
    """The address of a database as the version before left it."""
    await make_earlier(
        unmade_url, "r0006", BEFORE.split(";"), ("client", "connection", "end_device", "device_group", "control")
    )
    return unmade_url


async def test_every_place_gets_the_operators_programs_with_the_members_of_its_own(before):
    await migrate(before)
    database = await open_database(before)
    async with database.write() as db:
        roles = ["override", "wide-override", "schedule"]
        for number, own, members in ((1, "connection", [1]), (2, "connection", [])):
            there = await groups.at_place(db, connection_id=number)
            assert [row.role for row in there] == [*roles, own]
            assert [row.primacy for row in there] == [1, 2, 3, 4]
            assert [list(await groups.member_ids(db, row.id)) for row in there] == [members] * 4
        there = await groups.at_place(db, device_id=2)
        assert [row.role for row in there] == [*roles, "device"]
        assert [list(await groups.member_ids(db, row.id)) for row in there] == [[2]] * 4
        assert (await groups.one(db, 4)).role == "group"
        assert len({row.program_mrid for row in there}) == 4
        told = [(one.kind, json.dumps(one.ids)) for one in await outbox.oldest(db, 100)]
        kind = "FunctionSetAssignmentsList"
        assert told == [(kind, '{"derp": 1, "edev": 1}'), (kind, '{"derp": 3, "edev": 2}')]
    await database.close()


async def test_what_was_sent_into_a_connections_own_program_stays_until_it_ends(before):
    await migrate(before)
    database = await open_database(before)
    async with database.write() as db:
        own = (await connections.by_name(db, "NMI1")).device_group_id
        for now in (NOW, NOW + 300):
            wanted = [Interval(now, now + 1200, Limits(export_w=3000 + now - NOW))]
            await issue_schedules(db, [Wanted(own, wanted)], now, source="envelope")
        stands = await controls.one(db, 1)
        assert (stands.cancelled, stands.successor_created) == (None, None)
        rows = [row for row in await controls.standing(db, own, NOW + 300) if row.source == "envelope"]
        assert min(row.start for row in rows) == NOW + 600
    await database.close()
