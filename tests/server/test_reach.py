"""What an operator is told of a control before and when it is sent, by the running server and its operator API."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import update

from sep2.admin.app import make
from sep2.store.tables import client
from tests.raw import Raw, document
from tests.server.conftest import Settled
from tests.server.test_ratings import power
from tests.server.world import NOW, People, World, serving

TOKEN = "a-token-of-more-than-thirty-two-characters"


class Desk:
    """An operator beside a running server."""

    def __init__(self, world: World, http: TestClient[Any, Any]) -> None:
        self.world, self.http = world, http

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the decoded answer."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        data = None if body is None else msgspec.json.encode(body)
        async with self.http.request(method, path, data=data, headers=headers) as answer:
            return answer.status, msgspec.json.decode(await answer.read())

    async def send(self, group: str, *, start: int = NOW, query: str = "", anyway: bool = False, **said: Any) -> Any:
        """Send a control of a minute, unless it says otherwise."""
        control = {"start": start, "duration": 60} | (said or {"limits": {"export_w": 500}})
        body = {"controls": [control], "anyway": anyway}
        return await self.ask("POST", f"/groups/{group}/controls{query}", body)

    async def alarms(self, code: str) -> list[str]:
        """The subjects of alarms of a code."""
        _, found = await self.ask("GET", "/alarms")
        return [alarm["subject"] for alarm in found["items"] if alarm["code"] == code]

    def device(self, name: str) -> str:
        return f"/edev/{self.world.ids.devices[name]}"


@pytest.fixture
async def desk(people: People, on_either: Settled, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    token = tmp_path_factory.mktemp("desk") / "token"
    token.write_text(TOKEN)
    operator = {"token_file": str(token)}
    async with (
        serving(people, on_either.url, ids=on_either.ids, operator=operator) as world,
        TestClient(TestServer(make(world.state))) as http,
    ):
        yield Desk(world, http)


async def polls(desk: Desk, who: str, name: str) -> Raw:
    """A client that has looked at the programs of a device, and so knows how often to look again."""
    raw = await desk.world.as_(who)
    for link in (await raw.get(f"{desk.device(name)}/fsa?l=9")).all("FunctionSetAssignments/DERProgramListLink"):
        assert (await raw.get(link.attrib["href"])).status == 200
    return raw


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_what_a_polling_device_may_see_too_late_is_refused(desk, query):
    await polls(desk, "roof", "roof")
    status, answer = await desk.send("connection NMI4", query=query)
    assert (status, answer["code"]) == (409, "control_too_short")
    assert "it polls every 300 s" in answer["message"]
    assert "at NMI4" in answer["message"]
    assert await desk.alarms("control_too_short") == []
    status, answer = await desk.send("connection NMI4", duration=360, limits={"export_w": 500})
    assert (status, answer["notes"]) == (200, [])


async def test_an_operator_may_send_it_anyway(desk):
    await polls(desk, "roof", "roof")
    status, answer = await desk.send("connection NMI4", anyway=True)
    assert (status, [note["code"] for note in answer["notes"]]) == (200, ["control_too_short"])
    assert answer["notes"][0]["lfdi"] == desk.world.ids.lfdis["roof"]
    assert answer["noted"] == 1
    assert await desk.alarms("control_too_short") == answer["created"]


@pytest.mark.parametrize("resource", ["derp/{group}/derc", "fsa/{group}/derp", "derp/{group}"])
async def test_who_has_subscribed_is_told_in_time(desk, resource):
    sunny = await polls(desk, "sunny", "one")
    group = desk.world.ids.groups["NMI1"]
    own = (await sunny.get("/edev")).href("EndDevice")
    said = (
        f"<subscribedResource>{desk.device('one')}/{resource.format(group=group)}</subscribedResource>"
        "<encoding>0</encoding><level>+S1</level><limit>9</limit><notificationURI>https://localhost:9/n</notificationURI>"
    )
    assert (await sunny.post(f"{own}/sub", document("Subscription", said))).status == 201
    status, answer = await desk.send("connection NMI1")
    assert (status, answer["notes"]) == (200, [])


async def test_a_device_that_polls_often_sees_it(desk):
    """A rate below a minute needs no minute beside it."""
    assert (await desk.ask("PUT", "/poll-rates/DERProgramList", {"seconds": 3}))[0] == 200
    await polls(desk, "roof", "roof")
    status, answer = await desk.send("connection NMI4", start=NOW + 5, duration=5, limits={"export_w": 500})
    assert (status, answer["notes"]) == (200, [])
    assert (await desk.ask("PUT", "/poll-rates/DERProgramList", {"seconds": 600}))[0] == 200
    status, answer = await desk.send("connection NMI4", start=NOW + 15, duration=5, limits={"export_w": 500})
    assert status == 200, "what counts is the rate that it was told"


async def test_a_device_that_was_not_heard_of_is_only_named(desk):
    status, answer = await desk.send("connection NMI4", query="?dry_run=true")
    assert (status, [note["code"] for note in answer["notes"]]) == (200, ["control_too_short"])
    assert "it was not heard of" in answer["notes"][0]["sentence"]


async def test_what_a_profile_can_not_carry_is_said_by_device(desk):
    async with desk.world.state.db.write() as db:
        await db.run(update(client).where(client.c.name == "gale").values(profile="csip"))
    limits = {"import_w": 1, "export_w": 500}
    status, answer = await desk.send("feeder", duration=3600, limits=limits, query="?dry_run=true")
    assert status == 200
    of_three = [note for note in answer["notes"] if note["lfdi"] == desk.world.ids.lfdis["three"]]
    assert [(note["code"], note["connection_id"]) for note in of_three] == [
        ("mode_unsupported", "NMI3"), ("set_max_w", "NMI3"),
    ]  # fmt: skip
    assert of_three[0]["sentence"] == "opModImpLimW: profile csip can not carry it"
    assert of_three[1]["sentence"] == "it has not reported a setMaxW; the limit is sent as 0 %"
    assert answer["noted"] == 2
    await desk.send("feeder", duration=3600, limits=limits)
    assert await desk.alarms("mode_unsupported") == [f"{desk.world.people.lfdi('gale')} opModImpLimW"]


async def test_what_a_device_does_not_support_is_said(desk):
    """By its DERCapability: modesSupported, and doeModesSupported for the limits of CSIP-AUS."""
    sunny = await desk.world.as_("sunny")
    body = (
        f"<modesSupported>00000004</modesSupported>{power('rtgMaxW', 5000)}<type>4</type>"
        '<csipaus:doeModesSupported xmlns:csipaus="https://csipaus.org/ns">01</csipaus:doeModesSupported>'
    )
    put = await sunny.put(f"{desk.device('one')}/der/1/dercap", document("DERCapability", body))
    assert put.status == 204
    said = {"limits": {"export_w": 1, "load_w": 1}, "modes": {"opModConnect": True, "opModEnergize": True}}
    status, answer = await desk.send("connection NMI1", duration=3600, **said)
    assert status == 200
    assert sorted(note["sentence"].partition(":")[0] for note in answer["notes"]) == ["opModEnergize", "opModLoadLimW"]


async def test_an_operator_decides_on_places_and_ratings(desk):
    """And the audit log has it."""
    sunny, two = await desk.world.as_("sunny"), desk.world.ids.lfdis["two"]
    place = document("csipaus:ConnectionPoint", "<csipaus:connectionPointId>NMI9</csipaus:connectionPointId>")
    assert (await sunny.put(f"{desk.device('two')}/cp", place)).status == 204
    _, shown = await desk.ask("GET", f"/devices/{two}")
    assert (shown["connection_id"], shown["claimed_connection"]) == ("NMI2", "NMI9")
    status, stays = await desk.ask("POST", f"/devices/{two}/stay")
    assert (status, stays["claimed_connection"]) == (200, None)
    status, moved = await desk.ask("PUT", f"/devices/{two}/connection", {"connection_id": "NMI9"})
    assert (status, moved["connection_id"]) == (200, "NMI9")
    assert (await desk.ask("POST", f"/devices/{two}/agree-rating"))[1]["code"] == "nothing_reported"
    _, audit = await desk.ask("GET", "/audit")
    assert [(entry["verb"], entry["outcome"]) for entry in audit["items"]] == [
        ("agree_rating", "refused: nothing_reported"),
        ("move_device", "done"),
        ("keep_device", "done"),
    ]
    _, served = await desk.ask("GET", f"/devices/{two}/default")
    assert [(one["name"], one["value"], one["by"]) for one in served["modes"]] == [
        ("opModExpLimW", 1500, "default of the utility"),
    ]  # fmt: skip


async def test_who_came_when_it_was_over_owes_no_answer(desk):
    """It may still have seen the control listed."""
    await desk.send("connection NMI4", anyway=True)
    desk.world.advance(NOW + 65)
    await desk.ask("PUT", f"/devices/{desk.world.ids.lfdis['two']}/connection", {"connection_id": "NMI9"})
    _, late = await desk.ask("POST", "/groups/connection NMI4/devices", {"devices": [desk.world.ids.lfdis["two"]]})
    assert late["devices"] == 2
    _, shown = await desk.ask("GET", "/controls/latest")
    assert [one["lfdi"] for one in shown["devices"]] == [desk.world.ids.lfdis["roof"]]
