"""Who was heard of, when, from where and how: noted beside requests, written now and then, on both databases."""

from sep2.operations.devices import remove_device
from sep2.rules.cursor import Keyset
from sep2.server.seen import What as WHAT
from sep2.store import identities, judged, seen
from tests.ports import free_port
from tests.raw import document
from tests.receiver import Receiver
from tests.server.subscriber import issue, subscribe
from tests.server.world import NOW, another


async def client_row(world, name):
    async with world.state.db.read() as db:
        (row,) = (await seen.clients(db, Keyset(9), client_id=world.ids.clients[name])).rows
        return row, (await seen.latest_of(db, [row.id])).get(row.id)


async def device_row(world, name):
    async with world.state.db.read() as db:
        (row,) = (await seen.devices(db, Keyset(9), device_id=world.ids.devices[name])).rows
        return row


async def test_requests_are_noted_for_the_client_and_for_the_device_that_they_name(either_world):
    world = either_world
    sunny, one = await world.as_("sunny"), world.ids.devices["one"]
    assert (await sunny.get("/dcap", User_Agent="Gate/7 \u202e")).status == 200
    world.advance(NOW + 40)
    assert (await sunny.get(f"/edev/{one}")).status == 200
    assert (await sunny.get(f"/edev/{world.ids.devices['three']}")).status == 404, "gale's"
    await world.state.seen.write()
    row, where = await client_row(world, "sunny")
    assert (row.requests, row.refusals, row.last_request, row.last_post) == (3, 1, NOW + 40, None)
    assert (where.address, where.suite, where.agent) == ("127.0.0.1", "ECDHE-ECDSA-AES128-CCM8", "Gate/7 ?")
    assert (await device_row(world, "one")).last_request == NOW + 40
    assert (await device_row(world, "three")).requests is None, "a refused look at somebody else's device is none of it"
    row, _ = await client_row(world, "gale")
    assert row.requests is None


async def test_counts_go_on_over_writings_and_servers(either_world, on_either):
    world = either_world
    raw = await world.as_("sunny")
    for _ in range(2):
        await raw.get("/dcap")
        await world.state.seen.write()
    await world.state.seen.write()
    assert (await client_row(world, "sunny"))[0].requests == 2
    async with another(world, on_either.url) as other:
        world.advance(NOW + 9)
        beside = await other.as_("sunny")
        await beside.get("/dcap")
        await other.state.seen.write()
        row, _ = await client_row(world, "sunny")
        assert (row.requests, row.last_request) == (3, NOW + 9)
        await other.hang_up()


async def test_documents_are_posts_and_responses_are_answers_that_tell_the_skew(either_world):
    world = either_world
    raw, one = await world.as_("sunny"), world.ids.devices["one"]
    status = document("DERStatus", "<readingTime>1</readingTime>")
    assert (await raw.put(f"/edev/{one}/der/1/ders", status)).status == 204
    await world.state.seen.write()
    row = await device_row(world, "one")
    assert (row.last_post, row.posts, row.answers) == (NOW, 1, 0)
    for step in range(3):
        world.state.seen.sent(world.people.lfdi("sunny"), WHAT.ANSWER, device=one, written=world.clock.now() + 20)
        world.advance(NOW + 60 * (step + 1))
    await raw.get("/dcap")
    await world.state.seen.write()
    assert (await client_row(world, "sunny"))[1].skew_s == 20


async def test_a_stranger_leaves_no_row_and_a_device_that_is_gone_does_not_stop_the_others(either_world):
    world = either_world
    stranger, sunny = await world.as_("stranger"), await world.as_("sunny")
    assert (await stranger.get("/dcap")).status == 404
    await sunny.get("/dcap")
    world.state.seen.looked(99)
    await world.state.seen.write()
    assert (await client_row(world, "sunny"))[0].requests == 1
    async with world.state.db.read() as db:
        rows = (await seen.clients(db, Keyset(99))).rows
    assert [row.name for row in rows if row.requests] == ["sunny"]


async def test_what_was_judged_of_a_device_outlives_it_and_does_not_keep_it_from_being_removed(either_world):
    world = either_world
    await (await world.as_("roof")).get(f"/edev/{world.ids.devices['roof']}")
    world.state.seen.told(world.ids.devices["roof"], world.ids.groups["NMI4"])
    await world.state.seen.write()
    async with world.state.db.write() as db:
        assert await remove_device(db, world.ids.devices["roof"], NOW), "its client goes with it"
    async with world.state.db.read() as db:
        assert "roof" not in [row.name for row in (await seen.clients(db, Keyset(99))).rows]


async def test_a_notification_that_was_taken_is_noted_for_the_device_and_the_program(people, either_world):
    world = either_world
    sunny, one, group = await world.as_("sunny"), world.ids.devices["one"], world.ids.groups["feeder"]
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as receiver:
        await subscribe(sunny, f"/edev/{one}/derp/{group}/derc", receiver.uri)
        await issue(world, NOW)
        world.state.wake()
        await receiver.wait()
        await world.settle()
    await world.state.seen.write()
    async with world.state.db.read() as db:
        assert {(row.device_group_id, row.at) for row in await judged.told(db, [one], 0)} == {(group, NOW)}


async def test_a_request_with_the_next_certificate_of_a_client_is_a_request_of_that_client(either_world):
    world = either_world
    async with world.state.db.write() as db:
        identity = {"lfdi": "F1" * 20, "client_id": world.ids.clients["sunny"], "state": "expected"}
        await identities.add(db, **identity, since=NOW, until=NOW + 3600)
    world.state.seen.asked("F1" * 20, "")
    await world.state.seen.write()
    assert (await client_row(world, "sunny"))[0].requests == 1
