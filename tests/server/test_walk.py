"""Everything is reached from /dcap by links, and is what the link said."""

import re

import pytest
from lxml import etree

from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.defaults import Beside, set_default
from sep2.rules.limits import Limits
from tests.raw import AUS, document
from tests.server.walk import walk
from tests.server.world import NOW, World

NOT_WRITTEN = {"DERAvailability", "DERCapability", "DERSettings", "DERStatus"}
"""What a device writes about itself is linked from the beginning, and 404 until it is written."""


def name(element: etree._Element) -> str:
    return etree.QName(element).localname


@pytest.fixture
def world(either_world):
    """On each kind of database."""
    return either_world


@pytest.fixture
async def full(world: World) -> World:
    """A world in which something is in every place."""
    devices, groups = world.ids.devices, world.ids.groups
    async with world.state.db.write() as db:
        for group, watts in (("feeder", 100_000), ("NMI1", 5000), ("NMI2", 3), ("NMI4", 1500)):
            controls = [
                NewControl(start=NOW + n * 300, duration=300, limits=Limits(import_w=watts, export_w=watts + n))
                for n in range(3)
            ]
            await issue_controls(db, groups[group], controls, NOW)
            await set_default(db, groups[group], Limits(export_w=watts), now=NOW, beside=Beside(set_grad_w=27))
    sunny = await world.as_("sunny")
    own = (await sunny.get("/edev")).href("EndDevice")
    for status in (1, 2):
        mrid = (await sunny.get(f"/edev/{devices['one']}/derp/{groups['feeder']}/derc")).texts("DERControl/mRID")[0]
        await sunny.post(
            f"/edev/{devices['one']}/rsps/1/rsp",
            document(
                "DERControlResponse",
                f"<endDeviceLFDI>{world.ids.lfdis['one']}</endDeviceLFDI><status>{status}</status><subject>{mrid}</subject>",
            ),
        )
    await sunny.put(f"/edev/{devices['one']}/der/1/ders", document("DERStatus", f"<readingTime>{NOW}</readingTime>"))
    subscription = (
        "<subscribedResource>/edev</subscribedResource><encoding>0</encoding><level>+S1</level><limit>9</limit>"
        "<notificationURI>https://localhost:9/n</notificationURI>"
    )
    await sunny.post(f"{own}/sub", document("Subscription", subscription))
    mirror = (
        "<mRID>0A</mRID><roleFlags>03</roleFlags><serviceCategoryKind>0</serviceCategoryKind><status>1</status>"
        f"<deviceLFDI>{world.ids.lfdis['one']}</deviceLFDI>"
    )
    await sunny.post("/mup", document("MirrorUsagePoint", mirror))
    return world


@pytest.mark.parametrize("who", ["sunny", "gale", "roof"])
async def test_every_link_leads_to_what_it_names(full, who):
    raw = await full.as_(who)
    seen = await walk(raw)
    assert len(seen) > 25
    for path, reply in seen.items():
        if reply.status == 404:
            continue
        assert reply.status == 200, path
        # The href in a body is the one that it was linked by, a path without a host, short enough for a buffer.
        assert reply.xml.attrib["href"] == path
        for element in reply.xml.iter():
            href = element.get("href")
            assert href is None or (re.fullmatch(r"/[\w/]+", href) and len(href) < 127)
            if name(element).endswith("Link") and href is not None:
                linked = seen[href]
                wanted = name(element).removesuffix("Link").removeprefix("Active")
                if linked.status == 404:
                    assert wanted in NOT_WRITTEN
                    continue
                assert name(linked.xml) == wanted
                if element.get("all") is not None:
                    assert linked.xml.get("all") == element.get("all"), f"{path} says otherwise than {href}"
    missing = {path for path, reply in seen.items() if reply.status == 404}
    assert all(path.rsplit("/", 1)[1] in ("dera", "dercap", "derg", "ders") for path in missing)


async def test_an_item_reads_the_same_in_its_list_and_by_itself(full):
    raw = await full.as_("sunny")
    compared = 0
    for path, reply in (await walk(raw)).items():
        if reply.status == 200 and reply.xml.get("all") is not None:
            for item in reply.xml:
                alone = (await raw.get(item.attrib["href"])).xml
                assert [etree.tostring(part, method="c14n", exclusive=True) for part in alone] == [
                    etree.tostring(part, method="c14n", exclusive=True) for part in item
                ], path
                compared += 1
    assert compared > 12


async def test_the_own_entry_comes_first_and_is_the_only_one_with_subscriptions(full):
    """Exactly one SubscriptionList, and no DER for an aggregator's own entry."""
    listed = await (await full.as_("sunny")).get("/edev?l=255")
    first, *managed = listed.all("EndDevice")
    assert first.findtext("{*}lFDI") == full.people.lfdi("sunny")
    assert [child for child in map(name, first) if child in ("DERListLink", "FunctionSetAssignmentsListLink")] == []
    assert [
        name(entry.find("{*}SubscriptionListLink"))
        for entry in listed.all("EndDevice")
        if entry.find("{*}SubscriptionListLink") is not None
    ] == ["SubscriptionListLink"]
    assert {entry.findtext("{*}lFDI") for entry in managed} == {full.ids.lfdis["one"], full.ids.lfdis["two"]}
    for entry in managed:
        assert entry.find(f"{{{AUS}}}ConnectionPointLink") is not None
        assert entry.find("{*}DERListLink") is not None


async def test_a_device_sees_itself_and_nothing_else(full):
    listed = await (await full.as_("roof")).get("/edev?l=255")
    assert listed.texts("EndDevice/lFDI") == [full.people.lfdi("roof")]


async def test_poll_rates_stand_only_where_the_schema_has_them(full):
    raw = await full.as_("sunny")
    rated = {
        name(reply.xml) for reply in (await walk(raw)).values() if reply.status == 200 and reply.xml.get("pollRate")
    }
    assert {"DeviceCapability", "Time", "EndDeviceList", "DERProgramList", "FunctionSetAssignmentsList"} <= rated
    assert not rated & {"DERControlList", "DERProgram", "DER", "EndDevice"}


async def test_what_clients_subscribe_to_says_so(full):
    raw = await full.as_("sunny")
    offered = {
        name(reply.xml)
        for reply in (await walk(raw)).values()
        if reply.body and reply.xml.get("subscribable") in ("1", "3")
    }
    typical = ("EndDeviceList", "FunctionSetAssignmentsList", "DERProgramList", "DERControlList", "DefaultDERControl")
    assert set(typical) <= offered
    assert not offered & {"DeviceCapability", "Time", "Registration", "SubscriptionList", "ResponseList"}


async def test_identifiers_are_upper_case_and_end_in_the_pen(full):
    raw = await full.as_("sunny")
    mrids = set()
    for reply in (await walk(raw)).values():
        if reply.status == 200:
            if not reply.xml.get("href", "").startswith(("/mup", "/upt")):  # clients name what they mirror
                mrids |= {element.text for element in reply.xml.iter("{*}mRID")}
            assert all(re.fullmatch("[0-9A-F]{40}", element.text or "") for element in reply.xml.iter("{*}lFDI"))
    assert len(mrids) > 10
    assert all(re.fullmatch("[0-9A-F]{24}00032473", mrid or "") for mrid in mrids)


async def test_the_time_is_whole(full):
    told = await (await full.as_("roof")).get("/tm")
    values = {name(element): int(element.text or "") for element in told.xml}
    assert values["currentTime"] == NOW
    in_dst = values["dstStartTime"] <= NOW < values["dstEndTime"]
    assert values["localTime"] == NOW + values["tzOffset"] + (values["dstOffset"] if in_dst else 0)
    assert values["quality"] == 7


async def test_the_pin_ends_in_its_check_digit(full):
    device = full.ids.devices["one"]
    told = await (await full.as_("sunny")).get(f"/edev/{device}/rg")
    assert told.texts("pIN") == ["111115"]
    assert told.texts("dateTimeRegistered") == [str(NOW)]


async def test_watts_are_never_said_too_high(full):
    """Int16 and a multiplier; where the value does not fit, the limit is rounded to the safe side."""
    raw = await full.as_("sunny")
    for group, import_w, export_w in (
        ("feeder", [100_000] * 3, [100_000] * 3),  # 100 001 and 100 002 need five digits and more
        ("NMI1", [5000] * 3, [5000, 5001, 5002]),
    ):
        listed = await raw.get(f"/edev/{full.ids.devices['one']}/derp/{full.ids.groups[group]}/derc?l=9")
        assert [watts(power) for power in listed.xml.iter(f"{{{AUS}}}opModImpLimW")] == import_w
        assert [watts(power) for power in listed.xml.iter(f"{{{AUS}}}opModExpLimW")] == export_w


def watts(power: etree._Element) -> int:
    value, multiplier = (int(power.findtext(f"{{*}}{part}") or "") for part in ("value", "multiplier"))
    assert -32768 <= value <= 32767
    return value * 10**multiplier
