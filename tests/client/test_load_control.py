"""A charger behind our client follows demand response as the server sends it: by polling and by notification."""

import pytest

from sep2.client import Rating
from sep2.client.controls import LOAD_LIMIT, load_control_of
from sep2.client.device import State
from sep2.operations.clients import change_client
from sep2.operations.controls import NewControl, cancel_control
from sep2.operations.devices import set_device
from sep2.operations.reported import said
from sep2.rules.limits import Limits
from sep2.store import tables as t
from sep2.store.seen_tables import document_history
from sep2.wire import DateTimeInterval as Interval
from sep2.wire import DeviceCategoryType, DutyCycle, EndDeviceControl, EventStatus, HexBinary, Offset, Profile
from tests.client.conftest import Connect, Inverter
from tests.client.test_against_server import answers, do, issue, rows, step
from tests.server.world import NOW, World

MOST_W = 7200
EVENT = NewControl(start=NOW + 600, duration=600, limits=Limits(load_w=1440, gen_w=500))


def charger() -> Inverter:
    category = int(DeviceCategoryType.EVSE)
    return Inverter(Rating(max_w=1000, max_charge_w=MOST_W, category=category, has_site_meter=False))


async def american(world: World) -> str:
    """The LFDI of gale's `three`, which follows EndDeviceControls."""
    await do(world, change_client, world.ids.clients["gale"], {"profile": "csip"}, NOW)
    await do(world, set_device, world.ids.devices["three"], {"load_control_w": MOST_W}, NOW)
    return world.ids.lfdis["three"]


def loads(device: Inverter) -> list[tuple[int, float | None]]:
    found = [(at - NOW, limits.load_limit_w) for at, limits in device.told]
    return [one for one, before in zip(found, [(0, -1.0), *found], strict=False) if one[1] != before[1]]


@pytest.mark.parametrize("subscribes", [False, True])
async def test_a_charger_is_curtailed_and_let_go_again(world: World, connect: Connect, subscribes: bool) -> None:
    lfdi = await american(world)
    device = charger()
    client = await connect("gale", {lfdi: device}, subscribes=subscribes, profile=Profile.CSIP)
    await client.advance()
    event = await issue(world, "feeder", EVENT)
    while client.next_due() <= NOW + 1500:
        await step(world, client, client.next_due() - NOW)
    assert loads(device) == [(0, None), (600, pytest.approx(1440)), (1200, None)]
    assert client.refused == 0
    # It answers for what bounds its generation and for what bounds its load.
    told = {(control, status) for control, status, _ in await answers(world)}
    assert told == {(event, status) for status in (1, 2, 3)}
    subjects = [row.subject for row in await rows(world, t.response)]
    assert len([one for one in subjects if one is not None]) == 3
    if subscribes:
        followed = {row.resource for row in await rows(world, t.subscription)}
        assert {"DemandResponseProgramList", "EndDeviceControlList"} <= followed


async def test_a_cancelled_event_ends_at_once_and_the_plan_says_so(world: World, connect: Connect) -> None:
    lfdi = await american(world)
    device = charger()
    client = await connect("gale", {lfdi: device}, profile=Profile.CSIP)
    await client.advance()
    event = await issue(world, "feeder", EVENT)
    await step(world, client, 300)
    ahead = [(one.start - NOW, one.limits.load_limit_w) for one in client.plan(lfdi, NOW + 1200)]
    assert ahead == [(300, None), (600, pytest.approx(1440))]
    await step(world, client, 600)
    await do(world, cancel_control, event, NOW + 610)
    await step(world, client, 900)
    assert loads(device)[-2:] == [(600, pytest.approx(1440)), (900, None)]


async def test_what_could_be_shed_is_told_once_it_differs_enough(world: World, connect: Connect) -> None:
    class Offering(Inverter):
        sheddable_w = 5000.0

        def state(self, now: int) -> State:
            return State(sheddable_w=self.sheddable_w, sheddable_for_s=900)

    async def known() -> list[int]:
        kept = [row for row in await rows(world, document_history) if row.kind == "LoadShedAvailability"]
        return [said(row.kind, bytes(row.body))["sheddablePower"] for row in kept]

    lfdi = await american(world)
    device = Offering(charger().rating)
    client = await connect("gale", {lfdi: device}, profile=Profile.CSIP)
    for at, watts in enumerate((5000, 4900, 4000, 4000)):
        device.sheddable_w = watts
        await step(world, client, 400 * at)
    assert await known() == [5000, 4000]


async def test_who_draws_nothing_does_not_follow_load_control(world: World, connect: Connect) -> None:
    lfdi = await american(world)
    device = Inverter(Rating(max_w=1000, has_site_meter=False))
    client = await connect("gale", {lfdi: device}, profile=Profile.CSIP)
    await issue(world, "feeder", EVENT)
    for to in (0, 300, 600):
        await step(world, client, to)
    assert {load for _, load in loads(device)} == {None}


@pytest.mark.parametrize(
    ("said", "watts"),
    [
        ({"Offset": Offset(loadAdjustmentPercentageOffset=2500)}, 5400),
        ({"Offset": Offset(loadAdjustmentPercentageOffset=2500), "loadShiftForward": True}, MOST_W),
        ({"Offset": Offset(loadAdjustmentPercentageOffset=20_000)}, 0),
        ({"DutyCycle": DutyCycle(normalValue=25)}, 1800),
        ({"DutyCycle": DutyCycle(normalValue=0), "Offset": Offset(loadAdjustmentPercentageOffset=10_000)}, 0),
        ({"Offset": Offset(coolingOffset=20)}, None),
    ],
)
def test_what_an_event_of_another_server_bounds(said: dict[str, object], watts: float | None) -> None:
    plain = {"drProgramMandatory": True, "loadShiftForward": False, "deviceCategory": HexBinary(1 << 17, 4)}
    event = EndDeviceControl(
        mRID=HexBinary(1, 16),
        creationTime=NOW,
        EventStatus=EventStatus(currentStatus=0, dateTime=NOW, potentiallySuperseded=False),
        interval=Interval(duration=60, start=NOW),
        **(plain | said),  # type: ignore[arg-type]
    )
    assert load_control_of(event, 7, MOST_W).modes == ({} if watts is None else {LOAD_LIMIT: pytest.approx(watts)})
