"""What clients write: who they are, what their devices can do, what they measure, what went wrong."""

import pytest
from lxml import etree
from sqlalchemy import update

from sep2.operations.devices import place_device
from sep2.operations.rates import set_post_rate
from sep2.store.tables import client
from tests.raw import AUS, Raw, document
from tests.server.world import NOW, World

POWER = (
    "<ReadingType><flowDirection>1</flowDirection><powerOfTenMultiplier>0</powerOfTenMultiplier><uom>38</uom>"
    "</ReadingType>"
)
SMALLEST, LARGEST = -(2**47), 2**47


@pytest.fixture
async def sunny(world: World) -> Raw:
    return await world.as_("sunny")


@pytest.fixture
def device(world: World) -> str:
    return f"/edev/{world.ids.devices['one']}"


@pytest.fixture
def lfdi(world: World) -> str:
    return world.ids.lfdis["one"]


def mirror(lfdi: str, mrid: str = "0A", flags: str = "03", inside: str = "") -> str:
    return document(
        "MirrorUsagePoint",
        f"<mRID>{mrid}</mRID><roleFlags>{flags}</roleFlags><serviceCategoryKind>0</serviceCategoryKind>"
        f"<status>1</status><deviceLFDI>{lfdi}</deviceLFDI>{inside}",
    )


def series(mrid: str = "0C", inside: str = "", kind: str = POWER) -> str:
    return f"<mRID>{mrid}</mRID>{inside}{kind}"


def reading(value: int, start: int = NOW) -> str:
    period = f"<timePeriod><duration>300</duration><start>{start}</start></timePeriod>"
    return f"<Reading>{period}<value>{value}</value></Reading>"


@pytest.mark.parametrize(
    ("kind", "where", "content"),
    [
        (
            "DERCapability",
            "dercap",
            "<modesSupported>00000003</modesSupported><rtgMaxW><multiplier>-1</multiplier><value>32767</value></rtgMaxW>"
            "<type>83</type><csipaus:doeModesSupported>0F</csipaus:doeModesSupported>",
        ),
        (
            "DERSettings",
            "derg",
            "<modesEnabled>03</modesEnabled><setGradW>27</setGradW><setMaxW><multiplier>9</multiplier>"
            f"<value>-32768</value></setMaxW><updatedTime>{NOW - 5}</updatedTime>"
            "<csipaus:doeModesEnabled>03</csipaus:doeModesEnabled>",
        ),
        (
            "DERStatus",
            "ders",
            "<alarmStatus>01</alarmStatus><genConnectStatus><dateTime>1</dateTime><value>07</value></genConnectStatus>"
            f"<operationalModeStatus><dateTime>{2**40}</dateTime><value>2</value></operationalModeStatus>"
            f"<readingTime>{NOW}</readingTime>",
        ),
        (
            "DERAvailability",
            "dera",
            f"<readingTime>{NOW}</readingTime><reserveChargePercent>10000</reserveChargePercent>",
        ),
    ],
)
async def test_documents_come_back_as_they_were_written(sunny, device, kind, where, content):
    """Hex digits stay as many as they were, numbers and times stay as they were."""
    path = f"{device}/der/1/{where}"
    assert (await sunny.get(path)).status == 404
    assert (await sunny.put(path, document(kind, content))).status in (200, 201, 204)
    read = await sunny.get(path)
    written = [(part.tag, part.text) for part in read.xml.iter()][1:]
    sent = document(kind, content)
    assert written == [(part.tag, part.text) for part in etree.fromstring(sent).iter()][1:]
    assert read.xml.attrib["href"] == path


async def test_a_us_document_without_the_extension_is_taken(world):
    """A US client knows nothing of csipaus."""
    async with world.state.db.write() as db:
        await db.run(update(client).values(profile="csip"))
    roof = await world.as_("roof")
    path = f"/edev/{world.ids.devices['roof']}/der/1/dercap"
    rated = "<rtgMaxW><multiplier>0</multiplier><value>5000</value></rtgMaxW><type>4</type>"
    body = document("DERCapability", f"<modesSupported>03</modesSupported>{rated}")
    assert (await roof.put(path, body)).status in (200, 201, 204)
    assert b"csipaus" not in (await roof.get(path)).body


async def test_a_connection_point_is_taken_with_its_place_each_time(sunny, world):
    path = f"/edev/{world.ids.devices['two']}/cp"

    def point(name: str) -> str:
        inside = f"<csipaus:connectionPointId>{name}</csipaus:connectionPointId>"
        return f'<csipaus:ConnectionPoint xmlns:csipaus="{AUS}">{inside}</csipaus:ConnectionPoint>'

    for name in ("NMI9", "NMI9", "NMI2"):
        put = await sunny.put(path, point(name))
        assert (put.status // 100, put.location) == (2, path)
        read = await sunny.get(path)
        assert [part.text for part in read.xml.iter(f"{{{AUS}}}connectionPointId")] == [name]


async def test_a_place_brings_its_program(sunny, world):
    """Moving to a connection, once an operator agrees, is moving into its group: its envelope holds from then on."""
    device = f"/edev/{world.ids.devices['two']}"
    body = document("csipaus:ConnectionPoint", "<csipaus:connectionPointId>NMI9</csipaus:connectionPointId>")
    assert (await sunny.put(f"{device}/cp", body)).status // 100 == 2
    assert (await sunny.get(f"{device}/derp/{world.ids.groups['NMI9']}")).status == 404
    assert (await sunny.get(f"{device}/derp/{world.ids.groups['NMI2']}")).status == 200
    async with world.state.db.write() as db:
        await place_device(db, world.ids.devices["two"], "NMI9", NOW)
    assert (await sunny.get(f"{device}/derp/{world.ids.groups['NMI9']}")).status == 200
    assert (await sunny.get(f"{device}/derp/{world.ids.groups['NMI2']}")).status == 404


async def test_in_band_registration(world):
    """Who may register itself does, once, as its certificate says."""
    joiner = await world.as_("joiner")
    own = world.people.identities["joiner"]

    def entry(content: str) -> str:
        return document("EndDevice", f"{content}<changedTime>0</changedTime>")

    posted = await joiner.post("/edev", entry(f"<lFDI>{own.lfdi.lower()}</lFDI><sFDI>{own.sfdi}</sFDI>"))
    assert posted.status == 201
    listed = await joiner.get("/edev?l=9")
    assert listed.href("EndDevice") == posted.location
    assert listed.texts("EndDevice/lFDI") == [own.lfdi]
    assert listed.texts("EndDevice/sFDI") == [str(own.sfdi)]
    again = await joiner.post("/edev", entry(f"<lFDI>{own.lfdi}</lFDI><sFDI>{own.sfdi}</sFDI>"))
    assert (again.status, again.location) == (409, posted.location)
    assert (await joiner.get("/edev?l=9")).number("all") == 1


async def test_in_band_the_certificate_fills_in_what_is_left_out(world):
    """A client may send no LFDI, and a wrong SFDI."""
    joiner = await world.as_("joiner")
    posted = await joiner.post("/edev", document("EndDevice", "<sFDI>1</sFDI><changedTime>0</changedTime>"))
    assert posted.status == 201
    read = await joiner.get(posted.location)
    own = world.people.identities["joiner"]
    assert (read.texts("lFDI"), read.texts("sFDI")) == ([own.lfdi], [str(own.sfdi)])
    assert abs(int(read.texts("changedTime")[0]) - NOW) <= 5


async def test_a_mirror_is_one_by_its_mrid(sunny, lfdi):
    """Posted again it is the same, with the new roleFlags; leading zeros and case are no difference."""
    first = await sunny.post("/mup", mirror(lfdi, "0a0b"))
    assert first.status == 201
    again = await sunny.post("/mup", mirror(lfdi, "0A0B", "49"))
    assert (again.status // 100, again.location) == (2, first.location)
    padded = await sunny.post("/mup", mirror(lfdi, "0" * 28 + "0A0B", "49"))
    assert padded.location == first.location
    listed = await sunny.get("/mup?l=9")
    assert listed.number("all") == 1
    assert int(listed.texts("MirrorUsagePoint/roleFlags")[0], 16) == 0x49
    assert listed.texts("MirrorUsagePoint/postRate") == ["300"]
    assert listed.texts("MirrorUsagePoint/deviceLFDI") == [lfdi]


async def test_a_mirror_is_posted_as_often_as_the_operator_says(sunny, world, lfdi):
    """The device is named in whatever case."""
    location = (await sunny.post("/mup", mirror(lfdi.lower()))).location
    async with world.state.db.write() as db:
        await set_post_rate(db, int(location.rsplit("/", 1)[1]), 60, NOW)
    assert (await sunny.get(location)).texts("postRate") == ["60"]
    await sunny.post("/mup", mirror(lfdi))
    assert (await sunny.get(location)).texts("postRate") == ["60"]


async def test_a_mirror_is_seen_by_its_creator_alone(sunny, world, lfdi):
    location = (await sunny.post("/mup", mirror(lfdi))).location
    gale = await world.as_("gale")
    assert (await gale.get("/mup")).number("all") == 0
    assert (await gale.get(location)).status == 404
    assert (await gale.post(location, document("MirrorMeterReading", series()))).status in (403, 404)
    assert (await gale.put(location, mirror(world.ids.lfdis["three"]))).status in (403, 404)
    assert (await gale.ask("DELETE", location)).status in (403, 404)
    assert (await sunny.get(location)).status == 200


@pytest.mark.parametrize("value", [0, -1, 2**31, SMALLEST, LARGEST])
async def test_readings_are_taken_also_again(sunny, lfdi, value):
    location = (await sunny.post("/mup", mirror(lfdi))).location
    inside = series(kind=reading(value) + POWER)
    body = document("MirrorMeterReadingList", f"<MirrorMeterReading>{inside}</MirrorMeterReading>")
    for _ in range(2):
        assert (await sunny.post(location, body)).status in (201, 204)


@pytest.mark.parametrize(
    ("why", "body"),
    [
        ("a value past int48", document("MirrorMeterReading", series(kind=reading(LARGEST + 1) + POWER))),
        ("a value below int48", document("MirrorMeterReading", series(kind=reading(SMALLEST - 1) + POWER))),
        ("a series that nobody described", document("MirrorMeterReading", series("0D", kind=reading(1)))),
        ("a reading without a series", document("MirrorMeterReading", reading(1))),
        ("another root", document("DERStatus", f"<readingTime>{NOW}</readingTime>")),
    ],
)
async def test_readings_that_can_not_be(sunny, lfdi, why, body):
    location = (await sunny.post("/mup", mirror(lfdi))).location
    assert (await sunny.post(location, body)).status == 400


async def test_a_log_is_latest_first_and_an_event_is_one(sunny, device):

    def event(at: int, code: int) -> str:
        return document(
            "LogEvent",
            f"<createdDateTime>{at}</createdDateTime><functionSet>11</functionSet><logEventCode>{code}</logEventCode>"
            f"<logEventID>{code}</logEventID><logEventPEN>37250</logEventPEN><profileID>2</profileID>",
        )

    places = [(await sunny.post(f"{device}/lel", event(NOW + code, code))).location for code in (1, 2)]
    assert (await sunny.post(f"{device}/lel", event(NOW + 1, 1))).location == places[0]
    listed = await sunny.get(f"{device}/lel?l=9")
    assert listed.texts("LogEvent/logEventCode") == ["2", "1"]
    assert [item.attrib["href"] for item in listed.all("LogEvent")] == places[::-1]
