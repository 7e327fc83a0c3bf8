"""Controls as clients see them through their life, by the server's clock."""

import asyncio
import contextlib

import pytest
from sqlalchemy import update

from sep2.operations import clients, groups
from sep2.operations.controls import NewControl, cancel_control, issue_controls
from sep2.operations.defaults import set_default
from sep2.rules.limits import Limits
from sep2.store.tables import client
from tests.raw import Raw, document
from tests.server.world import NOW, World

SCHEDULED, ACTIVE, CANCELLED, SUPERSEDED = 0, 1, 2, 4


class Program:
    """One device's program, as its client sees it."""

    def __init__(self, world: World, raw: Raw, device: str = "one", group: str = "feeder") -> None:
        self.world = world
        self.raw = raw
        self.group_id = world.ids.groups[group]
        self.lfdi = world.ids.lfdis[device]
        self.path = f"/edev/{world.ids.devices[device]}/derp/{self.group_id}"
        self.answers = f"/edev/{world.ids.devices[device]}/rsps/1/rsp"

    async def issue(self, start: int, duration: int, *, now: int | None = None, **limits: int) -> int:
        """A control by hand; its id."""
        control = NewControl(start=start, duration=duration, limits=Limits(**(limits or {"export_w": start % 1000})))
        return await self.issue_many([control], now)

    async def issue_many(self, controls: list[NewControl], now: int | None = None) -> int:
        async with self.world.state.db.write() as db:
            issued = await issue_controls(db, self.group_id, controls, now or self.world.clock.now())
        return (*issued.created, *issued.kept)[-1]

    async def cancel(self, control: int) -> None:
        async with self.world.state.db.write() as db:
            await cancel_control(db, control, self.world.clock.now())

    async def statuses(self, at: int | None = None) -> list[int]:
        """The currentStatus of every control in the list, in its order."""
        if at is not None:
            self.world.advance(at)
        listed = await self.raw.get(f"{self.path}/derc?l=255")
        return [int(status) for status in listed.texts("DERControl/EventStatus/currentStatus")]

    async def active(self) -> list[str]:
        """The mRIDs that the active list shows; its length is what the program's link says."""
        listed = await self.raw.get(f"{self.path}/actderc?l=255")
        (link,) = (await self.raw.get(self.path)).all("ActiveDERControlListLink")
        assert link.attrib["all"] == listed.xml.attrib["all"]
        return listed.texts("DERControl/mRID")

    async def speak(self, profile: str) -> None:
        """Have the client's stored profile be another one."""
        async with self.world.state.db.write() as db:
            await db.run(update(client).values(profile=profile))

    async def answer(self, mrid: str, status: int) -> int:
        said = f"<endDeviceLFDI>{self.lfdi}</endDeviceLFDI><status>{status}</status><subject>{mrid}</subject>"
        return (await self.raw.post(self.answers, document("DERControlResponse", said))).status


@pytest.fixture
def world(either_world):
    """On each kind of database."""
    return either_world


@pytest.fixture
async def program(world: World) -> Program:
    return Program(world, await world.as_("sunny"))


async def test_a_control_begins_and_ends_by_itself(program):
    await program.issue(NOW + 100, 50)
    assert await program.statuses() == [SCHEDULED]
    assert await program.statuses(NOW + 99) == [SCHEDULED]
    assert await program.active() == []
    assert await program.statuses(NOW + 100) == [ACTIVE]
    assert len(await program.active()) == 1
    assert await program.statuses(NOW + 149) == [ACTIVE]
    assert await program.statuses(NOW + 150) == [ACTIVE]
    assert await program.active() == []
    assert await program.statuses(NOW + 159) == [ACTIVE]
    assert await program.statuses(NOW + 160) == []


async def test_what_a_control_says_never_changes_but_its_status(program):
    control = await program.issue(NOW + 100, 50)
    path = f"{program.path}/derc/{control}"

    async def said() -> list[tuple[str, str]]:
        xml = (await program.raw.get(path)).xml
        return [
            (part.tag, part.text or "")
            for part in xml.iter()
            if "Status" not in part.tag and "dateTime" not in part.tag
        ]

    first = await said()
    await program.issue(NOW + 120, 200, export_w=7)
    for at in (NOW + 100, NOW + 130):
        program.world.advance(at)
        assert await said() == first
    assert await program.statuses() == [SUPERSEDED, ACTIVE]


async def test_a_scheduled_control_is_superseded_when_its_successor_is_created(program):
    """Even if the start is still ten minutes off; one that does not overlap stays."""
    await program.issue_many(
        [NewControl(start=NOW + n * 100, duration=100, limits=Limits(export_w=n)) for n in (6, 7, 8)]
    )
    program.world.advance(NOW + 5)
    await program.issue(NOW + 710, 50, export_w=1)
    # What is left of it before and after its successor is issued anew.
    assert await program.statuses() == [SCHEDULED, SCHEDULED, SUPERSEDED, SCHEDULED, SCHEDULED, SCHEDULED]
    assert await program.statuses(NOW + 799) == [SUPERSEDED, ACTIVE, SCHEDULED]
    assert await program.statuses(NOW + 810) == [ACTIVE]


async def test_an_active_control_stays_active_until_its_successor_starts(program):
    await program.issue(NOW, 100, export_w=1)
    program.world.advance(NOW + 10)
    await program.issue(NOW + 50, 100, export_w=2)
    assert await program.statuses() == [ACTIVE, SCHEDULED]
    assert len(await program.active()) == 1
    assert await program.statuses(NOW + 50) == [SUPERSEDED, ACTIVE]
    assert len(await program.active()) == 1


async def test_controls_that_ask_for_different_things_stand_beside_each_other(program):
    await program.issue(NOW, 100, export_w=1)
    program.world.advance(NOW + 1)
    await program.issue(NOW + 1, 50, import_w=2)
    assert await program.statuses() == [ACTIVE, ACTIVE]


async def test_one_that_starts_as_the_other_ends(program):
    await program.issue(NOW, 100, export_w=1)
    program.world.advance(NOW + 1)
    await program.issue(NOW + 100, 100, export_w=2)
    assert await program.statuses() == [ACTIVE, SCHEDULED]
    assert await program.statuses(NOW + 100) == [ACTIVE, ACTIVE]
    assert len(await program.active()) == 1
    assert await program.statuses(NOW + 110) == [ACTIVE]


async def test_a_cancelled_control_is_listed_until_its_end(program):
    control = await program.issue(NOW + 10, 100)
    await program.cancel(control)
    assert await program.statuses() == [CANCELLED]
    assert await program.statuses(NOW + 119) == [CANCELLED]
    assert await program.active() == []
    assert await program.statuses(NOW + 120) == []


@pytest.mark.parametrize(("profile", "first"), [("csip-aus-1.2", SUPERSEDED), ("csip", SUPERSEDED)])
async def test_what_a_cancelled_successor_had_replaced_is_issued_anew(program, profile, first):
    """A client that was shown 4 has dropped the control for good; none has to take it up again."""
    await program.speak(profile)
    await program.issue(NOW + 100, 100, export_w=1)
    program.world.advance(NOW + 1)
    successor = await program.issue(NOW + 100, 100, export_w=2)
    assert await program.statuses() == [SCHEDULED, SUPERSEDED if profile != "csip" else SCHEDULED]
    await program.cancel(successor)
    assert await program.statuses(NOW + 150) == [ACTIVE, CANCELLED, first]
    assert len(await program.active()) == 1


async def test_randomization_is_served_as_it_was_said(program):
    """Status is Active from the earliest start, and the control listed until after its latest end."""
    control = NewControl(
        start=NOW + 100, duration=60, limits=Limits(export_w=1), randomize_start=-30, randomize_duration=20
    )
    await program.issue_many([control])
    listed = await program.raw.get(f"{program.path}/derc?l=1")
    assert listed.texts("DERControl/randomizeStart") == ["-30"]
    assert listed.texts("DERControl/randomizeDuration") == ["20"]
    assert await program.statuses(NOW + 69) == [SCHEDULED]
    assert await program.statuses(NOW + 70) == [ACTIVE]
    assert await program.statuses(NOW + 179) == [ACTIVE]
    assert await program.statuses(NOW + 189) == [ACTIVE]
    assert await program.statuses(NOW + 190) == []


async def test_everything_a_client_needs_to_answer_is_there(program):
    await program.issue(NOW + 10, 100)
    listed = await program.raw.get(f"{program.path}/derc?l=1")
    (control,) = listed.all("DERControl")
    assert (control.attrib["responseRequired"], control.attrib["replyTo"]) == ("03", program.answers)
    assert listed.texts("DERControl/creationTime") == [str(NOW)]
    status = {part.tag.rpartition("}")[2]: part.text for part in control.find("{*}EventStatus")}
    assert status == {"currentStatus": "0", "dateTime": str(NOW), "potentiallySuperseded": "false"}


@pytest.mark.parametrize("fate", ["completed", "cancelled", "superseded"])
async def test_answers_are_taken_also_when_the_control_is_gone(program, fate):
    control = await program.issue(NOW, 100, export_w=1)
    mrid = (await program.raw.get(f"{program.path}/derc/{control}")).texts("mRID")[0]
    assert [await program.answer(mrid, status) for status in (1, 2)] == [201, 201]
    program.world.advance(NOW + 10)
    if fate == "cancelled":
        await program.cancel(control)
    if fate == "superseded":
        await program.issue(NOW + 20, 20, export_w=2)
    assert await program.statuses(NOW + 5000) == []
    last = {"completed": 3, "cancelled": 6, "superseded": 7}[fate]
    assert await program.answer(mrid, last) == 201
    assert await program.answer(mrid.lower(), last) == 201
    found = await program.raw.get(f"{program.answers}?l=9")
    assert sorted(found.texts("Response/status")) == sorted(["1", "2", str(last), str(last)])


async def test_other_answers_are_taken_too(program):
    """Stored, and never a failure of ours."""
    others = [4, 5, 8, 9, 10, 11, 12, 13, 14, 252, 253, 254]
    control = await program.issue(NOW, 100)
    mrid = (await program.raw.get(f"{program.path}/derc/{control}")).texts("mRID")[0]
    assert [await program.answer(mrid, status) for status in others] == [201] * len(others)


async def test_a_default_is_readable_before_anybody_set_one(program):
    """With the utility's own limit of export, and nothing else."""
    default = await program.raw.get(f"{program.path}/dderc")
    assert (default.status, len(default.all("DERControlBase")[0])) == (200, 1)
    assert default.texts("DERControlBase/opModExpLimW/value") == ["1500"]
    async with program.world.state.db.write() as db:
        await set_default(db, program.group_id, Limits(export_w=1400), now=NOW)
    changed = await program.raw.get(f"{program.path}/dderc")
    assert changed.texts("DERControlBase/opModExpLimW/value") == ["1400"]
    assert changed.texts("mRID") == default.texts("mRID")
    assert changed.texts("version") > default.texts("version")


async def test_a_program_that_a_device_has_left_is_gone(program):
    await program.issue(NOW, 100)
    async with program.world.state.db.write() as db:
        await groups.unassign(db, program.group_id, program.world.ids.devices["one"], NOW)
    for path in ("", "/derc", "/dderc", "/actderc"):
        assert (await program.raw.get(f"{program.path}{path}")).status == 404
    listed = await program.raw.get(f"/edev/{program.world.ids.devices['one']}/fsa?l=9")
    assert listed.number("all") == 4


async def test_withdrawn_access_holds_from_the_next_request_on(program):
    """No cache; the connection that is open already is no way round it, and is soon closed."""
    assert (await program.raw.get("/edev")).status == 200
    async with program.world.state.db.write() as db:
        await clients.set_client_access(db, program.world.ids.clients["sunny"], False)
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        assert (await program.raw.get("/edev")).status == 404
    for path in ("/edev", "/dcap", program.path, "/mup"):
        assert (await (await program.world.as_("sunny")).get(path)).status == 404
    program.raw = await program.world.as_("sunny")
    assert await program.answer("AA", 1) in (403, 404)


async def test_us_clients_see_percent_and_no_extension(world):
    """One control, rendered per profile with equal mRIDs."""
    program = Program(world, await world.as_("roof"), "roof", "NMI4")
    await program.speak("csip")
    settings = "<setGradW>1</setGradW><setMaxW><multiplier>0</multiplier><value>8000</value></setMaxW>"
    der = f"/edev/{world.ids.devices['roof']}/der/1/derg"
    body = document("DERSettings", f"{settings}<updatedTime>{NOW}</updatedTime>").replace(
        ' xmlns:csipaus="https://csipaus.org/ns"', ""
    )
    assert (await program.raw.put(der, body)).status in (201, 204)
    await program.issue(NOW, 100, import_w=3000, export_w=1999)
    listed = await program.raw.get(f"{program.path}/derc?l=9")
    assert b"csipaus" not in listed.body
    assert listed.texts("DERControl/DERControlBase/opModMaxLimW") == ["2498"]  # 24.98 % of 8000 W is 1998.4 W
    assert await program.statuses() == [ACTIVE]
