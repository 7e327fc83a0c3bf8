"""Clients, devices, connections and groups through the one door, on both databases."""

import pytest

from sep2.operations import devices as verbs
from sep2.operations.clients import BadLfdi, ClientTaken, NewClient, register_client
from sep2.operations.connections import BadConnection, ConnectionKnown, NewConnection, add_connection
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.defaults import set_default
from sep2.operations.devices import (
    BadDevice,
    ConnectionTaken,
    DeviceTaken,
    NewDevice,
    add_device,
    place_device,
    remove_device,
)
from sep2.operations.groups import (
    AlreadyMember,
    BadGroup,
    NetLimitHeld,
    NewGroup,
    NotMember,
    assign,
    create_group,
    drop_own_group,
    give_own_group,
    unassign,
)
from sep2.rules.limits import Limits
from sep2.rules.paging import Page
from sep2.store import connections, defaults, device_pages, devices, groups
from sep2.store.controls import Seen

NOW = 1_700_000_000
AGGREGATOR = NewClient("agg", "cd" * 20, "aggregator")


@pytest.fixture
async def client(database):
    async with database.write() as db:
        await add_connection(db, NewConnection("NMI1"), NOW)
        return await register_client(db, AGGREGATOR, NOW)


async def test_an_aggregator_has_an_entry_of_its_own_first(database, client):
    async with database.write() as db:
        await add_device(db, NewDevice(lfdi="AB" * 20, client_id=client), NOW + 5)
    async with database.read() as db:
        page = await device_pages.of_client(db, client, "CD" * 20, Page(0, 9))
    assert [row.lfdi for row in page.rows] == ["CD" * 20, "AB" * 20]


async def test_a_device_at_a_connection_joins_the_connections_group(database, client):
    async with database.write() as db:
        device = await add_device(db, NewDevice(lfdi="AB" * 20, client_id=client, connection_id="NMI1"), NOW)
        own = await groups.by_name(db, "connection NMI1")
        assert await groups.member_ids(db, own.id) == [device]


async def test_one_device_holds_the_limits_of_a_connection(database, client):
    async with database.write() as db:
        await add_device(db, NewDevice(lfdi="AB" * 20, client_id=client, connection_id="NMI1"), NOW)
    with pytest.raises(ConnectionTaken, match="NMI1 is held by ABAB"):
        async with database.write() as db:
            await add_device(db, NewDevice(lfdi="EF" * 20, client_id=client, connection_id="NMI1"), NOW)
    async with database.write() as db:
        second = NewDevice(lfdi="EF" * 20, client_id=client, connection_id="NMI1", holds_net_limit=False)
        await add_device(db, second, NOW)


async def groups_of(db, device):
    return {row.program_mrid: row for row in (await groups.programs(db, device, Page(0, 9), Seen(NOW))).rows}


async def test_a_device_beside_the_holder_has_a_program_of_its_own(database, client):
    """What is said to the connection is not its to keep, and what is said to it is nobody else's."""
    async with database.write() as db:
        await add_device(db, NewDevice(lfdi="AB" * 20, client_id=client, connection_id="NMI1"), NOW)
        new = NewDevice(lfdi="EF" * 20, client_id=client, connection_id="NMI1", holds_net_limit=False)
        beside = await add_device(db, new, NOW)
        own = await devices.own_group(db, beside)
        assert (own.name, own.level, own.primacy) == ("device " + "EF" * 20, "SP", 4)
        own_and_operators = [row.id for row in await groups.at_place(db, device_id=beside)]
        assert own_and_operators[-1] == own.id
        assert [row.id for row in (await groups_of(db, beside)).values()] == own_and_operators
        assert await groups.member_ids(db, own.id) == [beside]
        assert (await defaults.of_group(db, own.id)).gen_limit_w is None
        # Said again, it changes nothing.
        assert await give_own_group(db, beside, NOW) == own.id


async def test_who_was_registered_before_there_were_such_programs_changes_over(database, client):
    async with database.write() as db:
        new = NewDevice(lfdi="EF" * 20, client_id=client, connection_id="NMI1", holds_net_limit=False)
        beside = await add_device(db, new, NOW)
        before, shared = await devices.own_group(db, beside), await groups.by_name(db, "connection NMI1")
        await drop_own_group(db, beside, NOW)
        await assign(db, shared.id, beside, NOW)
        own = await give_own_group(db, beside, NOW)
        assert own != before.id
        there = [row.id for row in await groups.at_place(db, device_id=beside)]
        assert [row.id for row in (await groups_of(db, beside)).values()] == there
        assert there[-1] == own


async def test_a_device_that_is_gone_leaves_what_it_was_told_and_comes_back_without_it(database, client):
    async with database.write() as db:
        new = NewDevice(lfdi="EF" * 20, client_id=client, connection_id="NMI1", holds_net_limit=False)
        first = await add_device(db, new, NOW)
        gone = await devices.own_group(db, first)
        await remove_device(db, first, NOW)
        assert (await groups.one(db, gone.id)).end_device_id is None
        again = await add_device(db, new, NOW)
        assert (await devices.own_group(db, again)).id != gone.id


async def test_a_device_that_moves_and_holds_net_limits_there_has_no_program_of_its_own(database, client):
    async with database.write() as db:
        await add_connection(db, NewConnection("NMI2"), NOW)
        new = NewDevice(lfdi="EF" * 20, client_id=client, connection_id="NMI1", holds_net_limit=False)
        device = await add_device(db, new, NOW)
        await place_device(db, device, "NMI2", NOW)
        assert await devices.own_group(db, device) is None
        place = await connections.by_name(db, "NMI2")
        there = [row.id for row in await groups.at_place(db, connection_id=place.id)]
        assert [row.id for row in (await groups_of(db, device)).values()] == there
        assert there[-1] == place.device_group_id


async def test_the_holder_is_one_even_if_nobody_looked(database, client):
    from sqlalchemy import update

    from sep2.store.connection import Clash
    from sep2.store.tables import end_device

    async with database.write() as db:
        for lfdi, holds in (("AB" * 20, True), ("EF" * 20, False)):
            await add_device(db, NewDevice(lfdi, client, "NMI1", holds_net_limit=holds), NOW)
    with pytest.raises(Clash):
        async with database.write() as db:
            await db.run(update(end_device).values(holds_net_limit=True))


@pytest.mark.parametrize(
    ("why", "changes", "refusal"),
    [
        ("its LFDI is known", {"lfdi": "cd" * 20}, DeviceTaken),
        ("no LFDI", {"lfdi": "xyz"}, BadDevice),
        ("a PIN without its check digit", {"pin": 111111}, BadDevice),
        ("nobody's client", {"client_id": 999}, BadDevice),
        ("nowhere", {"connection_id": "NMI9"}, BadDevice),
    ],
)
async def test_a_bad_device_is_refused(database, client, why, changes, refusal):
    said = {"lfdi": "AB" * 20, "client_id": client, "pin": 111115} | changes
    with pytest.raises(refusal):
        async with database.write() as db:
            await add_device(db, NewDevice(**said), NOW)


async def test_a_client_is_registered_once(database, client):
    with pytest.raises(ClientTaken):
        async with database.write() as db:
            await register_client(db, AGGREGATOR, NOW)
    with pytest.raises(BadLfdi):
        async with database.write() as db:
            await register_client(db, NewClient("x", "12", "device"), NOW)


@pytest.mark.parametrize(
    ("new", "refusal"),
    [
        (NewConnection("NMI1"), ConnectionKnown),
        (NewConnection(""), BadConnection),
        (NewConnection("é" * 17), BadConnection),
        (NewConnection("NMI2", firm_import_w=-1), BadConnection),
    ],
)
async def test_a_bad_connection_is_refused(database, client, new, refusal):
    with pytest.raises(refusal):
        async with database.write() as db:
            await add_connection(db, new, NOW)


async def test_membership(database, client):
    async with database.write() as db:
        device = await add_device(db, NewDevice(lfdi="AB" * 20, client_id=client), NOW)
        group = await create_group(db, NewGroup("feeder 1", "FD", 7), NOW)
        await assign(db, group, device, NOW)
        with pytest.raises(AlreadyMember):
            await assign(db, group, device, NOW)
        await unassign(db, group, device, NOW)
        with pytest.raises(NotMember):
            await unassign(db, group, device, NOW)
        with pytest.raises(BadGroup):
            await create_group(db, NewGroup("x", "ZZ"), NOW)


async def test_a_removed_device_leaves_nothing(database, client):
    async with database.write() as db:
        device = await add_device(db, NewDevice(lfdi="AB" * 20, client_id=client, connection_id="NMI1"), NOW)
        await verbs.remove_device(db, device, NOW)
        assert await devices.one(db, device) is None
        await add_device(db, NewDevice(lfdi="AB" * 20, client_id=client, connection_id="NMI1"), NOW)


async def test_what_stands_for_an_aggregator_is_put_into_no_group(database, client):
    """It would never answer a control, and operators would wait for it."""
    async with database.write() as db:
        group = await create_group(db, NewGroup("feeder"), NOW)
        own = await devices.by_lfdi(db, AGGREGATOR.lfdi.upper())
        with pytest.raises(BadGroup, match="stands for the aggregator agg"):
            await assign(db, group, own.id, NOW)


async def test_nobody_registers_the_identity_of_another_client(database, client):
    """Who holds a certificate may not have opened its EndDevice yet."""
    async with database.write() as db:
        await register_client(db, NewClient("roof", "EF" * 20, "device", registration="in-band"), NOW)
        with pytest.raises(BadDevice, match="that of another client"):
            await add_device(db, NewDevice(lfdi="EF" * 20, client_id=client), NOW)


async def test_limits_of_import_and_export_are_not_said_to_who_does_not_hold_them(database, client):
    async with database.write() as db:
        new = NewDevice(lfdi="EF" * 20, client_id=client, connection_id="NMI1", holds_net_limit=False)
        own = (await devices.own_group(db, await add_device(db, new, NOW))).id
        with pytest.raises(NetLimitHeld, match="device EFEF"):
            await issue_controls(db, own, [NewControl(start=NOW, duration=60, limits=Limits(export_w=0))], NOW)
        with pytest.raises(NetLimitHeld):
            await set_default(db, own, Limits(import_w=0), now=NOW)
        assert await set_default(db, own, Limits(gen_w=0, load_w=0), now=NOW)
