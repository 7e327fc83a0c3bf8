"""Two groups of one primacy: which of them holds does not change when their controls are issued anew."""

import pytest

from sep2.operations.controls import issue_controls
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.operations.issuing import NewControl
from sep2.operations.releasing import release
from sep2.operations.schedules import keep_others_in_place
from sep2.rules.limits import Limits
from tests.operations.test_overrides import NOW, Street

IMPORT = "opModImpLimW"


@pytest.fixture
async def street(database):
    made = Street(database)
    await made.fill()
    async with database.write() as db:
        made.twin = await create_group(db, NewGroup("twin", "FD", 7), NOW)
        await assign(db, made.twin, made.devices["NMI1"], NOW)
    return made


async def send(street, group, created, **limits):
    new = NewControl(start=NOW, duration=3600, limits=Limits(**limits))
    async with street.database.write() as db:
        await issue_controls(db, group, [new], created)


@pytest.mark.parametrize("later", ["feeder", "twin"])
async def test_the_later_of_two_holds_again_after_each_of_several_overrides(street, later):
    earlier = "twin" if later == "feeder" else "feeder"
    await send(street, getattr(street, earlier), NOW, export_w=2000)
    await send(street, getattr(street, later), NOW + 1, export_w=3000)
    assert await street.holds("NMI1", NOW + 2) == 3000
    for number in range(8):
        begins = NOW + 10 + 100 * number
        await street.override(begins, export_w=0, end=begins + 50)
        assert await street.holds("NMI1", begins + 49) == 0
        assert await street.holds("NMI1", begins + 51) == 3000


@pytest.mark.parametrize("later", ["feeder", "twin"])
async def test_the_later_of_two_holds_again_after_a_release(street, later):
    earlier = "twin" if later == "feeder" else "feeder"
    await send(street, getattr(street, earlier), NOW, export_w=2000)
    await send(street, getattr(street, later), NOW, export_w=3000)
    for number in range(6):
        begins = NOW + 10 + 100 * number
        before = await street.holds("NMI1", begins - 1)
        override = await street.override(begins, export_w=0, end=begins + 90)
        async with street.database.write() as db:
            await release(db, override.id, begins + 20, spread_s=0)
        assert await street.holds("NMI1", begins + 21) == before


async def test_the_earlier_of_two_is_issued_anew_for_a_mode_of_its_own_and_stays_the_weaker(street):
    await send(street, street.feeder, NOW, export_w=2000, import_w=4000)
    await send(street, street.twin, NOW + 1, export_w=3000)
    await street.override(NOW + 10, limits=Limits(import_w=0), end=NOW + 60)
    for at in (NOW + 9, NOW + 59, NOW + 61, NOW + 3599):
        assert await street.holds("NMI1", at) == 3000
    assert await street.holds("NMI1", NOW + 59, IMPORT) == 0
    assert await street.holds("NMI1", NOW + 61, IMPORT) == 4000


async def test_what_a_control_of_another_mode_leaves_of_the_earlier_one_stays_the_weaker(street):
    await send(street, street.feeder, NOW, export_w=2000, import_w=4000)
    await send(street, street.twin, NOW + 1, export_w=3000)
    short = NewControl(start=NOW + 30, duration=60, limits=Limits(import_w=1000))
    async with street.database.write() as db:
        await issue_controls(db, street.feeder, [short], NOW + 10)
    for at, imported in ((NOW + 29, 4000), (NOW + 31, 1000), (NOW + 91, 4000)):
        assert (await street.holds("NMI1", at), await street.holds("NMI1", at, IMPORT)) == (3000, imported)


async def test_each_of_three_keeps_its_place(street):
    async with street.database.write() as db:
        third = await create_group(db, NewGroup("third", "FD", 7), NOW)
        await assign(db, third, street.devices["NMI1"], NOW)
    await send(street, street.feeder, NOW, export_w=2000, import_w=4000)
    await send(street, third, NOW + 1, export_w=3000)
    await send(street, street.twin, NOW + 2, import_w=5000)
    for number in range(4):
        begins = NOW + 10 + 100 * number
        limits = Limits(import_w=0) if number % 2 else Limits(export_w=0)
        await street.override(begins, limits=limits, end=begins + 50)
        held = await street.holds("NMI1", begins + 51), await street.holds("NMI1", begins + 51, IMPORT)
        assert held == (3000, 5000)


@pytest.mark.parametrize("sent_first", [True, False])
async def test_what_people_send_at_the_envelopes_primacy_holds_through_every_publication(street, sent_first):
    async with street.database.write() as db:
        rival = await create_group(db, NewGroup("rival", "FD", 4), NOW)
        for name in ("NMI1", "NMI2"):
            await assign(db, rival, street.devices[name], NOW)
    if sent_first:
        await send(street, rival, NOW, export_w=2000)
    shown = set()
    for number in range(5):
        at = NOW + 300 * number
        for name in ("NMI1", "NMI2"):
            await street.publish(name, at, *[3000 + 100 * number] * 6)
        async with street.database.write() as db:
            again = await keep_others_in_place(db, [street.own["NMI1"], street.own["NMI2"]], at)
        if not sent_first and not number:
            assert (again, await street.holds("NMI1", at)) == ((), 3000)
            await send(street, rival, at + 1, export_w=2000)
            continue
        assert again
        shown |= {await street.holds(name, at + 2) for name in ("NMI1", "NMI2")}
        shown |= {await street.holds("NMI1", at + 299)}
        async with street.database.write() as db:
            assert await keep_others_in_place(db, [street.own["NMI1"]], at + 2) == (), "nothing was published since"
    assert shown == {2000}
