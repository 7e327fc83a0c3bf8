"""Curves as devices find them: the curve-based functions of CSIP, by default and by event."""

import pytest
from sqlalchemy import Engine, event

from sep2.operations.controls import NewControl, cancel_control, issue_controls
from sep2.operations.curves import CurveInUse, UnknownCurve, create_curve, remove_curve
from sep2.operations.defaults import Beside, set_default
from sep2.operations.groups import unassign
from sep2.operations.modes import BadMode
from sep2.rules.curves import MODES, Curve, Point
from sep2.rules.limits import Limits
from sep2.store.retention import forget
from tests.ports import free_port
from tests.raw import Raw, Reply
from tests.receiver import Receiver
from tests.server.test_subscriptions import Subscriber
from tests.server.world import NOW, World

VOLT_VAR = [Point(92, 44), Point(98, 0), Point(102, 0), Point(108, -44)]
VOLT_WATT = [Point(106, 100), Point(110, 0)]
FREQ_WATT = [Point(60.036, 100), Point(62.2, 0)]
LOW_VOLTAGE, HIGH_VOLTAGE = [Point(2, 45), Point(2, 70), Point(21, 88)], [Point(0.16, 120), Point(13, 110)]
LOW_FREQUENCY, HIGH_FREQUENCY = [Point(0.16, 56.5), Point(300, 58.5)], [Point(0.16, 62), Point(300, 61.2)]


class Program:
    """One device's program, found by its links from /dcap on."""

    def __init__(self, world: World, raw: Raw, path: str) -> None:
        self.world = world
        self.raw = raw
        self.path = path
        self.group_id = world.ids.groups["feeder"]

    @classmethod
    async def found(cls, world: World, name: str = "sunny", device: str = "one") -> "Program":
        raw = await world.as_(name)
        devices = await raw.get((await raw.get("/dcap")).href("EndDeviceListLink") + "?l=9")
        own = next(one for one in devices.all("EndDevice") if world.ids.lfdis[device] in "".join(one.itertext()))
        (assigned,) = own.findall("{*}FunctionSetAssignmentsListLink")
        for assignments in (await raw.get(assigned.attrib["href"] + "?l=9")).all("FunctionSetAssignments"):
            (programs,) = assignments.findall("{*}DERProgramListLink")
            (program,) = (await raw.get(programs.attrib["href"])).all("DERProgram")
            if [mark.text for mark in program.findall("{*}primacy")] == ["50"]:
                return cls(world, raw, program.attrib["href"])
        raise AssertionError("no program of the feeder")

    async def make(self, mode: str, points: list[Point], **more: object) -> int:
        async with self.world.state.db.write() as db:
            curve = Curve(kind=MODES[mode], points=points, **more)
            return (await create_curve(db, self.group_id, curve, self.world.clock.now())).id

    async def default(self, **modes: object) -> None:
        async with self.world.state.db.write() as db:
            beside = Beside(modes=modes)
            await set_default(db, self.group_id, Limits(), now=self.world.clock.now(), beside=beside)

    async def issue(self, start: int, duration: int = 60, **modes: object) -> int:
        async with self.world.state.db.write() as db:
            control = NewControl(start=start, duration=duration, limits=Limits(), modes=modes)
            issued = await issue_controls(db, self.group_id, [control], self.world.clock.now())
        return (*issued.created, *issued.kept)[-1]

    async def remove(self, curve: int) -> None:
        async with self.world.state.db.write() as db:
            await remove_curve(db, curve, self.world.clock.now())

    async def follow(self, link: str, query: str = "?l=255") -> Reply:
        """What one of the program's links leads to."""
        href = (await self.raw.get(self.path)).href(link)
        return await self.raw.get(href + (query if "List" in link else ""))

    async def linked(self, said: Reply, path: str, mode: str) -> Reply:
        """The curve that a mode links to."""
        return await self.raw.get(said.href(f"{path}/{mode}"))


@pytest.fixture
async def program(either_world: World) -> Program:
    """The feeder's, for sunny's device `one`; on each kind of database."""
    return await Program.found(either_world)


def read(curve: Reply) -> tuple[int, list[tuple[float, float]]]:
    """The curveType and the points of a curve."""
    x, y = (10 ** -int(curve.texts(f"{axis}Multiplier")[0]) for axis in "xy")
    pairs = zip(curve.texts("CurveData/xvalue"), curve.texts("CurveData/yvalue"), strict=True)
    return int(curve.texts("curveType")[0]), [(int(one) / x, int(other) / y) for one, other in pairs]


@pytest.mark.parametrize(
    ("why", "kinds"),
    [
        (
            "ride-through by voltage",
            {
                "opModLVRTMustTrip": (10, LOW_VOLTAGE),
                "opModLVRTMayTrip": (8, LOW_VOLTAGE),
                "opModLVRTMomentaryCessation": (9, LOW_VOLTAGE),
                "opModHVRTMustTrip": (5, HIGH_VOLTAGE),
                "opModHVRTMayTrip": (3, HIGH_VOLTAGE),
                "opModHVRTMomentaryCessation": (4, HIGH_VOLTAGE),
            },
        ),
        (
            "ride-through by frequency",
            {
                "opModLFRTMustTrip": (7, LOW_FREQUENCY),
                "opModLFRTMayTrip": (6, LOW_FREQUENCY),
                "opModHFRTMustTrip": (2, HIGH_FREQUENCY),
                "opModHFRTMayTrip": (1, HIGH_FREQUENCY),
            },
        ),
        ("dynamic volt-var", {"opModVoltVar": (11, VOLT_VAR)}),
        ("volt-watt", {"opModVoltWatt": (12, VOLT_WATT)}),
        ("frequency-watt", {"opModFreqWatt": (0, FREQ_WATT)}),
    ],
)
async def test_a_function_is_set_by_default_and_by_event(program, why, kinds):
    """Each mode links to a curve of its own type, readable for the device, in the default and for the interval."""
    curves = {mode: await program.make(mode, points) for mode, (_, points) in kinds.items()}
    await program.default(**curves)
    others = {mode: await program.make(mode, points[1:]) for mode, (_, points) in kinds.items()}
    await program.issue(NOW + 10, **others)
    program.world.advance(NOW + 10)
    default = await program.follow("DefaultDERControlLink")
    controls = await program.follow("DERControlListLink")
    assert controls.texts("DERControl/EventStatus/currentStatus") == ["1"]
    listed = [one.attrib["href"] for one in (await program.follow("DERCurveListLink")).all("DERCurve")]
    for mode, (kind, points) in kinds.items():
        standing = await program.linked(default, "DERControlBase", mode)
        assert read(standing) == (kind, [point[:2] for point in points])
        for_now = await program.linked(controls, "DERControl/DERControlBase", mode)
        assert read(for_now) == (kind, [point[:2] for point in points[1:]])
        assert {standing.xml.attrib["href"], for_now.xml.attrib["href"]} <= set(listed)
    assert len(listed) == 2 * len(kinds)


async def test_frequency_droop_is_set_by_parameters(program):
    droop = {"dBOF": 36, "dBUF": 36, "kOF": 50, "kUF": 50, "openLoopTms": 500}
    await program.default(opModFreqDroop=droop)
    said = await program.follow("DefaultDERControlLink")
    assert {name: said.texts(f"DERControlBase/opModFreqDroop/{name}") for name in droop} == {
        name: [str(value)] for name, value in droop.items()
    }


async def test_one_event_carries_ten_points_and_an_immediate_mode(program):
    curve = await program.make("opModVoltVar", [Point(90 + n, 44 - 8 * n) for n in range(10)], open_loop_tms=500)
    await program.issue(NOW, opModVoltVar=curve, opModMaxLimW=6000)
    controls = await program.follow("DERControlListLink")
    assert controls.texts("DERControl/DERControlBase/opModMaxLimW") == ["6000"]
    linked = await program.linked(controls, "DERControl/DERControlBase", "opModVoltVar")
    assert len(linked.all("CurveData")) == 10
    assert (linked.texts("openLoopTms"), linked.texts("yRefType")) == (["500"], ["2"])


async def test_a_power_factor_says_on_which_side_it_is(program):
    await program.make("opModWattPF", [Point(0, 1, False), Point(100, 0.95, True)])
    (curve,) = (await program.follow("DERCurveListLink")).all("DERCurve")
    assert [one.text for one in curve.findall("{*}CurveData/{*}excitation")] == ["false", "true"]


async def test_of_two_curves_for_one_function_the_later_event_wins_and_another_function_stands_beside_it(program):
    one, other = await program.make("opModVoltVar", VOLT_VAR), await program.make("opModVoltVar", VOLT_VAR[1:])
    watt = await program.make("opModVoltWatt", VOLT_WATT)
    await program.issue(NOW, 100, opModVoltVar=one)
    program.world.advance(NOW + 1)
    await program.issue(NOW + 1, 50, opModVoltWatt=watt)
    program.world.advance(NOW + 2)
    await program.issue(NOW + 2, 50, opModVoltVar=other)
    controls = await program.follow("DERControlListLink")
    # What is left of the first after the later one is issued anew.
    assert controls.texts("DERControl/EventStatus/currentStatus") == ["4", "1", "1", "0"]


async def test_the_same_curve_is_made_once_and_the_newest_is_listed_first(program):
    first = await program.make("opModVoltVar", VOLT_VAR)
    program.world.advance(NOW + 5)
    assert await program.make("opModVoltVar", [Point(float(x), float(y)) for x, y, _ in VOLT_VAR]) == first
    await program.make("opModVoltWatt", VOLT_WATT)
    listed = await program.follow("DERCurveListLink")
    assert listed.texts("DERCurve/creationTime") == [str(NOW + 5), str(NOW)]
    for number, one in enumerate(listed.all("DERCurve")):
        page = await program.follow("DERCurveListLink", f"?s={number}&l=1")
        assert (page.number("all"), page.number("results")) == (2, 1)
        assert page.href("DERCurve") == one.attrib["href"]
        assert read(await program.raw.get(one.attrib["href"]))[0] in (11, 12)
    assert (await program.follow("DERCurveListLink", f"?l=9&a={NOW}")).number("results") == 1
    past_the_end = await program.follow("DERCurveListLink", "?s=2&l=9")
    assert (past_the_end.status, past_the_end.number("all"), past_the_end.number("results")) == (200, 2, 0)


async def test_every_device_finds_the_groups_curves_at_its_own_and_nobody_elses(program):
    """Stored once, served for each device: the same mRID under another href."""
    curve = await program.make("opModVoltVar", VOLT_VAR)
    await program.default(opModVoltVar=curve)
    gale = await Program.found(program.world, "gale", "three")
    shown = []
    for one in (program, gale):
        linked = await one.linked(await one.follow("DefaultDERControlLink"), "DERControlBase", "opModVoltVar")
        assert linked.xml.attrib["href"].startswith(one.path + "/")
        shown.append(linked)
    assert shown[0].texts("mRID") == shown[1].texts("mRID")
    assert (await gale.raw.get(shown[0].xml.attrib["href"])).status == 404
    assert (await gale.raw.get(f"{program.path}/dc")).status == 404
    own = program.path.replace(f"/derp/{program.group_id}", f"/derp/{program.world.ids.groups['NMI1']}")
    assert (await program.raw.get(own)).status == 200
    assert (await program.raw.get(f"{own}/dc/{curve}")).status == 404, "it is of another program"
    async with program.world.state.db.write() as db:
        await unassign(db, program.group_id, program.world.ids.devices["one"], NOW)
    assert (await program.raw.get(shown[0].xml.attrib["href"])).status == 404


async def test_clients_only_read_curves(program):
    curve = await program.make("opModVoltVar", VOLT_VAR)
    for path in (f"{program.path}/dc", f"{program.path}/dc/{curve}"):
        refused = await program.raw.put(path, "<DERCurve/>")
        assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("mode", "refusal"),
    [
        ("opModVoltWatt", "is of type opModVoltVar"),
        ("opModVoltVar", None),
    ],
)
async def test_a_mode_takes_a_curve_of_its_own_type(program, mode, refusal):
    curve = await program.make("opModVoltVar", VOLT_VAR)
    for say in (lambda: program.default(**{mode: curve}), lambda: program.issue(NOW, **{mode: curve})):
        if refusal is None:
            await say()
            continue
        with pytest.raises(BadMode, match=refusal):
            await say()


@pytest.mark.parametrize("curve", [0, 7, 2**70, -1, True, "1", None, {}, [1]])
async def test_what_is_no_curve_of_the_program_is_refused(program, curve):
    async with program.world.state.db.write() as db:
        other = program.world.ids.groups["NMI1"]
        elsewhere = await create_curve(db, other, Curve(kind=MODES["opModVoltVar"], points=VOLT_VAR), NOW)
    for said in (curve, elsewhere.id):
        with pytest.raises(BadMode):
            await program.default(opModVoltVar=said)
        with pytest.raises(BadMode):
            await program.issue(NOW, opModVoltVar=said)


async def test_a_curve_in_use_stays_and_one_that_is_not_goes(program):
    """A control that is cancelled is shown until its end, and so is its link; then only who knows it still reads it."""
    curve = await program.make("opModVoltVar", VOLT_VAR)
    await program.default(opModVoltVar=curve)
    with pytest.raises(CurveInUse, match="the default"):
        await program.remove(curve)
    await program.default()
    control = await program.issue(NOW, opModVoltVar=curve)
    async with program.world.state.db.write() as db:
        await cancel_control(db, control, NOW)
    with pytest.raises(CurveInUse, match="control"):
        await program.remove(curve)
    program.world.advance(NOW + 60)
    await program.remove(curve)
    assert (await program.follow("DERCurveListLink")).number("all") == 0
    past = await program.raw.get(f"{program.path}/derc/{control}")
    assert (await program.linked(past, "DERControlBase", "opModVoltVar")).status == 200
    with pytest.raises(UnknownCurve):
        await program.remove(curve)
    with pytest.raises(BadMode):
        await program.default(opModVoltVar=curve)
    assert await program.make("opModVoltVar", VOLT_VAR) != curve


async def test_a_removed_curve_is_forgotten_after_the_controls_that_linked_to_it(program):
    curve = await program.make("opModVoltVar", VOLT_VAR)
    await program.issue(NOW, opModVoltVar=curve)
    program.world.advance(NOW + 60)
    await program.remove(curve)
    kept = await program.make("opModVoltWatt", VOLT_WATT)

    async def forgotten(before: int) -> list[int]:
        async with program.world.state.db.write() as db:
            await forget(db, responses=before, controls=before, readings=before, log_events=before)
        return [(await program.raw.get(f"{program.path}/dc/{one}")).status for one in (curve, kept)]

    assert await forgotten(NOW + 60) == [200, 200]
    assert await forgotten(NOW + 61) == [404, 200]


async def test_publishing_limits_leaves_the_curves_of_a_default_alone(program):
    """As an engine does every few minutes."""
    await program.default(opModVoltVar=await program.make("opModVoltVar", VOLT_VAR))
    async with program.world.state.db.write() as db:
        assert await set_default(db, program.group_id, Limits(export_w=1500), now=NOW)
    said = await program.follow("DefaultDERControlLink")
    assert len(said.all("DERControlBase/opModVoltVar")) == len(said.all("DERControlBase/opModExpLimW")) == 1


async def test_what_a_default_says_of_entering_service(program):
    said = {"setESDelay": 30_000, "setESHighFreq": 6010, "setESHighVolt": 10_500, "setESRandomDelay": 100}
    async with program.world.state.db.write() as db:
        await set_default(db, program.group_id, Limits(), now=NOW, beside=Beside(enter_service=said, set_grad_w=100))
    shown = await program.follow("DefaultDERControlLink")
    assert {name: shown.texts(name) for name in said} == {name: [str(value)] for name, value in said.items()}
    assert shown.texts("setGradW") == ["100"]
    with pytest.raises(BadMode, match="'setFaster' is none of"):
        async with program.world.state.db.write() as db:
            await set_default(db, program.group_id, Limits(), now=NOW, beside=Beside(enter_service={"setFaster": 1}))


async def test_who_follows_a_program_learns_that_it_has_another_curve(world, people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as receiver:
        raw = await world.as_("sunny")
        sunny = Subscriber(world, raw, (await raw.get("/edev")).href("EndDevice"), receiver)
        program = await Program.found(world)
        assert (await sunny.to(program.path)).status == 201
        assert (await sunny.to(f"{program.path}/dc")).status >= 400, "the schema lets nobody subscribe to curves"
        await program.make("opModVoltVar", VOLT_VAR)
        world.state.wake()
        notice = await receiver.wait()
        assert notice.kind == "DERProgram"


async def test_a_list_of_controls_with_curves_takes_two_statements_and_one_that_says_how_long_it_holds(world):
    program = await Program.found(world)
    for number in range(5):
        await program.issue(NOW + 60 * number, opModVoltVar=await program.make("opModVoltVar", [Point(90 + number, 0)]))
    statements: list[str] = []
    counts = []

    @event.listens_for(Engine, "before_cursor_execute")
    def note(*said: object) -> None:
        statements.append(str(said[2]))

    world.state.db.preparing.is_off = True  # each is run by SQLAlchemy then, which tells of it
    try:
        for number in range(5):  # another page each time: what was asked before is not asked of the database again
            statements.clear()
            assert len((await program.raw.get(f"{program.path}/derc?l={251 + number}")).all("DERControl")) == 5
            counts.append(sum(said.startswith("SELECT") for said in statements))
    finally:
        world.state.db.preparing.is_off = False
        event.remove(Engine, "before_cursor_execute", note)
    # The notifier may still be at work beside a request: the least of several is the request's own.
    assert min(counts) == 3
