"""Chargers of csip clients are bounded by demand response: programs, events, answers, verdicts; on both databases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.raw import Raw, Reply, document
from tests.receiver import Receiver
from tests.server.conftest import Settled
from tests.server.meters import DER, W, mirror, post, read, reading_type
from tests.server.operator import Desk, operating
from tests.server.subscriber import subscribe
from tests.server.world import NOW, People

MOST_W = 7200
HALF = "5000"
PROGRAMS = "DemandResponseProgram"
STATUS = "{*}EventStatus/{*}currentStatus"


class Charger:
    """gale's `three` at NMI3, which draws at most 7.2 kW and follows EndDeviceControls."""

    def __init__(self, desk: Desk, raw: Raw) -> None:
        self.world, self.operator = desk
        self.raw = raw
        self.lfdi = self.world.ids.lfdis["three"]
        self.device = f"/edev/{self.world.ids.devices['three']}"

    async def limit(self, *, dry: bool = False, **more: Any) -> Any:
        """An override of NMI3's load for half an hour."""
        asked = {"scope": "connection", "subject": "NMI3", "limits": {"load_w": MOST_W // 2}, "duration": 1800}
        query = {"dry_run": "true"} if dry else {}
        done = await self.operator.change("POST", "/overrides", asked | {"reason": "overload"} | more, **query)
        self.world.state.wake()
        await self.world.settle()
        return done

    async def programs(self) -> list[tuple[int, str, Reply]]:
        """The primacy of each program, where its events are, and these, found by links from /dcap on."""
        devices = await self.raw.get((await self.raw.get("/dcap")).href("EndDeviceListLink") + "?l=9")
        own = next(one for one in devices.all("EndDevice") if self.lfdi in "".join(one.itertext()))
        (assigned,) = own.findall("{*}FunctionSetAssignmentsListLink")
        found = []
        for fsa in (await self.raw.get(assigned.attrib["href"] + "?l=99")).all("FunctionSetAssignments"):
            (link,) = fsa.findall("{*}DemandResponseProgramListLink")
            (program,) = (await self.raw.get(link.attrib["href"])).all(PROGRAMS)
            (events,) = program.findall("{*}EndDeviceControlListLink")
            listed = await self.raw.get(events.attrib["href"] + "?l=99")
            assert int(events.attrib["all"]) == listed.number("all")
            found.append((int(program.findtext("{*}primacy") or -1), events.attrib["href"], listed))
        return found

    async def at(self, primacy: int) -> Reply:
        """The events of the program of that primacy."""
        return next(listed for found, _, listed in await self.programs() if found == primacy)

    async def offsets(self, primacy: int = 1) -> list[str]:
        """By how much less the charger is to draw, in hundredths of a percent."""
        return (await self.at(primacy)).texts("EndDeviceControl/Offset/loadAdjustmentPercentageOffset")

    async def statuses(self, primacy: int = 1) -> list[str]:
        return (await self.at(primacy)).texts("EndDeviceControl/EventStatus/currentStatus")

    async def answer(self, event: Reply, status: int) -> Reply:
        """Answer an event where it asks for it."""
        body = (
            f"<createdDateTime>{NOW}</createdDateTime><endDeviceLFDI>{self.lfdi}</endDeviceLFDI>"
            f"<status>{status}</status><subject>{event.texts('mRID')[0]}</subject>"
        )
        return await self.raw.post(event.xml.attrib["replyTo"], document("DrResponse", body))


@asynccontextmanager
async def charging(people: People, settled: Settled, folder: Path) -> AsyncIterator[Charger]:
    utility = {"poll_rates": {"DERProgramList": 120}, "approvals": {"second_person": "never"}}
    async with operating(people, settled, folder, utility=utility) as desk:
        await desk.operator.change("PUT", "/clients/gale", {"profile": "csip"})
        lfdi = desk.world.ids.lfdis["three"]
        await desk.operator.change("PUT", f"/devices/{lfdi}", {"load_control_w": MOST_W})
        yield Charger(desk, await desk.world.as_("gale"))


@pytest.fixture
async def charger(people: People, on_sqlite: Settled, tmp_path: Path) -> AsyncIterator[Charger]:
    async with charging(people, on_sqlite, tmp_path) as found:
        yield found


@pytest.fixture
async def either_charger(people: People, on_either: Settled, tmp_path: Path) -> AsyncIterator[Charger]:
    """On each kind of database."""
    async with charging(people, on_either, tmp_path) as found:
        yield found


async def test_a_charger_finds_its_event_by_links_and_what_it_says(charger: Charger) -> None:
    sent = await charger.limit()
    assert (sent["devices"], sent["untold"]) == (1, [])
    events = await charger.at(1)
    (event,) = events.all("EndDeviceControl")
    one = await charger.raw.get(event.attrib["href"])
    said = {name: one.texts(name)[0] for name in ("drProgramMandatory", "loadShiftForward", "deviceCategory")}
    assert said == {"drProgramMandatory": "true", "loadShiftForward": "false", "deviceCategory": "00020000"}
    assert one.texts("Offset/loadAdjustmentPercentageOffset") == [HALF]
    assert one.texts("DutyCycle") == []
    assert (one.texts("interval/start"), one.texts("interval/duration")) == ([str(NOW)], ["1800"])
    derp = next(path for primacy, path, _ in await charger.programs() if primacy == 1).removesuffix("/edc")
    assert (await charger.raw.get(f"{derp}/actedc?l=9")).texts("EndDeviceControl/mRID") == one.texts("mRID")
    assert (await charger.raw.get(derp)).texts("primacy") == ["1"]
    # As a DERControl it would say nothing: what only bounds the load is listed here alone.
    ders = await charger.raw.get(derp.replace("/dr/", "/derp/") + "/derc?l=9")
    assert ders.number("all") == 0


async def test_no_more_is_drawn_than_the_limit_allows(charger: Charger) -> None:
    for limits, offset, cycles in (
        ({"load_w": 7199}, "2", []),
        ({"import_w": 1000, "load_w": 5000}, "8612", []),
        ({"load_w": 1}, "9999", []),
        ({"load_w": 0}, "10000", ["0"]),
    ):
        done = await charger.limit(limits=limits)
        (event,) = [one for one in (await charger.at(1)).all("EndDeviceControl") if one.findtext(STATUS) == "1"]
        assert event.findtext("{*}Offset/{*}loadAdjustmentPercentageOffset") == offset
        assert [one.text for one in event.findall("{*}DutyCycle/{*}normalValue")] == cycles
        assert MOST_W * (10_000 - int(offset)) / 10_000 <= min(limits.values())
        await charger.operator.change("POST", f"/overrides/{done['id']}/release", {})


async def test_events_begin_are_superseded_cancelled_and_leave_their_list(either_charger: Charger) -> None:
    charger = either_charger
    await charger.limit(start=NOW + 60)
    assert await charger.statuses() == ["0"]
    charger.world.advance(NOW + 60)
    await charger.world.settle()
    assert await charger.statuses() == ["1"]
    later = await charger.limit(limits={"load_w": 720}, duration=600)
    assert sorted(zip(await charger.offsets(), await charger.statuses(), strict=True))[-1] == ("9000", "1")
    assert "4" in await charger.statuses()
    await charger.operator.change("POST", f"/overrides/{later['id']}/release", {})
    listed = set(zip(await charger.offsets(), await charger.statuses(), strict=True))
    assert {("9000", "2"), (HALF, "1")} <= listed, "what it had taken the place of holds again"
    charger.world.advance(NOW + 60 + 1800 + 20)
    await charger.world.settle()
    assert await charger.statuses() == []


async def test_a_subscriber_is_told_of_an_event_once_and_of_its_status(charger: Charger, people: People) -> None:
    receiver = Receiver(free_port())
    (path,) = [path for primacy, path, _ in await charger.programs() if primacy == 1]
    async with receiver.listening(people.files("gale"), people.pki.folder / "root.pem"):
        await subscribe(charger.raw, path, receiver.uri)
        sent = await charger.limit(start=NOW + 60)
        assert (sent["told_at_once"], sent["known_by"]) == (1, NOW)
        notice = await receiver.wait()
        assert notice.kind.endswith("EndDeviceControlList")
        assert notice.text("Resource/EndDeviceControl/Offset/loadAdjustmentPercentageOffset") == HALF
        count = len(receiver.taken)
        charger.world.advance(NOW + 60)
        await charger.world.settle()
        await receiver.wait(lambda one: one.text("Resource/EndDeviceControl/EventStatus/currentStatus") == "1")
        assert len(receiver.taken) == count + 1
        # A limit of generation is no business of this function set.
        await charger.limit(limits={"gen_w": 100}, duration=60)
        assert len(receiver.taken) == count + 1


async def test_answers_are_stored_and_shown_as_what_they_are(either_charger: Charger) -> None:
    charger = either_charger
    sent = await charger.limit()
    (event,) = (await charger.at(1)).all("EndDeviceControl")
    one = await charger.raw.get(event.attrib["href"])
    made = [await charger.answer(one, status) for status in (1, 2, 252)]
    assert [reply.status for reply in made] == [201, 201, 201]
    read_back = await charger.raw.get(made[0].location)
    assert read_back.xml.tag.endswith("DrResponse")
    assert read_back.texts("subject") == one.texts("mRID")
    (mrid,) = sent["controls"]
    shown = await charger.operator.get(f"/controls/{mrid}")
    assert [(who["lfdi"], sorted(who["responses"]), who["note"]) for who in shown["devices"]] == [
        (charger.lfdi, ["1", "2", "252"], "")
    ]
    alarms = [one["code"] for one in (await charger.operator.get("/alarms"))["items"]]
    assert "control_rejected" in alarms
    assert (await charger.answer(one, 200)).status == 400
    # The mRID of another event is nobody's.
    stranger = document(
        "DrResponse", f"<endDeviceLFDI>{charger.lfdi}</endDeviceLFDI><status>1</status><subject>AB</subject>"
    )
    assert (await charger.raw.post(f"{charger.device}/rsps/1/rsp", stranger)).status == 400


async def test_a_charger_without_load_control_is_not_told_and_is_named(charger: Charger) -> None:
    await charger.limit()
    (path,) = [path for primacy, path, _ in await charger.programs() if primacy == 1]
    await charger.operator.change("PUT", f"/devices/{charger.lfdi}", {"load_control_w": None})
    assert (await charger.raw.get(path)).status == 404
    fsa = await charger.raw.get(f"{charger.device}/fsa?l=9")
    assert fsa.texts("FunctionSetAssignments/DemandResponseProgramListLink") == []
    sheet = await charger.limit(dry=True, limits={"load_w": 100})
    assert [(one["lfdi"], one["why"]) for one in sheet["untold"]] == [
        (charger.lfdi, "profile csip can not carry the load limit")
    ]


async def test_a_load_that_nobody_can_tell_a_limit_is_counted_and_named(charger: Charger) -> None:
    async def said() -> tuple[int, list[str], list[str]]:
        found = await charger.operator.get("/status")
        listed = (await charger.operator.get("/devices", uncontrolled="true"))["items"]
        return found["uncontrolled"], found["uncontrolled_devices"], [one["lfdi"] for one in listed]

    at = f"/devices/{charger.lfdi}"
    await charger.operator.change("PUT", at, {"device_category": 1 << 17})
    assert await said() == (0, [], [])
    await charger.operator.change("PUT", at, {"load_control_w": None})
    assert await said() == (1, ["NMI3"], [charger.lfdi])
    # What only generates draws nothing that could be told, and CSIP-AUS carries limits of load by itself.
    await charger.operator.change("PUT", at, {"device_category": 1 << 21})
    assert await said() == (0, [], [])
    await charger.operator.change("PUT", at, {"device_category": 1 << 17})
    await charger.operator.change("PUT", "/clients/gale", {"profile": "csip-aus-1.2"})
    assert await said() == (0, [], [])


async def test_what_a_charger_could_do_without_is_stored_shown_and_read_back(either_charger: Charger) -> None:
    charger = either_charger
    devices = await charger.raw.get("/edev?l=9")
    (link,) = [
        one.find("{*}LoadShedAvailabilityListLink").attrib["href"]  # type: ignore[union-attr]
        for one in devices.all("EndDevice")
        if charger.lfdi in "".join(one.itertext())
    ]
    program = next(path for primacy, path, _ in await charger.programs() if primacy == 1).removesuffix("/edc")
    assert (await charger.raw.get(program)).texts("availabilityUpdatePercentChangeThreshold") == ["1000"]
    assert (await charger.raw.get(link)).number("all") == 0

    def offer(watts: int, at: str = program) -> str:
        power = f"<multiplier>0</multiplier><value>{watts}</value>"
        said = f'<availabilityDuration>3600</availabilityDuration><DemandResponseProgramLink href="{at}"/>'
        return document("LoadShedAvailability", f"{said}<sheddablePower>{power}</sheddablePower>")

    first, second = [await charger.raw.post(link, offer(watts)) for watts in (5000, 3000)]
    assert (first.status, second.status, second.location) == (201, 204, first.location)
    assert (await charger.raw.get(link)).texts("LoadShedAvailability/sheddablePower/value") == ["3000"]
    assert (await charger.raw.put(first.location, offer(2000))).status == 204
    (said,) = [
        one
        for one in (await charger.operator.get("/device-status", device=charger.lfdi))["items"]
        if one["kind"] == "LoadShedAvailability"
    ]
    assert (said["says"]["sheddablePower"], said["says"]["availabilityDuration"]) == (2000, 3600)
    refused = await charger.raw.post(link, offer(1, "/edev/999/dr/1"))
    assert (refused.status, refused.texts("reasonCode")) == (400, ["1"])
    sunny = await charger.world.as_("sunny")
    assert [(await sunny.get(path)).status for path in (link, first.location)] == [404, 404]
    assert [(await charger.raw.ask("DELETE", first.location)).status for _ in range(2)] == [204, 404]
    assert (await charger.raw.get(link)).number("all") == 0
    await charger.operator.change("PUT", f"/devices/{charger.lfdi}", {"load_control_w": None})
    assert (await charger.raw.get(link)).status == 404


async def test_nobody_sees_the_events_of_others(charger: Charger) -> None:
    await charger.limit()
    paths = [path for _, path, _ in await charger.programs()]
    sunny = await charger.world.as_("sunny")
    for path in paths:
        for one in (path, path.removesuffix("/edc"), f"{path}/1"):
            assert (await sunny.get(one)).status == 404
    for method in ("PUT", "POST", "DELETE"):
        refused = await charger.raw.ask(method, paths[0])
        assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_percentages_of_another_load_are_other_events(charger: Charger) -> None:
    await charger.limit()
    before = (await charger.at(1)).texts("EndDeviceControl/mRID")
    await charger.operator.change("PUT", f"/devices/{charger.lfdi}", {"load_control_w": 3600})
    assert await charger.offsets() == ["0"]
    assert not set(before) & set((await charger.at(1)).texts("EndDeviceControl/mRID"))


async def test_what_the_charger_drew_is_judged_by_its_own_meter(either_charger: Charger) -> None:
    charger = either_charger
    await charger.operator.change("PUT", "/connections/NMI3", {"firm_export_w": 5000})
    at = await mirror(charger.raw, charger.lfdi, flags=DER, types={"0C01": reading_type(W)})
    await charger.operator.change(
        "PUT", f"/mirrors/{at.rpartition('/')[2]}/reading-sign", {"reading_sign": "as-posted"}
    )
    await charger.world.state.judge.once()
    await charger.limit(limits={"import_w": 3600})
    for minute, drawn in enumerate((3500, 3500, 5000, 5000)):
        start = NOW + 300 * minute
        await post(charger.raw, at, "0C01", read(f"{minute:02X}", start, [(300, drawn)]))
    charger.world.advance(NOW + 1800 + 360)
    await charger.world.state.judge.once()
    found = await charger.operator.get("/compliance/broken", connection="NMI3")
    assert [(one["direction"], one["state"], one["allowed_w"], one["measured_w"]) for one in found["items"]] == [
        ("load", "breach", 3600.0, 5000.0)
    ] * 2


async def test_a_charger_that_generates_nothing_raises_no_alarm_about_its_generation(charger: Charger) -> None:
    async def said() -> set[str]:
        found = (await charger.operator.get("/alarms"))["items"]
        return {one["code"] for one in found if one["name"] == "gale"}

    await charger.operator.change("PUT", f"/devices/{charger.lfdi}", {"load_control_w": None})
    await charger.operator.change("PUT", "/connections/NMI3", {"firm_export_w": None})
    rating = "<setMaxW><multiplier>0</multiplier><value>0</value></setMaxW>"
    settings = f"<setGradW>1</setGradW>{rating}<updatedTime>{NOW}</updatedTime>"
    assert (await charger.raw.put(f"{charger.device}/der/1/derg", document("DERSettings", settings))).status == 204
    await charger.operator.change("POST", "/groups/feeder/controls", {"controls": [CONTROL], "reason": "test"})
    assert "set_max_w" in await said()
    await charger.operator.change("PUT", f"/devices/{charger.lfdi}", {"load_control_w": MOST_W})
    assert not await said() & {"set_max_w", "default_in_force"}


CONTROL = {"start": NOW, "duration": 600, "limits": {"export_w": 1000}}
