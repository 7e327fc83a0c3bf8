"""What several servers, or several requests, do at the same time on one database."""

import asyncio

import pytest
from sqlalchemy import select

from sep2.errors import Conflict
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import ControlOver, NewControl, cancel_control, issue_controls
from sep2.operations.curves import CurveInUse, UnknownCurve, create_curve, remove_curve
from sep2.operations.defaults import Beside, set_default
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.groups import NewGroup, create_group
from sep2.operations.modes import BadMode
from sep2.operations.schedules import Wanted, issue_schedules
from sep2.rules.curves import Curve, Point
from sep2.rules.identifiers import managed_lfdi
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store.tables import control, end_device
from sep2.wire import DERCurveType

NOW = 1000


async def together(database, verb, several):
    """What came of each, when all were done at once, each in a transaction of its own."""

    async def one(arguments):
        async with database.write() as db:
            return await verb(db, *arguments)

    return await asyncio.gather(*(one(arguments) for arguments in several), return_exceptions=True)


@pytest.fixture
async def group(database):
    async with database.write() as db:
        return await create_group(db, NewGroup("feeder"), NOW)


@pytest.fixture
async def client(database):
    async with database.write() as db:
        await add_connection(db, NewConnection("NMI1"), NOW)
        return await register_client(db, NewClient("sunny", "AB" * 20, "aggregator"), NOW)


async def standing(database):
    async with database.read() as db:
        rows = await db.all(select(control.c.id, control.c.created, control.c.successor_created))
    return [row for row in rows if row.successor_created is None], rows


async def test_of_controls_for_the_same_time_one_stands(database, group):
    """Each of the others was superseded by a later one; none was issued twice at the same time."""

    async def issue(db, watts):
        await issue_controls(db, group, [NewControl(start=2000, duration=100, limits=Limits(export_w=watts))], NOW)

    assert await together(database, issue, [(watts,) for watts in range(8)]) == [None] * 8
    alive, every = await standing(database)
    assert (len(alive), len(every)) == (1, 8)
    assert alive[0].created == max(row.created for row in every)
    assert len({row.created for row in every}) == 8


async def test_of_the_same_control_there_is_one(database, group):
    async def issue(db):
        await issue_controls(db, group, [NewControl(start=2000, duration=100, limits=Limits(export_w=1))], NOW)

    assert await together(database, issue, [()] * 6) == [None] * 6
    assert len((await standing(database))[1]) == 1


async def test_of_schedules_one_stands(database, group):
    async def issue(db, watts):
        wanted = [Interval(2000 + n * 100, 2100 + n * 100, Limits(export_w=watts + n)) for n in range(3)]
        await issue_schedules(db, [Wanted(group, wanted)], NOW, source="envelope")

    assert await together(database, issue, [(watts,) for watts in (10, 20, 30, 40)]) == [None] * 4
    assert len((await standing(database))[0]) == 3


async def test_a_control_is_cancelled_once(database, group):
    async with database.write() as db:
        issued = await issue_controls(db, group, [NewControl(start=2000, duration=100, limits=Limits(export_w=1))], NOW)

    async def cancel(db):
        await cancel_control(db, issued.created[0], NOW)

    told = await together(database, cancel, [()] * 4)
    assert [type(error) for error in told if error] == [ControlOver] * 3


@pytest.mark.parametrize("by", ["control", "default"])
async def test_a_curve_is_removed_or_linked_to_and_never_both(database, group, by):
    kind, points = DERCurveType.opModVoltVar, [Point(98, 0)]
    async with database.write() as db:
        made = (await create_curve(db, group, Curve(kind=kind, points=points), NOW)).id

    async def work(db, verb):
        if verb == "remove":
            return await remove_curve(db, made, NOW)
        if by == "default":
            return await set_default(db, group, Limits(), now=NOW, beside=Beside(modes={kind.name: made}))
        said = NewControl(start=2000, duration=100, limits=Limits(), modes={kind.name: made})
        return await issue_controls(db, group, [said], NOW)

    told = await together(database, work, [("remove",), ("link",), ("link",), ("remove",)])
    removed = [one for one, verb in zip(told, "rllr", strict=True) if verb == "r" and one is None]
    linked = [one for one, verb in zip(told, "rllr", strict=True) if verb == "l" and not isinstance(one, Exception)]
    assert (len(removed), len(linked)) in ((1, 0), (0, 2))
    assert all(isinstance(one, CurveInUse | UnknownCurve | BadMode) for one in told if isinstance(one, Exception))


async def test_a_curve_that_is_made_by_several_at_once_is_one(database, group):
    async def make(db):
        return await create_curve(db, group, Curve(kind=DERCurveType.opModVoltVar, points=[Point(98, 0)]), NOW)

    told = await together(database, make, [()] * 5)
    assert len({one.id for one in told}) == 1
    assert sorted(one.new for one in told) == [False, False, False, False, True]


async def test_a_connection_has_one_holder(database, client):
    async def add(db, lfdi):
        return await add_device(db, NewDevice(lfdi, client, "NMI1"), NOW)

    told = await together(database, add, [(managed_lfdi(32473),) for _ in range(5)])
    assert sorted(isinstance(one, Conflict) for one in told) == [False, True, True, True, True]


async def test_a_device_is_registered_once(database, client):
    async def add(db):
        return await add_device(db, NewDevice("CD" * 20, client), NOW)

    told = await together(database, add, [()] * 5)
    assert sorted(isinstance(one, Conflict) for one in told) == [False, True, True, True, True]
    async with database.read() as db:
        assert len(await db.all(select(end_device.c.id).where(end_device.c.lfdi == "CD" * 20))) == 1
