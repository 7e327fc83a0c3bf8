"""Devices of csip clients behind one connection: each holds limits of its own power, as far as it has any."""

from sep2.operations.devices import NewDevice, add_device
from sep2.operations.documents import put_der_document
from sep2.wire import DeviceCategoryType
from tests.envelope import test_sharing
from tests.envelope.cases import START, STEP_S
from tests.envelope.test_sharing import ROOF, at, csip, rounds_of, said_to

house, problem = test_sharing.house, test_sharing.problem


async def test_an_inverter_and_a_charger_of_csip_clients_each_hold_all_of_their_own_side(house, problem):
    """What each is comes from its category: neither takes a part of what only the other does."""
    pv, evse = int(DeviceCategoryType.PHOTOVOLTAIC), int(DeviceCategoryType.EVSE)
    inverter = await csip(house, holds_net_limit=False, device_category=pv)
    async with house.write() as db:
        await put_der_document(db, inverter, "DERSettings", b"<x/>", now=START - 60, reported={"set_max_w": 6_000})
        await add_device(
            db,
            NewDevice(ROOF, 3, "c1", holds_net_limit=False, device_category=evse, load_control_w=7_000),
            START - 60,
        )
    _, rounds = await rounds_of(house, problem)
    out = await rounds.run_once(START)
    assert (out.failure, out.published.parts) == ("", 2)
    assert not any(said.startswith("no_") for said in out.schedule.findings)
    *_, (roof, _), (charger, _) = await said_to(house, START)
    for t in range(problem.steps):
        moment = START + t * STEP_S
        own, other = at(roof, moment), at(charger, moment)
        assert (own.load_w, other.gen_w) == (None, None)
        assert own.gen_w == min(6_000, out.schedule.gen_limit_w[t, 0])
        assert other.load_w == min(7_000, out.schedule.load_limit_w[t, 0])
