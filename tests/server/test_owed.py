"""Alarms of controls that nobody answers, and of power that cannot be there."""

from tests.raw import AUS, document
from tests.server import test_reach as reach
from tests.server.meters import DER, W, mirror, post, read, reading_type
from tests.server.test_alarm_causes import look, standing
from tests.server.test_namespaces import capability
from tests.server.world import NOW

desk = reach.desk
DAY_S = 86_400
KNOWN_S = 420
"""When a client that polls every 300 s should have said that it has a control: a minute to poll, a minute to say it."""


async def test_a_control_that_a_device_does_not_answer_is_an_alarm_at_each_stage_until_it_answers(desk):
    world = desk.world
    _, sent = await desk.send("connection NMI4", duration=1800, limits={"export_w": 500})
    (mrid,) = sent["created"]
    await look(world, NOW + KNOWN_S - 1)
    assert await standing(world, "control_unanswered") == []
    await look(world, NOW + KNOWN_S)
    assert await standing(world, "control_unanswered") == [(mrid, 2, "1 device has not said that they have it")]
    for status, at in ((1, NOW + KNOWN_S + 60), (2, NOW + 1800 + 600)):
        await _answer(world, mrid, status)
        await look(world, at)
        assert len(await standing(world, "control_unanswered")) == 1, f"{status} is not all that it owes"
    assert [detail for *_, detail in await standing(world, "control_unanswered")] == [
        "1 device has not said how it ended"
    ]
    await _answer(world, mrid, 3)
    await look(world, NOW + 2460)
    assert await standing(world, "control_unanswered") == []


async def test_the_controls_of_one_override_that_nobody_answers_are_one_alarm_and_over_a_day_after_its_end(desk):
    world = desk.world
    body = {"scope": "system", "limits": {"export_w": 500}, "duration": 1800, "reason": "test"}
    status, sent = await desk.ask("POST", "/overrides", body)
    assert status == 200, sent
    await look(world, NOW + KNOWN_S)
    ((_, _, detail),) = await standing(world, "control_unanswered")
    assert detail == f"override {sent['id']}: {sent['devices']} devices have not said that they have it"
    end = sent["until"]
    await look(world, end + DAY_S - 60)
    assert len(await standing(world, "control_unanswered")) == 1
    await look(world, end + DAY_S + 60)
    assert await standing(world, "control_unanswered") == []


async def test_a_control_that_is_cancelled_is_owed_no_answer(desk):
    _, sent = await desk.send("connection NMI4", duration=1800, limits={"export_w": 500})
    await look(desk.world, NOW + KNOWN_S)
    assert len(await standing(desk.world, "control_unanswered")) == 1
    await desk.ask("POST", f"/controls/{sent['created'][0]}/cancel", {})
    await look(desk.world, NOW + KNOWN_S + 60)
    assert await standing(desk.world, "control_unanswered") == []


async def test_power_beyond_twice_what_is_there_is_an_alarm_until_a_day_has_passed_without(world):
    sunny, lfdi = await world.as_("sunny"), world.ids.lfdis["one"]
    path = f"/edev/{world.ids.devices['one']}/der/1/dercap"
    assert (await sunny.put(path, capability(AUS))).status == 204, "rated for 5 kW"
    of_der = await mirror(sunny, lfdi, flags=DER, types={"0B01": reading_type(W)})
    await post(sunny, of_der, "0B01", read("0C01", NOW - 300, [(300, 9_900)]))
    await look(world, NOW)
    assert await standing(world, "reading_implausible") == [], "less than twice what it is rated for"
    of_site = await mirror(sunny, lfdi, "0A02", types={"0B02": reading_type(W, multiplier=3)})
    await post(sunny, of_site, "0B02", read("0C02", NOW + 300, [(300, 40)]))
    await look(world, NOW + 600)
    assert await standing(world, "reading_implausible") == [], "a house may draw 40 kW"
    await post(sunny, of_site, "0B02", read("0C03", NOW + 900, [(300, -60)]))
    await look(world, NOW + 1200)
    ((subject, priority, detail),) = await standing(world, "reading_implausible")
    assert (subject, priority) == (world.people.lfdi("sunny"), 3)
    assert detail == "1 device posts power beyond twice what is there by ratings and contracts"
    await look(world, NOW + 1200 + DAY_S - 1)
    assert len(await standing(world, "reading_implausible")) == 1
    await look(world, NOW + 1200 + DAY_S + 600)
    assert await standing(world, "reading_implausible") == []


async def _answer(world, mrid, status):
    raw, lfdi = await world.as_("roof"), world.people.lfdi("roof")
    said = f"<endDeviceLFDI>{lfdi}</endDeviceLFDI><status>{status}</status><subject>{mrid}</subject>"
    path = f"/edev/{world.ids.devices['roof']}/rsps/1/rsp"
    assert (await raw.post(path, document("DERControlResponse", said))).status == 201
