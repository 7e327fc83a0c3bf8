"""When readings were taken: said by themselves, by their set, or by the length of its intervals."""

from typing import NamedTuple

import pytest

from tests.raw import Raw, Reply, document
from tests.server.test_reports import mirror
from tests.server.world import NOW, World

S = NOW - 3600
DAY, TEN_YEARS = 86_400, 315_576_000
YEAR_2000 = 946_684_800


def kind(interval: int | None = None) -> str:
    length = "" if interval is None else f"<intervalLength>{interval}</intervalLength>"
    return f"<ReadingType><flowDirection>1</flowDirection>{length}<uom>38</uom></ReadingType>"


def period(start: int, duration: int = 300) -> str:
    return f"<timePeriod><duration>{duration}</duration><start>{start}</start></timePeriod>"


def reading(value: int | None, *, local: str | None = None, at: str = "", tier: int | None = None) -> str:
    said = "" if value is None else f"<value>{value}</value>"
    number = "" if local is None else f"<localID>{local}</localID>"
    tou = "" if tier is None else f"<touTier>{tier}</touTier>"
    return f"<Reading>{at}{tou}{said}{number}</Reading>"


def a_set(*readings: str, start: int = S, duration: int = 900, mrid: str = "51") -> str:
    held = "".join(readings)
    return f"<MirrorReadingSet><mRID>{mrid}</mRID>{period(start, duration)}{held}</MirrorReadingSet>"


class Shown(NamedTuple):
    """A reading as it is read back."""

    start: int
    duration: int
    value: str
    local: str


class Meter:
    """sunny, and one series of the device `one`."""

    def __init__(self, raw: Raw, place: str) -> None:
        self.raw = raw
        self.place = place

    async def post(self, content: str, of_kind: str = "") -> Reply:
        return await self.raw.post(self.place, document("MirrorMeterReading", f"<mRID>0C</mRID>{content}{of_kind}"))

    async def series(self) -> Reply:
        return await self.raw.get(f"{self.place.replace('/mup/', '/upt/')}/mr/1")

    async def sets(self) -> Reply:
        return await self.raw.get((await self.series()).href("ReadingSetListLink") + "?l=99")

    async def shown(self, number: int = 0) -> list[Shown]:
        """The readings of a set, the latest set first."""
        link = (await self.sets()).all("ReadingSet/ReadingListLink")[number].attrib["href"]
        listed = await self.raw.get(f"{link}?l=99")
        return [
            Shown(
                int(one.findtext("{*}timePeriod/{*}start") or ""),
                int(one.findtext("{*}timePeriod/{*}duration") or ""),
                one.findtext("{*}value") or "",
                one.findtext("{*}localID") or "",
            )
            for one in listed.all("Reading")
        ]

    async def latest(self) -> str:
        return (await self.raw.get((await self.series()).href("ReadingLink"))).texts("value")[0]


@pytest.fixture
async def meter(either_world: World) -> Meter:
    raw = await either_world.as_("sunny")
    place = (await raw.post("/mup", mirror(either_world.ids.lfdis["one"]))).location
    return Meter(raw, place)


async def test_readings_without_a_time_follow_each_other_by_the_interval_length(meter: Meter) -> None:
    """In document order; said once with the ReadingType, it holds for later posts too."""
    three = a_set(reading(1), reading(2), reading(3))
    assert (await meter.post(three, kind(300))).status == 201
    expected = [Shown(S, 300, "1", ""), Shown(S + 300, 300, "2", ""), Shown(S + 600, 300, "3", "")]
    assert await meter.shown() == expected
    assert (await meter.post(three)).status == 204
    assert await meter.shown() == expected, "posted again it is the same"
    corrected = a_set(reading(1), reading(5), reading(3))
    assert (await meter.post(corrected)).status == 204
    assert [one.value for one in await meter.shown()] == ["1", "5", "3"], "and a correction replaces"
    assert (await meter.sets()).number("all") == 1


async def test_the_local_id_says_which_interval_a_reading_is_about(meter: Meter) -> None:
    """Also where they are posted one at a time."""
    assert (await meter.post(a_set(reading(3, local="02"), reading(1, local="00")), kind(300))).status == 201
    assert (await meter.post(a_set(reading(2, local="01")))).status == 204
    expected = [Shown(S, 300, "1", "00"), Shown(S + 300, 300, "2", "01"), Shown(S + 600, 300, "3", "02")]
    assert await meter.shown() == expected


async def test_without_an_interval_length_the_period_is_divided_evenly(meter: Meter) -> None:
    assert (await meter.post(a_set(reading(1), reading(2)), kind())).status == 201
    assert await meter.shown() == [Shown(S, 450, "1", ""), Shown(S + 450, 450, "2", "")]
    refused = await meter.post(a_set(*(reading(n) for n in range(7))))
    assert (refused.status, refused.reason) == (400, 1)


async def test_times_that_readings_say_themselves_count(meter: Meter) -> None:
    said = a_set(reading(1, at=period(S - 60, 60)), reading(2), reading(3, at=period(S + 7, 0)))
    assert (await meter.post(said, kind(300))).status == 201
    assert await meter.shown() == [Shown(S - 60, 60, "1", ""), Shown(S + 7, 0, "3", ""), Shown(S + 300, 300, "2", "")]


async def test_tiers_cover_the_period_each(meter: Meter) -> None:
    """Readings of a time that differ in their tier are all kept, also from one post to the next."""
    assert (await meter.post(a_set(reading(1, tier=1), reading(2, tier=2)), kind())).status == 201
    assert (await meter.post(a_set(reading(3, tier=3)))).status == 204
    assert await meter.shown() == [Shown(S, 900, value, "") for value in "123"]


async def test_a_period_that_another_set_says_again_is_corrected_whatever_the_numbers(meter: Meter) -> None:
    first = a_set(reading(1, local="00"), reading(2, local="01"), reading(3, local="02"))
    assert (await meter.post(first, kind(300))).status == 201
    again = a_set(reading(9, local="00"), start=S + 300, duration=300, mrid="52")
    assert (await meter.post(again)).status == 204
    assert await meter.shown(0) == [Shown(S + 300, 300, "9", "00")]
    assert [one.value for one in await meter.shown(1)] == ["1", "3"]


async def test_readings_of_one_time_in_one_set_are_all_kept(meter: Meter) -> None:
    moment = period(S, 0)
    said = a_set(*(reading(n, at=moment, local=f"0{n}") for n in range(3)), reading(7, at=moment))
    for status in (201, 204):
        assert (await meter.post(said, kind())).status == status
        assert sorted(one.value for one in await meter.shown()) == ["0", "1", "2", "7"]


async def test_a_set_comes_back_as_it_was_posted(meter: Meter) -> None:
    """With its own period and description, also where it holds nothing; and its mRID may be used again."""
    for start in (S, S + 900):
        described = a_set(start=start).replace("</mRID>", "</mRID><description>é</description><version>7</version>", 1)
        assert (await meter.post(described, kind())).status in (201, 204)
    sets = await meter.sets()
    assert sets.texts("ReadingSet/timePeriod/start") == [str(S + 900), str(S)]
    assert sets.texts("ReadingSet/timePeriod/duration") == ["900", "900"]
    assert (sets.texts("ReadingSet/description"), sets.texts("ReadingSet/version")) == (["é", "é"], ["7", "7"])
    assert [link.attrib["all"] for link in sets.all("ReadingSet/ReadingListLink")] == ["0", "0"]
    assert await meter.shown() == []


async def test_a_gap_is_kept_as_one(meter: Meter) -> None:
    """A reading without a value takes its interval, and is read back without one."""
    assert (await meter.post(a_set(reading(1), reading(None), reading(3)), kind(300))).status == 201
    assert await meter.shown() == [Shown(S, 300, "1", ""), Shown(S + 300, 300, "", ""), Shown(S + 600, 300, "3", "")]


async def test_values_of_this_moment_are_all_kept(meter: Meter) -> None:
    """Without a time they are of the second in which they came in; an equal one of that second is a repetition."""
    for value in (4, 5, 5, 6):
        assert (await meter.post(reading(value), kind())).status in (201, 204)
        assert await meter.latest() == str(value)


async def test_a_time_that_no_meter_can_mean_is_refused(meter: Meter) -> None:
    for start in (YEAR_2000 - 1, NOW + DAY + 1, NOW * 1000, 2**63 - 1, -(2**63), 0):
        for said in (
            a_set(reading(1, at=period(start))),
            a_set(reading(1), start=start),
            reading(1, at=period(start)),
        ):
            refused = await meter.post(said, kind(300))
            assert (refused.status, refused.reason) == (400, 1), start
    assert (await meter.raw.get(f"{meter.place.replace('/mup/', '/upt/')}/mr")).number("all") == 0


async def test_a_reading_covers_ten_years_at_most(meter: Meter) -> None:
    for duration, status in ((TEN_YEARS + 1, 400), (2**32 - 1, 400), (TEN_YEARS, 201)):
        assert (await meter.post(a_set(reading(1, at=period(S, duration))), kind())).status == status, duration
        answer = await meter.post(a_set(reading(1, at=period(S)), duration=duration, mrid="52"))
        assert answer.status == (204 if status == 201 else 400), duration


async def test_times_at_the_bounds_are_taken_and_served(meter: Meter) -> None:
    for start in (YEAR_2000, NOW + DAY):
        assert (await meter.post(a_set(reading(1), start=start), kind(300))).status in (201, 204)
        assert await meter.shown() == [Shown(start, 300, "1", "")]


async def test_the_latest_reading_is_the_one_that_came_in_last(meter: Meter, either_world: World) -> None:
    """A meter whose clock was ahead for a moment does not keep its reading the latest for a day."""
    assert (await meter.post(reading(1, at=period(NOW + DAY)), kind())).status == 201
    assert await meter.latest() == "1"
    either_world.advance(NOW + 300)
    assert (await meter.post(reading(2, at=period(NOW)))).status == 204
    assert await meter.latest() == "2"
    either_world.advance(NOW + 600)
    assert (await meter.post(a_set(reading(3), reading(4), duration=600))).status == 204
    assert await meter.latest() == "4", "of one post the one that began last"
