"""What clients write at the edge of what the wire can say, and where they find it again."""

import pytest

from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.groups import assign
from sep2.rules.limits import Limits
from tests.raw import document
from tests.server.world import NOW, World


@pytest.mark.parametrize(("value", "multiplier"), [(-5, 40), (5, 127), (5, -128), (-32768, 127), (0, 0)])
async def test_a_set_max_w_of_any_size_is_kept_as_it_was_sent(world, value, multiplier):
    sunny = await world.as_("sunny")
    path = f"/edev/{world.ids.devices['one']}/der/1/derg"
    power = f"<setMaxW><multiplier>{multiplier}</multiplier><value>{value}</value></setMaxW>"
    body = document("DERSettings", f"<setGradW>1</setGradW>{power}<updatedTime>{NOW}</updatedTime>")
    assert (await sunny.put(path, body)).status == 204
    read = await sunny.get(path)
    assert (read.texts("setMaxW/value"), read.texts("setMaxW/multiplier")) == ([str(value)], [str(multiplier)])


async def test_an_answer_is_found_with_the_device_that_it_is_about(world):
    """A client that has one control for several devices may answer for all of them at one place."""
    await put_into_the_feeder(world, "two")
    sunny = await world.as_("sunny")
    one, two = (f"/edev/{world.ids.devices[name]}" for name in ("one", "two"))
    mrid = await issued(world)
    posted = await sunny.post(f"{one}/rsps/1/rsp", response(world.ids.lfdis["two"], mrid))
    assert (posted.status, posted.location.startswith(f"{two}/")) == (201, True)
    assert (await sunny.get(posted.location)).texts("endDeviceLFDI") == [world.ids.lfdis["two"]]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_device_has_one_response_set(world, method):
    sunny = await world.as_("sunny")
    body = response(world.ids.lfdis["one"], await issued(world)) if method == "POST" else ""
    path = f"/edev/{world.ids.devices['one']}/rsps/7/rsp"
    assert (await sunny.ask(method, path, body.encode())).status == 404


async def put_into_the_feeder(world: World, name: str) -> None:
    async with world.state.db.write() as db:
        await assign(db, world.ids.groups["feeder"], world.ids.devices[name], NOW)


async def issued(world: World) -> str:
    """The mRID of a control for the feeder."""
    async with world.state.db.write() as db:
        control = NewControl(start=NOW + 100, duration=60, limits=Limits(export_w=1))
        await issue_controls(db, world.ids.groups["feeder"], [control], NOW)
    sunny = await world.as_("sunny")
    program = f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['feeder']}"
    return (await sunny.get(f"{program}/derc")).texts("DERControl/mRID")[0]


def response(lfdi: str, mrid: str) -> str:
    said = f"<endDeviceLFDI>{lfdi}</endDeviceLFDI><status>1</status><subject>{mrid}</subject>"
    return document("DERControlResponse", f"<createdDateTime>{NOW}</createdDateTime>{said}")
