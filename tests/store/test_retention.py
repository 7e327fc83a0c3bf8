"""What is forgotten, what is kept, and how much at a time; on both databases."""

import pytest
from sqlalchemy import func, insert, select

from sep2.operations.clients import NewClient, register_client
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.operations.mirrors import NewMirror, NewReading, NewSeries, NewSet, Poster, put_mirror
from sep2.operations.responses import answer
from sep2.rules.limits import Limits
from sep2.rules.metering import Span
from sep2.store import controls, tables
from sep2.store.judged_tables import judged, judged_day
from sep2.store.retention import AT_ONCE, forget
from sep2.store.seen_tables import document_history

NOW = 1_700_000_000
DAY = 86_400
LFDI = "AB" * 20


@pytest.fixture
async def device(database):
    """A device with a mirror that has one series."""
    async with database.write() as db:
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), NOW)
        device = await add_device(db, NewDevice(lfdi=LFDI, client_id=client), NOW)
    return client, device


async def read(database, client, device, starts, received=NOW):
    readings = [NewReading(span=Span(start, 300), value=1) for start in starts]
    of_all = NewSet(mrid="0C", span=Span(received, 0), readings=readings)
    series = NewSeries(mrid="0B", reading_type=b"<ReadingType/>", sets=[of_all])
    mirror = NewMirror(
        poster=Poster(client, 300),
        end_device_id=device,
        mrid="0A",
        description="",
        version=None,
        role_flags=3,
        service_kind=0,
        status=1,
        series=[series],
    )
    async with database.write() as db:
        await put_mirror(db, mirror, received)


async def count(database, table):
    async with database.read() as db:
        return (await db.one(select(func.count().label("n")).select_from(table))).n


async def forget_before(database, before):
    async with database.write() as db:
        return await forget(db, responses=before, controls=before, readings=before, log_events=before)


async def test_a_control_outlives_what_was_answered_to_it(database, device):
    _, device_id = device
    async with database.write() as db:
        group = await create_group(db, NewGroup("g"), NOW)
        await assign(db, group, device_id, NOW)
        new = [NewControl(start=NOW + at, duration=60, limits=Limits(export_w=at)) for at in (0, 100)]
        first, _ = (await issue_controls(db, group, new, NOW)).created
        mrid = (await controls.one(db, first)).mrid
        await answer(db, device_id, mrid=mrid, status=1, created=NOW, now=NOW + 5 * DAY)
    assert await forget_before(database, NOW + DAY) is False
    assert (await count(database, tables.control), await count(database, tables.response)) == (1, 1)
    await forget_before(database, NOW + 6 * DAY)
    assert (await count(database, tables.control), await count(database, tables.response)) == (0, 0)


async def test_log_events_go_by_when_they_came_in(database, device):
    """What a device says of its own time is no measure."""
    _, device_id = device
    said = {"log_event_id": 1, "function_set": 0, "log_event_code": 0, "log_event_pen": 0, "profile_id": 2}
    async with database.write() as db:
        for created, received in ((0, NOW), (NOW, NOW), (0, NOW + DAY), (2**40, NOW - DAY)):
            row = said | {"end_device_id": device_id, "created": created, "received": received}
            await db.run(insert(tables.log_event).values(row | {"log_event_code": received % 7}))
    await forget_before(database, NOW + 1)
    assert await count(database, tables.log_event) == 1


async def test_readings_go_a_part_at_a_time(database, device):
    old = [NOW - 300 * (number + 1) for number in range(AT_ONCE + 10)]
    await read(database, *device, [*old, NOW, NOW + 300])
    assert await forget_before(database, NOW) is True
    assert await count(database, tables.reading) == 12
    assert await forget_before(database, NOW) is False
    assert await count(database, tables.reading) == 2


async def test_verdicts_and_earlier_documents_go_by_their_own_times(database, device):
    _, device_id = device
    sums = dict.fromkeys(("ok_s", "late_s", "breach_s", "opted_out_s", "unknown_s", "binding_s", "binding_ok_s"), 0)
    bits = dict.fromkeys(("ok_bits", "unknown_bits", "binding_bits"), b"")
    names = {"lfdi": LFDI, "client_name": "agg", "connection_name": ""}
    interval = {"duration_s": 300, "state": "breach", "allowed_w": 1, "covered_s": 300, "binding": True, "breach_wh": 1}
    of = {"end_device_id": device_id, "direction": "export"}
    async with database.write() as db:
        for at in (NOW - DAY, NOW):
            await db.run(insert(judged).values(of | interval | {"start": at}))
            await db.run(insert(judged_day).values(of | sums | bits | names | {"day": at, "breach_wh": 0}))
            edition = {"end_device_id": device_id, "kind": "DERStatus", "body": b"", "received": at}
            await db.run(insert(document_history).values(edition))
        kept = {"responses": 0, "controls": 0, "readings": 0, "log_events": 0}
        await forget(db, **kept, documents=NOW, judged_intervals=NOW, judged_days=NOW - DAY)
    assert await count(database, judged) == 1
    assert await count(database, judged_day) == 2
    assert await count(database, document_history) == 1
