"""Limits in percent of setMaxW (profile csip): of what, what is doubtful, and that published events are not edited."""

import pytest
from sqlalchemy import update

from sep2.operations import restored
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.defaults import set_default
from sep2.operations.ratings import NothingReported, agree_rating
from sep2.rules.limits import Limits
from sep2.store import alarms
from sep2.store.tables import client
from tests.raw import Raw, Reply, document
from tests.server.world import NOW, World


def power(name: str, value: int, multiplier: int = 0) -> str:
    return f"<{name}><multiplier>{multiplier}</multiplier><value>{value}</value></{name}>"


class American:
    """gale's `three`, whose limits are sent in percent, and the feeder that it is in."""

    def __init__(self, world: World, raw: Raw) -> None:
        self.world, self.raw = world, raw
        self.device = f"/edev/{world.ids.devices['three']}"
        self.program = f"{self.device}/derp/{world.ids.groups['feeder']}"
        self.answers = f"{self.device}/rsps/1/rsp"

    async def rated(self, value: int, multiplier: int = 0) -> None:
        """Say what its setMaxW is."""
        body = f"<setGradW>1</setGradW>{power('setMaxW', value, multiplier)}<updatedTime>{NOW}</updatedTime>"
        assert (await self.raw.put(f"{self.device}/der/1/derg", document("DERSettings", body))).status == 204
        await self.world.settle()

    async def nameplate(self, watts: int) -> None:
        """Say what its rtgMaxW is."""
        body = f"<modesSupported>00100000</modesSupported>{power('rtgMaxW', watts)}<type>4</type>"
        assert (await self.raw.put(f"{self.device}/der/1/dercap", document("DERCapability", body))).status == 204

    async def issue(self, export_w: int = 500, start: int = NOW, duration: int = 600) -> None:
        async with self.world.state.db.write() as db:
            control = NewControl(start=start, duration=duration, limits=Limits(export_w=export_w))
            await issue_controls(db, self.world.ids.groups["feeder"], [control], self.world.clock.now())
        await self.world.settle()

    async def controls(self) -> Reply:
        return await self.raw.get(f"{self.program}/derc?l=99")

    async def percents(self) -> list[int]:
        """Of every control that is listed, in hundredths."""
        return list(map(int, (await self.controls()).texts("DERControl/DERControlBase/opModMaxLimW")))

    async def alarms(self) -> list[str]:
        """What is doubtful about its rating."""
        async with self.world.state.db.read() as db:
            found = [alarm for alarm in await alarms.standing(db) if alarm.code == "set_max_w"]
            about = [await alarms.members_of(db, alarm.id) for alarm in found]
        assert all(names == [self.world.ids.lfdis["three"]] for names in about)
        return [alarm.detail for alarm in found]

    async def agree(self) -> None:
        async with self.world.state.db.write() as db:
            await agree_rating(db, self.world.ids.devices["three"], self.world.clock.now())
        await self.world.settle()


@pytest.fixture
async def american(either_world: World) -> American:
    async with either_world.state.db.write() as db:
        await db.run(update(client).where(client.c.name == "gale").values(profile="csip"))
    return American(either_world, await either_world.as_("gale"))


@pytest.mark.parametrize(
    ("value", "multiplier", "percent", "doubt"),
    [
        (0, 0, 1000, "has not reported"),
        (-5000, 0, 1000, "has not reported"),
        (5, -128, 1000, "has not reported"),
        (1000, 6, 0, "is above its rtgMaxW"),
        (32767, 127, 0, "is above its rtgMaxW"),
        (5251, 0, 952, "is above its rtgMaxW"),
        (499, 0, 1000, "is far below its rtgMaxW"),
        (5250, 0, 952, ""),
        (2500, 0, 2000, ""),
    ],
)
async def test_what_is_not_plausible_never_loosens_a_limit(american, value, multiplier, percent, doubt):
    """A limit of 500 W, of a device whose nameplate says 5 kW."""
    await american.nameplate(5000)
    await american.rated(value, multiplier)
    await american.issue()
    assert await american.percents() == [percent]
    told = await american.alarms()
    assert len(told) == (1 if doubt else 0)
    assert doubt in "".join(told)


async def test_of_an_unknown_rating_the_limit_is_nothing(american):
    """Leaving the mode out would leave the device without the limit."""
    await american.issue()
    assert await american.percents() == [0]
    assert len(await american.alarms()) == 1


async def test_after_a_restore_the_event_of_another_device_is_not_taken_for_a_lost_one(american):
    await american.rated(5000)
    await american.issue()
    american.world.advance(NOW + 100)
    await american.rated(5400)
    edited = set((await american.controls()).texts("DERControl/mRID"))
    async with american.world.state.db.write() as db:
        await restored.begin(db, NOW, copied=None)
        others = american.world.ids.devices["one"]
        assert len(edited) == 2
        assert [await restored.note_lost(db, others, mrid, 1, now=NOW) for mrid in edited] == [False] * len(edited)
        assert await restored.note_lost(db, others, f"{'0' * 24}00032473", 1, now=NOW)


async def test_a_published_event_is_never_edited(american):
    """Where its percentage changes, the device is served another in its place; others are served what they were."""
    await american.rated(5000)
    await american.issue()
    await american.issue(start=NOW + 1000, export_w=0)
    first = await american.controls()
    assert await american.percents() == [1000, 0]
    sunny = await american.world.as_("sunny")
    neighbour = f"/edev/{american.world.ids.devices['one']}/derp/{american.world.ids.groups['feeder']}/derc?l=9"
    american.world.advance(NOW + 100)
    before = (await sunny.get(neighbour)).body
    await american.rated(5400)
    later = await american.controls()
    mrids, hrefs = later.texts("DERControl/mRID"), [one.attrib["href"] for one in later.all("DERControl")]
    assert sorted(zip(later.texts("DERControl/EventStatus/currentStatus"), await american.percents(), strict=True)) == [
        ("0", 0), ("1", 925), ("4", 1000),
    ]  # fmt: skip
    assert set(mrids) > set(first.texts("DERControl/mRID"))
    assert len(set(mrids)) == len(set(hrefs)) == 3
    assert later.number("all") == 3
    anew = mrids.index(next(iter(set(mrids) - set(first.texts("DERControl/mRID")))))
    assert later.texts("DERControl/creationTime")[anew] == str(NOW + 100)
    assert later.texts("DERControl/interval/start")[anew] == str(NOW + 100)
    assert later.texts("DERControl/interval/duration")[anew] == "500"
    one = await american.raw.get(hrefs[anew])
    assert (one.status, one.texts("mRID")) == (200, [mrids[anew]])
    active = await american.raw.get(f"{american.program}/actderc?l=9")
    assert active.texts("DERControl/mRID") == [mrids[anew]]
    assert (await american.raw.get(american.program)).all("DERControlListLink")[0].attrib["all"] == "3"
    assert (await sunny.get(neighbour)).body == before
    answer = document(
        "DERControlResponse",
        f"<endDeviceLFDI>{american.world.ids.lfdis['three']}</endDeviceLFDI><status>2</status>"
        f"<subject>{mrids[anew]}</subject>",
    )
    assert (await american.raw.post(american.answers, answer)).status == 201


async def test_what_is_listed_of_a_control_is_bounded(american):
    """A client that reports another rating again and again sees the newest control and the one before."""
    await american.rated(5000)
    await american.issue()
    for watts in (5100, 5200, 5300, 5400):
        await american.rated(watts)
    assert await american.percents() in ([925, 943], [943, 925])
    listed = await american.raw.get(f"{american.program}/derc?s=1&l=1")
    assert (listed.number("all"), listed.number("results")) == (2, 1)
    created = list(map(int, (await american.controls()).texts("DERControl/creationTime")))
    assert len(set(created)) == 2


async def test_a_changed_rating_waits_for_an_operator(american):
    """More than a tenth off what was agreed: percentages are of the larger of setMaxW and nameplate meanwhile."""
    await american.nameplate(5000)
    await american.rated(5000)
    await american.issue()
    await american.rated(2000)
    assert await american.percents() == [1000]
    (told,) = await american.alarms()
    assert told.startswith("its setMaxW changed from 5000 W to 2000 W")
    await american.agree()
    assert await american.alarms() == []
    assert sorted(await american.percents()) == [1000, 2500]
    await american.rated(2000)
    await american.rated(2100)
    assert await american.alarms() == []


async def test_an_agreement_is_about_the_nameplate_that_was_seen(american):
    await american.nameplate(5000)
    await american.rated(6000)
    await american.agree()
    await american.nameplate(5000)
    assert await american.alarms() == []
    await american.nameplate(4000)
    assert len(await american.alarms()) == 1


async def test_there_is_nothing_to_agree_to_before_a_report(american):
    with pytest.raises(NothingReported):
        await american.agree()


async def test_a_default_in_percent_has_another_version(american):
    async with american.world.state.db.write() as db:
        await set_default(db, american.world.ids.groups["feeder"], Limits(export_w=500), now=NOW)
    await american.rated(5000)
    path = f"{american.program}/dderc"
    before = await american.raw.get(path)
    await american.rated(5400)
    after = await american.raw.get(path)
    assert before.texts("DERControlBase/opModMaxLimW") == ["1000"]
    assert after.texts("DERControlBase/opModMaxLimW") == ["925"]
    assert int(after.texts("version")[0]) == int(before.texts("version")[0]) + 1
