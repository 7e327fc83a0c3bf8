"""Meter readings posted to mirrors, and read back as usage points (2030.5 10.4, 10.11)."""

import pytest
from lxml import etree

from sep2.functions.upt import READ_BACK_S
from tests.raw import Raw, Reply, document
from tests.server.world import NOW, World

POWER, VOLTAGE = "0C01", "0C02"


def kind(uom: int) -> str:
    return (
        "<ReadingType><dataQualifier>2</dataQualifier><flowDirection>1</flowDirection><kind>37</kind>"
        f"<powerOfTenMultiplier>1</powerOfTenMultiplier><uom>{uom}</uom></ReadingType>"
    )


def interval(start: int, duration: int = 300) -> str:
    return f"<timePeriod><duration>{duration}</duration><start>{start}</start></timePeriod>"


def readings(mrid: str, start: int, *values: int) -> str:
    """A set of readings that follow each other by five minutes."""
    each = "".join(
        f"<Reading>{interval(start + 300 * n)}<value>{value}</value><localID>{n:02X}</localID></Reading>"
        for n, value in enumerate(values)
    )
    return f"<MirrorReadingSet><mRID>{mrid}</mRID>{interval(start, 300 * len(values))}{each}</MirrorReadingSet>"


def series(mrid: str, sets: str = "", *, uom: int | None = None, latest: int | None = None) -> str:
    now = f"<Reading>{interval(NOW - 300)}<value>{latest}</value></Reading>" if latest is not None else ""
    return f"<mRID>{mrid}</mRID><description>series</description>{sets}{now}{'' if uom is None else kind(uom)}"


class Meter:
    """sunny, and the mirror of the device `one`."""

    def __init__(self, world: World, raw: Raw) -> None:
        self.world = world
        self.raw = raw

    async def mirror(self, flags: str = "02") -> Reply:
        body = (
            f"<mRID>0A</mRID><roleFlags>{flags}</roleFlags><serviceCategoryKind>0</serviceCategoryKind>"
            f"<status>1</status><deviceLFDI>{self.world.ids.lfdis['one']}</deviceLFDI>"
            f"<MirrorMeterReading>{series(POWER, uom=38)}</MirrorMeterReading>"
            f"<MirrorMeterReading>{series(VOLTAGE, uom=29)}</MirrorMeterReading>"
        )
        return await self.raw.post("/mup", document("MirrorUsagePoint", body))

    async def say(self, mirror: Reply, content: str) -> int:
        return (await self.raw.post(mirror.location, document("MirrorMeterReading", content))).status

    async def follow(self, path: str, *links: str) -> Reply:
        """What the links lead to, one after the other; the last in a list of items is taken."""
        shown = await self.raw.get(path)
        for link in links:
            where = shown.all(link)[-1].attrib["href"]
            shown = await self.raw.get(where + ("?l=255" if "List" in link else ""))
        return shown

    async def power(self) -> Reply:
        """The series of power: mRIDs descend."""
        return await self.follow("/dcap", "UsagePointListLink", "UsagePoint", "MeterReadingListLink", "MeterReading")


@pytest.fixture
async def meter(either_world: World) -> Meter:
    return Meter(either_world, await either_world.as_("sunny"))


async def test_what_a_meter_posts_is_read_back_through_links(meter: Meter) -> None:
    """A mirror is one by its mRID, a series needs its type once; then every value is where the links lead."""
    mirror = await meter.mirror()
    assert mirror.status == 201
    again = await meter.mirror("49")
    assert (again.status, again.location) == (204, mirror.location)
    assert await meter.say(mirror, series("0D", readings("51", NOW, 1))) == 400, "nobody said what 0D means"
    assert await meter.say(mirror, series(POWER, readings("51", NOW - 600, 250, -40))) in (201, 204)
    assert await meter.say(mirror, series(POWER, readings("52", NOW, 7), latest=33)) in (201, 204)

    point = await meter.follow("/dcap", "UsagePointListLink", "UsagePoint")
    assert int(point.texts("roleFlags")[0], 16) == 0x49
    assert point.texts("deviceLFDI") == [meter.world.ids.lfdis["one"]]
    assert (await meter.follow("/dcap", "UsagePointListLink")).xml.attrib["pollRate"] == "300"

    power = await meter.power()
    assert int(power.texts("mRID")[0], 16) == int(POWER, 16)
    meaning = await meter.raw.get(power.href("ReadingTypeLink"))
    assert (meaning.texts("uom"), meaning.texts("powerOfTenMultiplier")) == (["38"], ["1"])
    assert (await meter.raw.get(power.href("ReadingLink"))).texts("value") == ["7"]

    sets = await meter.raw.get(power.href("ReadingSetListLink") + "?l=9")
    assert [int(mrid, 16) for mrid in sets.texts("ReadingSet/mRID")] == [0x52, 0x51], "the latest first"
    assert sets.texts("ReadingSet/timePeriod/start") == [str(NOW), str(NOW - 600)]
    assert sets.texts("ReadingSet/timePeriod/duration") == ["300", "600"]
    listed = await meter.raw.get(sets.all("ReadingSet/ReadingListLink")[1].attrib["href"] + "?l=9")
    assert listed.texts("Reading/value") == ["250", "-40"]
    assert [int(number, 16) for number in listed.texts("Reading/localID")] == [0, 1]


async def test_every_item_is_where_its_href_says_and_every_link_counts_right(meter: Meter) -> None:
    mirror = await meter.mirror()
    await meter.say(mirror, series(POWER, readings("51", NOW - 600, 1, 2) + readings("52", NOW, 3)))
    await meter.say(mirror, series(POWER, readings("53", NOW, 4, 5)))
    waiting, seen = [("/upt", None)], set[str]()
    while waiting:
        path, count = waiting.pop()
        assert path not in seen, "no item twice"
        seen.add(path)
        shown = await meter.raw.get(path + ("?l=255" if count is not None else ""))
        assert (shown.status, shown.xml.attrib["href"]) == (200, path)
        if count is not None:
            assert (shown.xml.attrib["all"], shown.xml.attrib["results"]) == (count, str(len(shown.xml)))
            waiting += [(item.attrib["href"], None) for item in shown.xml]
            continue
        if path == "/upt":
            waiting += [(item.attrib["href"], None) for item in shown.xml]
        for link in shown.xml:
            if etree.QName(link).localname.endswith("Link"):
                waiting.append((link.attrib["href"], link.get("all")))
    assert len([path for path in seen if "/r/" in path]) == 4, "3 was posted again as 4"


async def test_nobody_else_reads_it(meter: Meter) -> None:
    mirror = await meter.mirror()
    await meter.say(mirror, series(POWER, readings("51", NOW, 1), latest=2))
    power = await meter.power()
    sets = await meter.raw.get(power.href("ReadingSetListLink"))
    gale, joiner = await meter.world.as_("gale"), await meter.world.as_("joiner")
    assert (await gale.get("/upt")).number("all") == (await joiner.get("/upt")).number("all") == 0
    own = [power.xml.attrib["href"], sets.xml.attrib["href"], sets.href("ReadingSet/ReadingListLink")]
    own += [power.href(link) for link in ("ReadingLink", "ReadingTypeLink", "ReadingSetListLink")]
    for path in ["/upt/1", "/upt/1/mr", *own]:
        assert (await meter.raw.get(path)).status == 200, path
        assert (await gale.get(path)).status == 404, path
    assert (await meter.raw.put("/upt/1", document("UsagePoint"))).status == 405
    await meter.raw.ask("DELETE", mirror.location)
    for path in own:
        assert (await meter.raw.get(path)).status == 404, path


async def test_sets_of_the_last_day_are_listed_and_the_latest_reading_stays(meter: Meter) -> None:
    mirror = await meter.mirror()
    await meter.say(mirror, series(POWER, readings("51", NOW, 1)))
    meter.world.advance(NOW + READ_BACK_S)
    href = (await meter.power()).href("ReadingSetListLink")
    assert (await meter.raw.get(href)).number("all") == 1
    meter.world.advance(NOW + READ_BACK_S + 1)
    assert (await meter.raw.get(href)).number("all") == 0
    assert (await meter.raw.get((await meter.power()).href("ReadingLink"))).texts("value") == ["1"]


async def test_what_is_not_there(meter: Meter) -> None:
    await meter.mirror()
    power = (await meter.power()).xml.attrib["href"]
    ids = [f"{power}/{rest}" for rest in ("r", "rs/5", "rs/5/r", "rs/5/r/1")]
    for path in ["/upt/9", "/upt/9/mr", "/upt/1/mr/9", "/upt/1/mr/9/rs", "/upt/1/mr/9/rt", *ids]:
        assert (await meter.raw.get(path)).status == 404, path
    assert "ReadingLink" not in (await meter.raw.get(power)).body.decode()
