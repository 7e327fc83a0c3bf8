"""Who does not keep limits is named by an alarm and by the status, until the limit is kept again."""

import pytest
from sqlalchemy import insert

from sep2.operations.attention import attention
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.rules.days import LocalTime
from sep2.rules.identifiers import managed_lfdi
from sep2.server.broken_limits import BrokenLimits
from sep2.store import alarms
from sep2.store.judged_tables import judged, judged_day
from tests.server.operator import operating
from tests.server.test_judging import NOON, Site
from tests.server.world import NOW


@pytest.fixture
async def desk(people, on_either, tmp_path):
    utility = {"poll_rates": {"DERProgramList": 120}}
    async with operating(people, on_either, tmp_path, utility=utility) as desk:
        yield desk


async def exported(desk, *watts):
    """Alarms by code and subject after each further five minutes of export under a limit of 1,500 W."""
    site = await Site.open(desk)
    await site.limit()
    seen = []
    for number, one in enumerate(watts):
        if one is not None:
            await site.post([(5 * number, 300, one)])
        await site.settle(5 * (number + 1))
        async with site.world.state.db.read() as db:
            rows = [row for row in await alarms.standing(db) if row.code in ("limit_breach", "obedience_low")]
        seen.append({(row.code, row.subject) for row in rows})
    return seen, rows


BREACH = {("limit_breach", "NMI1")}


async def test_two_intervals_in_a_row_raise_it_and_three_kept_ones_clear_it(desk):
    seen, _ = await exported(desk, 1000, 1000, 1700, 1000, 1700, 1700, 1000, 1000, 1000)
    assert seen == [set(), set(), set(), set(), set(), BREACH, BREACH, BREACH, set()]


async def test_one_interval_far_beyond_is_enough_and_unknown_is_not_kept(desk):
    seen, _ = await exported(desk, 1000, 1000, 4000, 1000, None, 1000, 1000, None, 1000, 1000, 1000)
    assert seen == [set(), set(), *[BREACH] * 8, set()]


async def test_the_alarm_says_how_far_and_through_whom_and_the_status_names_it(desk):
    _, rows = await exported(desk, 1000, 1000, 1700, 1800)
    (row,) = rows
    assert row.detail == "export 1800 W, 1500 W allowed; through sunny"
    status = await desk.operator.get("/status")
    assert status["disobeying"] == ["NMI1"]


async def test_the_status_says_what_nobody_has_looked_at(desk):
    world, operator = desk
    await world.state.contacts.look()
    await world.state.judge.once()
    assert (await operator.get("/status"))["not_looked_at"] == []
    async with world.state.db.write() as db:
        from sep2.store import marks

        await marks.put(db, "silent", f"{world.clock.now() - 200} {{}}")
        await marks.put(db, "judged", str(world.clock.now() - 1200))
    assert (await operator.get("/status"))["not_looked_at"] == ["clients", "limits"]


async def many(world, *, watts, client="sunny", count=10, since=NOON):
    """Rows as the judge leaves them: the last two five minutes of so many connections of a client beyond a limit."""
    names = [f"B{number:02}" for number in range(count)]
    async with world.state.db.write() as db:
        for number, name in enumerate(names):
            await add_connection(db, NewConnection(name), NOW)
            device = await add_device(db, NewDevice(managed_lfdi(32473), world.ids.clients[client], name), NOW)
            of = {"end_device_id": device, "direction": "export", "duration_s": 300, "state": "breach"}
            said = {"allowed_w": 1000.0, "measured_w": watts, "covered_s": 300, "binding": True, "breach_wh": number}
            said["client_id"] = world.ids.clients[client]
            for start in (since - 600, since - 300):
                await db.run(insert(judged).values(of | said | {"start": start}))
    return names


async def test_what_was_beyond_is_summed_by_the_hour_of_the_local_day(desk):
    world, operator = desk
    await operator.change("POST", "/places", {"kind": "transformer", "name": "TX1"})
    # Before the judge's own time, which it would judge anew.
    names = await many(world, watts=2000.0, since=NOW)
    await operator.change("POST", "/places/TX1/connections", {"connections": names[3:]})
    hour = LocalTime(offset_s=0).minute_of_day(NOW - 600) // 60

    def beyond(found):
        return [
            (one["name"], [(h, wh) for h, wh in enumerate(one["wh"]) if wh], sum(one["intervals"])) for one in found
        ]

    by = {
        name: beyond((await operator.get("/compliance/hours", by=name, limit=3))["items"])
        for name in ("client", "place", "connection")
    }
    assert by["client"] == [("sunny", [(hour, 90.0)], 18)], "one of ten was beyond by nothing"
    assert by["place"] == [("TX1", [(hour, 84.0)], 14)]
    assert [name for name, _, _ in by["connection"]] == names[:-4:-1]
    assert beyond((await operator.get("/compliance/hours", by="client", place="TX1"))["items"]) == [
        ("sunny", [(hour, 84.0)], 14)
    ]
    status, answer = await operator.ask("GET", "/compliance/hours?by=moon")
    assert (status, answer["code"]) == (400, "wrong_body")


async def test_many_connections_of_one_aggregator_are_one_alarm(desk):
    world, _ = desk
    names = await many(world, watts=1200.0)
    await BrokenLimits(world.state.db, LocalTime()).look(NOON, NOON)
    async with world.state.db.read() as db:
        (row,) = await alarms.standing_of(db, "limit_breach")
        assert (await attention(db, NOON, 360)).disobeying == names
    assert row.subject == "sunny"
    assert row.detail.startswith("10 of its connections are beyond their limits: B00, B01")


@pytest.mark.parametrize(
    ("kept", "of", "before", "raised"),
    [
        (89, 100, False, True),
        (90, 100, False, False),
        (50, 99, False, False),
        (91, 100, True, True),
        (92, 100, True, False),
    ],
)
async def test_an_aggregator_that_keeps_too_few_limits_is_an_alarm(desk, kept, of, before, raised):
    world, _ = desk
    day = LocalTime().day_of(NOON)
    sums = dict.fromkeys(("ok_s", "late_s", "breach_s", "opted_out_s", "unknown_s"), 0)
    bits = dict.fromkeys(("ok_bits", "unknown_bits", "binding_bits"), b"")
    names = {"lfdi": "A" * 40, "client_name": "sunny", "connection_name": "NMI1", "breach_wh": 0.0}
    binding = {"binding_s": 300 * of, "binding_ok_s": 300 * kept, "end_device_id": 1, "direction": "load", "day": day}
    async with world.state.db.write() as db:
        await db.run(insert(judged_day).values(sums | bits | names | binding))
        if before:
            await alarms.raise_one(db, "obedience_low", "sunny", "", now=NOW)
    await BrokenLimits(world.state.db, LocalTime()).look(NOON, NOON)
    async with world.state.db.read() as db:
        found = await alarms.standing_of(db, "obedience_low")
    assert bool(found) is raised
