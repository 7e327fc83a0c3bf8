"""Who falls silent is an alarm with one row for each cause, which clears once they speak again; on both databases."""

import pytest

from sep2.operations.clients import NewClient, register_client
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.silent_places import note_silent_places, silent_connections
from sep2.rules.identifiers import managed_lfdi
from sep2.rules.silence import Contact, Silence, is_mass
from sep2.rules.told_times import told
from sep2.server.contacts import Contacts
from sep2.server.seen import What
from sep2.store import alarms
from tests.server.meters import W, mirror, reading_type
from tests.server.operator import operating
from tests.server.world import NOW

CODES = ("client_silent", "device_silent", "mass_silence", "client_clock", "limit_breach", "obedience_low")


@pytest.fixture
async def desk(people, on_either, tmp_path):
    utility = {"poll_rates": {"DERProgramList": 60}, "poll_rate": 60, "post_rate": 60}
    async with operating(people, on_either, tmp_path, utility=utility) as desk:
        yield desk


async def standing(world):
    """Subject by code of the alarms about who speaks and obeys, once the server has looked."""
    await world.state.contacts.look()
    async with world.state.db.read() as db:
        return {(row.code, row.subject): row for row in await alarms.standing(db) if row.code in CODES}


async def poll(world, raw, seconds, every=60):
    for _ in range(seconds // every):
        world.advance(world.clock.now() + every)
        assert (await raw.get("/dcap")).status == 200


async def test_a_silent_aggregator_is_one_alarm_for_all_its_devices_and_clears_after_two_polls(desk):
    world, operator = desk
    async with world.state.db.write() as db:
        for _ in range(55):
            await add_device(db, NewDevice(managed_lfdi(32473), world.ids.clients["sunny"]), NOW)
    sunny = await world.as_("sunny")
    await poll(world, sunny, 300)
    last = world.clock.now()
    world.advance(last + 899)
    assert await standing(world) == {}
    world.advance(last + 900)
    (((code, subject), row),) = (await standing(world)).items()
    assert (code, subject, row.priority) == ("client_silent", "sunny", 2)
    assert row.detail == f"not heard of since {told(last)}; 58 devices under it", "with its own"
    status = await operator.get("/status")
    assert status["silent_clients"] == ["sunny"]
    await sunny.get("/dcap")
    (row,) = (await standing(world)).values()
    assert row.detail.startswith("heard of again since 2"), "one poll is no pace yet"
    await poll(world, sunny, 60)
    assert await standing(world) == {}
    assert (await operator.get("/status"))["silent_clients"] == []


async def test_who_was_never_heard_of_is_silent_after_a_day(desk):
    world, _ = desk
    world.advance(NOW + 86_399)
    assert await standing(world) == {}
    world.advance(NOW + 86_400)
    found = await standing(world)
    assert ("mass_silence", "all clients") not in found, "nobody fell silent"
    assert {subject for _, subject in found} == {"sunny", "gale", "roof", "joiner", "leaver"}
    assert found["client_silent", "roof"].priority == 3
    assert found["client_silent", "roof"].detail.startswith("never heard of")


async def test_devices_that_are_silent_while_their_aggregator_speaks_are_named_in_one_alarm(desk):
    world, operator = desk
    sunny = await world.as_("sunny")
    for name, mrid in (("one", "0A01"), ("two", "0A02")):
        await mirror(sunny, world.ids.lfdis[name], mrid, types={"0C01": reading_type(W)})
    for _ in range(16):
        await poll(world, sunny, 60)
        world.state.seen.sent(world.people.lfdi("sunny"), What.POST, device=world.ids.devices["one"])
    found = await standing(world)
    (row,) = found.values()
    assert (row.code, row.subject, row.priority) == ("device_silent", "sunny", 3)
    assert row.detail == "1 of its 2 devices neither poll, post nor answer: NMI2"
    assert (await operator.get("/status"))["silent_devices"] == ["NMI2"]
    assert await silent_places(world, {"NMI1", "NMI2"}) == {"NMI2"}
    for _ in range(2):
        await poll(world, sunny, 60)
        for name in ("one", "two"):
            world.state.seen.sent(world.people.lfdi("sunny"), What.POST, device=world.ids.devices[name])
        found = await standing(world)
    assert found == {}
    assert await silent_places(world, {"NMI1", "NMI2"}) == set()


async def test_every_silent_connection_counts_however_many_there_are(desk):
    world, _ = desk
    names = {f"SP{number:04}" for number in range(1200)}
    for said in (names, names, names - {"SP0007"}):
        async with world.state.db.write() as db:
            await note_silent_places(db, said)
        assert await silent_places(world, names | {"NMI1"}) == said


async def silent_places(world, names):
    async with world.state.db.read() as db:
        return await silent_connections(db, names)


async def test_many_that_fall_silent_at_once_are_one_alarm_and_not_one_each(desk):
    world, _ = desk
    lfdis = {f"client {number:02}": f"{number:040X}" for number in range(41)}
    async with world.state.db.write() as db:
        for name, lfdi in lfdis.items():
            await register_client(db, NewClient(name, lfdi, "device"), NOW)
    speaking = list(lfdis.values())
    for minute in range(1, 40):
        world.advance(NOW + 60 * minute)
        for lfdi in speaking if minute < 10 else speaking[9:]:
            world.state.seen.asked(lfdi, "")
        found = await standing(world)
        if minute < 24:
            assert found == {}, minute
    (row,) = found.values()
    assert (row.code, row.subject, row.priority) == ("mass_silence", "all clients", 1)
    assert row.detail.startswith("9 of 41 clients are silent: client 00, ")
    for minute in range(40, 43):
        world.advance(NOW + 60 * minute)
        for lfdi in speaking[1:]:
            world.state.seen.asked(lfdi, "")
        found = await standing(world)
    assert list(found) == [("client_silent", "client 00")], "who is left is an alarm of its own"


async def test_a_clock_that_is_off_in_three_answers_is_an_alarm_until_it_is_right_again(desk):
    world, _ = desk
    lfdi = world.people.lfdi("sunny")

    async def answer(ahead):
        world.advance(world.clock.now() + 60)
        world.state.seen.asked(lfdi, "")
        written = world.clock.now() + ahead
        world.state.seen.sent(lfdi, What.ANSWER, device=world.ids.devices["one"], written=written)
        return [subject for code, subject in await standing(world) if code == "client_clock"]

    assert [await answer(20) for _ in range(3)] == [[], [], ["sunny"]]
    assert [await answer(7) for _ in range(3)] == [["sunny"]] * 3, "nearer, and not right yet"
    assert [await answer(0) for _ in range(3)][-1] == []


async def test_a_server_that_was_away_blames_nobody_for_it(desk):
    world, _ = desk
    sunny = await world.as_("sunny")
    await poll(world, sunny, 120)
    await world.state.contacts.look()
    async with world.state.contacts._at_work:  # the server's own was not away, and would find them silent
        world.advance(NOW + 7200)
        fresh = Contacts(world.state.db, world.clock, world.state.seen, world.state.house.poll_rate)
        await fresh.look()
        async with world.state.db.read() as db:
            assert [row for row in await alarms.standing(db) if row.code == "client_silent"] == []


async def test_an_alarm_whose_cause_stands_can_not_be_cleared_by_hand(desk):
    world, operator = desk
    sunny = await world.as_("sunny")
    await poll(world, sunny, 60)
    world.advance(NOW + 2000)
    (row,) = (await standing(world)).values()
    status, refused = await operator.ask("POST", f"/alarms/{row.id}/clear")
    assert (status, refused["code"]) == (409, "cause_stands")
    assert list(await standing(world)) == [("client_silent", "sunny")]


def test_silence_has_a_hold_time_and_ends_with_a_whole_period_of_speech():
    silence = Silence()
    one = Contact("a", 0, 100, 400)
    assert silence.look([one], 1299, 0) == {}
    assert silence.look([one], 1300, 0) == {"a": 1300}
    back = one._replace(last=2000)
    assert silence.look([back], 2010, 0) == {"a": 1300}
    assert silence.look([back._replace(last=2399)], 2400, 0) == {"a": 1300}
    assert silence.look([back._replace(last=2400)], 2400, 0) == {}
    assert silence.look([], 9000, 0) == {}
    assert silence.look([one], 1400, 600) == {}, "the server was not there to hear it"


@pytest.mark.parametrize(
    ("lately", "before", "total", "stands", "is_one"),
    [
        (4, 0, 10, False, False),
        (5, 0, 25, False, True),
        (5, 0, 26, False, False),
        (0, 9, 20, False, False),
        (0, 5, 50, True, True),
        (0, 5, 51, True, False),
    ],
)
def test_what_is_a_mass(lately, before, total, stands, is_one):
    silent = {f"l{n}": 950 for n in range(lately)} | {f"b{n}": 5 for n in range(before)}
    assert is_mass(silent, total, 1000, stands=stands) is is_one
