"""What operators are told of limits that a device's profile can not carry, on both databases."""

import pytest

from sep2.operations.alarms import MODE_UNSUPPORTED, SET_MAX_W, clear_alarm
from sep2.operations.clients import NewClient, register_client
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.defaults import set_default
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.documents import put_der_document
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.rules.limits import Limits
from sep2.store import alarms, devices

NOW = 1_700_000_000
AMERICAN, OTHER, AUSTRALIAN = "AB" * 20, "AC" * 20, "AD" * 20
US_CLIENT = "CD" * 20


@pytest.fixture
async def group(database):
    """Two devices of a US client and one of an Australian."""
    async with database.write() as db:
        group_id = await create_group(db, NewGroup("feeder"), NOW)
        us = await register_client(db, NewClient("us", "CD" * 20, "aggregator", profile="csip"), NOW)
        au = await register_client(db, NewClient("au", "CE" * 20, "aggregator"), NOW)
        for lfdi, client in ((AMERICAN, us), (OTHER, us), (AUSTRALIAN, au)):
            await assign(db, group_id, await add_device(db, NewDevice(lfdi, client), NOW), NOW)
    return group_id


async def standing(database):
    async with database.read() as db:
        told = {MODE_UNSUPPORTED, SET_MAX_W}
        return sorted((row.code, row.subject) for row in await alarms.standing(db) if row.code in told)


async def whose_percentages(database):
    async with database.read() as db:
        return set(await alarms.members_about(db, SET_MAX_W, US_CLIENT))


async def issue(database, group, limits, start):
    async with database.write() as db:
        await issue_controls(db, group, [NewControl(start=start, duration=60, limits=limits)], NOW)


async def test_one_alarm_for_each_client_and_mode_that_its_devices_can_not_carry(database, group):
    await issue(database, group, Limits(import_w=1), NOW)
    await issue(database, group, Limits(import_w=2), NOW + 100)
    mode = (MODE_UNSUPPORTED, f"{US_CLIENT} opModImpLimW")
    assert await standing(database) == [mode]
    async with database.write() as db:
        await clear_alarm(db, MODE_UNSUPPORTED, mode[1], NOW)
        await set_default(db, group, Limits(load_w=3), now=NOW)
    assert await standing(database) == [(MODE_UNSUPPORTED, f"{US_CLIENT} opModLoadLimW")]


async def test_a_percentage_needs_to_know_of_what(database, group):
    await issue(database, group, Limits(export_w=1), NOW)
    assert await whose_percentages(database) == {AMERICAN, OTHER}
    async with database.write() as db:
        device = next(d for d in await devices.members_of(db, [group], profile="csip") if d.lfdi == AMERICAN)
        said = {"set_max_w": 5000}
        await put_der_document(db, device.id, "DERSettings", b"<DERSettings/>", now=NOW, reported=said)
    assert await whose_percentages(database) == {OTHER}
    await issue(database, group, Limits(gen_w=1), NOW + 100)
    assert await whose_percentages(database) == {OTHER}
