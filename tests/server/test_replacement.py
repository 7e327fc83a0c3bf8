"""Certificates that take the place of others: for a while both act as the same client."""

import asyncio

import pytest

from sep2.operations import identities
from sep2.operations.controls import NewControl, issue_controls
from sep2.rules.limits import Limits
from sep2.store import clients, devices, responses
from tests.ports import free_port
from tests.raw import Raw, context, document
from tests.receiver import Receiver
from tests.server.subscriber import subscribe
from tests.server.world import NOW, People, World

MIRROR = (
    "<mRID>0A</mRID><roleFlags>03</roleFlags><serviceCategoryKind>0</serviceCategoryKind><status>1</status>"
    "<deviceLFDI>{}</deviceLFDI>"
)


@pytest.fixture(scope="module")
def newer(people: People) -> dict[str, str]:
    """The LFDIs of newer certificates of sunny and roof, which lie beside the others."""
    made = {}
    for name in ("sunny", "roof"):
        issuer = people.pki.issuer
        issue = issuer.issue_aggregator if name == "sunny" else issuer.issue_device
        identity = issue(f"{name} newer")
        people.pki.save(identity, f"{name}-newer")
        made[name] = identity.lfdi
    return made


async def with_newer(world: World, name: str) -> Raw:
    raw = await Raw.open(world.port, context(world.people.pki.folder / "root.pem", world.people.files(f"{name}-newer")))
    world._open.append(raw)
    return raw


async def replace(world: World, name: str, lfdi: str, overlap_s: int = 600) -> None:
    async with world.state.db.write() as db:
        await identities.replace(db, world.ids.clients[name], lfdi, world.clock.now(), overlap_s=overlap_s)


async def current_is(world: World, name: str, lfdi: str) -> None:
    """Return when that is the current certificate."""
    while True:
        async with world.state.db.read() as db:
            row = await clients.one(db, world.ids.clients[name])
        if row is not None and row.lfdi == lfdi:
            return
        await asyncio.sleep(0.01)


async def test_both_certificates_act_as_the_same_client(either_world: World, newer) -> None:
    world = either_world
    old = await world.as_("sunny")
    assert (await (await with_newer(world, "sunny")).get("/dcap")).status == 404
    before = (await old.get("/edev?l=9")).texts("EndDevice/lFDI")
    await replace(world, "sunny", newer["sunny"])
    new = await with_newer(world, "sunny")
    seen = await new.get("/edev?l=9")
    # Its own entry bears the LFDI of the certificate that asks; all else is as it was.
    assert seen.texts("EndDevice/lFDI") == [newer["sunny"], *before[1:]]
    own = (await new.get("/edev")).href("EndDevice")
    assert (await new.get(own)).texts("lFDI") == [newer["sunny"]]
    await current_is(world, "sunny", newer["sunny"])
    assert (await old.get("/edev?l=9")).texts("EndDevice/lFDI") == before
    assert (await old.get(own)).texts("sFDI") != (await new.get(own)).texts("sFDI")
    assert (await old.get(f"{own}/sub")).status == 200


async def test_what_was_posted_stays_and_may_be_posted_with_either(either_world: World, newer) -> None:
    world, device = either_world, either_world.ids.devices["roof"]
    old, lfdi = await world.as_("roof"), world.people.lfdi("roof")
    mirror = (await old.post("/mup", document("MirrorUsagePoint", MIRROR.format(lfdi)))).location
    async with world.state.db.write() as db:
        control = NewControl(start=NOW, duration=600, limits=Limits(export_w=1), response_required=3)
        (number,) = (await issue_controls(db, world.ids.groups["NMI4"], [control], NOW)).created
    (mrid,) = (await old.get(f"/edev/{device}/derp/{world.ids.groups['NMI4']}/derc")).texts("DERControl/mRID")
    await replace(world, "roof", newer["roof"])
    new = await with_newer(world, "roof")
    assert (await new.get(mirror)).texts("deviceLFDI") == [newer["roof"]]
    for raw, name in ((new, newer["roof"]), (old, lfdi), (new, lfdi), (old, newer["roof"])):
        again = await raw.post("/mup", document("MirrorUsagePoint", MIRROR.format(name)))
        assert (again.status, again.location) == (204, mirror)
        answer = document(
            "DERControlResponse",
            f"<createdDateTime>{NOW}</createdDateTime><endDeviceLFDI>{name}</endDeviceLFDI><status>1</status>"
            f"<subject>{mrid}</subject>",
        )
        assert (await raw.post(f"/edev/{device}/rsps/1/rsp", answer)).status == 201
    await current_is(world, "roof", newer["roof"])
    async with world.state.db.read() as db:
        row = await devices.one(db, device)
        assert row is not None
        assert (row.lfdi, row.pin) == (newer["roof"], 111115)
        assert {one.lfdi for one in await responses.to_control(db, number)} == {newer["roof"]}


async def test_after_the_overlap_only_the_new_one_acts(either_world: World, newer, caplog) -> None:
    world = either_world
    await replace(world, "sunny", newer["sunny"])
    new = await with_newer(world, "sunny")
    assert (await new.get("/edev")).status == 200
    await current_is(world, "sunny", newer["sunny"])
    caplog.set_level("INFO", "sep2.certificates")
    world.advance(NOW + 601)
    async with asyncio.timeout(120):
        while (await (await world.as_("sunny")).get("/edev")).status != 404:  # noqa: ASYNC110 - it is looked at from outside
            await asyncio.sleep(0.01)
    assert (await new.get("/edev")).status == 200
    old = world.people.lfdi("sunny")
    assert any(f"certificate {old} stands for client sunny no longer" in line for line in caplog.messages)


async def test_subscriptions_go_on(world: World, people: People, newer) -> None:
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as receiver:
        device = f"/edev/{world.ids.devices['one']}"
        location = await subscribe(
            await world.as_("sunny"), f"{device}/derp/{world.ids.groups['feeder']}/derc", receiver.uri
        )
        await replace(world, "sunny", newer["sunny"])
        new = await with_newer(world, "sunny")
        assert (await new.get(location)).status == 200
        await current_is(world, "sunny", newer["sunny"])
        async with world.state.db.write() as db:
            await identities.finish(db, world.ids.clients["sunny"], NOW)
            await issue_controls(
                db,
                world.ids.groups["feeder"],
                [NewControl(start=NOW + 60, duration=60, limits=Limits(export_w=1))],
                NOW,
            )
        notice = await receiver.wait()
        assert (notice.kind, notice.text("status")) == ("DERControlList", "0")
        assert (await new.get(location)).status == 200
