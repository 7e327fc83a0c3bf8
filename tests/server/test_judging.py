"""Limits are judged as clients post what they did: the worked example by a real client, late readings, outages."""

import pytest

from sep2.operations.compliance import arrivals, course_of, roll_up
from sep2.operations.judging import policy_of
from sep2.rules.cursor import Keyset
from sep2.rules.days import LocalTime
from sep2.server.seen import What
from sep2.store import alarms, listing_compliance
from sep2.store.listing_compliance import Whose
from tests.raw import document
from tests.server.meters import DER, W, mirror, post, read, reading_type
from tests.server.operator import operating
from tests.server.world import NOW

NOON = NOW + 7200
LOCAL = LocalTime()
POSTED = [(0, 300, 3650), (5, 300, 2300), (10, 300, 1550), (15, 200, 1400), (20, 300, -400), (25, 300, 1720)]


@pytest.fixture
async def desk(people, on_either, tmp_path):
    utility = {"poll_rates": {"DERProgramList": 120}}
    async with operating(people, on_either, tmp_path, utility=utility) as desk:
        yield desk


class Site:
    """NMI1, rated 5 kW, with an export limit of 5 kW until noon and of 1.5 kW from then on."""

    def __init__(self, desk, raw):
        self.desk, self.raw = desk, raw
        self.world, self.operator = desk
        self.at = ""

    @classmethod
    async def open(cls, desk, *, proven=True):
        site = cls(desk, await desk.world.as_("sunny"))
        world, operator = desk
        one = world.ids.devices["one"]
        settings = (
            "<setGradW>0</setGradW><setMaxW><multiplier>0</multiplier><value>5000</value></setMaxW>"
            f"<updatedTime>{NOW}</updatedTime>"
        )
        assert (await site.raw.put(f"/edev/{one}/der/1/derg", document("DERSettings", settings))).status == 204
        await operator.change("PUT", "/groups/connection NMI1/default", {"limits": {"export_w": 5000}})
        site.at = await mirror(site.raw, world.ids.lfdis["one"], types={"0C01": reading_type(W)})
        if proven:
            await site.prove()
        await world.state.judge.once()
        return site

    async def prove(self, sign="as-posted"):
        number = self.at.rpartition("/")[2]
        await self.operator.change("PUT", f"/mirrors/{number}/reading-sign", {"reading_sign": sign})

    async def limit(self):
        """Issue the control a minute before noon."""
        self.world.advance(NOON - 60)
        control = {"start": NOON, "duration": 7200, "limits": {"export_w": 1500}, "ramp_tms": 6000}
        await self.operator.change("POST", "/connections/NMI1/controls", {"controls": [control], "reason": "test"})

    async def post(self, posted=POSTED):
        for minute, seconds, watts in posted:
            await post(self.raw, self.at, "0C01", read(f"{60 + minute:02X}", NOON + 60 * minute, [(seconds, -watts)]))

    async def judged(self, minutes=30, by="total"):
        """The sums of so many minutes from noon on."""
        async with self.world.state.db.read() as db:
            whose = Whose(connection="NMI1", direction="export")
            found = await roll_up(db, whose, (NOON, NOON + 60 * minutes), by=by, local=LOCAL)
        return found[0].sums if found else None

    async def states(self):
        async with self.world.state.db.read() as db:
            runs = await course_of(db, Whose(connection="NMI1", direction="export"), (NOON, NOON + 1800), LOCAL)
        return [((run.start - NOON) // 60, (run.end - NOON) // 60, run.state.value) for run in runs]

    async def disputed(self):
        """What the alarm about meters that disagree says, for each client; by its LFDI."""
        async with self.world.state.db.read() as db:
            return {row.subject: row.detail for row in await alarms.standing_of(db, "meters_disagree")}

    async def settle(self, minutes=30):
        self.world.advance(NOON + 60 * minutes + 360)
        await self.world.state.judge.once()


async def test_the_worked_example_posted_by_a_client(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 1800)
    await site.post()
    await site.settle()
    assert await site.states() == [
        *((0, 5, "ok"), (5, 10, "late"), (10, 15, "ok")),
        *((15, 20, "unknown"), (20, 25, "ok"), (25, 30, "breach")),
    ]
    total = await site.judged()
    assert total.obedience == pytest.approx(0.6)
    assert total.coverage == pytest.approx(5 / 6)
    assert total.breach_wh == pytest.approx(85.0)

    late = read("77", NOON + 1100, [(100, -1400)])
    await post(site.raw, site.at, "0C01", late)
    await site.world.state.judge.once()
    total = await site.judged()
    assert (round(total.obedience, 4), total.coverage) == (0.6667, 1.0)
    assert total.breach_wh == pytest.approx(85.0)


async def test_how_long_a_control_takes_from_its_issue_to_the_first_interval_that_keeps_it(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 1800)
    await site.post()
    await site.settle()
    policy = policy_of(site.world.state.settings.utility, 120)
    async with site.world.state.db.read() as db:
        (one,) = await arrivals(db, Whose(connection="NMI1"), (NOON - 120, NOON), policy)
    assert (one.issued, one.received) == (NOON - 60, None)
    assert one.first_ok - one.issued == 11 * 60


async def test_an_interval_is_judged_again_when_more_of_it_is_known(desk):
    """A breach that is kept soon after is late; the judge looks at the last intervals twice."""
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 600)
    await site.post(POSTED[:2])
    await site.settle(10)
    assert (await site.states())[-1] == (5, 10, "breach")
    site.world.advance(NOON + 1800)
    await site.post(POSTED[2:])
    await site.settle()
    assert (5, 10, "late") in await site.states()


async def test_what_was_missed_while_no_server_judged_is_judged_later(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 1800)
    await site.post()
    site.world.advance(NOON + 8 * 3600)
    await site.world.state.judge.once()
    assert (await site.judged()).breach_wh == pytest.approx(85.0)


async def test_an_unproven_sign_is_unknown_and_proving_it_judges_again(desk):
    site = await Site.open(desk, proven=False)
    await site.limit()
    site.world.advance(NOON + 1800)
    await site.post()
    await site.settle()
    total = await site.judged()
    assert (total.obedience, total.coverage) == (None, 0.0)
    await site.prove()
    await site.world.state.judge.once()
    assert (await site.judged()).obedience == pytest.approx(0.6)
    await site.prove("reversed")
    await site.world.state.judge.once()
    assert (await site.judged()).breach_s == 0, "what was export is import"


async def test_a_control_that_was_withdrawn_bounds_until_then_and_no_more(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 900)
    await site.operator.change("POST", "/controls/latest/cancel", {})
    site.world.advance(NOON + 1800)
    await site.post([(minute, 300, 4000) for minute in range(0, 30, 5)])
    await site.settle()
    assert await site.states() == [(0, 15, "breach"), (15, 30, "ok")]


async def test_an_opt_out_counts_as_not_obeying(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 60)
    mrid = (await site.operator.get("/controls/latest"))["mrid"]
    lfdi, one = site.world.ids.lfdis["one"], site.world.ids.devices["one"]
    answer = (
        f"<createdDateTime>{NOON + 60}</createdDateTime><endDeviceLFDI>{lfdi}</endDeviceLFDI><status>4</status>"
        f"<subject>{mrid}</subject>"
    )
    reply = await site.raw.post(f"/edev/{one}/rsps/1/rsp", document("DERControlResponse", answer))
    assert reply.status == 201
    site.world.advance(NOON + 1800)
    await site.post([(minute, 300, 1000) for minute in range(0, 30, 5)])
    await site.settle()
    total = await site.judged()
    assert (total.opted_out_s, total.obedience) == (1800, 0.0)


async def test_what_a_profile_can_not_carry_is_exempt(desk):
    """sunny's profile carries import limits, a US client's does not."""
    site = await Site.open(desk)
    control = {"start": NOON, "duration": 7200, "limits": {"import_w": 500}}
    body = {"controls": [control], "reason": "test", "anyway": True}
    await site.operator.change("POST", "/connections/NMI1/controls", body)
    async with site.world.state.db.write() as db:
        from sqlalchemy import update

        from sep2.store.tables import client

        await db.run(update(client).where(client.c.name == "sunny").values(profile="csip"))
    site.world.advance(NOON + 1800)  # what was over before is judged from here on, on a busy machine before it posts
    await site.post([(minute, 300, -4000) for minute in range(0, 30, 5)])
    await site.settle()
    async with site.world.state.db.read() as db:
        assert await roll_up(db, Whose(direction="import"), (NOON, NOON + 1800), by="client", local=LOCAL) == []


async def test_intervals_that_were_not_kept_are_listed_with_what_was_allowed(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 1800)
    await site.post()
    await site.settle()
    async with site.world.state.db.read() as db:
        found = await listing_compliance.intervals(db, Whose(), (NOON, NOON + 1800), Keyset(10))
    assert [(row.state, row.allowed_w, row.measured_w, row.place, row.client_name) for row in found.rows] == [
        ("breach", 1500, 1720, "NMI1", "sunny"),
        ("late", 1500, 2300, "NMI1", "sunny"),
    ]


async def test_every_roll_up_adds_up_to_the_same(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 1800)
    await site.post()
    await site.settle(60)
    for span in ((NOON, NOON + 3600), (LOCAL.day_of(NOON), LOCAL.day_of(NOON) + 86_400), (NOW, NOON + 600)):
        async with site.world.state.db.read() as db:
            totals = [
                await roll_up(db, Whose(client="sunny"), span, by=by, local=LOCAL)
                for by in ("connection", "device", "client", "direction", "day", "month", "total")
            ]
        sums = []
        for several in totals:
            one = several[0].sums
            for other in several[1:]:
                one = one.plus(other.sums)
            sums.append(one)
        assert len(set(sums)) == 1, span
        assert sums[0].limited_s > 0


@pytest.mark.parametrize(("ahead_s", "coverage"), [(31, 0.0), (29, 5 / 6)])
async def test_what_a_client_posts_whose_clock_is_off_is_unknown(desk, ahead_s, coverage):
    site = await Site.open(desk)
    lfdi = site.world.people.lfdi("sunny")
    for number in range(3):
        site.world.state.seen.sent(lfdi, What.ANSWER, written=site.world.clock.now() + ahead_s)
        site.world.advance(NOW + 40 * (number + 1))
    await site.raw.get("/dcap")
    await site.world.state.seen.write()
    await site.limit()
    site.world.advance(NOON + 1800)
    await site.post()
    await site.settle()
    assert (await site.judged()).coverage == pytest.approx(coverage)


async def test_two_meters_that_disagree_leave_the_interval_unknown(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 1800)
    await site.post()
    other = await mirror(site.raw, site.world.ids.lfdis["one"], "0A09", types={"0C09": reading_type(W)})
    await site.operator.change(
        "PUT", f"/mirrors/{other.rpartition('/')[2]}/reading-sign", {"reading_sign": "as-posted"}
    )
    await post(site.raw, other, "0C09", read("71", NOON, [(300, -3650), (300, -2150)]))
    await site.settle()
    assert (await site.states())[:2] == [(0, 5, "ok"), (5, 10, "unknown")]
    assert await site.disputed() == {}, "one interval"
    later = NOON + 1800
    site.world.advance(later + 900)
    await site.post([(30, 300, 1500), (35, 300, 1500)])
    await post(site.raw, other, "0C09", read("72", later, [(300, -900), (300, -900)]))
    await site.settle(40)
    sunny = site.world.people.lfdi("sunny")
    assert await site.disputed() == {sunny: "at NMI1: two meters do not measure the same"}
    site.world.advance(later + 86_400 + 3600)
    await site.settle((86_400 + 3600 + 1800) // 60)
    assert await site.disputed() == {}


async def test_a_device_beside_the_holder_is_judged_by_its_own_meter_and_its_own_limit(desk):
    site = await Site.open(desk)
    world, operator = desk
    body = {"lfdi": "BE" * 20, "client": "sunny", "connection_id": "NMI1", "holds_net_limit": False}
    await operator.change("POST", "/devices", body)
    await operator.change("PUT", f"/groups/device {'BE' * 20}/default", {"limits": {"gen_w": 1000}})
    at = await mirror(site.raw, "BE" * 20, "0A07", flags=DER, types={"0C07": reading_type(W)})
    await operator.change("PUT", f"/mirrors/{at.rpartition('/')[2]}/reading-sign", {"reading_sign": "as-posted"})
    world.advance(NOON + 600)
    await post(site.raw, at, "0C07", read("72", NOON, [(300, -900), (300, -2000)]))
    await site.settle(10)
    async with world.state.db.read() as db:
        found = await roll_up(db, Whose(direction="generation"), (NOON, NOON + 600), by="device", local=LOCAL)
    (one,) = [one for one in found if one.name == "BE" * 20]
    assert (one.sums.ok_s, one.sums.breach_s) == (300, 300)


async def test_a_day_on_which_another_client_takes_over_is_judged_for_each_of_them(desk):
    """What was kept before is the former client's, also when it is known late; the interval between is neither's."""
    site = await Site.open(desk)
    await site.limit()
    await desk.operator.change("POST", "/clients", {"name": "Mistral", "lfdi": "B7" * 20})
    site.world.advance(NOON + 12 * 60)
    await site.post(POSTED[:2])
    lfdi = site.world.ids.lfdis["one"]
    await desk.operator.change("PUT", f"/devices/{lfdi}/client", {"client": "Mistral"})
    await site.settle()
    assert await _by_client(desk) == {"sunny": (300, 300, 66.7), "Mistral": (0, 0, 0.0)}
    assert (10, 15, "unknown") not in await site.states()
    await desk.operator.change("POST", "/clients/sunny/rename", {"name": "Sun"})
    await site.settle(40)
    assert await _by_client(desk) == {"Sun": (300, 300, 66.7), "Mistral": (0, 0, 0.0)}


async def _by_client(desk):
    """Seconds kept and not kept, and energy beyond, by the client that acted for the device."""
    asked = {"by": "client", "from": str(NOON), "until": str(NOON + 3600), "direction": "export"}
    rows = (await desk.operator.get("/compliance", **asked))["items"]
    sums = {row["name"]: (row["ok_s"], row["late_s"] + row["breach_s"], round(row["breach_wh"], 1)) for row in rows}
    return {name: said for name, said in sums.items() if name not in ("gale", "roof")}
