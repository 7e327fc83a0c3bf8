"""An operator's override and the engine's rounds, as a client sees them over mutual TLS."""

import pytest

from sep2.operations import backstops
from sep2.operations.overrides import NewOverride, Terms, send
from sep2.operations.releasing import release
from sep2.operations.schedules import Wanted, issue_schedules
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, groups, overrides
from tests.ports import free_port
from tests.receiver import Receiver
from tests.server.test_subscriptions import Subscriber
from tests.server.world import NOW

STEP = 300


class Watched:
    """One device's programs, as its client reads them, and the operator and the engine above them."""

    def __init__(self, world, raw):
        self.world, self.raw = world, raw
        self.device = f"/edev/{world.ids.devices['one']}"

    async def publish(self, now, *watts):
        first = now - (now - NOW) % STEP
        wanted = [Interval(first + k * STEP, first + (k + 1) * STEP, Limits(9000, w)) for k, w in enumerate(watts)]
        async with self.world.state.db.write() as db:
            await issue_schedules(db, [Wanted(self.world.ids.groups["NMI1"], wanted)], now, source="envelope")

    async def override(self, now, export_w, end):
        async with self.world.state.db.write() as db:
            place = await connections.by_name(db, "NMI1")
            new = NewOverride(
                scope="connection", subject="NMI1", subject_id=place.id, limits=Limits(export_w=export_w), start=now,
                end=end, reason="overload",
            )  # fmt: skip
            return (await send(db, new, now, Terms())).id

    async def backstop(self, now, end):
        self.world.advance(now)
        async with self.world.state.db.write() as db:
            new = NewOverride(
                scope="system", subject="", subject_id=0, limits=backstops.LIMITS["export"], start=now, end=end,
                reason="emergency", kind="backstop",
            )  # fmt: skip
            return (await backstops.start(db, new, now, Terms(spread_s=0))).id

    async def seen(self):
        """All mRIDs of controls that the device can read."""
        found = set()
        for fsa in (await self.raw.get(f"{self.device}/fsa?l=255")).all("FunctionSetAssignments"):
            programs = await self.raw.get(fsa.find("{*}DERProgramListLink").attrib["href"] + "?l=255")
            for program in programs.all("DERProgram"):
                path = program.find("{*}DERControlListLink").attrib["href"]
                found |= set((await self.raw.get(f"{path}?l=255")).texts("DERControl/mRID"))
        return found

    async def active(self, at):
        """The mRID and the export limit of what is active in the first program where anything is."""
        self.world.advance(at)
        listed = await self.raw.get(f"{self.device}/fsa?l=255")
        found = []
        for fsa in listed.all("FunctionSetAssignments"):
            programs = await self.raw.get(fsa.find("{*}DERProgramListLink").attrib["href"] + "?l=255")
            for program in programs.all("DERProgram"):
                path = program.find("{*}ActiveDERControlListLink").attrib["href"]
                controls = await self.raw.get(f"{path}?l=255")
                for control in controls.all("DERControl"):
                    limit = control.find("{*}DERControlBase/{*}opModExpLimW")
                    watts = int(limit.findtext("{*}value")) * 10 ** int(limit.findtext("{*}multiplier"))
                    found.append((int(program.findtext("{*}primacy")), control.findtext("{*}mRID"), watts))
        return min(found)

    async def listed(self):
        """All mRIDs of the envelope's program."""
        own = self.world.ids.groups["NMI1"]
        return set((await self.raw.get(f"{self.device}/derp/{own}/derc?l=255")).texts("DERControl/mRID"))


@pytest.fixture
async def watched(either_world):
    return Watched(either_world, await either_world.as_("sunny"))


async def test_the_override_is_active_after_every_round_and_the_envelope_is_from_its_end_on(watched):
    await watched.publish(NOW, *[3000] * 12)
    await watched.override(NOW + 10, 0, NOW + 1510)
    for number in range(1, 6):
        await watched.publish(NOW + number * STEP, *[3000 + number] * 12)
        assert (await watched.active(NOW + number * STEP))[::2] == (1, 0)
    assert (await watched.active(NOW + 1509))[::2] == (1, 0)
    known = await watched.raw.get(f"{watched.device}/derp/{watched.world.ids.groups['NMI1']}/actderc?l=255")
    primacy, mrid, watts = await watched.active(NOW + 1510)
    assert (primacy, watts, mrid in known.texts("DERControl/mRID")) == (4, 3005, False)


async def test_a_release_shows_what_was_below_at_once_and_anew(watched):
    await watched.publish(NOW, *[3000] * 12)
    number = await watched.override(NOW + 10, 0, NOW + 3000)
    known = await watched.listed()
    watched.world.advance(NOW + 600)
    async with watched.world.state.db.write() as db:
        await release(db, number, NOW + 600)
    primacy, mrid, watts = await watched.active(NOW + 600)
    assert (primacy, watts, mrid in known) == (4, 3000, False)


async def test_a_subscriber_is_told_of_an_override_once(people, world):
    """The program is there before anything is said in it, so it can be subscribed to."""
    raw = await world.as_("sunny")
    watched = Watched(world, raw)
    await watched.publish(NOW, *[3000] * 12)
    await world.settle()
    async with world.state.db.read() as db:
        place = await connections.by_name(db, "NMI1")
        over = await groups.of_connection(db, place.id, "override")
    resource = f"{watched.device}/derp/{over.id}/derc"
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as receiver:
        sunny = Subscriber(world, raw, (await raw.get("/edev")).href("EndDevice"), receiver)
        assert (await sunny.to(resource)).status == 201
        await watched.override(NOW, 0, NOW + 600)
        world.state.wake()
        await world.settle()
        assert [notice.text("subscribedResource") for notice in receiver.taken] == [resource]


async def test_a_backstop_is_one_control_that_goes_before_all_and_what_was_below_holds_again(watched):
    """Zero export for the whole system, over an override, an envelope and rounds of the engine."""
    await watched.publish(NOW, *[3000] * 12)
    await watched.override(NOW + 10, 500, NOW + 3000)
    number = await watched.backstop(NOW + 60, NOW + 1260)
    async with watched.world.state.db.read() as db:
        (_,) = await overrides.control_ids(db, number)
    assert (await watched.active(NOW + 61))[::2] == (0, 0)
    for later in range(1, 4):
        await watched.publish(NOW + later * STEP, *[3000 + later] * 12)
        assert (await watched.active(NOW + later * STEP))[::2] == (0, 0)
    known = await watched.seen()
    watched.world.advance(NOW + 1000)
    async with watched.world.state.db.write() as db:
        await release(db, number, NOW + 1000, spread_s=0)
    primacy, mrid, watts = await watched.active(NOW + 1000)
    assert (primacy, watts, mrid in known) == (1, 500, False)


async def test_a_subscriber_is_told_of_the_backstop_once(people, world):
    """Its program stands, once it is prepared, in what every device follows."""
    raw = await world.as_("sunny")
    watched = Watched(world, raw)
    async with world.state.db.write() as db:
        group, is_new = await backstops.prepare(db, None, NOW)
    assert is_new
    await world.settle()
    resource = f"{watched.device}/derp/{group.id}/derc"
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as receiver:
        sunny = Subscriber(world, raw, (await raw.get("/edev")).href("EndDevice"), receiver)
        assert (await sunny.to(resource)).status == 201
        await watched.backstop(NOW, NOW + 600)
        world.state.wake()
        await world.settle()
        assert [notice.text("subscribedResource") for notice in receiver.taken] == [resource]
